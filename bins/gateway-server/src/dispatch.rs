//! Who answers a request: the data plane, the admin API, the health addresses, or nobody.
//!
//! The one place where the crates that answer meet. Everything here is decided by the exact path; the crates decide
//! the rest.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use gateway_admin::{Admin, Caller};
use gateway_config::Live;
use gateway_http1::Flaw;
use gateway_proxy::{MayExplain, Proxy, RequestBody, RequestId, Worker, wants_explanation};
use http::header::CONTENT_LENGTH;
use http::{Method, Request, Response, StatusCode, Version};
use http_body::Body as _;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::runtime::Handle;

use crate::body::Body;
use crate::gate;
use crate::panic;
use crate::readiness::Readiness;
use crate::reply::{self, Refusal};
use crate::serve::Places;
use crate::telemetry::Meters;

/// The longest time for all of the body of an admin call.
const ADMIN_BODY_TIME: Duration = Duration::from_secs(30);

/// What all listeners of an app share.
#[derive(Debug)]
pub(crate) struct House {
    pub(crate) admin: Arc<Admin>,
    pub(crate) proxy: Arc<Proxy>,
    pub(crate) live: Arc<Live>,
    pub(crate) readiness: Arc<Readiness>,
    pub(crate) meters: Arc<Meters>,
    /// Calls under way.
    pub(crate) calls: Arc<Places>,
    /// Where admin calls run, whichever listener they came in by: they block, and the data plane must not.
    pub(crate) control: Handle,
}

/// What one listener serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Serves {
    pub(crate) proxy: bool,
    pub(crate) admin: bool,
    pub(crate) metrics: bool,
}

/// Answers the requests of one listener.
pub(crate) struct Door {
    house: Arc<House>,
    serves: Serves,
    /// The data plane's worker of this thread.
    worker: Option<Worker>,
    /// Whether its connections are encrypted.
    tls: bool,
}

/// To whom a path belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Live,
    Ready,
    Metrics,
    Admin,
    Proxy,
    Nobody,
}

// === impl Door ===

impl Door {
    pub(crate) fn new(house: Arc<House>, serves: Serves, worker: Option<Worker>, tls: bool) -> Arc<Self> {
        Arc::new(Self { house, serves, worker, tls })
    }

    pub(crate) fn meters(&self) -> &Arc<Meters> {
        &self.house.meters
    }

    /// Closes some of what nobody uses, for the sake of the files that it takes. `false` where there was nothing.
    pub(crate) fn give_up_idle(&self) -> bool {
        self.house.proxy.give_up_idle()
    }

    /// Answers one request. A panic on the way is answered 500, to this client only. A `crowded` connection is one too
    /// many: its calls are refused, and probes and administrators are answered.
    pub(crate) async fn answer(
        &self,
        request: Box<Request<RequestBody>>,
        peer: SocketAddr,
        crowded: bool,
    ) -> Response<Body> {
        let id = RequestId::of(request.headers());
        let http1 = request.version() < Version::HTTP_2;
        // Pinned here: moved along, it would have room in both futures.
        let answered = pin!(self.route(request, (peer, crowded), &id));
        match panic::confine(answered).await {
            Ok(response) => response,
            Err(panicked) => {
                self.house.meters.panics.increment(1);
                tracing::error!(request_id = id.as_str(), error = %panicked, "a request failed");
                own(Refusal::Internal.answer(id.as_str(), http1))
            }
        }
    }

    async fn route(
        &self,
        mut request: Box<Request<RequestBody>>,
        (peer, crowded): (SocketAddr, bool),
        id: &RequestId,
    ) -> Response<Body> {
        let http1 = request.version() < Version::HTTP_2;
        if let Err(refusal) = gate::check(&request) {
            return own(refusal.answer(id.as_str(), http1));
        }
        match (self.serves.owner(request.uri().path()), &self.worker) {
            (Owner::Proxy, Some(_)) if crowded => own(Refusal::Crowded.answer(id.as_str(), http1)),
            (Owner::Proxy, Some(worker)) => {
                // Refused here, before anything was read, counted or recorded: under overload saying no must be cheap.
                let allowed = self.house.live.look(|live| live.settings.server.max_calls);
                let Some(place) = self.house.calls.take(allowed) else {
                    return own(Refusal::Busy.answer(id.as_str(), http1));
                };
                self.introduce(&mut request, peer);
                let answer = worker.handle(*request, id).await;
                answer.map(|body| Body::Carried(body, Some(place)))
            }
            (Owner::Admin, _) => Box::pin(self.carry_to_admin(request, peer, id)).await,
            (Owner::Live | Owner::Ready | Owner::Metrics, _)
                if request.method() != Method::GET && request.method() != Method::HEAD =>
            {
                own(Refusal::GetOnly.answer(id.as_str(), http1))
            }
            (Owner::Live, _) => own(bodiless_if_asked(request.method(), live(id))),
            (Owner::Ready, _) => {
                let answer = self.ready(request.uri().query(), id);
                own(bodiless_if_asked(request.method(), answer))
            }
            (Owner::Metrics, _) => own(bodiless_if_asked(request.method(), self.metrics(id, http1))),
            (Owner::Nobody, _) | (Owner::Proxy, None) => own(Refusal::NotFound.answer(id.as_str(), http1)),
        }
    }

    /// Tells the data plane when an administrator asks it to explain itself; users it knows by itself.
    fn introduce(&self, request: &mut Request<RequestBody>, peer: SocketAddr) {
        if wants_explanation(request.headers()) && self.house.admin.vouches_for(request.headers(), peer.ip())
        {
            request.extensions_mut().insert(MayExplain);
        }
    }

    /// Reads the body here, within limits, once the head is let in, and lets the control side answer.
    async fn carry_to_admin(
        &self,
        request: Box<Request<RequestBody>>,
        peer: SocketAddr,
        id: &RequestId,
    ) -> Response<Body> {
        let http1 = request.version() < Version::HTTP_2;
        let (head, body) = request.into_parts();
        let caller = Caller { peer: peer.ip(), tls: self.tls, data_plane: self.serves.proxy };
        let asks_for_head = head.method == Method::HEAD;
        let shown = |response: Response<_>| {
            if asks_for_head { headed(response) } else { response.map(Body::Shown) }
        };
        let room = match self.house.admin.room_for(&head, caller, id.as_str()) {
            Ok(room) => room,
            Err(refused) => return shown(*refused),
        };
        let patience = self.house.live.load().settings.server.read_timeout;
        let reading = tokio::time::timeout(ADMIN_BODY_TIME, read(body, room, patience));
        let body = match reading.await.unwrap_or(Err(Refusal::BodyTimeout)) {
            Ok(body) => body,
            Err(refusal) => return own(refusal.answer(id.as_str(), http1)),
        };
        let (admin, own_id) = (Arc::clone(&self.house.admin), id.clone());
        let answer =
            self.house.control.spawn(async move { admin.handle(head, body, caller, own_id.as_str()).await });
        match answer.await {
            Ok(response) => shown(response),
            Err(error) => {
                if error.is_panic() {
                    self.house.meters.panics.increment(1);
                }
                tracing::error!(request_id = id.as_str(), %error, "an admin call failed");
                own(Refusal::Internal.answer(id.as_str(), http1))
            }
        }
    }

    fn ready(&self, query: Option<&str>, id: &RequestId) -> Response<Bytes> {
        let checks = self.house.readiness.checks();
        let ready = checks.iter().all(|check| check.ok);
        let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        let mut body = serde_json::json!({ "status": if ready { "ok" } else { "unavailable" } });
        let verbose = query.is_some_and(|query| {
            query.split('&').any(|pair| matches!(pair, "verbose" | "verbose=1" | "verbose=true"))
        });
        if verbose && let Some(fields) = body.as_object_mut() {
            let snapshot = self.house.live.load();
            for check in checks {
                let shown = serde_json::json!({ "ok": check.ok, "detail": check.detail });
                fields.insert(check.name.to_owned(), shown);
            }
            fields.insert("snapshot".to_owned(), snapshot.version.into());
        }
        reply::json(status, &body, id.as_str())
    }

    fn metrics(&self, id: &RequestId, http1: bool) -> Response<Bytes> {
        if !self.house.live.load().settings.metrics.enabled {
            return Refusal::NotFound.answer(id.as_str(), http1);
        }
        self.house.proxy.show_under_way();
        let text = Bytes::from(self.house.meters.render());
        reply::plain(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", text, id.as_str())
    }
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Door").field("serves", &self.serves).finish_non_exhaustive()
    }
}

// === impl Serves ===

impl Serves {
    /// The whole table of paths, by exact comparison.
    fn owner(self, path: &str) -> Owner {
        match path {
            // First, because it is nearly every request.
            path if self.proxy && path.starts_with("/v1/") => Owner::Proxy,
            "/health" | "/livez" | "/healthz" => Owner::Live,
            "/readyz" => Owner::Ready,
            "/metrics" => {
                if self.metrics {
                    Owner::Metrics
                } else {
                    Owner::Nobody
                }
            }
            path if Admin::owns(path) => {
                if self.admin {
                    Owner::Admin
                } else {
                    Owner::Nobody
                }
            }
            _ => {
                if self.proxy {
                    Owner::Proxy
                } else {
                    Owner::Nobody
                }
            }
        }
    }
}

/// The process runs. Says nothing of upstreams, the database or a stop: whoever restarts processes asks here.
fn live(id: &RequestId) -> Response<Bytes> {
    let body = Bytes::from_static(br#"{"status":"ok"}"#);
    reply::plain(StatusCode::OK, "application/json", body, id.as_str())
}

/// HEAD is answered like GET, without the body; over HTTP/2 nobody else takes it off.
fn bodiless_if_asked(method: &Method, response: Response<Bytes>) -> Response<Bytes> {
    if method == Method::HEAD { response.map(|_| Bytes::new()) } else { response }
}

/// An admin answer without its body, of which only the length is told.
fn headed(mut response: Response<gateway_admin::Body>) -> Response<Body> {
    if let Some(length) = response.body().size_hint().exact() {
        response.headers_mut().insert(CONTENT_LENGTH, length.into());
    }
    response.map(|_| Body::from(Bytes::new()))
}

/// Answers what came where a request was expected, and is none.
pub(crate) fn refuse(flaw: Flaw) -> Response<Body> {
    own(Refusal::Head(flaw).answer(RequestId::fresh().as_str(), true))
}

fn own(response: Response<Bytes>) -> Response<Body> {
    response.map(Body::from)
}

/// Reads a body to its end; each silence is at most `patience`.
async fn read(body: RequestBody, room: usize, patience: Duration) -> Result<Bytes, Refusal> {
    if body.size_hint().lower() > room as u64 {
        return Err(Refusal::TooLarge);
    }
    let mut body = Limited::new(body, room);
    let mut whole = BytesMut::new();
    loop {
        let frame = tokio::time::timeout(patience, body.frame()).await.map_err(|_| Refusal::BodyTimeout)?;
        match frame {
            None => return Ok(whole.freeze()),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    whole.extend_from_slice(&data);
                }
            }
            Some(Err(error)) if error.is::<LengthLimitError>() => return Err(Refusal::TooLarge),
            Some(Err(_)) => return Err(Refusal::BadBody),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Serves = Serves { proxy: true, admin: true, metrics: true };

    #[test]
    fn one_listener_serves_everything_by_default() {
        for (path, owner) in [
            ("/v1/chat/completions", Owner::Proxy),
            ("/chat/completions", Owner::Proxy),
            ("/", Owner::Admin),
            ("/api/channels", Owner::Admin),
            ("/ui/0/app.js", Owner::Admin),
            ("/health", Owner::Live),
            ("/healthz", Owner::Live),
            ("/livez", Owner::Live),
            ("/readyz", Owner::Ready),
            ("/metrics", Owner::Metrics),
        ] {
            assert_eq!(ALL.owner(path), owner, "{path}");
        }
    }

    #[test]
    fn a_public_listener_without_admin_serves_none_of_it() {
        let public = Serves { proxy: true, admin: false, metrics: false };
        for path in ["/", "/api", "/api/channels", "/ui", "/ui/0/app.js", "/metrics"] {
            assert_eq!(public.owner(path), Owner::Nobody, "{path}");
        }
        assert_eq!(public.owner("/v1/models"), Owner::Proxy);
        assert_eq!(public.owner("/readyz"), Owner::Ready);
    }

    #[test]
    fn an_admin_listener_carries_no_calls() {
        let admin = Serves { proxy: false, ..ALL };
        assert_eq!(admin.owner("/v1/chat/completions"), Owner::Nobody);
        assert_eq!(admin.owner("/api/status"), Owner::Admin);
    }

    #[test]
    fn paths_that_only_look_like_admin_paths_never_reach_it() {
        for path in [
            "//api",
            "/API/channels",
            "/x/../api/channels",
            "/%61pi/channels",
            "/api\\channels",
            "/v1/../api",
        ] {
            assert_ne!(ALL.owner(path), Owner::Admin, "{path}");
        }
    }
}
