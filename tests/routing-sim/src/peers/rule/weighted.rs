use super::{Candidates, Rule};
use crate::chance::Dice;

/// A draw by weight, whatever the channels do (`LiteLLM`'s shuffle, Portkey, `OpenRouter`).
#[derive(Debug)]
pub struct Weighted {
    dice: Dice,
}

// === impl Weighted ===

impl Weighted {
    /// With dice of its own.
    pub fn new(seed: u64) -> Self {
        Self { dice: Dice::new(seed) }
    }
}

impl Rule for Weighted {
    fn choose(&mut self, among: &Candidates<'_>) -> usize {
        among.weighted(&mut self.dice)
    }
}
