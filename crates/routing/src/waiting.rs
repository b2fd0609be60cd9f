//! How many attempts wait for their first token, and for how long together, in one word.
//!
//! The estimate needs `n` and `Σ age = n·now − Σ sent`, and both must belong together: a sum without its count would
//! be off by the whole age of the clock. One atomic word holds them, so that sending takes no lock:
//!
//! ```text
//! bit 63 ........ 28 27 ...... 8 7 .... 0
//!      Σ sent (ticks)    n        epoch
//! ```
//!
//! A tick is 1024 µs. The sum wraps around, which does no harm: the difference `n·now − Σ` is taken modulo 2³⁶ too
//! and is right while it is below 2³⁵ ticks (100,000 attempts waiting for six minutes each). A negative difference
//! (the clock went back) counts as zero.
//!
//! The epoch makes the word forgettable. When a breaker closes, attempts sent before say nothing of the channel that
//! came back; the word starts at zero in a new epoch, and an attempt of an older epoch leaves without a trace.

use crate::Micros;
use crate::estimate::Waiting;
use crate::sync::{AtomicU64, Ordering};

const EPOCH_BITS: u32 = 8;
const COUNT_BITS: u32 = 20;
const SUM_SHIFT: u32 = EPOCH_BITS + COUNT_BITS;
const SUM_BITS: u32 = 64 - SUM_SHIFT;
const EPOCH_MASK: u64 = (1 << EPOCH_BITS) - 1;
const COUNT_MASK: u64 = (1 << COUNT_BITS) - 1;
const SUM_MASK: u64 = (1 << SUM_BITS) - 1;
/// A tick in seconds.
const TICK: f64 = 1024e-6;

/// The attempts of one kind that wait at one channel.
#[derive(Debug, Default)]
pub(crate) struct WaitingRoom(AtomicU64);

/// A place in a [`WaitingRoom`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    ticks: u64,
    epoch: u64,
}

// === impl WaitingRoom ===

impl WaitingRoom {
    pub(crate) fn enter(&self, now: Micros) -> Place {
        let ticks = ticks(now);
        let before = self.0.fetch_add(one(ticks), Ordering::Relaxed);
        Place { ticks, epoch: before & EPOCH_MASK }
    }

    /// False when the place is of a former epoch: then there was nothing to leave.
    pub(crate) fn leave(&self, place: Place) -> bool {
        let left = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |word| {
            (word & EPOCH_MASK == place.epoch).then(|| word.wrapping_sub(one(place.ticks)))
        });
        left.is_ok()
    }

    /// Starts a new epoch with nobody waiting.
    pub(crate) fn forget(&self) {
        let _always_ok = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |word| {
            Some(word.wrapping_add(1) & EPOCH_MASK)
        });
    }

    pub(crate) fn is_current(&self, place: Place) -> bool {
        self.0.load(Ordering::Relaxed) & EPOCH_MASK == place.epoch
    }

    pub(crate) fn count(&self) -> u32 {
        let count = (self.0.load(Ordering::Relaxed) >> EPOCH_BITS) & COUNT_MASK;
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    #[expect(clippy::cast_precision_loss, reason = "both are below 2^36")]
    pub(crate) fn read(&self, now: Micros) -> Waiting {
        let word = self.0.load(Ordering::Relaxed);
        let count = (word >> EPOCH_BITS) & COUNT_MASK;
        let age = count.wrapping_mul(ticks(now)).wrapping_sub(word >> SUM_SHIFT) & SUM_MASK;
        let negative = age >> (SUM_BITS - 1) == 1;
        Waiting { count: count as f64, age: if negative { 0.0 } else { age as f64 * TICK } }
    }
}

impl Clone for WaitingRoom {
    fn clone(&self) -> Self {
        Self(AtomicU64::new(self.0.load(Ordering::Relaxed)))
    }
}

const fn ticks(now: Micros) -> u64 {
    (now.0 >> 10) & SUM_MASK
}

const fn one(ticks: u64) -> u64 {
    (ticks << SUM_SHIFT) | (1 << EPOCH_BITS)
}

#[cfg(test)]
mod tests {
    use super::WaitingRoom;
    use crate::Micros;

    #[test]
    fn ages_add_up_and_leave_with_their_attempts() {
        let room = WaitingRoom::default();
        let start = 1 << 50;
        let first = room.enter(Micros(start));
        let second = room.enter(Micros(start + 1_000_000));
        let both = room.read(Micros(start + 3_000_000));
        assert!((both.count - 2.0).abs() < 1e-9 && (both.age - 5.0).abs() < 0.01, "{both:?}");
        assert!(room.leave(first));
        let one = room.read(Micros(start + 3_000_000));
        assert!((one.count - 1.0).abs() < 1e-9 && (one.age - 2.0).abs() < 0.01, "{one:?}");
        assert!(room.leave(second));
        assert_eq!(room.count(), 0);
        assert!(room.read(Micros(u64::MAX)).age.abs() < 1e-9);
    }

    #[test]
    fn the_sum_may_wrap_around() {
        let room = WaitingRoom::default();
        let late = Micros(u64::MAX - 5_000_000);
        let places: Vec<_> = (0..1000).map(|_| room.enter(late)).collect();
        let waiting = room.read(Micros(u64::MAX - 3_000_000));
        assert!((waiting.age - 2000.0).abs() < 3.0, "{waiting:?}");
        for place in places {
            assert!(room.leave(place));
        }
        assert_eq!(room.count(), 0);
    }

    #[test]
    fn a_clock_that_goes_back_makes_nobody_old() {
        let room = WaitingRoom::default();
        room.enter(Micros(10_000_000));
        assert!(room.read(Micros(0)).age.abs() < 1e-9);
    }

    #[test]
    fn an_attempt_of_a_forgotten_epoch_leaves_without_a_trace() {
        let room = WaitingRoom::default();
        let old = room.enter(Micros(1_000_000));
        room.forget();
        let new = room.enter(Micros(9_000_000));
        assert!(!room.is_current(old) && room.is_current(new));
        assert!(!room.leave(old));
        assert_eq!(room.count(), 1);
        assert!(room.read(Micros(9_000_000)).age < 0.01);
    }
}
