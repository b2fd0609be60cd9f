use std::time::Duration;

/// Eight places for every doubling: what is read out differs by at most a sixteenth from what was put in.
const FINENESS: u32 = 3;
const PER_OCTAVE: usize = 1 << FINENESS;
/// Up to 2²⁷ units, which is two hours and 23 minutes; what lasts longer is counted there.
const LARGEST: u64 = (1 << 27) - 1;
const PLACES: usize = 25 * PER_OCTAVE;

/// The unit is 64 µs, as a shift.
const UNIT: u32 = 6;

/// How often durations of each length came, in places that grow with them. For spans of seconds: a place has room for
/// four thousand million.
#[derive(Clone, Debug)]
pub(super) struct Histogram {
    counts: [u32; PLACES],
}

// === impl Histogram ===

impl Histogram {
    pub(super) fn record(&mut self, duration: Duration) {
        if let Some(place) = self.counts.get_mut(place(duration)) {
            *place += 1;
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
    }

    /// How long at most this share of them took, in milliseconds; `None` of none.
    pub(super) fn percentile(&self, percent: u64) -> Option<f32> {
        let all: u64 = self.counts.iter().map(|count| u64::from(*count)).sum();
        let rank = (all * percent).div_ceil(100).max(1);
        let mut below = 0;
        let found = self.counts.iter().position(|count| {
            below += u64::from(*count);
            below >= rank
        });
        found.map(middle)
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: [0; PLACES] }
    }
}

fn place(duration: Duration) -> usize {
    let micros =
        duration.as_secs().saturating_mul(1_000_000).saturating_add(u64::from(duration.subsec_micros()));
    let units = (micros >> UNIT).min(LARGEST);
    let octave = (units | 1).ilog2();
    let units = units as usize;
    match octave.checked_sub(FINENESS) {
        None => units,
        Some(shift) => (shift as usize + 1) * PER_OCTAVE + ((units >> shift) & (PER_OCTAVE - 1)),
    }
}

/// The middle of a place in milliseconds.
#[expect(clippy::cast_precision_loss, reason = "27 bits, of which the upper four matter")]
fn middle(place: usize) -> f32 {
    let (octave, part) = (place / PER_OCTAVE, place % PER_OCTAVE);
    let (low, width) = match octave.checked_sub(1) {
        None => (part, 1),
        Some(shift) => ((PER_OCTAVE + part) << shift, 1 << shift),
    };
    (low as f32 + width as f32 / 2.0) * 0.064
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn millis(micros: u64) -> f64 {
        Duration::from_micros(micros).as_secs_f64() * 1000.0
    }

    proptest! {
        #[test]
        fn one_duration_is_read_out_within_a_sixteenth(micros in 0_u64..8_000_000_000) {
            let mut histogram = Histogram::default();
            histogram.record(Duration::from_micros(micros));
            let (read, was) = (f64::from(histogram.percentile(50).unwrap()), millis(micros));
            prop_assert!((read - was).abs() <= was / 16.0 + 0.064, "{read} ms instead of {was} ms");
        }

        #[test]
        fn percentiles_are_those_of_a_sorted_list(mut all in prop::collection::vec(0_u64..60_000_000, 1..200)) {
            let mut halves = [Histogram::default(), Histogram::default()];
            for (n, micros) in all.iter().enumerate() {
                halves[n % 2].record(Duration::from_micros(*micros));
            }
            let [mut histogram, other] = halves;
            histogram.add(&other);
            all.sort_unstable();
            for percent in [1, 50, 95, 100] {
                let rank = (all.len() * percent).div_ceil(100).max(1);
                let exact = millis(all[rank - 1]);
                let read = f64::from(histogram.percentile(percent as u64).unwrap());
                prop_assert!((read - exact).abs() <= exact / 16.0 + 0.064, "p{percent}: {read}, not {exact}");
            }
        }
    }

    #[test]
    fn nothing_has_no_percentile_and_the_longest_fits() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.percentile(95), None);
        histogram.record(Duration::MAX);
        assert!(histogram.percentile(95).unwrap() > 7_000_000.0);
    }
}
