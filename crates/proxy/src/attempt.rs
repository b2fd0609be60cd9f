//! One try at one channel: send, wait, and say what came. Until this returns an [`Answer`] nothing has gone to the
//! client, so every failure here may be tried elsewhere.

mod content;
mod refusal;
mod retry_after;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gateway_config::ProxySettings;
use gateway_domain::{AttemptOutcome, Usage};
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};

use crate::call::Call;
use crate::error::ProxyError;
use crate::events::{Events, Turn};
use crate::journal::{Ending, Entry};
use crate::plane::Route;
use crate::upstream::{ConnectError, Lease, Outgoing, SendError, Sent, Timeouts, Upstreams};

/// An answer that the client may get: its head, and a body of which at least the beginning is known to be good.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Who answered.
    pub route: Arc<Route>,
    pub status: StatusCode,
    /// As the client gets them.
    pub headers: HeaderMap,
    pub content: Content,
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
}

/// A body under way.
#[derive(Debug)]
pub(crate) struct Coming {
    /// What has come already and may go to the client.
    pub held: Vec<Bytes>,
    /// Watches the events; `None` for bodies that are no stream of events.
    pub events: Option<Events>,
    /// What the last of them has brought.
    pub turn: Turn,
    /// When the rest must be here; `None` for streams, which may last.
    pub deadline: Option<Instant>,
    /// The rest.
    pub rest: Incoming,
    pub lease: Lease,
}

/// A try that gave nothing for the client.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What the client gets if no other channel does better.
    pub error: ProxyError,
    /// What is learned of the channel.
    pub ending: Ending,
    /// Whether another channel may do better.
    pub elsewhere: bool,
}

/// Sends the call over this route and waits until the answer is known to be one.
pub(crate) async fn attempt(
    upstreams: &Upstreams,
    call: &Call,
    route: &Arc<Route>,
    settings: &ProxySettings,
    deadline: Instant,
    entry: &mut Entry,
) -> Result<Answer, Failure> {
    let uri = uri_for(call, route)?;
    let request = || request_for(call, route, &uri);
    // A stream is given its time until the first byte, anew for each try; anything else shares the call's time.
    let limit = if call.stream { Instant::now() + settings.first_byte_timeout } else { deadline };
    let timeouts = Timeouts { connect: settings.connect_timeout, idle: settings.pool_idle_timeout };
    let Sent { response, lease } = timeout_at(limit, upstreams.send(&route.target, request, timeouts))
        .await
        .map_err(|_| Failure::timeout())?
        .map_err(Failure::from)?;
    let key = route.target.channel().api_key.expose();
    if !response.status().is_success() {
        return Err(Box::pin(refusal::read(response, lease, key, limit)).await);
    }
    let (status, headers, mut content) = content::take(response, lease, call, key, limit, entry).await?;
    if let Content::Coming(coming) = &mut content {
        coming.deadline = Some(deadline).filter(|_| !call.stream && coming.events.is_none());
    }
    Ok(Answer { route: Arc::clone(route), status, headers, content })
}

fn uri_for(call: &Call, route: &Route) -> Result<Uri, Failure> {
    route
        .target
        .uri(call.endpoint.upstream_path, call.query.as_deref())
        .map_err(|_| Failure::internal("the upstream's URI cannot be built"))
}

fn request_for(call: &Call, route: &Route, uri: &Uri) -> Request<Outgoing> {
    let mut request = Request::new(call.body_for(route.backend_model.as_deref()));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri.clone();
    *request.headers_mut() = call.headers.clone();
    route.target.authorize(request.headers_mut());
    request
}

// === impl Failure ===

impl Failure {
    /// The channel is to blame, and another one may do better.
    pub(crate) fn blamed(error: ProxyError, outcome: AttemptOutcome, why: String) -> Self {
        let ending = Ending { outcome, status: None, retry_after: None, why };
        Self { error, ending, elsewhere: true }
    }

    pub(crate) fn timeout() -> Self {
        Self::blamed(ProxyError::Timeout, AttemptOutcome::Timeout, "no answer in time".to_owned())
    }

    fn internal(why: &str) -> Self {
        let outcome = AttemptOutcome::CallerError;
        let ending = Ending { outcome, status: None, retry_after: None, why: why.to_owned() };
        Self { error: ProxyError::Internal, ending, elsewhere: false }
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
                let (shown, outcome) = match error {
                    ConnectError::Dns(_) => (ProxyError::Dns, AttemptOutcome::Connect),
                    ConnectError::Tcp(_) | ConnectError::Http(_) => {
                        (ProxyError::Connect, AttemptOutcome::Connect)
                    }
                    ConnectError::Tls(_) => (ProxyError::Tls, AttemptOutcome::Connect),
                    ConnectError::Timeout => (ProxyError::Timeout, AttemptOutcome::Connect),
                };
                Self::blamed(shown, outcome, why)
            }
            SendError::Closed(error) => Self::blamed(
                ProxyError::Closed,
                AttemptOutcome::Broken,
                format!("closed before it answered: {error}"),
            ),
            SendError::Protocol(error) => Self::blamed(
                ProxyError::Protocol,
                AttemptOutcome::BadAnswer,
                format!("broke HTTP's rules: {error}"),
            ),
        }
    }
}
