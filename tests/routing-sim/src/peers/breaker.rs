//! When a channel is taken out of the choice, and when it comes back.

mod backoff;
mod consecutive;
mod per_minute;
mod ratio;

use std::fmt;

pub use backoff::Backoff;
pub use consecutive::Consecutive;
pub use per_minute::PerMinute;
pub use ratio::ErrorRatio;

use crate::router::Outcome;

/// Takes channels out of the choice.
pub trait Breaker: fmt::Debug {
    /// Whether the channel may be chosen.
    fn allows(&mut self, now: f64, channel: usize) -> bool;

    /// An attempt goes to the channel.
    fn sent(&mut self, _channel: usize) {}

    /// An attempt on the channel is over.
    fn finished(&mut self, now: f64, channel: usize, outcome: &Outcome);
}
