use std::collections::VecDeque;

use super::{Candidates, Rule, lowest};
use crate::chance::Dice;
use crate::figures::quantile;
use crate::numbered::Numbered;

/// How many channels are looked at for one choice.
const PROBES: usize = 3;
/// The quantile of attempts in flight above which a channel is hot.
const HOT: f64 = 0.84;
/// How many numbers of attempts in flight that quantile is taken from.
const MEMORY: usize = 400;
/// How many of the last answers count for the median latency.
const SAMPLES: usize = 16;

/// The lowest latency among cold channels, or the fewest in flight when all are hot (Prequal, with what a client can
/// know in place of its probes).
#[derive(Debug)]
pub struct Prequal {
    dice: Dice,
    samples: Numbered<VecDeque<f64>>,
    in_flight: VecDeque<f64>,
}

// === impl Prequal ===

impl Prequal {
    /// With dice of its own.
    pub fn new(channels: usize, seed: u64) -> Self {
        Self {
            dice: Dice::new(seed),
            samples: Numbered::filled(VecDeque::new(), channels),
            in_flight: VecDeque::new(),
        }
    }

    /// A few of the candidates, each as likely as another.
    fn probed(&mut self, among: &Candidates<'_>) -> Vec<usize> {
        let mut probed = among.numbers.to_vec();
        for place in 0..probed.len().min(PROBES) {
            let other = place + self.dice.below(probed.len() - place);
            probed.swap(place, other);
        }
        probed.truncate(PROBES);
        probed
    }

    fn median(&self, channel: usize) -> f64 {
        let mut samples: Vec<f64> = self.samples[channel].iter().copied().collect();
        quantile(&mut samples, 0.5).unwrap_or_default()
    }
}

impl Rule for Prequal {
    fn choose(&mut self, among: &Candidates<'_>) -> usize {
        let probed = self.probed(among);
        let mut known: Vec<f64> = self.in_flight.iter().copied().collect();
        let hot = quantile(&mut known, HOT).unwrap_or(f64::INFINITY);
        self.in_flight.extend(among.in_flight);
        while self.in_flight.len() > MEMORY {
            self.in_flight.pop_front();
        }
        let cold: Vec<usize> =
            probed.iter().copied().filter(|channel| among.in_flight[*channel] <= hot).collect();
        lowest(&cold, |channel| self.median(channel))
            .or_else(|| lowest(&probed, |channel| among.in_flight[channel]))
            .unwrap_or_else(|| among.at(0))
    }

    fn first_token(&mut self, _now: f64, channel: usize, seconds: f64) {
        let samples = &mut self.samples[channel];
        samples.push_back(seconds);
        if samples.len() > SAMPLES {
            samples.pop_front();
        }
    }
}
