use std::sync::LazyLock;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant as SystemInstant, SystemTime, UNIX_EPOCH};

use gateway_domain::UnixMillis;
use gateway_routing::Micros;
use tokio::time::Instant;

/// How often the wall clock is looked at again, in milliseconds: so late is it noticed that somebody has set it.
const LOOK_AGAIN: u64 = 100;

/// The two clocks of the data plane: a monotonic one for durations and routing, the wall clock for records.
///
/// Every worker and the admin side share one origin, so that routing's moments mean the same everywhere.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: SystemInstant,
}

/// How far the wall clock is from the monotonic one, which a call has looked at anyway.
#[derive(Debug)]
struct Wall {
    /// When the process looked at either of them first.
    start: SystemInstant,
    /// What the wall clock said at `start`, as far as is known, in milliseconds since 1970.
    at_start: AtomicI64,
    /// When to look again, in milliseconds since `start`.
    look_again: AtomicU64,
}

/// All clocks tell the same time.
static WALL: LazyLock<Wall> = LazyLock::new(|| Wall {
    start: SystemInstant::now(),
    at_start: AtomicI64::new(unix_now().0),
    look_again: AtomicU64::new(LOOK_AGAIN),
});

// === impl Clock ===

impl Clock {
    /// A clock whose monotonic side begins now.
    pub fn start() -> Self {
        Self { origin: SystemInstant::now() }
    }

    /// Microseconds since the clock was started; never goes back.
    pub fn now(&self) -> Micros {
        Micros(u64::try_from(self.origin.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    /// The same moment as timers count.
    pub(crate) fn instant(&self, moment: Micros) -> Instant {
        self.of(moment).into()
    }

    /// The wall clock. May jump: for records and expiry only, never for durations.
    pub fn unix(&self) -> UnixMillis {
        unix_now()
    }

    /// What the wall clock says, or said, at a moment of the last few seconds. Costs no look at it, but for one in a tenth
    /// of a second.
    pub(crate) fn wall(&self, moment: Micros) -> UnixMillis {
        WALL.at(self.of(moment))
    }

    fn of(&self, moment: Micros) -> SystemInstant {
        self.origin + Duration::from_micros(moment.0)
    }
}

// === impl Wall ===

impl Wall {
    fn at(&self, moment: SystemInstant) -> UnixMillis {
        let since = moment.saturating_duration_since(self.start).as_millis();
        let since = u64::try_from(since).unwrap_or(u64::MAX);
        if since >= self.look_again.load(Ordering::Relaxed) {
            self.look();
        }
        UnixMillis(self.at_start.load(Ordering::Relaxed).saturating_add_unsigned(since))
    }

    fn look(&self) {
        let since = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.at_start.store(unix_now().0.saturating_sub_unsigned(since), Ordering::Relaxed);
        self.look_again.store(since.saturating_add(LOOK_AGAIN), Ordering::Relaxed);
    }
}

fn unix_now() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_what_the_wall_clock_said_then() {
        let clock = Clock::start();
        let (before, moment, after) = (clock.unix(), clock.now(), clock.unix());
        let told = clock.wall(moment).0;
        // Both sides are cut to whole milliseconds.
        assert!((before.0 - 2..=after.0 + 2).contains(&told), "{told} is not from {before:?} to {after:?}");
        assert!((clock.wall(moment.after(Micros(50_000))).0 - told - 50).abs() <= 1);
    }

    #[test]
    fn that_somebody_has_set_the_wall_clock_is_noticed() {
        let hour = 3_600_000;
        let wall = Wall {
            start: SystemInstant::now(),
            at_start: AtomicI64::new(unix_now().0 - hour),
            look_again: AtomicU64::new(LOOK_AGAIN),
        };
        let now = unix_now().0;
        assert!((wall.at(wall.start).0 - (now - hour)).abs() < 60_000, "nobody has looked yet");
        let later = wall.start + Duration::from_millis(LOOK_AGAIN);
        assert!((wall.at(later).0 - now).abs() < 60_000);
    }
}
