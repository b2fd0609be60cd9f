//! Peak EWMA, as tower has it: an average that jumps up with a slow answer and falls slowly, also when only read.

use super::{Candidates, Rule};
use crate::chance::Dice;
use crate::numbered::Numbered;
use crate::router::Outcome;

/// What linkerd counts a failure as, at least, in seconds.
const PENALTY: f64 = 5.0;

/// The lower `peak · (in flight + 1)` of two, with failures counted as slow (linkerd).
#[derive(Debug)]
pub struct TwoByPeak {
    dice: Dice,
    averages: PeakEwma,
}

/// The lowest `peak · (in flight + 1)` of all (Helicone).
#[derive(Debug)]
pub struct LowestPeak {
    averages: PeakEwma,
}

#[derive(Debug)]
struct PeakEwma {
    /// Time constant of the decay, in seconds.
    decay: f64,
    channels: Numbered<Average>,
}

#[derive(Clone, Copy, Debug)]
struct Average {
    value: f64,
    at: f64,
}

// === impl TwoByPeak ===

impl TwoByPeak {
    /// With dice of its own.
    pub fn new(channels: usize, seed: u64) -> Self {
        Self { dice: Dice::new(seed), averages: PeakEwma::new(channels, 1.0, 10.0) }
    }
}

impl Rule for TwoByPeak {
    fn choose(&mut self, among: &Candidates<'_>) -> usize {
        let (one, other) = among.two(&mut self.dice);
        let mut cost = |channel| self.averages.read(among.now, channel) * (among.in_flight[channel] + 1.0);
        if cost(one) <= cost(other) { one } else { other }
    }

    fn first_token(&mut self, now: f64, channel: usize, seconds: f64) {
        self.averages.learn(now, channel, seconds);
    }

    fn finished(&mut self, now: f64, channel: usize, outcome: &Outcome) {
        if outcome.failed() {
            let penalty = outcome.retry_after.unwrap_or(PENALTY).max(PENALTY);
            self.averages.learn(now, channel, penalty.max(outcome.first_token));
        }
    }
}

// === impl LowestPeak ===

impl LowestPeak {
    /// For so many channels.
    pub fn new(channels: usize) -> Self {
        Self { averages: PeakEwma::new(channels, 0.25, 30.0) }
    }
}

impl Rule for LowestPeak {
    fn choose(&mut self, among: &Candidates<'_>) -> usize {
        let mut best = (f64::INFINITY, among.at(0));
        for channel in among.numbers {
            let cost = self.averages.read(among.now, *channel) * (among.in_flight[*channel] + 1.0);
            if cost < best.0 {
                best = (cost, *channel);
            }
        }
        best.1
    }

    fn first_token(&mut self, now: f64, channel: usize, seconds: f64) {
        self.averages.learn(now, channel, seconds);
    }

    fn finished(&mut self, now: f64, channel: usize, outcome: &Outcome) {
        if outcome.failed() {
            self.averages.learn(now, channel, outcome.first_token);
        }
    }
}

// === impl PeakEwma ===

impl PeakEwma {
    fn new(channels: usize, first: f64, decay: f64) -> Self {
        Self { decay, channels: Numbered::filled(Average { value: first, at: 0.0 }, channels) }
    }

    fn read(&mut self, now: f64, channel: usize) -> f64 {
        let average = &mut self.channels[channel];
        let kept = (-(now - average.at).max(0.0) / self.decay).exp();
        *average = Average { value: average.value * kept, at: now };
        average.value
    }

    fn learn(&mut self, now: f64, channel: usize, seconds: f64) {
        let average = &mut self.channels[channel];
        let value = if seconds > average.value {
            seconds
        } else {
            let kept = (-(now - average.at).max(0.0) / self.decay).exp();
            average.value * kept + seconds * (1.0 - kept)
        };
        *average = Average { value, at: now };
    }
}
