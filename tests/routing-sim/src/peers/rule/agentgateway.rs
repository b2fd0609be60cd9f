use super::{Candidates, Rule};
use crate::chance::Dice;
use crate::numbered::Numbered;
use crate::router::Outcome;

/// How much a new sample counts.
const NEW: f64 = 0.3;

/// The better score of two that are drawn by weight, perhaps the same one twice (agentgateway): health over latency,
/// which grows with what is in flight.
#[derive(Debug)]
pub struct Agentgateway {
    dice: Dice,
    channels: Numbered<Averages>,
}

#[derive(Clone, Copy, Debug)]
struct Averages {
    health: f64,
    latency: f64,
}

// === impl Agentgateway ===

impl Agentgateway {
    /// With dice of its own.
    pub fn new(channels: usize, seed: u64) -> Self {
        let averages = Averages { health: 1.0, latency: 0.0 };
        Self { dice: Dice::new(seed), channels: Numbered::filled(averages, channels) }
    }
}

impl Rule for Agentgateway {
    fn choose(&mut self, among: &Candidates<'_>) -> usize {
        let one = among.weighted(&mut self.dice);
        let other = among.weighted(&mut self.dice);
        let score = |channel| {
            let Averages { health, latency } = self.channels[channel];
            health / (1.0 + latency * (1.0 + 0.1 * among.in_flight[channel]))
        };
        if score(one) >= score(other) { one } else { other }
    }

    fn finished(&mut self, _now: f64, channel: usize, outcome: &Outcome) {
        let averages = &mut self.channels[channel];
        let health = if outcome.failed() { 0.0 } else { 1.0 };
        averages.health = mixed(averages.health, health);
        if !outcome.failed() {
            averages.latency = mixed(averages.latency, outcome.first_token);
        }
    }
}

/// An average that was 0 counts as one that has no sample yet.
fn mixed(average: f64, sample: f64) -> f64 {
    if average == 0.0 { sample } else { NEW * sample + (1.0 - NEW) * average }
}
