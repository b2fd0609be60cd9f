use std::time::Duration;

use gateway_domain::AttemptOutcome;
use gateway_routing::Kind;

/// How an attempt ended.
#[derive(Clone, Debug)]
pub(crate) struct Ending {
    pub outcome: AttemptOutcome,
    pub status: Option<u16>,
    pub retry_after: Option<Duration>,
    /// For the health board: what went wrong, without secrets.
    pub why: String,
}

// === impl Ending ===

impl Ending {
    pub(crate) fn ok(status: u16) -> Self {
        Self { outcome: AttemptOutcome::Ok, status: Some(status), retry_after: None, why: String::new() }
    }

    /// Nobody waits for it any more.
    pub(super) fn cancelled() -> Self {
        Self::without_blame(AttemptOutcome::Cancelled)
    }

    /// Given up, because its first token is late and another channel is much faster.
    pub(crate) fn cut() -> Self {
        Self::without_blame(AttemptOutcome::Cut)
    }

    /// Another attempt of the same call was faster.
    pub(crate) fn superseded() -> Self {
        Self::without_blame(AttemptOutcome::Superseded)
    }

    fn without_blame(outcome: AttemptOutcome) -> Self {
        Self { outcome, status: None, retry_after: None, why: String::new() }
    }

    /// What the pool learns from it.
    pub(super) fn kind(&self) -> Kind {
        match self.outcome {
            // A socket lasts as long as its ends like: what there was to learn was its beginning.
            AttemptOutcome::Ok if self.status == Some(101) => Kind::Cancelled,
            AttemptOutcome::Ok => Kind::Ok,
            AttemptOutcome::CallerError => Kind::CallerError(self.status.unwrap_or(400)),
            AttemptOutcome::Unserved => Kind::Unserved,
            AttemptOutcome::RateLimited => Kind::RateLimited,
            AttemptOutcome::Credentials | AttemptOutcome::Quota => Kind::Credentials,
            AttemptOutcome::ServerError => Kind::ServerError(self.status.unwrap_or(500)),
            AttemptOutcome::Connect => Kind::Connect,
            AttemptOutcome::Timeout => Kind::Timeout,
            AttemptOutcome::Broken => Kind::BrokenStream,
            AttemptOutcome::BadAnswer => Kind::BadAnswer,
            AttemptOutcome::Cancelled | AttemptOutcome::Superseded => Kind::Cancelled,
            AttemptOutcome::Cut => Kind::Cut,
        }
    }
}
