use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gateway_domain::Channel;

use crate::Observation;

/// A way to ask a channel whether it is well.
pub trait Probe: Send + Sync + 'static {
    /// Asks once. Comes back within `timeout`; dropping the future ends the call.
    fn probe(&self, channel: Arc<Channel>, timeout: Duration) -> impl Future<Output = ProbeReport> + Send;
}

/// What one probe found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeReport {
    /// Whether the channel is well.
    pub ok: bool,
    /// The status it answered with, if it answered.
    pub status: Option<u16>,
    /// From the start of the probe to its end, good or bad.
    pub latency: Duration,
    /// The reason when it is not well, or what is to be said although it is. Holds no key and no control characters,
    /// and at most 300 characters.
    pub why: Option<String>,
    /// The first 64 KiB of the answer's body, without the key.
    pub body: Option<Bytes>,
}

// === impl ProbeReport ===

impl ProbeReport {
    /// Whether the channel answered, and refused its key (or is out of money).
    pub fn is_refused(&self) -> bool {
        !self.ok && matches!(self.status, Some(401..=403))
    }

    /// What it means for the channel's health.
    pub fn observation(&self) -> Observation {
        let why = || self.why.clone().unwrap_or_else(|| "the probe failed".to_owned());
        if self.ok {
            Observation::ProbeOk { latency: self.latency }
        } else if self.is_refused() {
            Observation::ProbeRefused { why: why() }
        } else {
            Observation::ProbeFailed { why: why() }
        }
    }
}
