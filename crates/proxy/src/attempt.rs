//! One try at one channel: send, wait, and say what came. Until this returns an [`Answer`] nothing has gone to the
//! client, so every failure here may be tried elsewhere.

mod content;
mod limits;
mod pace;
mod refusal;
mod retry_after;
mod upgrade;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use gateway_domain::{AttemptOutcome, Usage};
use http::{HeaderMap, StatusCode};
use tokio::time::Instant;

use crate::call::Call;
use crate::error::ProxyError;
use crate::events::{Events, Turn};
use crate::journal::Ending;
use crate::openai::UsageScan;
use crate::plane::Route;
use crate::socket::Opened;
use crate::upstream::{AnswerBody, Asked, ConnectError, SendError, Upstreams, Within};

pub(crate) use limits::{Limits, Schedule};
pub(crate) use pace::Pace;

/// An answer that the client may get: its head, and a body of which at least the beginning is known to be good.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Who answered.
    pub route: Arc<Route>,
    pub status: StatusCode,
    /// As the client gets them.
    pub headers: HeaderMap,
    pub content: Content,
    /// The upstream said that its budget is used up, and for how long.
    pub exhausted: Option<Duration>,
}

/// The body of an answer.
#[derive(Debug)]
pub(crate) enum Content {
    /// All of it, checked.
    Whole {
        /// The upstream's bytes, unchanged.
        body: Bytes,
        /// What it counted.
        usage: Usage,
    },
    /// It is still coming.
    Coming(Box<Coming>),
    /// There is none: the connection is a WebSocket now.
    Socket(Box<Opened>),
}

/// A body under way.
#[derive(Debug)]
pub(crate) struct Coming {
    /// What has come already and may go to the client.
    pub held: Vec<Bytes>,
    /// Watches the events; `None` for bodies that are no stream of events.
    pub events: Option<Events>,
    /// Looks for the usage in a long document; `None` where there is none to be found.
    pub usage: Option<Box<UsageScan>>,
    /// What the last of them has brought.
    pub turn: Turn,
    /// When the rest must be here.
    pub deadline: Option<Instant>,
    /// The rest.
    pub rest: AnswerBody,
}

/// A try that gave nothing for the client.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What the client gets if no other channel does better.
    pub error: ProxyError,
    /// What is learned of the channel.
    pub ending: Ending,
    /// Whether another channel may be asked.
    pub repeat: Repeat,
}

/// Whether the call may be made again at another channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Another channel would say the same, or the call is over.
    Never,
    /// The upstream has not done what it was asked: repeating costs nothing.
    NotExecuted,
    /// The upstream may have done it, and may want to be paid for it: repeating doubles the cost, so it is done once,
    /// and not for calls that leave something behind.
    PerhapsExecuted,
}

/// Sends the call over this route and waits until the answer is known to be one.
///
/// Cancel-safe: dropping the future closes the upstream connection.
pub(crate) async fn attempt(
    upstreams: &Upstreams,
    call: &Call,
    route: &Arc<Route>,
    limits: Limits,
    pace: &Pace,
) -> Result<Answer, Failure> {
    if let Some(client) = &call.socket {
        return Box::pin(upgrade::open(upstreams, call, client, route, limits, pace)).await;
    }
    let within = Within { from: limits.began, until: limits.first_byte, may_repeat: limits.may_repeat };
    let sent = upstreams.send(&route.target, || asked_of(call, route), route.timeouts, within).await;
    let response = sent.map_err(|error| limits.failure_of(error))?;
    let key = route.target.channel().api_key.expose();
    if !content::is_good(response.status(), call) {
        let mapped = route.backend_model.is_some();
        let refused = refusal::read(response, key, limits.first_byte, mapped, call.endpoint.asks());
        return Err(Box::pin(refused).await.of_call(call));
    }
    let exhausted = retry_after::exhausted(response.headers(), SystemTime::now);
    let (status, headers, mut content) = content::take(response, call, route, limits, pace).await?;
    if let Content::Coming(coming) = &mut content {
        coming.deadline = Some(limits.deadline);
    }
    Ok(Answer { route: Arc::clone(route), status, headers, content, exhausted })
}

/// The call as this channel is to get it.
fn asked_of<'c>(call: &'c Call, route: &Route) -> Asked<'c> {
    let (path, query) = call.target_for(route);
    Asked {
        method: &call.method,
        path,
        query,
        headers: &call.headers,
        secret: call.secret.as_ref(),
        body: call.body_for(route),
    }
}

// === impl Failure ===

impl Failure {
    /// The channel is to blame, and another one may do better.
    pub(crate) fn blamed(error: ProxyError, outcome: AttemptOutcome, repeat: Repeat, why: String) -> Self {
        let ending = Ending { outcome, status: None, retry_after: None, why };
        Self { error, ending, repeat }
    }

    pub(crate) fn timeout() -> Self {
        let why = "no answer in time".to_owned();
        Self::blamed(ProxyError::Timeout, AttemptOutcome::Timeout, Repeat::PerhapsExecuted, why)
    }

    /// The key that was refused may be one that the caller has brought.
    fn of_call(mut self, call: &Call) -> Self {
        if call.secret.is_some() && matches!(self.ending.status, Some(401 | 403)) {
            self.error = ProxyError::SecretRefused;
            self.ending.outcome = AttemptOutcome::CallerError;
            self.repeat = Repeat::Never;
        }
        self
    }

    fn internal(why: &str) -> Self {
        let outcome = AttemptOutcome::CallerError;
        Self::blamed(ProxyError::Internal, outcome, Repeat::Never, why.to_owned())
    }

    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.ending.status = Some(status.as_u16());
        self
    }

    pub(crate) fn with_retry_after(mut self, wait: Option<Duration>) -> Self {
        self.ending.retry_after = wait;
        self
    }
}

impl From<SendError> for Failure {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Connect(error) => {
                let why = error.to_string();
                let shown = match error {
                    ConnectError::Dns(_) => ProxyError::Dns,
                    ConnectError::Tcp(_) | ConnectError::Http(_) => ProxyError::Connect,
                    ConnectError::Tls(_) => ProxyError::Tls,
                    ConnectError::Timeout => ProxyError::Timeout,
                    // The channel is not to blame. Another one may have a connection that can be shared.
                    ConnectError::NoFile => {
                        let (outcome, repeat) = (AttemptOutcome::CallerError, Repeat::NotExecuted);
                        return Self::blamed(ProxyError::NoFile, outcome, repeat, why);
                    }
                };
                Self::blamed(shown, AttemptOutcome::Connect, Repeat::NotExecuted, why)
            }
            SendError::Closed { error, .. } => Self::blamed(
                ProxyError::Closed,
                AttemptOutcome::Broken,
                Repeat::PerhapsExecuted,
                format!("closed before it answered: {error}"),
            ),
            SendError::Body(error) => {
                tracing::error!(%error, "a request that was kept cannot be sent");
                let why = "the gateway could not read the request that it had kept".to_owned();
                Self::blamed(ProxyError::DiskBroken, AttemptOutcome::CallerError, Repeat::Never, why)
            }
            SendError::Late => Self::timeout(),
            SendError::Target => Self::internal("the upstream's URI cannot be built"),
            SendError::Protocol(error) => Self::blamed(
                ProxyError::Protocol,
                AttemptOutcome::BadAnswer,
                Repeat::PerhapsExecuted,
                format!("broke HTTP's rules: {error}"),
            ),
        }
    }
}
