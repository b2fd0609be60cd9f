use std::time::Duration;

use gateway_domain::{ChannelId, UnixMillis};

use crate::tx::{moment, unsigned};
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
    /// When the original last counted; 1970 when it did not say.
    pub last_updated_at: UnixMillis,
}

// === impl Store ===

impl Store {
    /// The carried-over counts, by channel; empty in databases that did not begin as one of the original's.
    pub fn lifetime_metrics(&self) -> Result<Vec<LifetimeMetrics>> {
        self.read(|tx| {
            tx.all(
                "SELECT channel_id, latency_mean, error_rate, requests, successes, last_updated_at
                 FROM lifetime_metrics ORDER BY channel_id",
                [],
                |row| {
                    Ok(LifetimeMetrics {
                        channel: ChannelId(row.get(0)?),
                        latency_mean: Duration::try_from_secs_f64(row.get(1)?).unwrap_or_default(),
                        error_rate: row.get(2)?,
                        requests: unsigned(row.get(3)?),
                        successes: unsigned(row.get(4)?),
                        last_updated_at: moment(row, 5)?,
                    })
                },
            )
        })
    }
}
