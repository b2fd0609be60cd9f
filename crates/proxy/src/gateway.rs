//! The path of a request, read top to bottom: admit → route → decide → attempt → relay, or an error on the way.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use gateway_domain::ExchangeOutcome;
use gateway_health::Board;
use gateway_routing::{ChannelSet, NoRoute, Request as Wish, SessionKey as RoutingKey};
use gateway_sessions::{SessionKey, Sessions};
use http::{HeaderName, HeaderValue, Method, Request, Response};
use hyper::body::Incoming;
use tokio::time::Instant;

use crate::admit;
use crate::attempt::{Answer, Content, Failure, attempt};
use crate::body::Body;
use crate::call::Call;
use crate::drain::Cut;
use crate::error::ProxyError;
use crate::journal::{Entry, Journal};
use crate::models;
use crate::openai::{Endpoint, Lookup, lookup};
use crate::plane::{Plane, Served};
use crate::relay::Relay;
use crate::request_id::{REQUEST_ID, RequestId, seed};
use crate::respond::respond;
use crate::upstream::Upstreams;

const CHANNEL: HeaderName = HeaderName::from_static("x-gateway-channel");
const ATTEMPTS: HeaderName = HeaderName::from_static("x-gateway-attempts");
/// The endpoint label of paths that no row of the endpoint table knows.
const OTHER: &str = "other";

/// What all workers share. Read through arc-swap and atomics; no lock is held across an await.
pub(crate) struct Shared {
    pub plane: ArcSwap<Plane>,
    pub sessions: Arc<Sessions>,
    pub board: Arc<Board>,
    pub journal: Arc<Journal>,
}

/// Carries calls on one core: what all workers share, this core's own upstream connections, and the word of its end.
#[derive(Clone)]
pub struct Worker {
    shared: Arc<Shared>,
    upstreams: Upstreams,
    cut: Cut,
}

// === impl Worker ===

impl Worker {
    pub(crate) fn new(shared: Arc<Shared>, upstreams: Upstreams, cut: Cut) -> Self {
        Self { shared, upstreams, cut }
    }

    /// Answers one request of the data plane. Whatever happens, there is an answer, and it is in OpenAI's shape.
    ///
    /// Dropping the future, or the body of the answer, is how a client that leaves is noticed: the upstream call is
    /// cancelled with it, before the first token too.
    pub async fn handle(&self, request: Request<Incoming>, id: RequestId) -> Response<Body> {
        let plane = self.shared.plane.load_full();
        let (head, body) = request.into_parts();
        let found = lookup(&head.method, head.uri.path());
        let mut entry = self.shared.journal.open(&id, method_label(&head.method), label(&found));
        let settled = tokio::select! {
            biased;
            settled = self.answer(&plane, found, &head, body, &mut entry) => settled,
            () = self.cut.happened() => Err(ProxyError::Stopping),
        };
        let mut response = match settled {
            Ok(Settled::Own(response)) => own(response, &head.method, entry),
            Ok(Settled::Upstream(endpoint, answer)) => self.relay(&plane, endpoint, *answer, entry),
            Err(error) => refuse(&error, entry),
        };
        response.headers_mut().insert(REQUEST_ID, id.header());
        response
    }

    /// What the gateway answers itself, and what it carries.
    async fn answer(
        &self,
        plane: &Plane,
        found: Lookup,
        head: &http::request::Parts,
        body: Incoming,
        entry: &mut Entry,
    ) -> Result<Settled, ProxyError> {
        let board = &self.shared.board;
        match found {
            Lookup::Forward(endpoint) => self.carry(plane, endpoint, head, body, entry).await,
            Lookup::ListModels => {
                let user = self.reader(plane, head, entry)?;
                Ok(Settled::Own(models::list(plane, board, user.as_deref())))
            }
            Lookup::Model(name) => {
                let user = self.reader(plane, head, entry)?;
                Ok(Settled::Own(models::one(plane, board, user.as_deref(), &name)?))
            }
            Lookup::WrongMethod { allow } => {
                Err(ProxyError::WrongMethod { method: cut(head.method.as_str()), allow })
            }
            Lookup::Unknown => Err(ProxyError::UnknownPath { path: cut(head.uri.path()) }),
        }
    }

    async fn carry(
        &self,
        plane: &Plane,
        endpoint: &'static Endpoint,
        head: &http::request::Parts,
        body: Incoming,
        entry: &mut Entry,
    ) -> Result<Settled, ProxyError> {
        // --- admit ---
        let now = self.shared.journal.clock.unix();
        let (user, key) = admit::identify(&plane.snapshot, &head.headers, now)?;
        entry.identified(user.id, key);
        admit::check_head(&head.headers)?;
        let body = admit::read_body(body, &plane.snapshot.settings.server).await?;
        entry.received(body.len());
        let call = admit::understand(endpoint, head, body, user)?;
        // --- route ---
        let served = route(plane, &call)?;
        entry.asks_for(&served.name);
        // --- decide and attempt, until one answers ---
        let answer = self.try_channels(plane, served, &call, entry).await?;
        Ok(Settled::Upstream(endpoint, Box::new(answer)))
    }

    /// Tries channels until one answers. Nothing has gone to the client before that, so any failure may be mended.
    async fn try_channels(
        &self,
        plane: &Plane,
        served: &Served,
        call: &Call,
        entry: &mut Entry,
    ) -> Result<Answer, ProxyError> {
        let settings = &plane.snapshot.settings.proxy;
        let deadline = Instant::now() + settings.total_timeout;
        let session = SessionKey::of_user(call.user.id, Arc::clone(&served.name));
        let clock = self.shared.journal.clock;
        let mut excluded = ChannelSet::new();
        let mut failures = Failures::default();
        for number in 0..settings.max_attempts {
            let wish = Wish {
                session: Some(RoutingKey(session.hash64())),
                pinned: self.shared.sessions.channel_of(&session, clock.unix()),
                streaming: call.stream,
                prompt_tokens: 0,
                attempt: number,
                excluded: &excluded,
                filter: None,
            };
            let decision = match served.pool.decide(&wish, clock.now(), seed()) {
                Ok(decision) => decision,
                Err(no_route) => return Err(failures.or(&no_route, call)),
            };
            let channel = decision.channel;
            excluded.insert(channel);
            // A pool may be a moment newer than this call's snapshot: then the channel is not this call's.
            let Some(route) = served.route(channel) else { continue };
            entry.begin(route, decision);
            match attempt(&self.upstreams, call, route, settings, deadline, entry).await {
                Ok(answer) => {
                    self.shared.sessions.remember(&session, channel, clock.unix());
                    return Ok(answer);
                }
                Err(Failure { error, ending, elsewhere }) => {
                    failures.note(&ending);
                    entry.end(ending);
                    if !elsewhere || Instant::now() >= deadline {
                        return Err(error);
                    }
                    failures.last = Some(error);
                }
            }
        }
        Err(failures.or(&NoRoute::AllExcluded, call))
    }

    /// Gives the client what the upstream answered.
    fn relay(
        &self,
        plane: &Plane,
        endpoint: &'static Endpoint,
        answer: Answer,
        mut entry: Entry,
    ) -> Response<Body> {
        let Answer { route, status, headers, content } = answer;
        let attempts = entry.attempts();
        let channel = HeaderValue::from_str(&route.target.channel().name);
        entry.answers(status.as_u16());
        let body = match content {
            Content::Whole { body, usage } => {
                entry.used(usage);
                entry.sent(body.len());
                entry.complete(status.as_u16());
                Body::full(body)
            }
            Content::Coming(coming) => {
                if coming.events.is_some() {
                    entry.streams();
                }
                let gap = plane.snapshot.settings.proxy.stream_gap_timeout;
                Body::relay(Relay::new(*coming, endpoint, status, gap, self.cut.watch(), route, entry))
            }
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        if let Ok(channel) = channel {
            response.headers_mut().insert(CHANNEL, channel);
        }
        response.headers_mut().insert(ATTEMPTS, HeaderValue::from(attempts));
        response
    }

    /// Who reads the model list; `None` only where it is public and no key was given.
    fn reader(
        &self,
        plane: &Plane,
        head: &http::request::Parts,
        entry: &mut Entry,
    ) -> Result<Option<Arc<gateway_domain::User>>, ProxyError> {
        let now = self.shared.journal.clock.unix();
        match admit::identify(&plane.snapshot, &head.headers, now) {
            Ok((user, key)) => {
                entry.identified(user.id, key);
                Ok(Some(user))
            }
            Err(_) if plane.snapshot.settings.proxy.public_models => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Worker")
    }
}

/// Where an answer comes from.
enum Settled {
    /// The gateway itself.
    Own(Response<Body>),
    /// An upstream.
    Upstream(&'static Endpoint, Box<Answer>),
}

/// What the failed attempts of one call leave behind.
#[derive(Default)]
struct Failures {
    last: Option<ProxyError>,
    count: u32,
    limited: u32,
    soonest: Option<Duration>,
}

// === impl Failures ===

impl Failures {
    fn note(&mut self, ending: &crate::journal::Ending) {
        self.count += 1;
        if ending.outcome == gateway_domain::AttemptOutcome::RateLimited {
            self.limited += 1;
            let wait = ending.retry_after.unwrap_or(Duration::from_secs(1));
            self.soonest = Some(self.soonest.map_or(wait, |soonest| soonest.min(wait)));
        }
    }

    /// What the client gets when there is no channel left to try.
    fn or(self, no_route: &NoRoute, call: &Call) -> ProxyError {
        let Some(last) = self.last else { return ProxyError::no_route(no_route, call) };
        let all_limited = self.count == self.limited;
        match (no_route, self.soonest) {
            // Others were known to be limited and not even asked: they may be free sooner.
            (NoRoute::AllLimited { retry_after }, Some(soonest)) if all_limited => {
                let known = Duration::from_micros(retry_after.0);
                ProxyError::AllLimited { retry_after: soonest.min(known) }
            }
            // One channel, one answer: the upstream's own words say more than ours.
            (_, Some(soonest)) if all_limited && self.count > 1 => {
                ProxyError::AllLimited { retry_after: soonest }
            }
            _ => last,
        }
    }
}

/// The model's mappings, or the wildcard channels; the default channel for calls that name no model.
fn route<'a>(plane: &'a Plane, call: &Call) -> Result<&'a Arc<Served>, ProxyError> {
    match &call.model {
        Some((name, _)) if call.user.may_use(name) => {
            plane.model(name).ok_or_else(|| ProxyError::model_not_found(name))
        }
        Some((name, _)) => Err(ProxyError::model_not_found(name)),
        // A key that is for some models only may not reach others by naming none.
        None if call.user.allowed_models.is_some() => Err(ProxyError::ModelMissing),
        None => plane.default().ok_or(ProxyError::ModelMissing),
    }
}

fn own(response: Response<Body>, method: &Method, mut entry: Entry) -> Response<Body> {
    entry.answers(response.status().as_u16());
    entry.settle(ExchangeOutcome::Ok);
    // HTTP/2 has nobody else who takes the body off the answer to a HEAD.
    if method == Method::HEAD { response.map(|_| Body::full("")) } else { response }
}

fn refuse(error: &ProxyError, mut entry: Entry) -> Response<Body> {
    let mut response = respond(error);
    entry.answers(response.status().as_u16());
    entry.settle(error.outcome());
    let attempts = entry.attempts();
    if attempts > 0 {
        response.headers_mut().insert(ATTEMPTS, HeaderValue::from(attempts));
    }
    if let (ProxyError::Upstream(_), Some(channel)) = (error, entry.last_channel()) {
        response.headers_mut().extend(HeaderValue::from_str(channel).ok().map(|name| (CHANNEL, name)));
    }
    response
}

fn label(found: &Lookup) -> &'static str {
    match found {
        Lookup::Forward(endpoint) => endpoint.template,
        Lookup::ListModels => "/v1/models",
        Lookup::Model(_) => "/v1/models/{id}",
        Lookup::WrongMethod { .. } | Lookup::Unknown => OTHER,
    }
}

fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::HEAD => "HEAD",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        _ => "OTHER",
    }
}

/// The beginning of a client's text, short enough to be repeated to it.
fn cut(text: &str) -> String {
    text.chars().take(100).collect()
}
