//! What is measured of a run, and how the runs of several seeds are put together.

mod shift;

pub use shift::{Shift, Watch};

use crate::numbered::Numbered;
use crate::sim::{Record, Run};

/// What comes in the first seconds is not measured: everything is still cold.
const WARM_UP: f64 = 60.0;
/// What a request that failed counts as, in seconds until the first token.
const FAILED: f64 = 30.0;
/// The promise to the callers: the first token within so many seconds, retries included.
pub const PROMISE: f64 = 2.0;

/// A part of a run, in seconds since its beginning.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// Its beginning.
    pub from: f64,
    /// Its end.
    pub until: f64,
}

/// The figures of one run.
#[derive(Clone, Debug)]
pub struct Sample {
    all: Group,
    /// Of requests that came while faults could be felt.
    in_windows: Group,
    /// Of requests whose conversation had asked before.
    continued: Group,
    attempts: u32,
    /// How far the shares of first attempts are from the weights: total variation distance, 0 to 1.
    weight_error: f64,
    shift: Option<Shift>,
}

/// Counts over some requests.
#[derive(Clone, Debug, Default)]
struct Group {
    /// Seconds until the first token.
    waits: Vec<f64>,
    answered: f64,
    kept: f64,
    prompt_tokens: f64,
    cached_tokens: f64,
    price: f64,
}

/// The figures of the runs of several seeds.
#[derive(Clone, Debug)]
pub struct Figures {
    samples: Vec<Sample>,
}

/// A mean with its uncertainty.
#[derive(Clone, Copy, Debug)]
pub struct Estimate {
    /// The mean over the seeds.
    pub mean: f64,
    /// Half of the 95 % confidence interval; 0 for one seed.
    pub margin: f64,
}

/// The value that a share `p` of the values does not exceed; `None` when there is none.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a count is between 0 and the count"
)]
pub fn quantile(values: &mut [f64], p: f64) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let rank = ((values.len() as f64 * p).ceil() as usize).clamp(1, values.len());
    let (_, value, _) = values.select_nth_unstable_by(rank - 1, f64::total_cmp);
    Some(*value)
}

// === impl Span ===

impl Span {
    /// Whether it holds a moment.
    pub fn contains(&self, at: f64) -> bool {
        (self.from..self.until).contains(&at)
    }
}

// === impl Sample ===

impl Sample {
    /// Measures a run of `duration` seconds over channels with these weights.
    pub fn of(run: &Run, weights: &[f64], windows: &[Span], watch: Option<Watch>, duration: f64) -> Self {
        let measured = Span { from: WARM_UP, until: duration };
        let (mut all, mut in_windows, mut continued) = (Group::default(), Group::default(), Group::default());
        let mut attempts = 0;
        let mut first = Numbered::filled(0.0, weights.len());
        for record in run.records.iter().filter(|record| measured.contains(record.at)) {
            all.add(record);
            if windows.iter().any(|window| window.contains(record.at)) {
                in_windows.add(record);
            }
            if record.continues {
                continued.add(record);
            }
            attempts += record.attempts;
            if let Some(channel) = record.first_channel {
                first[channel] += 1.0;
            }
        }
        Self {
            all,
            in_windows,
            continued,
            attempts,
            weight_error: distance(weights, &first),
            shift: watch.map(|watch| Shift::of(&run.picks, watch, duration)),
        }
    }
}

/// Half the sum of the differences between two distributions, which need not be normalised.
fn distance(weights: &[f64], counts: &Numbered<f64>) -> f64 {
    let weight: f64 = weights.iter().sum();
    let count = counts.iter().sum::<f64>().max(1.0);
    let differences = weights.iter().zip(counts).map(|(one, other)| (one / weight - other / count).abs());
    0.5 * differences.sum::<f64>()
}

// === impl Group ===

impl Group {
    fn add(&mut self, record: &Record) {
        self.waits.push(record.first_token.unwrap_or(FAILED));
        let Some(first_token) = record.first_token else { return };
        self.answered += 1.0;
        if first_token <= PROMISE {
            self.kept += 1.0;
        }
        let [prompt, cached, output] =
            [record.prompt_tokens, record.cached_tokens, record.output_tokens].map(f64::from);
        self.prompt_tokens += prompt;
        self.cached_tokens += cached;
        // As most providers charge: an uncached token of a prompt is the unit.
        self.price += (prompt - cached.min(prompt)) + 0.1 * cached + 4.0 * output;
    }

    fn requests(&self) -> f64 {
        self.waits.len() as f64
    }
}

// === impl Figures ===

impl Figures {
    /// Seconds until the first token that a share `p` of the requests stayed within. A failed one counts as 30 s.
    pub fn wait(&self, p: f64) -> f64 {
        self.quantile(p, |sample| &sample.all).unwrap_or(f64::NAN)
    }

    /// The same for requests in the fault windows, if there are any.
    pub fn wait_in_windows(&self, p: f64) -> Option<f64> {
        self.quantile(p, |sample| &sample.in_windows)
    }

    /// The 99th percentile where it matters: in the fault windows if there are any, else of everything.
    pub fn p99(&self) -> f64 {
        self.wait_in_windows(0.99).unwrap_or_else(|| self.wait(0.99))
    }

    /// The share of requests that got an answer.
    pub fn success(&self) -> f64 {
        self.sum(|sample| sample.all.answered) / self.requests()
    }

    /// The share of requests with a first token within the promise.
    pub fn goodput(&self) -> f64 {
        self.sum(|sample| sample.all.kept) / self.requests()
    }

    /// The same in the fault windows, with the uncertainty over the seeds.
    pub fn goodput_in_windows(&self) -> Option<Estimate> {
        let groups = self.samples.iter().map(|sample| &sample.in_windows);
        let of = |group: &Group| (!group.waits.is_empty()).then(|| group.kept / group.requests());
        Estimate::over(&groups.filter_map(of).collect::<Vec<_>>())
    }

    /// The share of prompt tokens that came from a cache.
    pub fn cached(&self) -> f64 {
        self.sum(|sample| sample.all.cached_tokens) / self.sum(|sample| sample.all.prompt_tokens).max(1.0)
    }

    /// The same for requests whose conversation had asked before.
    pub fn cached_of_continued(&self) -> f64 {
        self.sum(|sample| sample.continued.cached_tokens)
            / self.sum(|sample| sample.continued.prompt_tokens).max(1.0)
    }

    /// Mean price of an answer, in uncached prompt tokens.
    pub fn price(&self) -> f64 {
        self.sum(|sample| sample.all.price) / self.sum(|sample| sample.all.answered).max(1.0)
    }

    /// Attempts per request.
    pub fn attempts(&self) -> f64 {
        self.sum(|sample| f64::from(sample.attempts)) / self.requests()
    }

    /// How far the shares of first attempts are from the weights, 0 to 1.
    pub fn weight_error(&self) -> f64 {
        self.mean(|sample| Some(sample.weight_error)).unwrap_or(f64::NAN)
    }

    /// Seconds until the watched channel had lost its traffic, if one is watched.
    pub fn shed(&self) -> Option<f64> {
        self.mean(|sample| sample.shift.map(|shift| shift.shed))
    }

    /// Seconds until it had its traffic back.
    pub fn back(&self) -> Option<f64> {
        self.mean(|sample| sample.shift.map(|shift| shift.back))
    }

    fn requests(&self) -> f64 {
        self.sum(|sample| sample.all.requests())
    }

    fn sum(&self, of: impl Fn(&Sample) -> f64) -> f64 {
        self.samples.iter().map(of).sum()
    }

    fn mean(&self, of: impl Fn(&Sample) -> Option<f64>) -> Option<f64> {
        let values: Vec<f64> = self.samples.iter().filter_map(of).collect();
        Estimate::over(&values).map(|estimate| estimate.mean)
    }

    fn quantile(&self, p: f64, of: impl Fn(&Sample) -> &Group) -> Option<f64> {
        let mut waits: Vec<f64> = self.samples.iter().flat_map(|sample| &of(sample).waits).copied().collect();
        quantile(&mut waits, p)
    }
}

impl FromIterator<Sample> for Figures {
    fn from_iter<I: IntoIterator<Item = Sample>>(samples: I) -> Self {
        Self { samples: samples.into_iter().collect() }
    }
}

// === impl Estimate ===

impl Estimate {
    fn over(values: &[f64]) -> Option<Self> {
        if values.is_empty() {
            return None;
        }
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        if values.len() < 2 {
            return Some(Self { mean, margin: 0.0 });
        }
        let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
        let deviation = (squares / (count - 1.0)).sqrt();
        Some(Self { mean, margin: student(values.len()) * deviation / count.sqrt() })
    }
}

/// The two-sided 95 % quantile of Student's distribution for so many values.
fn student(count: usize) -> f64 {
    const FROM_TWO: [f64; 9] = [12.7, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26];
    count.checked_sub(2).and_then(|place| FROM_TWO.get(place)).copied().unwrap_or(2.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_one_of_the_values() {
        let mut values = [5.0, 1.0, 4.0, 2.0, 3.0];
        assert_eq!([0.0, 0.5, 0.99, 1.0].map(|p| quantile(&mut values, p)), [1.0, 3.0, 5.0, 5.0].map(Some));
        assert_eq!(quantile(&mut [], 0.5), None);
    }

    #[test]
    fn shares_that_follow_the_weights_have_no_error() {
        let counts = |counts: [f64; 2]| counts.into_iter().collect();
        assert!(distance(&[3.0, 1.0], &counts([75.0, 25.0])).abs() < 1e-12);
        assert!((distance(&[3.0, 1.0], &counts([100.0, 0.0])) - 0.25).abs() < 1e-12);
    }

    #[test]
    fn a_failed_request_waits_longest_and_pays_nothing() {
        let mut group = Group::default();
        let record = Record {
            at: 0.0,
            first_token: None,
            attempts: 3,
            first_channel: Some(0),
            prompt_tokens: 1000,
            cached_tokens: 0,
            output_tokens: 100,
            continues: false,
        };
        group.add(&record);
        group.add(&Record { first_token: Some(1.0), cached_tokens: 500, ..record });
        assert_eq!(group.waits, [30.0, 1.0]);
        assert_eq!((group.answered, group.kept, group.price), (1.0, 1.0, 950.0));
    }

    #[test]
    fn one_seed_tells_nothing_about_uncertainty() {
        let one = Estimate::over(&[0.5]).unwrap();
        let two = Estimate::over(&[0.4, 0.6]).unwrap();
        assert!(one.margin.abs() < 1e-12 && two.margin > 1.0);
    }
}
