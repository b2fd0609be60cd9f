//! What is known of a channel's latency and of its errors.
//!
//! **Latency** is the time until the first token. Were it exponentially distributed with mean L, then of a channel
//! that gave N first tokens while its attempts waited S seconds in all, the likeliest L is S/N, *including* the time
//! waited by attempts that have not answered: they are right-censored observations, and total time on test over
//! completions is the estimator for those (Epstein & Sobel 1953). A conjugate (inverse gamma) prior worth n₀
//! completions at the fleet's own latency `Lref` keeps one sample from deciding:
//!
//! ```text
//! L = (S + n₀·Lref) / (N + n₀)
//! ```
//!
//! First tokens are less spread than exponential: an attempt younger than L says nothing yet. So attempts that still
//! wait count only as far as they are older, all together, than expected:
//!
//! ```text
//! L += max(0, Σ age − n_waiting · L) / (N + n₀)
//! ```
//!
//! That is how a channel that has gone silent is seen before its first timeout. The same holds for attempts that the
//! client gave up: only the time beyond L counts, so callers who leave at once cannot make a channel look slow.
//! There is no peak detection: one sample from the tail evicts nobody.
//!
//! **Errors** are a Bernoulli rate with a Beta(a₀, 0) prior, whose mean is 1: a channel is innocent until about a₀
//! answers have spoken. `p = (A + a₀) / (A + B + a₀)`.
//!
//! Both forget: sums fade with `e^(−Δ/τ)` (a sliding window without a window, as in load averages), and at most
//! `CAP` samples are remembered, so that a busy channel's past does not outweigh the last second.

use crate::Micros;
use crate::fade::fade;

/// How long latency is remembered, in seconds.
const TAU_LATENCY: f64 = 12.0;
/// How long errors are remembered, in seconds.
const TAU_ERRORS: f64 = 20.0;
/// How many samples are remembered at most.
const CAP: f64 = 24.0;
/// How many samples the fleet's latency is worth as a prior (n₀).
const PRIOR_SAMPLES: f64 = 1.5;
/// How many good answers a channel is born with (a₀).
const PRIOR_GOOD: f64 = 4.0;
/// The latency that is assumed before anything is known, in seconds.
pub(crate) const PRIOR_LATENCY: f64 = 0.6;
/// No latency estimate leaves these bounds, in seconds.
const BOUNDS: (f64, f64) = (0.001, 3600.0);
/// No success rate falls below this.
const LEAST_SUCCESS: f64 = 1e-3;

/// The fading sums S (seconds waited) and N (first tokens).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Latency {
    waited: f64,
    tokens: f64,
    at: Micros,
}

/// L as a function of the fleet's: `own + prior · Lref`.
///
/// Kept in two parts, so that it stays right when the fleet's latency moves while the channel is silent: a channel of
/// which nothing is known is always as fast as the fleet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Estimate {
    pub(crate) own: f64,
    pub(crate) prior: f64,
}

/// The fading sums A (good answers) and B (failures).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Errors {
    good: f64,
    bad: f64,
    at: Micros,
}

/// The attempts that wait for their first token.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Waiting {
    /// How many.
    pub(crate) count: f64,
    /// Their ages together, in seconds.
    pub(crate) age: f64,
}

/// By what two sums whose sample count is `n` shrink to make room for one more.
fn room(n: f64) -> f64 {
    if n + 1.0 > CAP { (CAP - 1.0) / n } else { 1.0 }
}

// === impl Latency ===

impl Latency {
    /// A first token came after `seconds`.
    pub(crate) fn token(&mut self, seconds: f64, now: Micros) {
        self.fade(now);
        let room = room(self.tokens);
        self.waited = self.waited * room + seconds;
        self.tokens = self.tokens * room + 1.0;
    }

    /// `seconds` were waited and nothing came.
    pub(crate) fn nothing(&mut self, seconds: f64, now: Micros) {
        self.fade(now);
        self.waited += seconds;
    }

    /// N as of now.
    pub(crate) fn evidence(&self, now: Micros) -> f64 {
        self.tokens * fade(self.at, now, TAU_LATENCY)
    }

    /// What is known of L as of now; `reference` tells what the attempts that wait were expected to take.
    pub(crate) fn estimate(&self, now: Micros, waiting: Waiting, reference: f64) -> Estimate {
        let fade = fade(self.at, now, TAU_LATENCY);
        let weight = self.tokens * fade + PRIOR_SAMPLES;
        let own = self.waited * fade / weight;
        let prior = PRIOR_SAMPLES / weight;
        let expected = own + prior * reference;
        let overdue = (waiting.age - waiting.count * expected).max(0.0);
        Estimate { own: own + overdue / weight, prior }
    }

    /// Brings the sums up to date.
    pub(crate) fn fade(&mut self, now: Micros) {
        let fade = fade(self.at, now, TAU_LATENCY);
        self.waited *= fade;
        self.tokens *= fade;
        self.at = self.at.max(now);
    }
}

// === impl Estimate ===

impl Estimate {
    /// Nothing is known but the fleet's latency.
    pub(crate) const UNKNOWN: Self = Self { own: 0.0, prior: 1.0 };

    /// L in seconds.
    pub(crate) fn at(self, reference: f64) -> f64 {
        (self.own + self.prior * reference).clamp(BOUNDS.0, BOUNDS.1)
    }
}

// === impl Errors ===

impl Errors {
    /// A good answer.
    pub(crate) fn good(&mut self, now: Micros) {
        self.make_room(now);
        self.good += 1.0;
    }

    /// A failure.
    pub(crate) fn bad(&mut self, now: Micros) {
        self.make_room(now);
        self.bad += 1.0;
    }

    /// p as of now.
    pub(crate) fn success(&self, now: Micros) -> f64 {
        let fade = fade(self.at, now, TAU_ERRORS);
        let good = self.good * fade + PRIOR_GOOD;
        (good / (self.bad * fade + good)).max(LEAST_SUCCESS)
    }

    fn make_room(&mut self, now: Micros) {
        let fade = fade(self.at, now, TAU_ERRORS);
        let keep = fade * room((self.good + self.bad) * fade);
        self.good *= keep;
        self.bad *= keep;
        self.at = self.at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::{Errors, Latency, PRIOR_LATENCY, Waiting};
    use crate::Micros;

    fn s(seconds: f64) -> Micros {
        Micros::from_seconds(seconds)
    }

    fn steady(latency: f64) -> Latency {
        let mut known = Latency::default();
        for i in 0..30 {
            known.token(latency, s(f64::from(i) * 0.1));
        }
        known
    }

    #[test]
    fn one_slow_sample_does_not_double_a_settled_estimate() {
        let mut known = steady(0.5);
        known.token(4.0, s(3.0));
        assert!(known.estimate(s(3.0), Waiting::default(), 0.5).at(0.5) < 1.0);
    }

    #[test]
    fn a_silent_channel_is_seen_before_its_first_timeout() {
        let known = steady(0.5);
        let young = known.estimate(s(3.4), Waiting { count: 8.0, age: 8.0 * 0.4 }, 0.5).at(0.5);
        let old = known.estimate(s(5.0), Waiting { count: 8.0, age: 8.0 * 2.0 }, 0.5).at(0.5);
        assert!((young - 0.5).abs() < 0.02, "waiting less than expected says nothing: {young}");
        assert!(old > 0.9, "{old}");
    }

    #[test]
    fn knowledge_fades_to_the_fleets_within_half_a_minute() {
        let known = steady(5.0);
        let later = known.estimate(s(36.0), Waiting::default(), 0.5).at(0.5);
        assert!(later < 3.0, "{later}");
        assert!(known.estimate(s(90.0), Waiting::default(), 0.5).at(0.5) < 0.6);
    }

    #[test]
    fn a_clock_that_goes_back_forgets_nothing() {
        let mut known = steady(0.5);
        let before = known.estimate(s(2.9), Waiting::default(), PRIOR_LATENCY).at(PRIOR_LATENCY);
        known.nothing(0.0, s(0.0));
        let after = known.estimate(s(2.9), Waiting::default(), PRIOR_LATENCY).at(PRIOR_LATENCY);
        assert!((before - after).abs() < 1e-12);
    }

    #[test]
    fn a_channel_is_innocent_until_several_answers_have_spoken() {
        let mut known = Errors::default();
        known.bad(s(1.0));
        assert!(known.success(s(1.0)) >= 0.8);
        for _ in 0..12 {
            known.bad(s(1.0));
        }
        assert!(known.success(s(1.0)) < 0.25);
        assert!(known.success(s(120.0)) > 0.95);
    }
}
