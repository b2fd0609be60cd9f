use super::{Candidates, Rule};
use crate::chance::Dice;

/// The fewest attempts in flight of all (`LiteLLM`'s least-busy, olla's least connections).
#[derive(Debug)]
pub struct FewestInFlight;

/// The fewer attempts in flight of two (smg's power of two).
#[derive(Debug)]
pub struct TwoByInFlight {
    dice: Dice,
}

// === impl FewestInFlight ===

impl Rule for FewestInFlight {
    fn choose(&mut self, among: &Candidates<'_>) -> usize {
        among.idlest()
    }
}

// === impl TwoByInFlight ===

impl TwoByInFlight {
    /// With dice of its own.
    pub fn new(seed: u64) -> Self {
        Self { dice: Dice::new(seed) }
    }
}

impl Rule for TwoByInFlight {
    fn choose(&mut self, among: &Candidates<'_>) -> usize {
        let (one, other) = among.two(&mut self.dice);
        if among.in_flight[one] <= among.in_flight[other] { one } else { other }
    }
}
