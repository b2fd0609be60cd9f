use std::collections::VecDeque;

use super::{Candidates, Rule};
use crate::chance::Dice;
use crate::numbered::Numbered;
use crate::router::{Kind, Outcome};

/// How many of the last answers count.
const SAMPLES: usize = 10;
/// What a timeout counts as, in seconds.
const TIMEOUT: f64 = 1000.0;

/// The lowest mean time until the first token (`LiteLLM`'s latency-based routing). All follow the same leader: it
/// herds where upstreams queue.
#[derive(Debug)]
pub struct LowestLatency {
    dice: Dice,
    samples: Numbered<VecDeque<f64>>,
}

// === impl LowestLatency ===

impl LowestLatency {
    /// With dice of its own; a channel without samples counts as the fastest.
    pub fn new(channels: usize, seed: u64) -> Self {
        Self { dice: Dice::new(seed), samples: Numbered::filled(VecDeque::new(), channels) }
    }

    fn mean(&self, channel: usize) -> f64 {
        let samples = &self.samples[channel];
        if samples.is_empty() { 0.0 } else { samples.iter().sum::<f64>() / samples.len() as f64 }
    }

    fn learn(&mut self, channel: usize, seconds: f64) {
        let samples = &mut self.samples[channel];
        samples.push_back(seconds);
        if samples.len() > SAMPLES {
            samples.pop_front();
        }
    }
}

impl Rule for LowestLatency {
    fn choose(&mut self, among: &Candidates<'_>) -> usize {
        let lowest = among.numbers.iter().map(|channel| self.mean(*channel)).fold(f64::INFINITY, f64::min);
        let best: Vec<_> =
            among.numbers.iter().copied().filter(|channel| self.mean(*channel) <= lowest).collect();
        best.get(self.dice.below(best.len())).copied().unwrap_or_else(|| among.at(0))
    }

    fn first_token(&mut self, _now: f64, channel: usize, seconds: f64) {
        self.learn(channel, seconds);
    }

    fn finished(&mut self, _now: f64, channel: usize, outcome: &Outcome) {
        if outcome.kind == Kind::Timeout {
            self.learn(channel, TIMEOUT);
        }
    }
}
