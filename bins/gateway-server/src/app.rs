use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use anyhow::Context as _;
use arc_swap::{ArcSwap, ArcSwapOption};
use gateway_admin::Traffic;
use gateway_config::{
    AdminAuth, Cause, Environment, Live, Loaded, PublishRequest, Published, Publisher, ReloadStatus,
    Settings, Snapshot, Source,
};
use gateway_domain::{Inventory, KeyDigest, UnixMillis};
use gateway_health::{Board, HttpProbe, Lookup};
use gateway_objects::Objects;
use gateway_proxy::{Clock, Metrics, Names, Proxy};
use gateway_routing::Pools;
use gateway_sessions::Sessions;
use gateway_storage::{MasterKey, Store, StoreOptions};
use rustls::ServerConfig;
use tokio::sync::{mpsc, watch};

use crate::clock::unix_now;
use crate::first_start::{self, FirstStart};
use crate::follow;
use crate::housekeeping;
use crate::journal_sink::journal;
use crate::objects;
use crate::publisher;
use crate::serve;
use crate::telemetry::{LogControl, Meters};
use crate::tls;
use crate::watch::Seen;

/// The version that every surface shows.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Wishes for a snapshot that may wait; whoever has one more waits itself.
const WAITING_WISHES: usize = 256;

/// What an app is made of. The process environment is a value here; only the command line reads the real one.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Where the configuration file is looked for.
    pub source: Source,
    /// The environment variables.
    pub environment: Environment,
}

/// A gateway whose sockets are bound and whose database is open, and which serves nobody yet.
#[derive(Debug)]
pub struct App {
    pub(crate) options: Options,
    pub(crate) loaded: Loaded,
    pub(crate) seen: Seen,
    pub(crate) listeners: Listeners,
    pub(crate) parts: Parts,
    pub(crate) publisher: Publisher,
    pub(crate) wishes: mpsc::Receiver<PublishRequest>,
    pub(crate) admin_token: Option<KeyDigest>,
    pub(crate) started_at: UnixMillis,
    pub(crate) stopper: Stopper,
    pub(crate) obeys_signals: bool,
    pub(crate) log: Option<LogControl>,
    first_start: FirstStart,
}

/// The machines, put together and idle.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) store: Store,
    pub(crate) live: Arc<Live>,
    pub(crate) status: Arc<ArcSwap<ReloadStatus>>,
    pub(crate) proxy: Arc<Proxy>,
    pub(crate) traffic: Arc<Traffic>,
    pub(crate) board: Arc<Board>,
    pub(crate) pools: Arc<Pools>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) objects: Arc<Objects>,
    pub(crate) probe: Arc<HttpProbe>,
    pub(crate) meters: Arc<Meters>,
    pub(crate) clock: Clock,
    pub(crate) tls: Option<Arc<ArcSwapOption<ServerConfig>>>,
}

/// The bound sockets.
#[derive(Debug)]
pub(crate) struct Listeners {
    /// One per worker, all on one address.
    pub(crate) public: Vec<TcpListener>,
    pub(crate) admin: Option<TcpListener>,
    pub(crate) metrics: Option<TcpListener>,
    pub(crate) addresses: Addresses,
}

/// Where the app listens; with port 0 in the settings these are the ports that were given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// The data plane, and everything else that has no address of its own.
    pub public: SocketAddr,
    /// `[admin] listen`.
    pub admin: Option<SocketAddr>,
    /// `[metrics] port`.
    pub metrics: Option<SocketAddr>,
}

/// Stops a running app from any thread.
#[derive(Clone, Debug)]
pub struct Stopper(watch::Sender<Stop>);

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stop {
    /// Nothing: it serves.
    No,
    /// It says "not ready", then stops accepting and lets running calls finish within the grace.
    Graceful,
    /// It ends now.
    Now,
}

// === impl App ===

impl App {
    /// Reads the configuration, binds every socket, opens the database and puts everything together. Nothing is
    /// served until [`App::run`].
    pub fn build(options: Options) -> anyhow::Result<Self> {
        let seen = Seen::look(&options.source);
        let loaded = gateway_config::load(&options.source, &options.environment)?;
        let settings = &loaded.settings;
        let listeners = Listeners::bind(settings)?;
        let store = open_store(settings)?;
        store.apply(&loaded.declaration).context("what the file declares cannot be stored")?;
        // What is made here is shown once, when all went well. So whatever else may be wrong is found out before.
        let server_tls = settings.server.tls.as_ref().map(tls::server_config).transpose()?;
        let channel = first_start::first_channel(&options.environment, &store, &store.inventory()?)?;
        let (admin_token, made) = first_start::admin_token(settings, &store)?;
        let parts = Parts::assemble(&loaded, store, server_tls)?;
        let (publisher, wishes) = Publisher::channel(WAITING_WISHES);
        Ok(Self {
            seen,
            listeners,
            parts,
            publisher,
            wishes,
            admin_token,
            started_at: unix_now(),
            stopper: Stopper(watch::Sender::new(Stop::No)),
            obeys_signals: false,
            log: None,
            first_start: FirstStart { admin_token: made, channel },
            options,
            loaded,
        })
    }

    /// Where it listens.
    pub fn addresses(&self) -> Addresses {
        self.listeners.addresses
    }

    /// What stops it.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// What was made because this is the first start. Whoever built the app must show it: it is kept nowhere.
    pub fn first_start(&self) -> &FirstStart {
        &self.first_start
    }

    /// From [`App::run`] on, SIGTERM and SIGINT stop the app and SIGHUP reloads it. They belong to the whole process,
    /// so only a program that is the gateway asks for it.
    pub fn obey_signals(&mut self) {
        self.obeys_signals = true;
    }

    /// Lets changes of `log.level` reach the process's log.
    pub fn control_log(&mut self, log: LogControl) {
        self.log = Some(log);
    }

    /// Serves until it is stopped and drained. Blocks the calling thread, which must not be one of a runtime.
    pub fn run(self) -> anyhow::Result<()> {
        crate::run::run(self)
    }
}

// === impl Parts ===

impl Parts {
    fn assemble(
        loaded: &Loaded,
        store: Store,
        server_tls: Option<Arc<ServerConfig>>,
    ) -> anyhow::Result<Self> {
        let settings = &loaded.settings;
        let inventory: Inventory = store.inventory()?;
        let snapshot = Arc::new(Snapshot::assemble(1, Arc::new(settings.clone()), inventory));
        let live = Arc::new(Live::new(Snapshot::clone(&snapshot)));
        let meters = Arc::new(Meters::new(VERSION)?);
        let board = Board::new(follow::rules(&settings.health_check));
        let pools = Arc::new(Pools::new());
        let sessions = Arc::new(Sessions::new(settings.session.idle_timeout));
        sessions.restore(housekeeping::sessions_of(store.sessions()?));
        let objects = Arc::new(objects::restored(&store)?);
        let client_tls = tls::client_config()?;
        let (clock, traffic) = (Clock::start(), Arc::new(Traffic::new()));
        let metrics = Metrics::new(meters.recorder());
        let names = Names::new(&settings.proxy.dns_servers, &metrics);
        let parts = gateway_proxy::Parts {
            pools: Arc::clone(&pools),
            sessions: Arc::clone(&sessions),
            objects: Arc::clone(&objects),
            recall: objects::recall(store.clone()),
            board: Arc::clone(&board),
            metrics,
            tls: Arc::clone(&client_tls),
            names: names.clone(),
            sink: journal(store.recorder(), Arc::clone(&live), Arc::clone(&traffic)),
            clock,
        };
        let proxy = Proxy::new(parts, snapshot).context("the first snapshot cannot be served")?;
        Ok(Self {
            store,
            live,
            status: Arc::new(ArcSwap::from_pointee(first_status(loaded))),
            proxy: Arc::new(proxy),
            traffic,
            board,
            pools,
            sessions,
            objects,
            probe: Arc::new(HttpProbe::resolving(client_tls, lookup_by(names))),
            meters,
            clock,
            tls: server_tls.map(|config| Arc::new(ArcSwapOption::new(Some(config)))),
        })
    }
}

/// Probes find names as calls do.
fn lookup_by(names: Names) -> Lookup {
    Arc::new(move |host| {
        let names = names.clone();
        Box::pin(async move { names.resolve(&host).await })
    })
}

fn first_status(loaded: &Loaded) -> ReloadStatus {
    let published = Published { version: 1, restart_needed: Vec::new(), warnings: loaded.warnings.clone() };
    publisher::status_of(Cause::Start, unix_now(), &published, loaded)
}

/// Opens the database that the settings name; makes it and its folder if there is none.
pub(crate) fn open_store(settings: &Settings) -> anyhow::Result<Store> {
    let path = &settings.database.path;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let key = if let Some(text) = &settings.master_key {
        MasterKey::from_text(text.expose()).context("database.master_key")?
    } else {
        let file = key_file(path);
        MasterKey::load_or_create(&file).with_context(|| format!("the master key in {}", file.display()))?
    };
    let options = StoreOptions { clock: unix_now, ..StoreOptions::default() };
    let store = Store::open_with(path, &key, options).context("the database cannot be opened")?;
    store.set_retention(housekeeping::retention(settings));
    Ok(store)
}

/// The master key's file: beside the database, `gateway.db` → `gateway.db.key`.
fn key_file(database: &Path) -> PathBuf {
    let mut name = database.file_name().unwrap_or_default().to_owned();
    name.push(".key");
    database.with_file_name(name)
}

// === impl Listeners ===

impl Listeners {
    fn bind(settings: &Settings) -> anyhow::Result<Self> {
        anyhow::ensure!(
            settings.admin.auth != AdminAuth::None || settings.admin_on_loopback(),
            "admin.auth = \"none\" is accepted on loopback only"
        );
        let server = &settings.server;
        let workers = match server.workers {
            0 => thread::available_parallelism().map_or(1, usize::from),
            given => given,
        };
        let public = serve::bind(&server.host, server.port, workers)?;
        let one = |host: &str, port| serve::bind(host, port, 1).map(|mut bound| bound.pop());
        let admin = match settings.admin.listen {
            Some(address) => one(&address.ip().to_string(), address.port())?,
            None => None,
        };
        let metrics = match settings.metrics.port {
            Some(port) if settings.metrics.enabled => {
                let admin_host = settings.admin.listen.map(|address| address.ip().to_string());
                one(admin_host.as_deref().unwrap_or(&server.host), port)?
            }
            _ => None,
        };
        let first = public.first().context("no worker has a listener")?;
        let address =
            |listener: &Option<TcpListener>| listener.as_ref().map(TcpListener::local_addr).transpose();
        let addresses =
            Addresses { public: first.local_addr()?, admin: address(&admin)?, metrics: address(&metrics)? };
        Ok(Self { public, admin, metrics, addresses })
    }
}

// === impl Stopper ===

impl Stopper {
    /// Begins a graceful stop: "not ready", then no new connections, then the running calls' end.
    pub fn stop(&self) {
        self.raise(Stop::Graceful);
    }

    /// Ends at once; running streams are cut with an error event.
    pub fn abort(&self) {
        self.raise(Stop::Now);
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Stop> {
        self.0.subscribe()
    }

    fn raise(&self, to: Stop) {
        self.0.send_if_modified(|now| {
            let further = *now < to;
            *now = (*now).max(to);
            further
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_that_fails_leaves_what_is_shown_once_to_the_next_one() {
        for (tls, base) in [("", "no scheme"), ("cert = \"bad.pem\"\nkey = \"bad.pem\"\n", "https://up.test")]
        {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("bad.pem"), "no certificate").unwrap();
            let build = |tls: &str, base: &str| {
                let database = folder.path().join("gateway.db");
                let tls = if tls.is_empty() { String::new() } else { format!("[server.tls]\n{tls}") };
                let config = format!("[server]\nport = 0\n{tls}[database]\npath = {database:?}\n");
                std::fs::write(folder.path().join("gateway.toml"), config).unwrap();
                let source = Source { path: None, directory: folder.path().to_owned() };
                let given = [("OPENAI_API_KEY", "sk-up"), ("OPENAI_BASE_URL", base)];
                let environment = given.map(|(name, value)| (name.to_owned(), value.to_owned()));
                App::build(Options { source, environment: environment.into_iter().collect() })
            };
            assert!(build(tls, base).is_err());
            let app = build("", "https://up.test").unwrap();
            let FirstStart { admin_token, channel } = &app.first_start;
            assert!(admin_token.is_some());
            assert!(channel.as_ref().is_some_and(|channel| channel.user_key.is_some()));
        }
    }
}
