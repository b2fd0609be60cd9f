//! A gateway without a data plane: real store, health, pools and sessions, and a publisher of its own.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use gateway_config::{
    Cause, Environment, Live, Origin, Problem, PublishError, PublishRequest, Published, Publisher,
    ReloadStatus, Settings, Snapshot, Source, load_text,
};
use gateway_domain::UnixMillis;
use gateway_health::{Board, HttpProbe, Rules};
use gateway_routing::{Micros, Pools};
use gateway_sessions::Sessions;
use gateway_storage::{MasterKey, Store};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::conform;
use super::pools::pools_of;
use crate::route::{Route, Verb};
use crate::surface::Surface;
use crate::{Admin, Caller, News, Parts, Traffic, UnderWay, token_digest};

pub(crate) const TOKEN: &str = "test-admin-token";

/// The key of every channel that tests make: must never be seen in any answer.
pub(crate) const CHANNEL_KEY: &str = "sk-canary-channel-key-0001";

/// 2026-01-31T10:00:00Z.
pub(crate) const NOW: UnixMillis = UnixMillis(1_769_853_600_000);

pub(crate) struct Gateway {
    pub(crate) admin: Admin,
    pub(crate) store: Store,
    pub(crate) live: Arc<Live>,
    pub(crate) board: Arc<Board>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) traffic: Arc<Traffic>,
    pub(crate) pools: Arc<Pools>,
    pub(crate) reload: Arc<ArcSwap<ReloadStatus>>,
    publisher: Publisher,
    faults: Arc<Faults>,
}

/// What the test's publisher is to do wrong.
#[derive(Debug, Default)]
struct Faults {
    storage: AtomicBool,
    file: AtomicBool,
}

/// What a test asks; the defaults are those of a well-meaning caller with the token.
pub(crate) struct Ask<'g> {
    gateway: &'g Gateway,
    request: http::request::Builder,
    body: Bytes,
    peer: IpAddr,
    token: Option<String>,
    tls: bool,
    apart: bool,
}

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Gateway {
    pub(crate) fn new() -> Self {
        Self::with(Some(TOKEN), Settings::default())
    }

    /// `token` is `None` for `admin.auth = "none"`.
    pub(crate) fn with(token: Option<&str>, settings: Settings) -> Self {
        Self::build(token, settings, None)
    }

    /// With a publisher that needs a blocking thread of the runtime, as the root's does.
    pub(crate) fn publishing_on(runtime: &tokio::runtime::Runtime) -> Self {
        Self::build(Some(TOKEN), Settings::default(), Some(runtime.handle().clone()))
    }

    /// Whose web pages are read from a folder.
    pub(crate) fn showing(folder: &std::path::Path) -> Self {
        let mut gateway = Self::new();
        gateway.admin.show_pages_of(folder);
        gateway
    }

    fn build(token: Option<&str>, settings: Settings, runtime: Option<Handle>) -> Self {
        let key = MasterKey::from_text("a master key for tests only").unwrap();
        let store = Store::open_in_memory(&key).unwrap();
        let settings = Arc::new(settings);
        let inventory = store.inventory().unwrap();
        let live = Arc::new(Live::new(Snapshot::assemble(1, Arc::clone(&settings), inventory)));
        let pools = Arc::new(Pools::new());
        let (publisher, requests) = Publisher::channel(16);
        let faults = Arc::new(Faults::default());
        let board = Board::new(Rules::default());
        let sessions = Arc::new(Sessions::new(Duration::from_mins(30)));
        let traffic = Arc::new(Traffic::new());
        let reload = Arc::new(ArcSwap::from_pointee(a_reload()));
        publish_on_demand(requests, runtime, &store, &live, &pools, &faults);
        let admin = Admin::new(Parts {
            store: store.clone(),
            live: Arc::clone(&live),
            publisher: publisher.clone(),
            reload: Arc::clone(&reload),
            trial: Arc::new(|text| load_text(text, &Source::default(), &Environment::new())),
            board: Arc::clone(&board),
            pools: Arc::clone(&pools),
            sessions: Arc::clone(&sessions),
            traffic: Arc::clone(&traffic),
            news: News::new(NOW),
            under_way: Arc::new(|| UnderWay { requests: 3, streams: 2 }),
            probe: Arc::new(HttpProbe::new(Arc::new(tls()))),
            recorder: store.recorder(),
            token: token.map(token_digest),
            public_port: 8080,
            started_at: UnixMillis(NOW.0 - 90_500),
            version: "1.2.3",
            ui_folder: None,
            clock: || NOW,
            monotonic: Arc::new(|| Micros::from_millis(5)),
        });
        Self { admin, store, live, board, sessions, traffic, pools, reload, publisher, faults }
    }

    /// Publishing after an admin write fails from now on.
    pub(crate) fn fail_publishing(&self) {
        self.faults.storage.store(true, Ordering::SeqCst);
    }

    /// The configuration file is broken from now on.
    pub(crate) fn break_the_file(&self) {
        self.faults.file.store(true, Ordering::SeqCst);
    }

    /// Has the publisher make a new snapshot, as the root does for other causes.
    pub(crate) async fn publish(&self, cause: Cause) {
        self.publisher.publish(cause).await.unwrap();
    }

    pub(crate) fn ask(&self, method: &str, path: &str) -> Ask<'_> {
        Ask {
            gateway: self,
            request: Request::builder().method(method).uri(path).header("host", "127.0.0.1:8080"),
            body: Bytes::new(),
            peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
            token: Some(TOKEN.to_owned()),
            tls: false,
            apart: false,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.ask("GET", path).send().await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.ask("DELETE", path).send().await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        self.ask("POST", path).json(&body).send().await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Reply {
        self.ask("PUT", path).json(&body).send().await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Reply {
        self.ask("PATCH", path).json(&body).send().await
    }

    /// Makes a channel with the canary key, and gives its id.
    pub(crate) async fn channel(&self, name: &str) -> i64 {
        let body =
            serde_json::json!({"name": name, "base_url": "http://127.0.0.1:9", "api_key": CHANNEL_KEY});
        self.post("/api/channels", body).await.made()
    }

    pub(crate) async fn model(&self, name: &str) -> i64 {
        self.post("/api/models", serde_json::json!({"name": name})).await.made()
    }

    pub(crate) async fn user(&self, name: &str, key: &str) -> i64 {
        self.post("/api/users", serde_json::json!({"name": name, "api_key": key})).await.made()
    }
}

impl Ask<'_> {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    /// Another `Host`, or none.
    pub(crate) fn host(mut self, host: Option<&str>) -> Self {
        self.request.headers_mut().unwrap().remove("host");
        match host {
            Some(host) => self.header("host", host),
            None => self,
        }
    }

    pub(crate) fn token(mut self, token: Option<&str>) -> Self {
        self.token = token.map(str::to_owned);
        self
    }

    pub(crate) fn peer(mut self, peer: &str) -> Self {
        self.peer = peer.parse().unwrap();
        self
    }

    /// Over an encrypted connection.
    pub(crate) fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// At a listener of the admin API's own.
    pub(crate) fn apart(mut self) -> Self {
        self.apart = true;
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.body(body.to_string()).header("content-type", "application/json")
    }

    /// Sends it, and holds the answer against the document and the canary, whatever the test is about.
    pub(crate) async fn send(self) -> Reply {
        let mut request = self.request;
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        let (method, path) = (head.method.clone(), head.uri.path().to_owned());
        let caller = Caller { peer: self.peer, tls: self.tls, data_plane: !self.apart };
        let response = self.gateway.admin.handle(head, self.body, caller, "req-1").await;
        let (head, body) = response.into_parts();
        let endless = head.headers.get("content-type").is_some_and(|kind| kind == "text/event-stream");
        let body = if endless { first_of(body).await } else { body.collect().await.unwrap().to_bytes() };
        let reply = Reply { status: head.status, headers: head.headers, body };
        let route = route_of(&method, &path);
        reply.keep_secrets(route);
        if let Some(route) = route {
            conform::check(route, &reply);
        }
        reply
    }
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The fields of a good answer.
    pub(crate) fn ok(&self) -> Value {
        assert!(self.status.is_success(), "{self:?}");
        self.json()
    }

    /// The id of what was made.
    pub(crate) fn made(&self) -> i64 {
        assert_eq!(self.status, 201, "{self:?}");
        self.json()["id"].as_i64().unwrap()
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Status, `code` and `param` of a refusal.
    pub(crate) fn refusal(&self) -> (u16, String, Option<String>) {
        let error = &self.json()["error"];
        let text = |name: &str| error[name].as_str().map(str::to_owned);
        (self.status.as_u16(), text("code").unwrap(), text("param"))
    }

    pub(crate) fn message(&self) -> String {
        self.json()["error"]["message"].as_str().unwrap().to_owned()
    }

    /// A refusal without a param.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str) {
        assert_eq!(self.refusal(), (status, code.to_owned(), None), "{self:?}");
    }

    #[track_caller]
    pub(crate) fn refused_for(&self, status: u16, code: &str, param: &str) {
        assert_eq!(self.refusal(), (status, code.to_owned(), Some(param.to_owned())), "{self:?}");
    }

    /// No answer holds a canary, except the good one of a route that makes a key.
    fn keep_secrets(&self, route: Option<&Route>) {
        let makes_key = route.is_some_and(|route| {
            route.verb == Verb::Post && (route.path == "/api/users" || route.path.contains("/keys"))
        });
        let all = format!("{:?} {}", self.headers, String::from_utf8_lossy(&self.body));
        assert!(!all.contains("canary-channel"), "a channel key is shown: {all}");
        if !(makes_key && self.status.is_success()) {
            assert!(!all.contains("canary"), "a user key is shown: {all}");
        }
        assert!(!all.contains(TOKEN), "the admin token is shown: {all}");
    }
}

/// The beginning of an answer that has no end.
async fn first_of(mut body: crate::Body) -> Bytes {
    body.frame().await.unwrap().unwrap().into_data().unwrap()
}

fn route_of(method: &http::Method, path: &str) -> Option<&'static Route> {
    let surface = Surface::new();
    let found = surface.find(path)?;
    found.method(Verb::of(method)).ok().map(|(route, _)| route)
}

/// The publisher of the root, made small: it reads the inventory again and puts it in force. It ends with the last
/// publisher handle.
fn publish_on_demand(
    mut requests: mpsc::Receiver<PublishRequest>,
    runtime: Option<Handle>,
    store: &Store,
    live: &Arc<Live>,
    pools: &Arc<Pools>,
    faults: &Arc<Faults>,
) {
    let (store, live, pools, faults) =
        (store.clone(), Arc::clone(live), Arc::clone(pools), Arc::clone(faults));
    let version = AtomicI64::new(1);
    std::thread::spawn(move || {
        while let Some(PublishRequest { cause, reply }) = requests.blocking_recv() {
            let answer = if faults.storage.load(Ordering::SeqCst) {
                Err(PublishError::Storage("/var/secret/path: disk I/O error".to_owned()))
            } else if cause == Cause::Api && faults.file.load(Ordering::SeqCst) {
                Err(PublishError::Problems(a_problem().into()))
            } else {
                let version = version.fetch_add(1, Ordering::SeqCst).unsigned_abs() + 1;
                let settings = Arc::clone(&live.load().settings);
                if let Some(runtime) = &runtime {
                    runtime.block_on(runtime.spawn_blocking(|| ())).unwrap();
                }
                let snapshot = Snapshot::assemble(version, settings, store.inventory().unwrap());
                pools.adopt(&pools_of(&snapshot)).unwrap();
                live.publish(snapshot);
                Ok(Published { version, restart_needed: vec!["server.port"], warnings: Vec::new() })
            };
            let _nobody_listens = reply.send(answer);
        }
    });
}

pub(crate) fn a_problem() -> Problem {
    Problem {
        file: Some("gateway.toml".into()),
        line: Some(12),
        column: Some(3),
        key: "server.prot".to_owned(),
        message: "unknown key".to_owned(),
        advice: "did you mean `port`?".to_owned(),
        ..Problem::default()
    }
}

fn a_reload() -> ReloadStatus {
    ReloadStatus {
        last_attempt: NOW,
        cause: Cause::Start,
        ok: true,
        version: 1,
        problems: Vec::new(),
        warnings: Vec::new(),
        restart_needed: vec!["database.path"],
        file: Some("gateway.toml".into()),
        origins: vec![
            ("server.port".to_owned(), Origin::File { line: 2 }, "8080".to_owned()),
            ("admin.token".to_owned(), Origin::Env("GATEWAY_ADMIN_TOKEN".to_owned()), "…".to_owned()),
            ("log.level".to_owned(), Origin::Default, "info".to_owned()),
        ],
        declared: Arc::default(),
    }
}

fn tls() -> rustls::ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}
