use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use gateway_routing::Micros;

/// Over how many seconds requests and retries are compared.
const WINDOW: u64 = 10;
const SECONDS: usize = 10;
/// A hedge costs this many of the hundredths that requests deposit.
const HEDGE: u64 = 100;
/// At most this many unused hedges are saved up, so that a quiet hour does not pay for a storm.
const SAVED_HEDGES: u64 = 10;

/// How many attempts beyond the first the requests for one model may cost, all workers together.
///
/// Without such a bound every layer's retries multiply just when the upstreams can bear it least: three tries for each
/// request are three times the load on channels that fail because of load. Retries are held below a share of the
/// requests of the last ten seconds, with a floor so that a quiet gateway can retry at all (linkerd's and Finagle's
/// retry budget). Hedges come from a budget of their own without a floor: their share is a promise about cost.
///
/// Counted with relaxed atomics: two workers at the same moment may take one retry too many between them.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    seconds: [Second; SECONDS],
    /// In hundredths of a hedge.
    hedges: AtomicU64,
}

#[derive(Debug, Default)]
struct Second {
    /// Which second the counts are of.
    number: AtomicU64,
    requests: AtomicU32,
    retries: AtomicU32,
}

/// What the configuration allows in retries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allowance {
    /// Retries per hundred requests of the last ten seconds.
    pub percent: u32,
    /// Retries per second that are allowed whatever the requests.
    pub floor: u32,
}

// === impl Budget ===

impl Budget {
    /// A request begins. `hedge_percent` hedges per hundred requests are saved up.
    pub(crate) fn request(&self, now: Micros, hedge_percent: u8) {
        if let Some(second) = self.second(now) {
            second.requests.fetch_add(1, Ordering::Relaxed);
        }
        if hedge_percent > 0 {
            let saved = |saved: u64| Some((saved + u64::from(hedge_percent)).min(SAVED_HEDGES * HEDGE));
            let _ = self.hedges.fetch_update(Ordering::Relaxed, Ordering::Relaxed, saved);
        }
    }

    /// Takes a retry, if there is one left.
    pub(crate) fn take_retry(&self, now: Micros, allowed: Allowance) -> bool {
        let current = number(now);
        let live = |second: &&Second| second.number.load(Ordering::Relaxed) + WINDOW > current;
        let (mut requests, mut retries) = (0_u64, 0_u64);
        for second in self.seconds.iter().filter(live) {
            requests += u64::from(second.requests.load(Ordering::Relaxed));
            retries += u64::from(second.retries.load(Ordering::Relaxed));
        }
        let most = requests * u64::from(allowed.percent) / 100 + u64::from(allowed.floor) * WINDOW;
        let taken = retries < most;
        if let Some(second) = self.second(now).filter(|_| taken) {
            second.retries.fetch_add(1, Ordering::Relaxed);
        }
        taken
    }

    /// A retry that was taken at this moment was not made: there was nobody left to ask.
    pub(crate) fn return_retry(&self, now: Micros) {
        if let Some(second) = self.second(now) {
            let less = |retries: u32| retries.checked_sub(1);
            let _ = second.retries.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        }
    }

    /// The same for a hedge.
    pub(crate) fn return_hedge(&self) {
        self.hedges.fetch_add(HEDGE, Ordering::Relaxed);
    }

    /// Takes a hedge, if one has been saved up.
    pub(crate) fn take_hedge(&self) -> bool {
        let take = |saved: u64| saved.checked_sub(HEDGE);
        self.hedges.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }

    /// The counts of this second, emptied when they were of an earlier one.
    fn second(&self, now: Micros) -> Option<&Second> {
        let current = number(now);
        let second = self.seconds.get(usize::try_from(current % WINDOW).ok()?)?;
        let before = second.number.load(Ordering::Relaxed);
        let is_mine = before != current
            && second.number.compare_exchange(before, current, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if is_mine {
            second.requests.store(0, Ordering::Relaxed);
            second.retries.store(0, Ordering::Relaxed);
        }
        Some(second)
    }
}

/// Which second it is. Begins above the window, so that counts that were never used are older than it.
fn number(now: Micros) -> u64 {
    now.0 / 1_000_000 + WINDOW
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARE: Allowance = Allowance { percent: 20, floor: 0 };

    fn at(seconds: u64) -> Micros {
        Micros(seconds * 1_000_000)
    }

    fn retries(budget: &Budget, now: Micros, allowed: Allowance) -> usize {
        (0..1_000).take_while(|_| budget.take_retry(now, allowed)).count()
    }

    #[test]
    fn retries_stay_below_their_share_of_the_requests() {
        let budget = Budget::default();
        (0..100).for_each(|_| budget.request(at(5), 0));
        assert_eq!(retries(&budget, at(6), SHARE), 20);
        (0..50).for_each(|_| budget.request(at(7), 0));
        assert_eq!(retries(&budget, at(8), SHARE), 10);
    }

    #[test]
    fn requests_and_retries_are_forgotten_after_ten_seconds() {
        let budget = Budget::default();
        (0..100).for_each(|_| budget.request(at(0), 0));
        assert_eq!(retries(&budget, at(9), SHARE), 20);
        assert_eq!(retries(&budget, at(10), SHARE), 0);
        (0..100).for_each(|_| budget.request(at(20), 0));
        assert_eq!(retries(&budget, at(20), SHARE), 20);
    }

    #[test]
    fn a_quiet_model_may_retry_up_to_the_floor() {
        let budget = Budget::default();
        assert_eq!(retries(&budget, at(0), Allowance { percent: 20, floor: 3 }), 30);
        assert_eq!(retries(&budget, at(0), Allowance { percent: 0, floor: 0 }), 0);
    }

    #[test]
    fn what_was_taken_and_not_used_is_there_again() {
        let budget = Budget::default();
        (0..100).for_each(|_| budget.request(at(0), 5));
        assert_eq!(retries(&budget, at(1), SHARE), 20);
        budget.return_retry(at(1));
        assert_eq!(retries(&budget, at(1), SHARE), 1);
        let hedges = || (0..1_000).take_while(|_| budget.take_hedge()).count();
        assert_eq!(hedges(), 5);
        budget.return_hedge();
        assert_eq!(hedges(), 1);
    }

    #[test]
    fn hedges_are_a_share_of_all_requests_and_are_not_saved_up_for_long() {
        let budget = Budget::default();
        let taken = || (0..1_000).take_while(|_| budget.take_hedge()).count();
        assert_eq!(taken(), 0);
        (0..100).for_each(|_| budget.request(at(0), 5));
        assert_eq!(taken(), 5);
        (0..10_000).for_each(|_| budget.request(at(1), 5));
        assert_eq!(taken(), 10);
    }
}
