use std::time::Duration;

use gateway_domain::{ChannelId, UnixMillis};

use crate::{Result, Store};

/// What the original gateway had counted for a channel over its whole life, carried over at migration.
///
/// Nothing writes these rows any more; they are kept so that nothing is lost.
#[derive(Clone, Debug, PartialEq)]
pub struct LifetimeMetrics {
    /// The channel.
    pub channel: ChannelId,
    /// Mean duration of a whole call.
    pub latency_mean: Duration,
    /// Share of failed calls, 0 to 1.
    pub error_rate: f64,
    /// Calls.
    pub requests: u64,
    /// Calls that went well.
    pub successes: u64,
    /// When the original last counted.
    pub last_updated_at: UnixMillis,
}

impl Store {
    /// The carried-over counts, by channel; empty in databases that did not begin as one of the original's.
    pub fn lifetime_metrics(&self) -> Result<Vec<LifetimeMetrics>> {
        self.unfinished()
    }
}
