//! The path of a request, read top to bottom: admit → route → search (decide, attempt, again) → relay, or an error on
//! the way. The search is in `search.rs`.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use gateway_config::{ProxySettings, Settings, UnknownPaths};
use gateway_domain::{ExchangeOutcome, User};
use gateway_health::Board;
use gateway_http1::keep_headers;
use gateway_sessions::Sessions;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method, Request, Response};
use tokio::time::Instant;

use crate::admit;
use crate::affinity::{Directory, Secret, may_be_secret};
use crate::attempt::{Answer, Content};
use crate::batch_file;
use crate::body::Body;
use crate::call::Call;
use crate::clock::Clock;
use crate::commit::{Awaited, found_or_promised};
use crate::drain::Cut;
use crate::error::ProxyError;
use crate::explain::ROUTE;
use crate::journal::{AttemptNumber, Entry, Journal};
use crate::models;
use crate::openai::{ADMINISTRATION, Endpoint, EndpointKind, Gives, Lookup, OTHER, PathParams, lookup};
use crate::own_lists::{self, OwnList, Plan};
use crate::plane::{Plane, Served};
use crate::relay::{Relay, Setting};
use crate::request_body::RequestBody;
use crate::request_id::{REQUEST_ID, RequestId};
use crate::respond::respond;
use crate::room::Room;
use crate::route;
use crate::search::{Found, Search};
use crate::socket::{Around, Client, Socket};
use crate::understand::{Caller, understand};
use crate::upstream::Upstreams;
use crate::waiting::Waiting;
use crate::websocket::HandshakeError;

const CHANNEL: HeaderName = HeaderName::from_static("x-gateway-channel");
const ATTEMPTS: HeaderName = HeaderName::from_static("x-gateway-attempts");

/// What all workers share. Read through arc-swap and atomics; no lock is held across an await.
pub(crate) struct Shared {
    pub plane: ArcSwap<Plane>,
    pub sessions: Arc<Sessions>,
    pub directory: Directory,
    pub board: Arc<Board>,
    pub journal: Arc<Journal>,
    pub room: Arc<Room>,
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
    pub async fn handle(&self, request: Request<RequestBody>, id: &RequestId) -> Response<Body> {
        let plane = self.shared.plane.load_full();
        let (head, body) = request.into_parts();
        let found = lookup(&head.method, head.uri.path());
        let mut entry = self.shared.journal.open(id, method_label(&head.method), label(&found));
        let admitted = tokio::select! {
            biased;
            admitted = self.admit(&plane, found, &head, body, &mut entry) => admitted,
            () = self.cut.happened() => Err(ProxyError::Stopping),
        };
        let mut response = match admitted {
            Ok(Admitted::Own(response)) => own(response, &head.method, entry),
            Ok(Admitted::Call(call, served)) => self.carry(plane, served, call, entry).await,
            Ok(Admitted::List(list)) => self.list(&plane, &list, entry).await,
            Err(error) => refuse(&error, entry),
        };
        response.headers_mut().insert(REQUEST_ID, id.header());
        keep_headers(head.headers);
        response
    }

    /// What the gateway answers itself, and what it carries.
    async fn admit(
        &self,
        plane: &Plane,
        found: Lookup,
        head: &http::request::Parts,
        body: RequestBody,
        entry: &mut Entry,
    ) -> Result<Admitted, ProxyError> {
        let board = &self.shared.board;
        match found {
            Lookup::Forward { endpoint, path } => {
                self.admit_call(plane, (endpoint, path), head, body, entry).await
            }
            Lookup::Administration(path) => {
                self.admit_call(plane, (&ADMINISTRATION, path), head, body, entry).await
            }
            Lookup::Other(path) if plane.snapshot.settings.proxy.unknown_paths == UnknownPaths::Pass => {
                self.admit_call(plane, (&OTHER, path), head, body, entry).await
            }
            Lookup::ListModels => {
                let user = reader(plane, head, entry)?;
                Ok(Admitted::Own(models::list(plane, board, user.as_deref())))
            }
            Lookup::Model(name) => {
                let user = reader(plane, head, entry)?;
                let directory = &self.shared.directory;
                Ok(Admitted::Own(models::one(plane, board, directory, user.as_deref(), &name).await?))
            }
            Lookup::WrongMethod { allow } => {
                Err(ProxyError::WrongMethod { method: cut(head.method.as_str()), allow })
            }
            Lookup::Other(_) | Lookup::Unknown => Err(ProxyError::UnknownPath { path: cut(head.uri.path()) }),
        }
    }

    async fn admit_call(
        &self,
        plane: &Plane,
        found: (&'static Endpoint, PathParams),
        head: &http::request::Parts,
        body: RequestBody,
        entry: &mut Entry,
    ) -> Result<Admitted, ProxyError> {
        // --- who, and what ---
        let settings = &plane.snapshot.settings;
        let endpoint = found.0;
        let socket = self.socket_for(&found, head, settings)?;
        let key = admit::presented_key_to(endpoint, &head.headers);
        let (user, secret) = self.caller(plane, endpoint, key, entry).await?;
        if endpoint.kind == EndpointKind::Administration {
            route::check_administration(plane, &user)?;
        }
        let received =
            admit::receive(endpoint, &head.headers, body, &user, (settings, &self.shared.room)).await?;
        entry.received(received.body.len());
        let among = batch_file::channels(plane, &user, received.form.as_ref())?;
        let session = plane.session_in(&head.headers);
        let caller = Caller { user, key: key.unwrap_or_default(), secret, session, socket };
        let mut call = understand(found, head, received, caller, &settings.proxy)?;
        call.among = among;
        // --- route ---
        if let Some(kind) = own_lists::lists(plane, &call) {
            return Ok(match own_lists::plan(&self.shared.directory, plane, kind, *call).await? {
                Plan::Empty(response) => Admitted::Own(response),
                Plan::List(list) => Admitted::List(list),
            });
        }
        route::place(&self.shared.directory, plane, &mut call).await?;
        call.pull = secret.map_or(Ok(call.pull), |secret| secret.pulls(call.pull))?;
        let served = Arc::clone(route::route(plane, &call)?);
        entry.asks_for(&served.name);
        // --- session ---
        call.session.model = Arc::clone(&served.name);
        entry.belongs(call.session_source);
        entry.estimates(call.text_tokens());
        Ok(Admitted::Call(call, served))
    }

    /// Whose key a call bears: a user's own, or one that an upstream has made for it.
    async fn caller(
        &self,
        plane: &Plane,
        endpoint: &Endpoint,
        key: Option<&[u8]>,
        entry: &mut Entry,
    ) -> Result<(Arc<User>, Option<Secret>), ProxyError> {
        let now = entry.came();
        let secret_key = match admit::identify(&plane.snapshot, key, now) {
            Ok((user, key)) => {
                entry.identified(user.id, Some(key));
                return Ok((user, None));
            }
            Err(error) => key.filter(|key| may_be_secret(endpoint, key)).ok_or(error)?,
        };
        let secret = self.shared.directory.secret(secret_key, now).await.ok_or(ProxyError::InvalidKey)?;
        let user = plane.snapshot.users.get(&secret.user).filter(|user| user.enabled);
        let user = user.ok_or(ProxyError::InvalidKey)?;
        entry.identified(user.id, None);
        Ok((Arc::clone(user), Some(secret)))
    }

    /// The client's end of the WebSocket that a row is for, if it is for one.
    fn socket_for(
        &self,
        (endpoint, path): &(&'static Endpoint, PathParams),
        head: &http::request::Parts,
        settings: &Settings,
    ) -> Result<Option<Box<Client>>, ProxyError> {
        if endpoint.gives != Gives::Socket {
            return Ok(None);
        }
        let idle = settings.proxy.socket_idle_timeout;
        let (directory, clock) = (self.shared.directory.clone(), self.shared.journal.clock);
        match Client::of(head, Around { idle, directory, clock }) {
            Ok(client) => Ok(Some(Box::new(client))),
            // Whoever wants no socket is told what else stands at the path, if anything does.
            Err(HandshakeError::NotAsked) if is_posted(path) => {
                Err(ProxyError::WrongMethod { method: cut(head.method.as_str()), allow: "POST" })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Searches for an answer, and gives the client what was found.
    async fn carry(
        &self,
        plane: Arc<Plane>,
        served: Arc<Served>,
        call: Box<Call>,
        entry: Entry,
    ) -> Response<Body> {
        let proxy = &plane.snapshot.settings.proxy;
        let setting = self.setting(call.endpoint, proxy);
        // --- decide and attempt, until one answers ---
        if !call.stream || proxy.commit_after.is_zero() {
            let search = Search { worker: self, plane: &plane, served: &served, call: &call };
            return settle(search.run(entry).await, setting);
        }
        let (promise, commit_at) = (call.promise.clone(), Instant::now() + proxy.commit_after);
        let worker = self.clone();
        let search = Box::pin(async move {
            let search = Search { worker: &worker, plane: &plane, served: &served, call: &call };
            search.run(entry).await
        });
        match found_or_promised(search, &promise, commit_at).await {
            Awaited::Found(found) => settle(*found, setting),
            Awaited::Promised(search) => begin_stream(Waiting::new(search, setting)),
        }
    }

    /// Gives the client its own part of what channels list.
    async fn list(&self, plane: &Plane, list: &OwnList, entry: Entry) -> Response<Body> {
        let setting = self.setting(list.endpoint(), &plane.snapshot.settings.proxy);
        settle(list.search(self, plane, entry).await, setting)
    }

    fn setting(&self, endpoint: &'static Endpoint, proxy: &ProxySettings) -> Setting {
        Setting {
            endpoint,
            comment_every: Some(proxy.keep_alive_comment).filter(|every| !every.is_zero()),
            cut: self.cut.clone(),
        }
    }
}

// --- what a search uses of its worker ---

impl Worker {
    pub(crate) fn upstreams(&self) -> &Upstreams {
        &self.upstreams
    }

    pub(crate) fn sessions(&self) -> &Sessions {
        &self.shared.sessions
    }

    pub(crate) fn directory(&self) -> &Directory {
        &self.shared.directory
    }

    pub(crate) fn clock(&self) -> Clock {
        self.shared.journal.clock
    }

    /// Waits until whatever still runs is to end.
    pub(crate) async fn stopped(&self) {
        self.cut.happened().await;
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Worker")
    }
}

/// A request that was let in.
enum Admitted {
    /// The gateway itself has the answer.
    Own(Response<Body>),
    /// Channels are to be asked for it.
    Call(Box<Call>, Arc<Served>),
    /// Channels are to be asked for their part of it.
    List(Box<OwnList>),
}

/// Who reads the model list; `None` only where it is public and no key was given.
fn reader(
    plane: &Plane,
    head: &http::request::Parts,
    entry: &mut Entry,
) -> Result<Option<Arc<User>>, ProxyError> {
    let now = entry.came();
    match admit::identify(&plane.snapshot, admit::presented_key(&head.headers), now) {
        Ok((user, key)) => {
            entry.identified(user.id, Some(key));
            Ok(Some(user))
        }
        Err(_) if plane.snapshot.settings.proxy.public_models => Ok(None),
        Err(error) => Err(error),
    }
}

/// Gives the client what a search has found.
fn settle(found: Found, setting: Setting) -> Response<Body> {
    match found.outcome {
        Ok((answer, number)) => relay(answer, number, found.entry, setting),
        Err(error) => refuse(&error, found.entry),
    }
}

/// Gives the client what the upstream answered.
fn relay(answer: Answer, number: AttemptNumber, mut entry: Entry, setting: Setting) -> Response<Body> {
    let Answer { route, status, headers, content, .. } = answer;
    let attempts = entry.attempts();
    let channel = route.target.name_header().cloned();
    let explanation = entry.explanation().map(HeaderValue::from_str);
    entry.answers(status.as_u16());
    let body = match content {
        Content::Whole { body, usage } => {
            entry.used(usage.into());
            entry.sent(body.len());
            entry.complete_at_once(number, status.as_u16());
            Body::full(body)
        }
        Content::Coming(coming) => {
            if coming.events.is_some() {
                entry.streams();
            }
            Body::relay(Relay::new(*coming, status, route, setting, entry, number))
        }
        Content::Socket(opened) => {
            entry.streams();
            Body::socket(Socket::new(*opened, setting.cut, entry, number))
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    if let Some(channel) = channel {
        response.headers_mut().insert(CHANNEL, channel);
    }
    if let Some(Ok(explanation)) = explanation {
        response.headers_mut().insert(ROUTE, explanation);
    }
    response.headers_mut().insert(ATTEMPTS, count(attempts));
    response
}

/// The client has waited long enough for its status line: a stream is promised, whoever will have it.
fn begin_stream(waiting: Waiting) -> Response<Body> {
    let mut response = Response::new(Body::waiting(waiting));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

fn own(response: Response<Body>, method: &Method, mut entry: Entry) -> Response<Body> {
    entry.answers(response.status().as_u16());
    entry.settle(ExchangeOutcome::Ok);
    // HTTP/2 has nobody else who takes the body off the answer to a HEAD.
    if method == Method::HEAD { response.map(|_| Body::full("")) } else { response }
}

fn refuse(error: &ProxyError, mut entry: Entry) -> Response<Body> {
    let attempts = entry.attempts();
    let mut response = respond(error, attempts);
    entry.answers(response.status().as_u16());
    entry.settle(error.outcome());
    if let Some(Ok(explanation)) = entry.explanation().map(HeaderValue::from_str) {
        response.headers_mut().insert(ROUTE, explanation);
    }
    if attempts > 0 {
        response.headers_mut().insert(ATTEMPTS, count(attempts));
    }
    if let (ProxyError::Upstream(_), Some(channel)) = (error, entry.last_channel()) {
        response.headers_mut().extend(HeaderValue::from_str(channel).ok().map(|name| (CHANNEL, name)));
    }
    response
}

/// A number of attempts; nearly always it is one.
fn count(attempts: usize) -> HeaderValue {
    if attempts == 1 { HeaderValue::from_static("1") } else { HeaderValue::from(attempts) }
}

/// Whether something can be posted to a path.
fn is_posted(path: &PathParams) -> bool {
    matches!(lookup(&Method::POST, path.as_str()), Lookup::Forward { .. })
}

fn label(found: &Lookup) -> &'static str {
    match found {
        Lookup::Forward { endpoint, .. } => endpoint.template,
        Lookup::ListModels => "/v1/models",
        Lookup::Model(_) => "/v1/models/{id}",
        Lookup::Administration(_) => ADMINISTRATION.template,
        Lookup::WrongMethod { .. } | Lookup::Other(_) | Lookup::Unknown => OTHER.template,
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
