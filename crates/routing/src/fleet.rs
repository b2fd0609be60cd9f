//! What is known of a pool as a whole.
//!
//! **Budgets** are counted in requests, not in seconds, so that they hold at any rate: a token every 50 (trials) or
//! 100 (cuts) requests, saved up to a burst. This is a leaky bucket in its virtual-scheduling form (GCRA, ITU-T
//! I.371) with the request counter as the clock: one word, no refill.
//!
//! **Whole answers.** A request that does not stream has no first token; what is seen is the time until the answer
//! is whole, easily ten times longer. In one estimate the two would drown each other: the channel that happened to
//! serve more whole answers would look slow. So the pool learns what is typical for each kind, and times of whole
//! answers are scaled down to the streams' before they count, once there are streams. The scale moves slowly (2 % per answer) and is the same for
//! all channels, so it does not blur the comparison between them.

use crate::Micros;
use crate::atomic_f64::AtomicF64;
use crate::estimate::PRIOR_LATENCY;
use crate::lateness::Lateness;
use crate::sync::{AtomicU64, Ordering};

/// Requests per trial, and how many trials may come in a burst.
const TRIALS: (u64, u64) = (50, 3);
/// Requests per cut attempt, and how many cuts may come in a burst.
const CUTS: (u64, u64) = (100, 20);
/// How much one time counts for what is typical.
const TYPICAL_GAIN: f64 = 0.02;

/// The pool-wide state: shared by successive configurations of one pool.
#[derive(Clone, Debug)]
pub(crate) struct Fleet {
    /// Lref, in seconds.
    reference: AtomicF64,
    /// The least L of a channel in use, in seconds; infinite while none is known.
    best: AtomicF64,
    stream: AtomicF64,
    whole: AtomicF64,
    late_streams: Lateness,
    late_wholes: Lateness,
    seen: Counter,
    requests: Counter,
    turn: Counter,
    trials: Counter,
    cuts: Counter,
    reports: Counter,
}

/// A word that only grows.
#[derive(Debug, Default)]
struct Counter(AtomicU64);

// === impl Fleet ===

impl Fleet {
    pub(crate) fn new() -> Self {
        Self {
            reference: AtomicF64::new(PRIOR_LATENCY),
            best: AtomicF64::new(f64::INFINITY),
            stream: AtomicF64::new(0.0),
            whole: AtomicF64::new(0.0),
            late_streams: Lateness::new(),
            late_wholes: Lateness::new(),
            seen: Counter::default(),
            requests: Counter::default(),
            turn: Counter::default(),
            trials: Counter::default(),
            cuts: Counter::default(),
            reports: Counter::default(),
        }
    }

    /// The latency that channels are compared with, in seconds.
    pub(crate) fn reference(&self) -> f64 {
        self.reference.load()
    }

    /// The latency of the fastest channel in use, in seconds, once one is known.
    pub(crate) fn best(&self) -> Option<f64> {
        let best = self.best.load();
        best.is_finite().then_some(best)
    }

    /// Publishes what the channels in use say. `reference` is `None` when none says anything: the last word stays.
    pub(crate) fn publish(&self, reference: Option<f64>, best: f64) {
        if let Some(reference) = reference {
            self.reference.store(reference);
        }
        self.best.store(best);
    }

    /// The latest moment the pool was told of.
    pub(crate) fn seen(&self) -> Micros {
        Micros(self.seen.get())
    }

    pub(crate) fn see(&self, now: Micros) {
        // Not fetch_max: of two threads that race here, either moment will do.
        if now.0 > self.seen.get() {
            self.seen.0.store(now.0, Ordering::Relaxed);
        }
    }

    /// Counts a report; true for one in `stride`, beginning with the first.
    pub(crate) fn report(&self, stride: u64) -> bool {
        stride == 1 || self.reports.0.fetch_add(1, Ordering::Relaxed).is_multiple_of(stride)
    }

    /// Counts a request.
    pub(crate) fn request(&self) {
        self.requests.next();
    }

    /// The next turn of a round.
    pub(crate) fn turn(&self) -> u64 {
        self.turn.get()
    }

    pub(crate) fn next_turn(&self) {
        self.turn.next();
    }

    /// Whether there is a token for a trial; takes it.
    pub(crate) fn take_trial(&self) -> bool {
        self.trials.take(self.requests.get(), TRIALS)
    }

    /// Whether there is a token for a cut; takes it.
    pub(crate) fn take_cut(&self) -> bool {
        self.cuts.take(self.requests.get(), CUTS)
    }

    /// How late answers of a kind are: by their first token, or whole.
    pub(crate) const fn lateness(&self, streaming: bool) -> &Lateness {
        if streaming { &self.late_streams } else { &self.late_wholes }
    }

    /// By what a time of this kind is scaled to that of a stream's first token.
    ///
    /// Times stay what they are until both kinds are known, and are never stretched: a whole answer that is quicker
    /// than a first token comes from a pool that is quick, and its noise must not be blown up.
    pub(crate) fn scale(&self, streaming: bool) -> f64 {
        let (stream, whole) = (self.stream.load(), self.whole.load());
        if streaming || stream <= 0.0 || whole <= 0.0 { 1.0 } else { (stream / whole).min(1.0) }
    }

    /// An answer came after `seconds`.
    pub(crate) fn learn_typical(&self, streaming: bool, seconds: f64) {
        let typical = if streaming { &self.stream } else { &self.whole };
        let known = typical.load();
        let gain = if known > 0.0 { TYPICAL_GAIN } else { 1.0 };
        typical.store((known + gain * (seconds - known)).max(1e-6));
    }
}

// === impl Counter ===

impl Counter {
    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn next(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes a token of a bucket that this counter is the theoretical arrival time of.
    fn take(&self, requests: u64, (period, burst): (u64, u64)) -> bool {
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |arrival| {
                let next = arrival.max(requests) + period;
                (next <= requests + burst * period).then_some(next)
            })
            .is_ok()
    }
}

impl Clone for Counter {
    fn clone(&self) -> Self {
        Self(AtomicU64::new(self.get()))
    }
}

#[cfg(test)]
mod tests {
    use super::Fleet;

    #[test]
    fn trials_are_a_fiftieth_of_requests_after_a_burst_of_three() {
        let fleet = Fleet::new();
        assert_eq!((0..10).filter(|_| fleet.take_trial()).count(), 3);
        let mut taken = 0;
        for _ in 0..1000 {
            fleet.request();
            taken += u32::from(fleet.take_trial());
        }
        assert!((19..=21).contains(&taken), "{taken}");
    }

    #[test]
    fn whole_answers_count_as_much_as_first_tokens() {
        let fleet = Fleet::new();
        for _ in 0..200 {
            fleet.learn_typical(true, 0.5);
            fleet.learn_typical(false, 20.0);
        }
        assert!((20.0 * fleet.scale(false) - 0.5).abs() < 0.05);
        assert!((fleet.scale(true) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn times_are_what_they_are_where_nothing_streams() {
        let fleet = Fleet::new();
        fleet.learn_typical(false, 0.004);
        assert!((fleet.scale(false) - 1.0).abs() < 1e-12);
        fleet.learn_typical(true, 0.5);
        assert!((fleet.scale(false) - 1.0).abs() < 1e-12, "nothing is stretched");
    }
}
