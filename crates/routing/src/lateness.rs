//! How late answers are, so that one can tell a late one: the quantiles that decide when a second attempt is worth it.
//!
//! A histogram with four buckets to the octave, from a millisecond to an hour, for each kind of answer. When it has
//! seen [`MOST`] answers all counts are halved: an old answer counts half as much as a new one, then a quarter, and so
//! on. Counting takes no lock and no locked instruction: two threads that count or halve at once cost an answer or a
//! few, which nobody misses.
//!
//! An attempt that was given up later than what is late counts as that late. Otherwise hedging would hide the very
//! tail it is measured by: the slow attempts lose against their hedges and never end, what is seen grows quicker, and
//! hedges come ever sooner.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::Micros;

/// Fewer answers than this tell nothing.
const FEWEST: u32 = 20;
/// More than this are not remembered.
const MOST: u32 = 256;
/// Quantiles are taken anew with every so many answers.
const EVERY: u32 = 16;
/// Late is what so many of a hundred answers are not…
const USUAL: f64 = 0.95;
/// … or what is so many times the median, whichever is less: with a long tail, the quantile is of no use.
const TIMES_MEDIAN: f64 = 4.0;
/// The first bucket ends above 2¹⁰ µs, the last begins below 2³² µs.
const OCTAVES: (u32, u32) = (10, 32);
const PER_OCTAVE: usize = 4;
const BUCKETS: usize = (OCTAVES.1 - OCTAVES.0) as usize * PER_OCTAVE;

/// The recent answers of one kind.
#[derive(Debug)]
pub(crate) struct Lateness {
    counts: [AtomicU32; BUCKETS],
    total: AtomicU32,
    /// In microseconds; 0 while unknown.
    late: AtomicU64,
}

// === impl Lateness ===

impl Lateness {
    pub(crate) const fn new() -> Self {
        Self {
            counts: [const { AtomicU32::new(0) }; BUCKETS],
            total: AtomicU32::new(0),
            late: AtomicU64::new(0),
        }
    }

    /// What is late; `None` while too little is known.
    pub(crate) fn late(&self) -> Option<Micros> {
        Some(Micros(self.late.load(Ordering::Relaxed))).filter(|late| late.0 > 0)
    }

    /// An answer came after so long.
    pub(crate) fn answered(&self, after: Micros) {
        let Some(count) = self.counts.get(bucket(after)) else { return };
        count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        let total = self.total.load(Ordering::Relaxed) + 1;
        self.total.store(total, Ordering::Relaxed);
        if total >= MOST {
            self.halve();
        }
        if total >= FEWEST && (total == FEWEST || total.is_multiple_of(EVERY)) {
            self.publish();
        }
    }

    /// Nothing had come after so long, and nothing will.
    pub(crate) fn given_up(&self, after: Micros) {
        if self.late().is_some_and(|late| after >= late) {
            self.answered(after);
        }
    }

    fn halve(&self) {
        let mut total = 0;
        for count in &self.counts {
            let half = count.load(Ordering::Relaxed) / 2;
            count.store(half, Ordering::Relaxed);
            total += half;
        }
        self.total.store(total, Ordering::Relaxed);
    }

    fn publish(&self) {
        let total: u32 = self.counts.iter().map(|count| count.load(Ordering::Relaxed)).sum();
        let late = self.quantile(USUAL, total).min(TIMES_MEDIAN * self.quantile(0.5, total));
        self.late.store(Micros::from_seconds(late / 1e6).0.max(1), Ordering::Relaxed);
    }

    /// In microseconds, evenly spread within a bucket.
    fn quantile(&self, part: f64, total: u32) -> f64 {
        let wanted = part * f64::from(total);
        let mut below = 0;
        for (place, count) in self.counts.iter().enumerate() {
            let here = count.load(Ordering::Relaxed);
            if here > 0 && f64::from(below + here) >= wanted {
                let (from, until) = (edge(place), edge(place + 1));
                return from + (until - from) * (wanted - f64::from(below)) / f64::from(here);
            }
            below += here;
        }
        edge(BUCKETS)
    }
}

impl Clone for Lateness {
    fn clone(&self) -> Self {
        let copy = Self::new();
        for (copy, count) in copy.counts.iter().zip(&self.counts) {
            copy.store(count.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        copy.total.store(self.total.load(Ordering::Relaxed), Ordering::Relaxed);
        copy.late.store(self.late.load(Ordering::Relaxed), Ordering::Relaxed);
        copy
    }
}

/// The octave is the number of leading zeros, the quarter of it the two bits after the leading one.
fn bucket(after: Micros) -> usize {
    let micros = after.0.clamp(1 << OCTAVES.0, (1 << OCTAVES.1) - 1);
    let octave = micros.ilog2();
    let quarter = usize::try_from((micros >> (octave - 2)) & 3).unwrap_or(0);
    usize::try_from(octave - OCTAVES.0).unwrap_or(0) * PER_OCTAVE + quarter
}

/// Where a bucket begins, in microseconds.
fn edge(place: usize) -> f64 {
    let (octave, quarter) = (place / PER_OCTAVE, place % PER_OCTAVE);
    let octave = i32::try_from(octave).unwrap_or(0) + OCTAVES.0.cast_signed();
    2_f64.powi(octave) * (1.0 + 0.25 * f64::from(u8::try_from(quarter).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::{BUCKETS, Lateness, bucket, edge};
    use crate::Micros;

    fn ms(millis: u64) -> Micros {
        Micros::from_millis(millis)
    }

    #[test]
    fn buckets_hold_what_lies_between_their_edges() {
        for micros in [1024, 1279, 1280, 5000, 777_777, 4_000_000, 3_600_000_000] {
            let place = bucket(Micros(micros));
            let micros = Micros(micros).seconds() * 1e6;
            assert!(edge(place) <= micros && micros < edge(place + 1), "{micros} in {place}");
        }
        assert_eq!((bucket(Micros(0)), bucket(Micros(u64::MAX))), (0, BUCKETS - 1));
    }

    #[test]
    fn nothing_is_late_until_twenty_have_answered() {
        let seen = Lateness::new();
        for _ in 0..19 {
            seen.answered(ms(100));
        }
        assert_eq!(seen.late(), None);
        seen.answered(ms(100));
        let late = seen.late().unwrap();
        assert!((ms(90)..ms(130)).contains(&late), "{late:?}");
    }

    #[test]
    fn late_is_what_five_in_a_hundred_are() {
        let seen = Lateness::new();
        for i in 0..2000_u64 {
            seen.answered(ms(200 + i % 200));
        }
        let late = seen.late().unwrap();
        assert!((ms(350)..ms(420)).contains(&late), "{late:?}");
    }

    #[test]
    fn a_long_tail_does_not_hide_behind_its_own_quantile() {
        let seen = Lateness::new();
        for i in 0..200 {
            seen.answered(if i % 10 == 0 { ms(20_000) } else { ms(200) });
        }
        let late = seen.late().unwrap();
        assert!((ms(700)..ms(1000)).contains(&late), "four times the median: {late:?}");
    }

    #[test]
    fn the_past_is_forgotten() {
        let seen = Lateness::new();
        for _ in 0..5000 {
            seen.answered(ms(5000));
        }
        for _ in 0..600 {
            seen.answered(ms(100));
        }
        assert!(seen.late().unwrap() < ms(150));
    }

    #[test]
    fn who_is_given_up_late_counts_and_who_leaves_early_does_not() {
        let seen = Lateness::new();
        for _ in 0..100 {
            seen.answered(ms(100));
        }
        let before = seen.late().unwrap();
        for _ in 0..50 {
            seen.given_up(ms(10));
        }
        assert_eq!(seen.late(), Some(before));
        for _ in 0..24 {
            seen.given_up(ms(2000));
        }
        assert!(seen.late().unwrap() > ms(300));
    }
}
