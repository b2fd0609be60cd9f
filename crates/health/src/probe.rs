use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gateway_domain::{AttemptOutcome, Channel};

use crate::Observation;

/// A way to ask a channel whether it is well.
pub trait Probe: Send + Sync + 'static {
    /// Asks once. Comes back within `timeout`; dropping the future ends the call.
    fn probe(&self, channel: Arc<Channel>, timeout: Duration) -> impl Future<Output = ProbeReport> + Send;
}

/// What one probe found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeReport {
    /// Whether the channel was asked at all. It is not where this process has no file left for a connection.
    pub asked: bool,
    /// How it ended, in the words of attempts.
    pub outcome: AttemptOutcome,
    /// Whether the account paid for a good answer, so that its key is taken and its money is there. A model list proves
    /// neither: some servers show it to everybody, and all to those who owe.
    pub proves_key: bool,
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
    /// Whether the channel is well. One that limits is.
    pub const fn is_ok(&self) -> bool {
        matches!(self.outcome, AttemptOutcome::Ok | AttemptOutcome::RateLimited)
    }

    /// What it means for the channel's health; nothing where it was not asked.
    pub fn observation(&self) -> Option<Observation> {
        let why = || self.why.clone().unwrap_or_else(|| "the probe failed".to_owned());
        let seen = match self.outcome {
            AttemptOutcome::Ok | AttemptOutcome::RateLimited => {
                Observation::ProbeOk { latency: self.latency, proves_key: self.proves_key }
            }
            AttemptOutcome::Credentials | AttemptOutcome::Quota => Observation::ProbeRefused { why: why() },
            AttemptOutcome::CallerError | AttemptOutcome::Unserved => {
                Observation::ProbeMisasked { why: why() }
            }
            AttemptOutcome::ServerError
            | AttemptOutcome::Connect
            | AttemptOutcome::Timeout
            | AttemptOutcome::Broken
            | AttemptOutcome::BadAnswer
            | AttemptOutcome::Cancelled
            | AttemptOutcome::Cut
            | AttemptOutcome::Superseded => Observation::ProbeFailed { why: why() },
        };
        Some(seen).filter(|_| self.asked)
    }
}
