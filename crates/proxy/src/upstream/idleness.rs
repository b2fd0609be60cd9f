use std::time::Duration;

use tokio::time::Instant;

/// Since when a connection has waited for its next call, and how long it may.
#[derive(Clone, Copy, Debug)]
pub(super) struct Idleness {
    since: Instant,
    /// What the channel allows whose call was the last one. Channels of one origin share its connections.
    allowed: Duration,
}

// === impl Idleness ===

impl Idleness {
    /// Begins now.
    pub(super) fn begin(allowed: Duration) -> Self {
        Self::since(Instant::now(), allowed)
    }

    pub(super) fn since(since: Instant, allowed: Duration) -> Self {
        Self { since, allowed }
    }

    pub(super) fn allowed(self) -> Duration {
        self.allowed
    }

    /// Whether it has lasted for too long.
    pub(super) fn is_over(self, now: Instant) -> bool {
        self.is_over_for(self.allowed, now)
    }

    /// Whether it has lasted for too long, for a channel too that allows this much.
    pub(super) fn is_over_for(self, allowed: Duration, now: Instant) -> bool {
        now.saturating_duration_since(self.since) > allowed.min(self.allowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_impatient_of_two_channels_decides() {
        let (brief, long) = (Duration::from_secs(1), Duration::from_mins(1));
        let later = Instant::now() + Duration::from_secs(10);
        assert!(Idleness::begin(brief).is_over(later) && !Idleness::begin(long).is_over(later));
        assert!(Idleness::begin(brief).is_over_for(long, later));
        assert!(Idleness::begin(long).is_over_for(brief, later));
        assert!(!Idleness::begin(long).is_over_for(long, later));
    }
}
