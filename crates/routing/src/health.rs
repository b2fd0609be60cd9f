//! From what is known of a channel to one number in (0, 1].
//!
//! ```text
//! h = f_lat · f_err · f_load
//! f_lat  = min(1, slack · (Lref+ε)/(L+ε))^2  how slow, beyond what is normal in this fleet
//! f_err  = p^3                               how often it fails
//! f_load = f_rate · f_lim                    how full, when its limit is known; else
//!          f_rate · f_fair                   whether it has far more than its share of what is in flight
//! f_rate = max(0.3, 1 − 8·refused)           how often its rate limit refuses
//! ```
//!
//! Health does not change the order in which a key prefers channels; it decides whether a channel is accepted. A key
//! accepts a channel when `h ≥ 0.25 + 0.5·u₂`, with a u₂ of its own for each key and channel. A worsening channel
//! therefore sheds its sessions gradually, the same ones first on every replica, and a channel whose h wavers around
//! some value moves only the few sessions whose thresholds lie there.
//!
//! `Lref = Σw / Σ(w/L)` is the weighted harmonic mean over the channels in use: the healthy dominate it, and when all
//! are slow alike it rises with them, so that nobody is penalised for what nobody does better.
//!
//! The exponents make the factors steep enough that twice the tolerated latency, or four failures in ten, sheds
//! most sessions, without a cliff. `f_fair` is a cheap guard (bounded-load hashing with a bound of twice the fair
//! share) for the time until a limit is known; with a known limit it adds nothing.

/// ε: differences of this size are nobody's concern, in seconds. Without it, upstreams that answer within a few
/// milliseconds (caches, small models, the tests of whoever embeds this) would be judged by the noise of the
/// scheduler: 4 ms are not "twice as slow" as 2 ms to anyone who waits for a language model.
pub(crate) const UNNOTICED: f64 = 0.025;
/// The range of a key's acceptance thresholds.
const KEEP: (f64, f64) = (0.25, 0.75);
/// h never falls below this, so that the worst channel stays comparable.
const LEAST: f64 = 1e-6;
/// How far beyond its limit a channel may be filled before `f_lim` reaches its floor, and over which range it falls.
const HEADROOM: (f64, f64) = (1.15, 0.30);
/// The floor of `f_lim`.
const LEAST_LOAD: f64 = 0.01;
/// How much refusals weigh, and the floor of `f_rate`: above the least threshold, so that somebody goes on asking.
const RATE: (f64, f64) = (8.0, 0.3);
/// The bound on a channel's share of what is in flight: so many times the fair share, and so many attempts more.
const FAIR: (f64, f64) = (2.0, 3.0);

/// What is in flight over the channels of a tier that are in use and not full.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Crowd {
    /// Attempts in flight.
    pub(crate) inflight: f64,
    /// The sum of weights.
    pub(crate) weight: f64,
}

/// The factors of one channel's health.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Factors {
    pub(crate) latency: f64,
    pub(crate) errors: f64,
    pub(crate) load: f64,
}

// === impl Factors ===

impl Factors {
    /// h.
    pub(crate) fn health(self) -> f64 {
        (self.latency * self.errors * self.load).max(LEAST)
    }
}

/// `f_lat`.
pub(crate) fn latency_factor(latency: f64, reference: f64, slack: f64) -> f64 {
    let ratio = (slack * (reference + UNNOTICED) / (latency + UNNOTICED)).min(1.0);
    ratio * ratio
}

/// `f_err`.
pub(crate) fn error_factor(success: f64) -> f64 {
    success * success * success
}

/// `f_rate`, from the share of attempts that a rate limit refused.
pub(crate) fn rate_factor(refused: f64) -> f64 {
    (1.0 - RATE.0 * refused).max(RATE.1)
}

/// `f_lim` or `f_fair`.
pub(crate) fn load_factor(inflight: f64, limit: f64, weight: f64, crowd: Crowd) -> f64 {
    if limit.is_finite() {
        let limit = limit.max(1.0);
        return ((HEADROOM.0 * limit - inflight) / (HEADROOM.1 * limit)).clamp(LEAST_LOAD, 1.0);
    }
    let fair = if crowd.weight > 0.0 { crowd.inflight * weight / crowd.weight } else { 0.0 };
    let ratio = ((FAIR.0 * fair + FAIR.1) / (inflight + 1.0)).min(1.0);
    ratio * ratio
}

/// The health that a key asks of a channel, from the key's draw for it.
pub(crate) fn threshold(loyalty: f64) -> f64 {
    KEEP.0 + (KEEP.1 - KEEP.0) * loyalty
}

#[cfg(test)]
mod tests {
    use super::{Crowd, Factors, error_factor, latency_factor, load_factor, rate_factor, threshold};

    #[test]
    fn a_channel_within_the_slack_is_whole() {
        assert!((latency_factor(0.9, 0.6, 1.5) - 1.0).abs() < 1e-9);
        assert!((latency_factor(1.8, 0.6, 1.5) - 0.264).abs() < 1e-3);
        assert!((latency_factor(60.0, 0.6, f64::INFINITY) - 1.0).abs() < 1e-9, "no slack knob, no penalty");
    }

    #[test]
    fn milliseconds_of_noise_are_no_illness() {
        assert!(
            (latency_factor(0.008, 0.002, 1.5) - 1.0).abs() < 1e-9,
            "four times as slow, and nobody notices"
        );
        assert!(latency_factor(0.250, 0.002, 1.5) < 0.1, "a quarter of a second is noticed");
    }

    #[test]
    fn a_channel_at_its_limit_sheds_half_and_beyond_it_nearly_all() {
        let nobody = Crowd::default();
        assert!((load_factor(80.0, 100.0, 1.0, nobody) - 1.0).abs() < 1e-9);
        assert!((load_factor(100.0, 100.0, 1.0, nobody) - 0.5).abs() < 1e-9);
        assert!((load_factor(130.0, 100.0, 1.0, nobody) - 0.01).abs() < 1e-9);
    }

    #[test]
    fn without_a_limit_only_a_multiple_of_the_fair_share_counts() {
        let crowd = Crowd { inflight: 40.0, weight: 4.0 };
        assert!((load_factor(22.0, f64::INFINITY, 1.0, crowd) - 1.0).abs() < 1e-9);
        assert!(load_factor(45.0, f64::INFINITY, 1.0, crowd) < 0.3);
    }

    #[test]
    fn a_channel_that_refuses_now_and_then_keeps_all_and_one_that_always_does_keeps_some() {
        assert!(rate_factor(0.03) >= threshold(1.0), "three in a hundred cost nobody a home");
        assert!(rate_factor(0.06) < threshold(1.0));
        assert!(rate_factor(1.0) > threshold(0.0));
    }

    #[test]
    fn thresholds_never_ask_for_perfection_nor_accept_anything() {
        assert!(threshold(0.0) >= 0.25 && threshold(1.0) <= 0.75);
        let worst = Factors { latency: 1e-9, errors: error_factor(1e-3), load: 0.01 };
        assert!(worst.health() > 0.0 && worst.health() < threshold(0.0));
    }
}
