use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use gateway_config::{Cause, Live, Loaded, Problems, Publisher, ReloadStatus};
use gateway_domain::{KeyDigest, UnixMillis};
use gateway_health::{Board, HttpProbe};
use gateway_routing::{Micros, Pools};
use gateway_sessions::Sessions;
use gateway_storage::{Recorder, StorageError, Store};
use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, COOKIE, ETAG, HeaderValue, IF_MATCH, X_CONTENT_TYPE_OPTIONS,
};
use http::request::Parts as Head;
use http::{HeaderMap, HeaderName, Response, StatusCode};
use tokio::sync::Semaphore;

use crate::auth::{Gate, Way};
use crate::door::Visit;
use crate::error::ApiError;
use crate::origin::{self, Media};
use crate::route::{Access, Answer, Answered, Call, Forget, Handler, Route, Shape, Verb};
use crate::surface::{self, Found, Surface};
use crate::{Body, News, Traffic, UnderWay, ui};

/// No admin body is larger; the server's own limit is for prompts.
const MAX_BODY_BYTES: usize = 1 << 20;

/// No body is larger of what anybody may ask, which is to sign in.
const MAX_PUBLIC_BODY_BYTES: usize = 8 << 10;

/// Changes that are carried out at a time. Each holds a thread until the publisher is done, and the publisher needs
/// one too: without a bound, enough changes at once could take all threads and wait for each other for ever.
const MAX_WRITES: usize = 16;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Where requests to other parts of the gateway bear the admin token: their `Authorization` is somebody else's.
const ADMIN_TOKEN: HeaderName = HeaderName::from_static("x-gateway-admin-token");

/// Tells of a change that is saved but not yet in force.
const X_GATEWAY_WARNING: HeaderName = HeaderName::from_static("x-gateway-warning");

/// The admin API of one gateway.
#[derive(Debug)]
pub struct Admin {
    parts: Arc<Parts>,
    gate: Gate,
    surface: Surface,
    writes: Arc<Semaphore>,
}

/// Judges the text of a configuration file. It may read the files that hold secrets.
pub type Trial = Arc<dyn Fn(&str) -> Result<Loaded, Problems> + Send + Sync>;

/// What the admin API shows and changes, handed in by the composition root.
pub struct Parts {
    /// What survives a restart.
    pub store: Store,
    /// The snapshot in force.
    pub live: Arc<Live>,
    /// Whom to ask for a new snapshot.
    pub publisher: Publisher,
    /// How the last attempt to make a snapshot went.
    pub reload: Arc<ArcSwap<ReloadStatus>>,
    /// Reads a configuration as a reload would if the file held this text, and puts nothing in force.
    pub trial: Trial,
    /// The health verdicts.
    pub board: Arc<Board>,
    /// The routing pools, one per model.
    pub pools: Arc<Pools>,
    /// The remembered sessions.
    pub sessions: Arc<Sessions>,
    /// The figures of the last minutes.
    pub traffic: Arc<Traffic>,
    /// Tells those who listen what happens.
    pub news: News,
    /// What is under way on the data plane just now.
    pub under_way: Arc<dyn Fn() -> UnderWay + Send + Sync>,
    /// Asks channels for `test` and `models`.
    pub probe: Arc<HttpProbe>,
    /// The queue of records that wait to be written.
    pub recorder: Recorder,
    /// The SHA-256 of the admin token ([`crate::token_digest`]); `None` is `admin.auth = "none"`.
    pub token: Option<KeyDigest>,
    /// The port of the listener that carries calls to models.
    pub public_port: u16,
    /// When the gateway started.
    pub started_at: UnixMillis,
    /// The gateway's version.
    pub version: &'static str,
    /// The wall clock.
    pub clock: fn() -> UnixMillis,
    /// Where the files of the web pages are read from, in place of those that were built in; for those who work on
    /// them.
    pub ui_folder: Option<PathBuf>,
    /// The monotonic clock, on the origin that routing's other callers use.
    pub monotonic: Arc<dyn Fn() -> Micros + Send + Sync>,
}

/// Who calls.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// The address of the connection, not what a header says of it.
    pub peer: IpAddr,
    /// Whether the connection is encrypted.
    pub tls: bool,
    /// Whether its listener carries calls to models too.
    pub data_plane: bool,
}

// === impl Admin ===

impl Admin {
    /// Puts the API together.
    pub fn new(parts: Parts) -> Self {
        let (gate, writes) = (Gate::new(parts.token), Arc::new(Semaphore::new(MAX_WRITES)));
        Self { parts: Arc::new(parts), gate, surface: Surface::new(), writes }
    }

    pub(crate) fn parts(&self) -> &Arc<Parts> {
        &self.parts
    }

    #[cfg(test)]
    pub(crate) fn show_pages_of(&mut self, folder: &std::path::Path) {
        Arc::get_mut(&mut self.parts).expect("nobody is called yet").ui_folder = Some(folder.to_owned());
    }

    /// Whether a request to another part of the gateway comes from an administrator: it bears the admin token in
    /// `x-gateway-admin-token`, or there is none and it comes from this machine. Guesses are limited as those at the API's own
    /// door are.
    pub fn vouches_for(&self, headers: &HeaderMap, peer: IpAddr) -> bool {
        if self.gate.is_open() {
            return peer.to_canonical().is_loopback();
        }
        let now = (self.parts.clock)();
        headers.get(&ADMIN_TOKEN).is_some_and(|token| self.gate.knows(token.as_bytes(), peer, now))
    }

    /// Whether a path belongs to the admin side: `/`, `/api`, `/ui` and everything below them.
    pub fn owns(path: &str) -> bool {
        ui::owns(path) || path == "/api" || path.starts_with("/api/")
    }

    /// The template of the route at a path, for metrics; empty when there is none.
    pub fn endpoint(&self, path: &str) -> &'static str {
        self.surface.find(path).map_or("", |found| found.template())
    }

    /// How many bytes of a call's body are worth reading, or what it is refused with by its head alone: who is not let in has
    /// no room here for a body.
    pub fn room_for(
        &self,
        head: &Head,
        caller: Caller,
        request_id: &str,
    ) -> Result<usize, Box<Response<Body>>> {
        let now = (self.parts.clock)();
        match self.admit(head, caller, now) {
            Ok((Way::Open, _)) if !self.gate.is_open() => Ok(MAX_PUBLIC_BODY_BYTES),
            // What is somewhat too large is told so in the API's own words.
            Ok(_) => Ok(4 * MAX_BODY_BYTES),
            Err(error) => Err(Box::new(signed(refuse(&error), head, request_id))),
        }
    }

    /// Answers one call.
    ///
    /// A change, once begun, is carried through and put in force even when this future is dropped because the
    /// caller hung up.
    pub async fn handle(&self, head: Head, body: Bytes, caller: Caller, request_id: &str) -> Response<Body> {
        let response = match self.answer(&head, body, caller).await {
            Ok((route, answer)) => {
                if route.changes {
                    tracing::info!(
                        request_id,
                        method = route.verb.as_str(),
                        path = head.uri.path(),
                        "admin change"
                    );
                }
                accept(route, answer)
            }
            Err(error) => {
                if error.status().is_server_error() {
                    tracing::error!(request_id, path = head.uri.path(), %error, "admin call failed");
                }
                refuse(&error)
            }
        };
        signed(response, &head, request_id)
    }

    /// Who asks, for what. Where nothing is at the path, that is only told to those who are let in.
    fn admit(
        &self,
        head: &Head,
        caller: Caller,
        now: UnixMillis,
    ) -> Result<(Way, Option<Found<'_>>), ApiError> {
        let settings = Arc::clone(&self.parts.live.load().settings);
        origin::check_host(head, &settings.admin.allowed_hosts, self.gate.is_open())?;

        // The gate works on the matched route: router and gate cannot see different paths. What matches no route
        // is not public, so that paths cannot be explored without the token.
        let found = self.surface.find(head.uri.path());
        let is_public = |found: &Found<'_>| found.access() == Access::Public;
        let public = found.as_ref().map_or(ui::is_below(head.uri.path()), is_public);
        let way = if public { Way::Open } else { self.gate.admit(&head.headers, caller.peer, now)? };
        Ok((way, found))
    }

    async fn answer(
        &self,
        head: &Head,
        body: Bytes,
        caller: Caller,
    ) -> Result<(&'static Route, Answer), ApiError> {
        let now = (self.parts.clock)();
        let settings = Arc::clone(&self.parts.live.load().settings);
        let allowed = &settings.admin.allowed_hosts;
        let (way, found) = self.admit(head, caller, now)?;
        let sign_in = match way {
            Way::Open | Way::Token => None,
            Way::Cookie(sign_in) => Some(sign_in),
        };
        let found = found.ok_or(ApiError::NoSuchPath)?;
        let (route, params) = found.method(Verb::of(&head.method))?;

        let mut media = Media::Json;
        if route.verb.writes() || sign_in.is_some() {
            origin::check_site(head, allowed)?;
        }
        if route.verb.writes() {
            if sign_in.is_some() {
                origin::check_page(head)?;
            }
            if !body.is_empty() {
                media = origin::check_media(head, route.takes_text)?;
            }
        }
        if body.len() > MAX_BODY_BYTES {
            return Err(ApiError::TooLarge { limit: MAX_BODY_BYTES });
        }
        let call = Call {
            verb: route.verb,
            path: head.uri.path().to_owned(),
            params,
            query: head.uri.query().map(str::to_owned),
            if_match: header_text(head, &IF_MATCH),
            headers: harmless(&head.headers),
            body,
            is_text: media == Media::Text,
            sign_in,
            now,
        };
        let visit = Visit { gate: &self.gate, head, caller };
        Ok((route, self.run(route, call, &visit).await?))
    }

    async fn run(&self, route: &'static Route, call: Call, visit: &Visit<'_>) -> Answered {
        let parts = Arc::clone(&self.parts);
        match route.handler {
            Handler::Memory(handler) => handler(&parts, &call),
            Handler::Ask(handler) => handler(&parts, &call).await,
            Handler::Door(handler) => handler(&parts, &call, visit),
            Handler::Read(handler) => blocking(move || handler(&parts, &call)).await,
            Handler::Write(handler) => {
                let runtime = tokio::runtime::Handle::current();
                let turn = Arc::clone(&self.writes).acquire_owned().await;
                let turn = turn.map_err(|_| ApiError::Internal("the changes are closed"))?;
                // One blocking job for both halves: it runs to its end even when nobody waits for it any more, so
                // a caller that hangs up cannot leave a saved change out of force.
                blocking(move || {
                    let _turn = turn;
                    let answer =
                        handler(&parts, &call).map_err(|error| with_current(error, route, &parts, &call))?;
                    Ok(runtime.block_on(put_in_force(&parts, answer)))
                })
                .await
            }
        }
    }
}

/// Shows to whoever was not fast enough what there is now, so that nobody needs to ask again to choose.
fn with_current(error: ApiError, route: &Route, parts: &Parts, call: &Call) -> ApiError {
    let ApiError::Storage(StorageError::VersionMismatch { found }) = error else { return error };
    let shown = surface::shows(route.path).and_then(|show| show(parts, call).ok());
    let current = shown.and_then(|answer| answer.body.json()).unwrap_or_default();
    ApiError::Outdated { found, current }
}

/// Publishes what a handler saved, and lets the sessions forget what is gone.
///
/// The change is saved already. If it cannot be published (only a failing database can do that to an admin write),
/// saying "failed" would make the caller do it again; so the answer says "done" and carries a warning.
async fn put_in_force(parts: &Parts, mut answer: Answer) -> Answer {
    if let Err(error) = parts.publisher.publish(Cause::AdminWrite).await {
        tracing::warn!(%error, "an admin change is saved but not in force");
        let text = "saved, but not in force yet; GET /api/config says why".to_owned();
        answer.headers.push((X_GATEWAY_WARNING, text));
    }
    // Afterwards: a call that was let in by the old snapshot could otherwise bring the session back.
    match answer.forget.take() {
        Some(Forget::Channel(id)) => parts.sessions.forget_channel(id),
        Some(Forget::User(id)) => parts.sessions.forget_user(id),
        Some(Forget::Model(name)) => parts.sessions.forget_model(&name),
        None => 0,
    };
    answer
}

async fn blocking(job: impl FnOnce() -> Answered + Send + 'static) -> Answered {
    let done = tokio::task::spawn_blocking(job).await;
    done.unwrap_or(Err(ApiError::Internal("a handler broke off")))
}

fn header_text(head: &Head, name: &HeaderName) -> Option<String> {
    let value = head.headers.get(name)?;
    // An unreadable expectation is still an expectation: it must fail, not vanish.
    Some(value.to_str().unwrap_or_default().to_owned())
}

/// What handlers may see. Credentials are nobody's business after the gate.
fn harmless(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    for name in [AUTHORIZATION, COOKIE, ADMIN_TOKEN] {
        headers.remove(name);
    }
    headers
}

fn accept(route: &Route, answer: Answer) -> Response<Body> {
    let success = StatusCode::from_u16(route.success).unwrap_or(StatusCode::OK);
    let status = answer.status.unwrap_or(success);
    let kind = match route.response {
        Shape::Nothing | Shape::Asset => None,
        Shape::One(_) | Shape::Many(_) | Shape::Document => Some("application/json"),
        Shape::Events => Some("text/event-stream"),
        Shape::Html => Some("text/html; charset=utf-8"),
    };
    let mut response = respond(status, kind, answer.body);
    if let Some(version) = answer.version {
        add(&mut response, ETAG, &format!("\"{version}\""));
    }
    for (name, value) in answer.headers {
        add(&mut response, name, &value);
    }
    response
}

/// A response with what all have.
fn signed(mut response: Response<Body>, head: &Head, request_id: &str) -> Response<Body> {
    if let Ok(id) = HeaderValue::from_str(request_id) {
        response.headers_mut().insert(X_REQUEST_ID, id);
    }
    if ui::owns(head.uri.path()) {
        ui::guard(response.headers_mut());
    }
    response
}

fn refuse(error: &ApiError) -> Response<Body> {
    let mut response = respond(error.status(), Some("application/json"), error.body().into());
    if let Some((name, value)) = error.header() {
        add(&mut response, name, &value);
    }
    response
}

fn respond(status: StatusCode, kind: Option<&'static str>, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if let Some(kind) = kind {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn add(response: &mut Response<Body>, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

// === impl Parts ===

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").field("version", &self.version).finish_non_exhaustive()
    }
}
