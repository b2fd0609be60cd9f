use super::{Candidates, Rule, lowest};
use crate::chance::{Dice, mix, unit};

/// How many times its fair share of the attempts in flight a channel may hold.
const BOUND: f64 = 1.25;

/// Rendezvous hashing with bounded loads: sessions at home, unless home is too busy.
///
/// Without weights it is smg's prefix hash. With weights and a breaker it is nobody's product, but the strongest that
/// can be put together from known parts.
#[derive(Debug)]
pub struct BoundedHash {
    dice: Dice,
    weighted: bool,
}

// === impl BoundedHash ===

impl BoundedHash {
    /// With dice of its own.
    pub fn new(seed: u64, weighted: bool) -> Self {
        Self { dice: Dice::new(seed), weighted }
    }
}

impl Rule for BoundedHash {
    fn choose(&mut self, among: &Candidates<'_>) -> usize {
        let key = among.request.session.unwrap_or_else(|| self.dice.bits());
        let in_flight = among.numbers.iter().map(|channel| among.in_flight[*channel]).sum::<f64>() + 1.0;
        let weight = |channel: usize| among.channels[channel].weight;
        let weights: f64 = among.numbers.iter().map(|channel| weight(*channel)).sum();
        let has_room = |channel: usize| {
            let fair = if self.weighted {
                in_flight * weight(channel) / weights
            } else {
                in_flight / among.numbers.len() as f64
            };
            among.in_flight[channel] <= fair * BOUND
        };
        let home = among.highest(|channel| {
            let draw = unit(mix(key ^ among.channels[channel].key));
            if self.weighted { weight(channel) / -draw.ln() } else { draw }
        });
        if has_room(home) {
            return home;
        }
        let roomy: Vec<usize> = among.numbers.iter().copied().filter(|channel| has_room(*channel)).collect();
        lowest(&roomy, |channel| among.in_flight[channel]).unwrap_or(home)
    }
}
