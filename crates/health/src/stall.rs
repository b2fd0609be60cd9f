use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use gateway_domain::UnixMillis;

/// A timer that comes so much too late was not late by itself: the process was stopped, or starved.
pub(crate) const OVERSLEPT: Duration = Duration::from_secs(1);

/// Time passes on the board about once a second; a tick that is later than this by [`OVERSLEPT`] is a stall's.
const TICK: Duration = Duration::from_secs(1);

/// Notices from the board's own ticks that the process stood still.
///
/// When it goes on, all that was waited for is late at once: timers have expired whose answers are already here, and
/// upstreams have hung up on a peer that did not read. None of that is theirs.
#[derive(Debug)]
pub(crate) struct Stall {
    last_tick: AtomicI64,
    /// When the last stall was noticed.
    noticed: AtomicI64,
}

const NEVER: i64 = i64::MIN;

// === impl Stall ===

impl Stall {
    /// Notes that time passes. Without a first tick nothing is ever a stall.
    pub(crate) fn tick(&self, now: UnixMillis) {
        let last = self.last_tick.swap(now.0, Ordering::Relaxed);
        if is_gap(last, now) {
            self.noticed.store(now.0, Ordering::Relaxed);
        } else {
            // A clock that was set back must not make a stall last until it is where it was.
            self.noticed.fetch_min(now.0, Ordering::Relaxed);
        }
    }

    /// Notes that no tick will come any more.
    pub(crate) fn end(&self) {
        self.last_tick.store(NEVER, Ordering::Relaxed);
    }

    /// Whether what fails now fails while the process wakes up: the next tick may not have come yet, and what piled up
    /// may take a moment.
    pub(crate) fn is_waking(&self, now: UnixMillis) -> bool {
        let noticed = self.noticed.load(Ordering::Relaxed);
        is_gap(self.last_tick.load(Ordering::Relaxed), now)
            || (noticed != NEVER && u128::from(now.since(UnixMillis(noticed))) < OVERSLEPT.as_millis())
    }
}

impl Default for Stall {
    fn default() -> Self {
        Self { last_tick: AtomicI64::new(NEVER), noticed: AtomicI64::new(NEVER) }
    }
}

fn is_gap(last: i64, now: UnixMillis) -> bool {
    last != NEVER && u128::from(now.since(UnixMillis(last))) > (TICK + OVERSLEPT).as_millis()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> UnixMillis {
        UnixMillis(millis)
    }

    #[test]
    fn a_board_whose_time_nobody_lets_pass_never_stalls() {
        let stall = Stall::default();
        assert!(!stall.is_waking(at(0)) && !stall.is_waking(at(1_000_000)));
        stall.tick(at(0));
        stall.end();
        assert!(!stall.is_waking(at(1_000_000)));
    }

    #[test]
    fn a_missing_tick_is_a_stall_before_and_for_a_second_after_it_comes() {
        let stall = Stall::default();
        stall.tick(at(0));
        assert!(!stall.is_waking(at(2000)) && stall.is_waking(at(2001)));
        stall.tick(at(10_000));
        assert!(stall.is_waking(at(10_000)) && stall.is_waking(at(10_999)));
        stall.tick(at(11_000));
        assert!(!stall.is_waking(at(11_000)));
    }

    #[test]
    fn a_wall_clock_that_is_set_is_a_stall_of_one_second_at_most() {
        let stall = Stall::default();
        stall.tick(at(0));
        stall.tick(at(86_400_000));
        stall.tick(at(86_401_000));
        assert!(!stall.is_waking(at(86_401_000)));
        stall.tick(at(1000));
        stall.tick(at(2000));
        assert!(!stall.is_waking(at(2000)), "set back an hour, and judged at once");
    }
}
