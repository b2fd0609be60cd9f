//! How one of several channels is chosen.

mod agentgateway;
mod bounded_hash;
mod in_flight;
mod latency;
mod peak;
mod prefix;
mod prequal;
mod weighted;

use std::fmt;

pub use agentgateway::Agentgateway;
pub use bounded_hash::BoundedHash;
pub use in_flight::{FewestInFlight, TwoByInFlight};
pub use latency::LowestLatency;
pub use peak::{LowestPeak, TwoByPeak};
pub use prefix::{PrefixScore, PrefixTree};
pub use prequal::Prequal;
pub use weighted::Weighted;

use crate::chance::Dice;
use crate::numbered::Numbered;
use crate::router::{Channel, Outcome, View};

/// Chooses among channels, and learns from what becomes of it.
pub trait Rule: fmt::Debug {
    /// Which one. Asked only when there are at least two.
    fn choose(&mut self, among: &Candidates<'_>) -> usize;

    /// Where the request goes, by this rule or for want of a choice.
    fn chosen(&mut self, _now: f64, _channel: usize, _request: &View) {}

    /// The first token of an answer has come.
    fn first_token(&mut self, _now: f64, _channel: usize, _seconds: f64) {}

    /// An attempt is over.
    fn finished(&mut self, _now: f64, _channel: usize, _outcome: &Outcome) {}
}

/// What a rule chooses by.
#[derive(Clone, Copy, Debug)]
pub struct Candidates<'c> {
    /// In seconds since the run began.
    pub now: f64,
    /// What is to be sent.
    pub request: &'c View,
    /// The channels that may be chosen, in ascending order; at least two.
    pub numbers: &'c [usize],
    /// All channels.
    pub channels: &'c Numbered<Channel>,
    /// Attempts in flight on each of them.
    pub in_flight: &'c Numbered<f64>,
}

// === impl Candidates ===

impl Candidates<'_> {
    /// The candidate at a place of the list.
    fn at(&self, place: usize) -> usize {
        self.numbers.get(place).or(self.numbers.first()).copied().unwrap_or_default()
    }

    /// Two different ones, each pair as likely as another.
    fn two(&self, dice: &mut Dice) -> (usize, usize) {
        let (one, other) = dice.two_below(self.numbers.len());
        (self.at(one), self.at(other))
    }

    /// One, drawn by weight.
    fn weighted(&self, dice: &mut Dice) -> usize {
        let weights: Vec<f64> = self.numbers.iter().map(|channel| self.channels[*channel].weight).collect();
        self.at(dice.weighted(&weights).unwrap_or_default())
    }

    /// The one of the lowest cost; the first, when several are equal.
    fn lowest(&self, cost: impl Fn(usize) -> f64) -> usize {
        lowest(self.numbers, cost).unwrap_or_default()
    }

    /// The one of the highest worth; the last, when several are equal.
    fn highest(&self, worth: impl Fn(usize) -> f64) -> usize {
        let numbers = self.numbers.iter().copied();
        numbers.max_by(|one, other| worth(*one).total_cmp(&worth(*other))).unwrap_or_default()
    }

    /// The one with the fewest attempts in flight.
    fn idlest(&self) -> usize {
        self.lowest(|channel| self.in_flight[channel])
    }

    /// The fewest and the most attempts in flight.
    fn extremes(&self) -> (f64, f64) {
        let in_flight = self.numbers.iter().map(|channel| self.in_flight[*channel]);
        in_flight.fold((f64::INFINITY, 0.0), |(fewest, most), count| (fewest.min(count), count.max(most)))
    }
}

/// The channel of the lowest cost; the first, when several are equal.
fn lowest(channels: &[usize], cost: impl Fn(usize) -> f64) -> Option<usize> {
    channels.iter().copied().min_by(|one, other| cost(*one).total_cmp(&cost(*other)))
}
