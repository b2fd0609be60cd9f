//! How many attempts a channel can have in flight before they queue: learned, not configured.
//!
//! An upstream with slots answers in constant time while slots are free; beyond that, attempts queue and the time
//! until the first token rises. By Little's law, `in flight = throughput × time in the system`. With the answer taking
//! `gen` after the first token, the time in the system is `gen + L`; uncongested it would be `gen + base`. The
//! throughput seen now would need only `inflight · (gen + base) / (gen + L)` in flight without a queue: this is
//! where the limit goes (TCP Vegas, Brakmo & Peterson 1994, with the time of a whole answer instead of a packet's).
//!
//! The same law tells a queue before it shows in L, which is known only of attempts that got through: of the streams
//! in flight, `base / (gen + base)` should be waiting for their first token. Clearly more than that is a queue that
//! forms, and the limit does not grow; twice that is a queue, and what is in flight is the limit. Without this the
//! sessions that return to a channel all at once raise its limit before the first of them has been slow.
//!
//! The law speaks of a steady state. While traffic grows, much of what is in flight has just been sent, and waits
//! because it is young: of attempts that do not queue, those that wait have waited half of `base` on average. So
//! many who wait are a queue only if they are older than that as well. Without this the first sessions that return to
//! a channel stop the others, time and again.
//!
//! Three lessons are built in:
//! - **One step per round trip.** After a step down, the queue built earlier still drains and L stays high for as long
//!   as an answer takes; stepping again on that evidence would starve the channel. `hold` waits for it. A step never
//!   goes below three quarters.
//! - **Congestion is measured against the channel's own past** (`base`), not against the fleet: relative to a fleet
//!   that is congested too, nobody is congested, and at nine tenths of capacity that state holds itself.
//! - **`base` must not learn the queue.** It falls quickly towards a lower L and rises over minutes.
//!
//! The limit is unknown (∞) until congestion is seen, and again when it is so far above the use that it says nothing.
//! A channel whose breaker closed starts at a quarter of what it could do and doubles about every 1.7 s while it stays
//! uncongested, as TCP's slow start does: a part of the sessions returns at a time.

use crate::Micros;
use crate::fade::{kept, lost};
use crate::health::UNNOTICED;

/// L above `TOLERANCE · base` is congestion, where the difference is one that anybody notices.
const TOLERANCE: f64 = 1.6;
/// More waiting than `times · expected + more` means that a queue forms…
const QUEUE_FORMS: (f64, f64) = (1.3, 1.0);
/// … or is there…
const QUEUE: (f64, f64) = (2.0, 4.0);
/// … if they have waited for more than this part of `base` on average.
const OLD: f64 = 0.9;
/// The learned limit never falls below this.
const LEAST: f64 = 3.0;
/// A latency that is high for less than this proves no congestion, in seconds: a stall of the program itself delays
/// everything in flight, once. A queue that is seen proves it at once.
const LASTING: f64 = 0.25;
/// A step down keeps at least this share.
const GREATEST_STEP: f64 = 0.75;
/// How fast `base` falls, as a share per second.
const BASE_FALL: f64 = 0.3;
/// How slowly `base` rises, in seconds.
const BASE_RISE: f64 = 450.0;
/// How slowly the greatest use is forgotten, in seconds, while the channel is not congested. Little use of a channel
/// that is unwell says nothing of what it bears when it is well again.
const PEAK_TAU: f64 = 60.0;
/// How much one answer's duration counts.
const GENERATION_GAIN: f64 = 0.03;
/// Growth per second in slow start.
const SLOW_START: f64 = 0.4;
/// Growth per second while most of the limit is used.
const GROWTH: f64 = 0.02;
/// Growth per second while most of the limit is used, in attempts.
const GROWTH_STEP: f64 = 0.3;
/// Silence longer than this teaches no growth, in seconds.
const LONGEST_GROWTH: f64 = 1.0;
/// How much is used is "most".
const MOSTLY: f64 = 0.75;
/// How much is used is "all".
const NEARLY_ALL: f64 = 0.9;
/// How much of the former use slow start aims at, and where it begins.
const RETURN: (f64, f64) = (0.9, 0.25);

/// The learned limit of one channel and what it is learned from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    most: f64,
    slow_start_until: f64,
    base: Option<f64>,
    generation: f64,
    peak: f64,
    hold: Micros,
    /// Since when there has been congestion without a break.
    congested: Option<Micros>,
    at: Micros,
}

/// What a limit learns from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Observed {
    /// The estimated time until the first token, in seconds.
    pub(crate) latency: f64,
    /// How many first tokens that estimate rests on.
    pub(crate) evidence: f64,
    /// Attempts in flight.
    pub(crate) inflight: f64,
    /// Of these, how many are streams.
    pub(crate) streams: f64,
    /// Of the streams, how many wait for their first token.
    pub(crate) waiting: f64,
    /// Their ages together, in seconds.
    pub(crate) age: f64,
}

// === impl Limit ===

impl Limit {
    /// Nothing is known yet.
    pub(crate) const fn unknown() -> Self {
        Self {
            most: f64::INFINITY,
            slow_start_until: 0.0,
            base: None,
            generation: 0.0,
            peak: 0.0,
            hold: Micros(0),
            congested: None,
            at: Micros(0),
        }
    }

    /// A channel that joins a busy pool, which would give it `share` attempts at once.
    pub(crate) fn joining(share: f64, now: Micros) -> Self {
        let begin = LEAST + 1.0;
        Self { most: begin, slow_start_until: share.max(begin), at: now, ..Self::unknown() }
    }

    /// How many attempts may be in flight; infinite while unknown.
    pub(crate) const fn get(&self) -> f64 {
        self.most
    }

    /// An answer took `seconds` from its first token to its end.
    pub(crate) fn answered(&mut self, seconds: f64) {
        self.generation += GENERATION_GAIN * (seconds - self.generation);
    }

    /// Learns. Called with every report, and while a channel is silent.
    pub(crate) fn observe(&mut self, seen: Observed, now: Micros) {
        let elapsed = now.since(self.at).seconds();
        self.at = self.at.max(now);
        let growing = elapsed.min(LONGEST_GROWTH);
        self.peak = self.peak.max(seen.inflight);
        let Some(base) = self.learn_base(seen, elapsed) else { return };
        let first = base + UNNOTICED;
        let expected = seen.streams * first / (first + self.generation);
        let are_many = |(times, more): (f64, f64)| seen.waiting > times * expected + more;
        let is_queue = are_many(QUEUE) && seen.age > OLD * first * seen.waiting;
        let is_slow = seen.latency > TOLERANCE * base + UNNOTICED;
        if !is_slow {
            self.peak = seen.inflight.max(self.peak * kept(elapsed / PEAK_TAU));
        }
        if is_slow || is_queue {
            let since = *self.congested.get_or_insert(now);
            let lasting = is_queue || now.since(since) >= Micros::from_seconds(LASTING);
            let used_up = self.most.is_infinite() || seen.inflight >= NEARLY_ALL * self.most;
            if lasting && used_up && now >= self.hold {
                self.step_down(seen, base, now);
            }
        } else {
            self.congested = None;
            if self.most.is_finite() && !are_many(QUEUE_FORMS) {
                self.grow(seen.inflight, growing);
            }
        }
        if self.most > 3.0 * self.peak && self.most >= self.slow_start_until {
            self.most = f64::INFINITY;
        }
    }

    /// The channel came back: begins low.
    pub(crate) fn slow_start(&mut self, now: Micros) {
        let known = if self.most.is_finite() { self.most } else { 0.0 };
        self.slow_start_until = RETURN.0 * known.max(self.peak);
        self.most = (RETURN.1 * self.slow_start_until).max(1.0);
        self.hold = Micros(0);
        self.at = self.at.max(now);
    }

    fn learn_base(&mut self, seen: Observed, elapsed: f64) -> Option<f64> {
        let base = match self.base {
            None if seen.evidence < 1.0 => return None,
            None => seen.latency,
            Some(base) if seen.latency < base => {
                base + (BASE_FALL * elapsed).min(1.0) * (seen.latency - base)
            }
            Some(base) => base + lost(elapsed / BASE_RISE) * (seen.latency - base),
        };
        self.base = Some(base);
        Some(base)
    }

    fn step_down(&mut self, seen: Observed, base: f64, now: Micros) {
        let unqueued = seen.inflight * (self.generation + base) / (self.generation + seen.latency);
        let target = unqueued.max(GREATEST_STEP * seen.inflight.min(self.most));
        self.most = target.min(self.most).max(LEAST);
        self.hold = now.after(Micros::from_seconds(seen.latency.max(1.0)));
    }

    fn grow(&mut self, inflight: f64, elapsed: f64) {
        if inflight > self.most {
            self.most += (GROWTH_STEP * elapsed).min(1.0) * (inflight - self.most);
        }
        if self.most < self.slow_start_until {
            self.most = (self.most / kept(SLOW_START * elapsed)).min(self.slow_start_until);
        } else if inflight >= MOSTLY * self.most {
            self.most = self.most / kept(GROWTH * elapsed) + GROWTH_STEP * elapsed;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Limit, Observed};
    use crate::Micros;

    fn s(seconds: f64) -> Micros {
        Micros::from_seconds(seconds)
    }

    /// What is seen of a channel that answers whole, so that nothing is known from who waits.
    fn seen(latency: f64, inflight: f64) -> Observed {
        Observed { latency, evidence: 10.0, inflight, streams: 0.0, waiting: 0.0, age: 0.0 }
    }

    /// A channel that has worked at half a second with 40 in flight for ten seconds.
    fn settled() -> Limit {
        let mut limit = Limit::unknown();
        limit.answered(0.0);
        for i in 0..100 {
            limit.observe(seen(0.5, 40.0), s(f64::from(i) * 0.1));
        }
        limit
    }

    /// The same is seen for long enough to be believed; it is over at `until`.
    fn lasting(limit: &mut Limit, seen: Observed, until: f64) {
        for i in 0..=5 {
            limit.observe(seen, s(until - 0.05 * f64::from(5 - i)));
        }
    }

    #[test]
    fn a_stall_of_the_program_itself_is_no_congestion() {
        let mut limit = settled();
        for i in 0..10 {
            limit.observe(seen(2.0, 40.0), s(10.0 + f64::from(i) * 0.02));
        }
        limit.observe(seen(0.5, 40.0), s(10.2));
        limit.observe(seen(2.0, 40.0), s(10.3));
        assert!(limit.get().is_infinite(), "{}", limit.get());
    }

    #[test]
    fn a_channel_without_a_queue_has_no_limit() {
        assert!(settled().get().is_infinite());
    }

    #[test]
    fn milliseconds_of_noise_are_no_congestion() {
        let mut limit = Limit::unknown();
        for i in 0..100 {
            let noise = if i % 7 == 0 { 0.012 } else { 0.001 };
            limit.observe(seen(noise, 64.0), s(f64::from(i) * 0.1));
        }
        assert!(limit.get().is_infinite(), "{}", limit.get());
    }

    #[test]
    fn the_limit_keeps_still_while_the_queue_built_earlier_drains() {
        let mut limit = settled();
        lasting(&mut limit, seen(2.0, 40.0), 10.0 + 0.25);
        let first = limit.get();
        assert!((first - 30.0).abs() < 1e-6, "one step keeps three quarters: {first}");
        for i in 1..19 {
            limit.observe(seen(2.0, 40.0), s(10.25 + f64::from(i) * 0.1));
        }
        assert!((limit.get() - first).abs() < 1e-6, "no second step within the round trip of 2 s");
        limit.observe(seen(2.0, 40.0), s(12.4));
        assert!(limit.get() < first + 1e-6);
    }

    #[test]
    fn congestion_of_the_whole_fleet_is_still_congestion() {
        // Nothing here knows of the fleet: the channel's own past is what L is compared with.
        let mut limit = settled();
        for i in 0..100 {
            limit.observe(seen(1.0, 40.0), s(10.0 + f64::from(i) * 0.1));
        }
        assert!(limit.get() < 40.0, "{}", limit.get());
    }

    #[test]
    fn a_queue_is_seen_by_who_waits_before_anybody_was_slow() {
        let mut limit = settled();
        for _ in 0..200 {
            limit.answered(4.5);
        }
        let now = |waiting| Observed { streams: 40.0, waiting, age: 0.5 * waiting, ..seen(0.5, 40.0) };
        limit.observe(now(6.0), s(10.0));
        assert!(limit.get().is_infinite(), "a tenth of the time in the system is waiting: 4 are expected");
        lasting(&mut limit, now(20.0), 10.4);
        assert!(limit.get() <= 40.0, "{}", limit.get());
    }

    #[test]
    fn those_who_wait_because_they_were_just_sent_are_no_queue() {
        let mut limit = settled();
        for _ in 0..200 {
            limit.answered(4.5);
        }
        let young = Observed { streams: 40.0, waiting: 20.0, age: 20.0 * 0.25, ..seen(0.5, 40.0) };
        lasting(&mut limit, young, 10.4);
        assert!(limit.get().is_infinite(), "{}", limit.get());
    }

    #[test]
    fn what_a_channel_bore_is_not_forgotten_while_it_is_unwell() {
        let mut limit = settled();
        for i in 0..900 {
            limit.observe(seen(2.0, 5.0), s(10.0 + f64::from(i) * 0.1));
        }
        limit.slow_start(s(100.0));
        assert!((limit.get() - 9.0).abs() < 0.5, "a quarter of nine tenths of 40: {}", limit.get());
    }

    #[test]
    fn a_limit_does_not_grow_while_a_queue_forms() {
        let mut limit = settled();
        lasting(&mut limit, seen(2.0, 40.0), 10.3);
        let low = limit.get();
        for i in 0..20 {
            let waiting = Observed { streams: 0.0, waiting: 3.0, age: 1.5, ..seen(0.5, 40.0) };
            limit.observe(waiting, s(11.0 + f64::from(i) * 0.1));
        }
        assert!((limit.get() - low).abs() < 1e-9);
    }

    #[test]
    fn a_limit_that_is_used_up_without_a_queue_grows() {
        let mut limit = settled();
        lasting(&mut limit, seen(2.0, 40.0), 10.3);
        let low = limit.get();
        for i in 0..300 {
            limit.observe(seen(0.5, 0.9 * limit.get()), s(11.0 + f64::from(i) * 0.1));
        }
        assert!(limit.get() > 1.3 * low, "{}", limit.get());
    }

    #[test]
    fn a_channel_that_came_back_doubles_until_it_is_where_it_was() {
        let mut limit = settled();
        limit.slow_start(s(20.0));
        let begin = limit.get();
        assert!((begin - 9.0).abs() < 0.5, "a quarter of nine tenths of 40: {begin}");
        for i in 0..40 {
            limit.observe(seen(0.5, 0.8 * limit.get().min(40.0)), s(20.0 + f64::from(i) * 0.1));
        }
        assert!(limit.get() > 3.5 * begin, "{}", limit.get());
    }

    #[test]
    fn a_limit_that_nobody_comes_near_is_forgotten() {
        let mut limit = settled();
        lasting(&mut limit, seen(2.0, 40.0), 10.3);
        for i in 0..4000 {
            limit.observe(seen(0.5, 2.0), s(10.0 + f64::from(i) * 0.1));
        }
        assert!(limit.get().is_infinite());
    }
}
