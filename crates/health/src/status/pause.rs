use std::time::Duration;

use gateway_domain::UnixMillis;

use crate::Rules;

/// A stretch of time that has to pass.
#[derive(Clone, Debug)]
pub(super) struct Pause {
    since: UnixMillis,
    length: Duration,
}

// === impl Pause ===

impl Pause {
    pub(super) const fn new(since: UnixMillis, length: Duration) -> Self {
        Self { since, length }
    }

    /// The first pause, doubled once per relapse, up to the longest.
    pub(super) fn doubled(since: UnixMillis, rules: &Rules, relapses: u32) -> Self {
        let factor = 2_u32.saturating_pow(relapses);
        Self::new(since, rules.first_pause.saturating_mul(factor).min(rules.longest_pause))
    }

    /// Whether it is over at `now`. A wall clock that was set back starts it anew, so that a pause can last twice as
    /// long at worst, and not until the clock is where it was.
    pub(super) fn is_over(&mut self, now: UnixMillis) -> bool {
        self.since = self.since.min(now);
        u128::from(now.since(self.since)) >= self.length.as_millis()
    }
}
