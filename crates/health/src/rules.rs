use std::sync::Arc;
use std::time::Duration;

use gateway_domain::AttemptOutcome;

/// When a channel leaves rotation and when it may return.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// This many failed probes in a row take a channel out. 0 is read as 1.
    pub unhealthy_after: u32,
    /// This many good probes in a row bring it back. 0 is read as 1.
    pub healthy_after: u32,
    /// This many failed calls in a row take a channel out, whatever its probes say. 0 is read as 1.
    pub ejected_after: u32,
    /// For how long failed calls take a channel out the first time; each time soon after doubles it.
    pub first_pause: Duration,
    /// The longest such time.
    pub longest_pause: Duration,
    /// For how long refused credentials and missing money take a channel out: nobody but an operator can help, so
    /// asking often is pointless. Each time the same: the operator may have helped meanwhile.
    pub credentials_pause: Duration,
}

/// What a witness saw. Errors of the caller's own making (its 4xx), calls that the client cancelled and 429 say
/// nothing about health and are never reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observation {
    /// A probe was answered well.
    ProbeOk {
        /// From the start of the probe to the end of its answer.
        latency: Duration,
        /// See [`ProbeReport::proves_key`](crate::ProbeReport::proves_key).
        proves_key: bool,
    },
    /// A probe was not answered, or not well.
    ProbeFailed {
        /// The reason, for people, without secrets.
        why: String,
    },
    /// A probe was answered, but the channel's key was refused or its money is gone.
    ProbeRefused {
        /// The reason, for people, without secrets.
        why: String,
    },
    /// A probe was answered that its question is wrong (most 4xx): it asks for a path or a model that is not there.
    ProbeMisasked {
        /// The reason, for people, without secrets.
        why: String,
    },
    /// A call was served.
    TrafficOk,
    /// A call failed, and not by the caller's fault.
    TrafficFailed {
        /// The reason, for people, without secrets.
        why: String,
        /// What was at fault.
        fault: Fault,
    },
}

/// What was at fault when a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// There was no connection: name, network, TLS. That is the channel's, whatever was asked.
    Connection,
    /// The channel's key was refused (401, 403).
    Key,
    /// The account's money or quota is gone.
    Quota,
    /// There was an error, nothing in time, or no answer where one was due. That is the fault of what was asked, as
    /// far as one call can tell.
    Answer,
}

/// Of what an observation speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope<'a> {
    /// Of the channel as a whole: a probe, or a call that named no model.
    Channel,
    /// Of a call to this model, by the name that clients give.
    Model(&'a Arc<str>),
}

// === impl Rules ===

impl Default for Rules {
    fn default() -> Self {
        Self {
            unhealthy_after: 3,
            healthy_after: 1,
            ejected_after: 5,
            first_pause: Duration::from_secs(2),
            longest_pause: Duration::from_mins(2),
            credentials_pause: Duration::from_mins(5),
        }
    }
}

// === impl Observation ===

impl Observation {
    /// What an attempt tells about its channel. `None` when it tells nothing: the caller's own errors, its leaving, and
    /// limits, for who limits, lives.
    pub fn of_attempt(outcome: AttemptOutcome, why: impl FnOnce() -> String) -> Option<Self> {
        match outcome {
            AttemptOutcome::Ok => Some(Self::TrafficOk),
            AttemptOutcome::CallerError
            | AttemptOutcome::RateLimited
            | AttemptOutcome::Unserved
            | AttemptOutcome::Cancelled
            | AttemptOutcome::Cut
            | AttemptOutcome::Superseded => None,
            AttemptOutcome::Connect => Some(Self::failed(why(), Fault::Connection)),
            AttemptOutcome::Credentials => Some(Self::failed(why(), Fault::Key)),
            AttemptOutcome::Quota => Some(Self::failed(why(), Fault::Quota)),
            AttemptOutcome::ServerError
            | AttemptOutcome::Timeout
            | AttemptOutcome::Broken
            | AttemptOutcome::BadAnswer => Some(Self::failed(why(), Fault::Answer)),
        }
    }

    const fn failed(why: String, fault: Fault) -> Self {
        Self::TrafficFailed { why, fault }
    }
}
