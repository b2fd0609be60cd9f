//! How much of the recent traffic a channel had.

use crate::Micros;
use crate::fade::fade;

/// How slowly traffic is forgotten, in seconds.
const TAU: f64 = 60.0;

/// The first attempts that were sent to a channel, fading.
///
/// Decisions only count ([`Slot::firsts`](crate::slot::Slot::firsts)); whoever holds the slot's lock brings the count
/// up to date here. What was sent since the last time counts as sent now, and reports come often enough for that.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Firsts {
    sum: f64,
    counted: u32,
    at: Micros,
}

// === impl Firsts ===

impl Firsts {
    /// Brings up to date with the number ever sent, modulo 2³².
    pub(crate) fn count(&mut self, sent: u32, now: Micros) {
        self.sum *= fade(self.at, now, TAU);
        self.at = self.at.max(now);
        self.sum += f64::from(sent.wrapping_sub(self.counted));
        self.counted = sent;
    }

    /// How many there were of late.
    pub(crate) const fn recent(&self) -> f64 {
        self.sum
    }
}

#[cfg(test)]
mod tests {
    use super::Firsts;
    use crate::Micros;

    #[test]
    fn traffic_fades_within_minutes_and_survives_the_counters_wrap() {
        let mut firsts = Firsts { counted: u32::MAX - 4, ..Firsts::default() };
        firsts.count(5, Micros::from_millis(1000));
        assert!((firsts.recent() - 10.0).abs() < 1e-9);
        firsts.count(5, Micros::from_millis(43_000));
        assert!((firsts.recent() - 5.0).abs() < 0.1, "{firsts:?}");
        firsts.count(6, Micros(0));
        assert!((firsts.recent() - 6.0).abs() < 0.1, "a clock that goes back forgets nothing");
    }
}
