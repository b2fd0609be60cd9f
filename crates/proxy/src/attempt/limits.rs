use std::time::Duration;

use gateway_domain::AttemptOutcome;
use tokio::time::Instant;

use super::{Failure, Repeat};
use crate::error::ProxyError;
use crate::journal::Ending;
use crate::upstream::SendError;

/// Until when an attempt may wait for what. The inner limits lie within the outer ones.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// When it began.
    pub began: Instant,
    /// For the first byte of the answer, this attempt's own.
    pub first_byte: Instant,
    /// For the whole call.
    pub deadline: Instant,
    /// From when on a stream that has begun, but said nothing yet, is shown to the client as it is.
    pub commit: Option<Instant>,
    /// `deadline` is the client's wish: missing it says nothing about the channel.
    pub wished: bool,
    /// The longest event of a stream, in bytes.
    pub max_event_bytes: usize,
    /// Whether the call may be made once more though it has perhaps been carried out.
    pub may_repeat: bool,
}

/// The times of one call, from which each attempt gets its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    pub deadline: Instant,
    pub commit: Option<Instant>,
    pub wished: bool,
    pub max_event_bytes: usize,
    pub may_repeat: bool,
    /// What an attempt may take longer, for the sake of a large body; `deadline` has it already.
    pub sending: Duration,
}

// === impl Schedule ===

impl Schedule {
    /// What an attempt may take that begins at this moment; `first_byte` is given to streams only, other answers may come
    /// at any moment until the call's deadline.
    pub(crate) fn limits(&self, began: Instant, first_byte: Option<Duration>) -> Limits {
        let own = first_byte.map_or(self.deadline, |patience| began + patience + self.sending);
        let Self { deadline, commit, wished, max_event_bytes, may_repeat, sending: _ } = *self;
        Limits { began, first_byte: own.min(deadline), deadline, commit, wished, max_event_bytes, may_repeat }
    }
}

// === impl Limits ===

impl Limits {
    /// The failure of an attempt that could not be sent, or was not answered.
    pub(super) fn failure_of(&self, error: SendError) -> Failure {
        if matches!(error, SendError::Late) { self.out_of_time() } else { Failure::from(error) }
    }

    /// The failure of an attempt whose first byte is overdue.
    pub(super) fn out_of_time(&self) -> Failure {
        if self.wished && self.first_byte >= self.deadline {
            let why = "the client's own time limit is over".to_owned();
            let outcome = AttemptOutcome::Cancelled;
            let ending = Ending { outcome, status: None, retry_after: None, why };
            return Failure { error: ProxyError::Timeout, ending, repeat: Repeat::Never };
        }
        Failure::timeout()
    }
}
