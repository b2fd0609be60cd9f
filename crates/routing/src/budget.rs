//! What an upstream account bears, whichever pools its channel is in: attempts at a time, requests and tokens a minute.
//!
//! A budget is a token bucket that holds one minute's worth and refills evenly, as the providers' own are. It is kept
//! as the moment at which the bucket will be full again (the virtual-scheduling form of the leaky bucket: GCRA, ITU-T
//! I.371), in nanoseconds: one word, no refill, no clock of its own.
//!
//! What an answer will cost is not known when it is asked for. The estimate of the prompt is taken then, and what the
//! upstream counted is settled at the end; an answer longer than what was left leaves a debt. A request that is larger
//! than the whole bucket may go when the bucket is full: otherwise it could never.

use crate::sync::{AtomicU32, AtomicU64, Ordering};
use crate::{ChannelSpec, Kind, Limited, Micros, Outcome};

/// In nanoseconds.
const MINUTE: u64 = 60_000_000_000;

/// What an account may be asked for in a minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rates {
    pub(crate) requests: Option<u32>,
    pub(crate) tokens: Option<u32>,
}

/// What is left of an account, over all pools.
#[derive(Debug, Default)]
pub(crate) struct Account {
    /// Attempts in flight.
    occupancy: AtomicU32,
    requests: Bucket,
    tokens: Bucket,
}

/// What an attempt has taken from its account.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken {
    rates: Rates,
    /// Tokens.
    pub(crate) reserved: u32,
}

/// The moment at which it is full again, in nanoseconds.
#[derive(Debug, Default)]
struct Bucket(AtomicU64);

// === impl Rates ===

impl Rates {
    pub(crate) const fn of(spec: &ChannelSpec) -> Self {
        Self { requests: spec.requests_per_minute, tokens: spec.tokens_per_minute }
    }

    pub(crate) const fn is_unlimited(self) -> bool {
        self.requests.is_none() && self.tokens.is_none()
    }
}

// === impl Account ===

impl Account {
    pub(crate) fn occupancy(&self) -> u32 {
        self.occupancy.load(Ordering::Relaxed)
    }

    /// Takes a place, a request and `tokens`, or nothing at all.
    pub(crate) fn enter(&self, max: Option<u32>, rates: Rates, tokens: u32, now: Micros) -> Option<Taken> {
        if let Some(max) = max {
            let below = |taken: u32| (taken < max).then(|| taken + 1);
            self.occupancy.fetch_update(Ordering::Relaxed, Ordering::Relaxed, below).ok()?;
        } else {
            self.occupancy.fetch_add(1, Ordering::Relaxed);
        }
        if !rates.is_unlimited() && !self.pay(rates, tokens, now) {
            self.leave();
            return None;
        }
        Some(Taken { rates, reserved: tokens })
    }

    /// An attempt is over.
    pub(crate) fn leave(&self) {
        self.occupancy.fetch_sub(1, Ordering::Relaxed);
    }

    /// Sets what was taken for an attempt to what it cost.
    ///
    /// What the upstream counted is what it cost. Where it counted nothing, a request that was refused cost no tokens,
    /// one that never arrived cost nothing at all, and any other cost what was reserved.
    pub(crate) fn settle(&self, taken: Taken, outcome: &Outcome) {
        let Taken { rates, reserved } = taken;
        let counted = outcome.prompt_tokens.saturating_add(outcome.output_tokens);
        let cost = if counted > 0 {
            counted
        } else if was_refused(outcome.kind) {
            0
        } else {
            reserved
        };
        if let Some(rate) = rates.tokens {
            self.tokens.correct(reserved, cost, rate);
        }
        if let (Kind::Connect, Some(rate)) = (outcome.kind, rates.requests) {
            self.requests.correct(1, 0, rate);
        }
    }

    /// Until when a request of so many tokens has to wait for a budget, and for which: the one it waits for longest.
    pub(crate) fn wait(&self, rates: Rates, tokens: u32, now: Micros) -> Option<(Micros, Limited)> {
        let wait = |bucket: &Bucket, rate: Option<u32>, amount, budget| {
            let until = bucket.wait(amount, rate?, now)?;
            Some((until, budget))
        };
        let requests = wait(&self.requests, rates.requests, 1, Limited::Requests);
        let tokens = wait(&self.tokens, rates.tokens, tokens, Limited::Tokens);
        match (requests, tokens) {
            (Some(requests), Some(tokens)) => Some(if tokens.0 > requests.0 { tokens } else { requests }),
            (one, other) => one.or(other),
        }
    }

    /// A copy that shares nothing with this account.
    pub(crate) fn copy(&self) -> Self {
        Self {
            occupancy: AtomicU32::new(self.occupancy()),
            requests: self.requests.copy(),
            tokens: self.tokens.copy(),
        }
    }

    fn pay(&self, rates: Rates, tokens: u32, now: Micros) -> bool {
        if !rates.requests.is_none_or(|rate| self.requests.take(1, rate, now)) {
            return false;
        }
        let paid = rates.tokens.is_none_or(|rate| self.tokens.take(tokens, rate, now));
        if let (false, Some(rate)) = (paid, rates.requests) {
            self.requests.correct(1, 0, rate);
        }
        paid
    }
}

// === impl Bucket ===

impl Bucket {
    fn take(&self, amount: u32, rate: u32, now: Micros) -> bool {
        let cost = cost(amount, rate);
        let taken =
            |full_at: u64| fits(full_at, cost, now).then(|| full_at.max(nanos(now)).saturating_add(cost));
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken).is_ok()
    }

    fn wait(&self, amount: u32, rate: u32, now: Micros) -> Option<Micros> {
        let (full_at, cost) = (self.0.load(Ordering::Relaxed), cost(amount, rate));
        let until = full_at.saturating_add(cost.min(MINUTE)).saturating_sub(MINUTE);
        (!fits(full_at, cost, now)).then(|| Micros(until.div_ceil(1000)))
    }

    /// What was taken for so many was for another number.
    fn correct(&self, from: u32, to: u32, rate: u32) {
        let (from, to) = (cost(from, rate), cost(to, rate));
        if from != to {
            let corrected = |full_at: u64| Some(full_at.saturating_add(to).saturating_sub(from));
            let _always_ok = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, corrected);
        }
    }

    fn copy(&self) -> Self {
        Self(AtomicU64::new(self.0.load(Ordering::Relaxed)))
    }
}

/// Whether the upstream turned an attempt away before it read the prompt.
const fn was_refused(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Connect | Kind::RateLimited | Kind::CallerError(_) | Kind::Credentials | Kind::Unserved
    )
}

/// How long it takes to refill so many.
fn cost(amount: u32, rate: u32) -> u64 {
    u64::from(amount).saturating_mul(MINUTE) / u64::from(rate.max(1))
}

fn fits(full_at: u64, cost: u64, now: Micros) -> bool {
    full_at.max(nanos(now)).saturating_add(cost.min(MINUTE)) <= nanos(now).saturating_add(MINUTE)
}

const fn nanos(now: Micros) -> u64 {
    now.0.saturating_mul(1000)
}

#[cfg(test)]
mod tests {
    use super::{Account, Rates};
    use crate::{Kind, Limited, Micros, Outcome};

    fn s(seconds: u64) -> Micros {
        Micros::from_millis(1000 * seconds)
    }

    const REQUESTS: Rates = Rates { requests: Some(60), tokens: None };
    const TOKENS: Rates = Rates { requests: None, tokens: Some(6000) };

    #[test]
    fn a_minutes_worth_may_go_at_once_and_then_as_it_refills() {
        let account = Account::default();
        let go = |now| (0..200).filter(|_| account.enter(None, REQUESTS, 0, now).is_some()).count();
        assert_eq!(go(s(100)), 60);
        assert_eq!(account.wait(REQUESTS, 0, s(100)), Some((s(101), Limited::Requests)));
        assert_eq!(go(s(101)), 1);
        assert_eq!(go(s(131)), 30);
        assert_eq!(go(s(1000)), 60, "no more than a minute's worth is saved");
    }

    #[test]
    fn what_is_refused_takes_nothing() {
        let account = Account::default();
        let both = Rates { requests: Some(60), tokens: Some(60) };
        assert!(account.enter(None, both, 50, s(100)).is_some());
        for _ in 0..100 {
            assert!(account.enter(None, both, 50, s(100)).is_none());
        }
        assert_eq!(account.wait(both, 50, s(100)), Some((s(140), Limited::Tokens)));
        assert_eq!(account.occupancy(), 1);
        assert!(account.enter(None, both, 10, s(100)).is_some(), "the refused have taken no requests");
    }

    #[test]
    fn an_answer_is_settled_to_what_was_counted() {
        let account = Account::default();
        let cost = |reserved, kind, counted| {
            let taken = account.enter(None, TOKENS, reserved, s(500)).unwrap();
            let (prompt_tokens, output_tokens) = counted;
            account.settle(taken, &Outcome { prompt_tokens, output_tokens, ..Outcome::of(kind) });
            // So long until all 6000 are there again.
            let wait = account.wait(TOKENS, 6000, s(500)).map_or(s(500), |(until, _)| until);
            account.tokens.0.store(0, crate::sync::Ordering::Relaxed);
            wait.since(s(500)).0 / 10_000
        };
        assert_eq!(cost(1000, Kind::Ok, (800, 500)), 1300);
        assert_eq!(cost(1000, Kind::Ok, (0, 0)), 1000, "nobody counted");
        assert_eq!(cost(1000, Kind::Timeout, (0, 0)), 1000);
        assert_eq!(cost(1000, Kind::CallerError(400), (0, 0)), 0);
        assert_eq!(cost(1000, Kind::Connect, (0, 0)), 0);
        assert_eq!(cost(0, Kind::Ok, (5000, 4000)), 9000, "a debt");
    }

    #[test]
    fn a_request_that_never_arrived_costs_no_request() {
        let account = Account::default();
        for _ in 0..1000 {
            let taken = account.enter(None, REQUESTS, 0, s(100)).unwrap();
            account.settle(taken, &Outcome::of(Kind::Connect));
        }
    }

    #[test]
    fn a_request_larger_than_the_bucket_may_go_when_it_is_full() {
        let account = Account::default();
        assert!(account.enter(None, TOKENS, 60_000, s(1000)).is_some());
        assert_eq!(account.wait(TOKENS, 1, s(1000)).unwrap().0.since(s(1000)).millis_up(), 540_010);
        assert!(account.enter(None, TOKENS, 60_000, s(1599)).is_none());
        assert!(account.enter(None, TOKENS, 60_000, s(1600)).is_some());
    }

    #[test]
    fn a_clock_that_stands_still_or_goes_back_gives_nothing_away() {
        let account = Account::default();
        for _ in 0..60 {
            assert!(account.enter(None, REQUESTS, 0, s(100)).is_some());
        }
        assert!(account.enter(None, REQUESTS, 0, s(100)).is_none());
        assert!(account.enter(None, REQUESTS, 0, s(10)).is_none());
        assert!(account.enter(None, REQUESTS, 0, Micros(0)).is_none());
    }
}
