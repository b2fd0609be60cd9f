//! From an app that is put together to one that has served and is gone.

use std::convert::Infallible;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use gateway_admin::{Admin, News, UnderWay};
use gateway_config::Environment;
use gateway_health::run_prober;
use gateway_proxy::Proxy;
use metrics::Gauge;
use rustix::process::{Resource, getrlimit};
use tokio::runtime::{Builder, Handle};
use tokio::sync::{mpsc, watch};

use crate::app::{App, Listeners, Parts, VERSION};
use crate::clock::unix_now;
use crate::dispatch::{Door, House, Serves};
use crate::drain::Drain;
use crate::follow::{self, Followers};
use crate::housekeeping::{self, HealthBridge};
use crate::life::{Life, LifeLine, LifeWatch};
use crate::objects;
use crate::panic::confine_now;
use crate::publisher::{self, Press};
use crate::readiness::Readiness;
use crate::serve::{Member, Places, Stand, accept};
use crate::signals::Signals;
use crate::tasks::Tasks;
use crate::telemetry::LogControl;
use crate::watch::watch;

/// Threads of the control runtime: two, so that a long answer does not keep the others waiting.
const CONTROL_THREADS: usize = 2;

/// Threads of one worker for the files of large uploads: a slow disk makes uploads wait, not threads pile up.
const FILE_THREADS: usize = 16;

/// How long the end waits for the last records to reach a database that somebody holds.
const LAST_RECORDS: Duration = Duration::from_secs(15);

/// Serves, drains, and leaves nothing behind.
pub(crate) fn run(app: App) -> anyhow::Result<()> {
    let control = Builder::new_multi_thread()
        .worker_threads(CONTROL_THREADS)
        .thread_name("control")
        .enable_all()
        .build()
        .context("the control runtime cannot start")?;
    let result = control.block_on(conduct(app));
    control.shutdown_timeout(Duration::from_secs(1));
    result
}

async fn conduct(app: App) -> anyhow::Result<()> {
    let (line, readiness) = (LifeLine::new(), Arc::new(Readiness::default()));
    let tasks = Tasks::new(Handle::current(), line.clone(), Arc::clone(&readiness));
    if app.obeys_signals {
        let signals = Signals::catch().context("signals cannot be caught")?;
        tasks.start("signals", signals.obey(app.publisher.clone(), app.stopper()));
    }
    say_hello(&app);
    let house = House::of(&app, &readiness);
    let stop = app.stopper().watch();
    tasks.start("feed", Arc::clone(&house.admin).tend(reaches(line.watch(), Life::Draining)));
    let (listeners, parts) = start_machines(app, &tasks, &line, &readiness);
    readiness.configured();
    let floor = Floor { tasks: &tasks, parts: &parts, house, line: &line };
    let drain = floor.open(listeners, stop)?;
    serve_until_stopped(drain, &parts, &readiness).await;
    leave(parts).await;
    Ok(())
}

fn say_hello(app: &App) {
    let addresses = app.addresses();
    tracing::info!(
        public = %addresses.public,
        admin = addresses.admin.map(tracing::field::display),
        metrics = addresses.metrics.map(tracing::field::display),
        version = VERSION,
        workers = app.listeners.public.len(),
        "listening"
    );
    for warning in &app.loaded.warnings {
        tracing::warn!(%warning, "configuration");
    }
}

/// Starts everything that runs on the control side, except the listeners.
fn start_machines(
    app: App,
    tasks: &Tasks,
    line: &LifeLine,
    readiness: &Arc<Readiness>,
) -> (Listeners, Parts) {
    let App { options, loaded, seen, listeners, parts, publisher, wishes, log, .. } = app;
    let current = parts.live.load();
    let (plan, plans) = watch::channel(follow::plan(&current));
    let bridge = Arc::new(HealthBridge::new(
        Arc::clone(&parts.board),
        Arc::clone(&parts.pools),
        Arc::clone(&parts.meters),
    ));
    parts.board.set_several(&follow::several(&current));
    bridge.tell(&current);
    let followers = Followers {
        proxy: Arc::clone(&parts.proxy),
        store: parts.store.clone(),
        board: Arc::clone(&parts.board),
        sessions: Arc::clone(&parts.sessions),
        objects: Arc::clone(&parts.objects),
        bridge: Arc::clone(&bridge),
        probes: plan,
        tls: parts.tls.clone(),
        log: log.clone(),
        current,
    };
    let press_parts = publisher::Parts {
        source: options.source,
        environment: options.environment,
        store: parts.store.clone(),
        live: Arc::clone(&parts.live),
        status: Arc::clone(&parts.status),
        meters: Arc::clone(&parts.meters),
        followers: Box::new(followers),
        clock: unix_now,
    };
    parts.meters.reloaded(true, unix_now());
    tasks.start("publisher", Press::new(press_parts, loaded).run(wishes));
    tasks.start("configuration watch", watch(seen, publisher));
    let (board, probe) = (Arc::clone(&parts.board), Arc::clone(&parts.probe));
    tasks.start("prober", run_prober(board, probe, plans, reaches(line.watch(), Life::Leaving)));
    start_housekeeping(&parts, tasks, readiness, bridge, log);
    (listeners, parts)
}

fn start_housekeeping(
    parts: &Parts,
    tasks: &Tasks,
    readiness: &Arc<Readiness>,
    bridge: Arc<HealthBridge>,
    log: Option<LogControl>,
) {
    let recorder = || parts.store.recorder();
    let sessions = || Arc::clone(&parts.sessions);
    tasks.start("health bridge", bridge.run(Arc::clone(&parts.live)));
    tasks.start("sessions", housekeeping::keep_sessions(sessions(), Arc::clone(&parts.live), recorder()));
    tasks.start("objects", objects::keep(Arc::clone(&parts.objects), recorder()));
    tasks.start("retention", housekeeping::forget_the_old(parts.store.clone()));
    tasks.start("database watch", housekeeping::watch_database(parts.store.clone(), Arc::clone(readiness)));
    let meters = Arc::clone(&parts.meters);
    tasks.start("meters", housekeeping::keep_meters(meters, recorder(), sessions(), log));
}

async fn reaches(mut life: LifeWatch, at_least: Life) {
    life.reaches(at_least).await;
}

async fn serve_until_stopped(mut drain: Drain, parts: &Parts, readiness: &Readiness) {
    drain.wished().await;
    readiness.drain();
    let server = parts.live.load().settings.server.clone();
    tracing::info!(delay = ?server.shutdown_delay, grace = ?server.shutdown_grace, "draining");
    drain.carry_out(server.shutdown_delay, server.shutdown_grace, || parts.proxy.cut()).await;
}

/// Brings what is only in memory to the database.
async fn leave(parts: Parts) {
    housekeeping::save_sessions(&parts.sessions, &parts.store.recorder());
    objects::save(&parts.objects, &parts.store.recorder());
    let store = parts.store.clone();
    let closing = tokio::task::spawn_blocking(move || store.close());
    match tokio::time::timeout(LAST_RECORDS, closing).await {
        Ok(Ok(Ok(()))) => tracing::info!("stopped"),
        Ok(Ok(Err(error))) => tracing::error!(%error, "stopped, but the database did not close well"),
        Ok(Err(error)) => tracing::error!(%error, "stopped, but the database did not close well"),
        Err(_) => tracing::error!("stopped; the database was held by somebody and the last records are lost"),
    }
}

/// Where connections come in.
struct Floor<'a> {
    tasks: &'a Tasks,
    parts: &'a Parts,
    house: Arc<House>,
    line: &'a LifeLine,
}

// === impl Floor ===

impl Floor<'_> {
    /// Starts a thread per data-plane listener, and a task for each listener of the control side.
    fn open(&self, listeners: Listeners, stop: watch::Receiver<crate::app::Stop>) -> anyhow::Result<Drain> {
        let Listeners { public, admin, metrics, .. } = listeners;
        let places = self.places();
        let (worker, workers) = mpsc::channel(1);
        let (listener, control) = mpsc::channel(1);
        let apart = admin.is_some();
        let serves = Serves { proxy: true, admin: !apart, metrics: !apart };
        let gauges = (0..public.len()).map(|index| self.parts.meters.worker_connections(index)).collect();
        for (index, (socket, member)) in public.into_iter().zip(Member::crew(gauges)).enumerate() {
            self.start_worker((index, member), socket, serves, Arc::clone(&places), worker.clone())?;
        }
        let control_side = Serves { proxy: false, admin: true, metrics: true };
        let scrapes_only = Serves { admin: false, ..control_side };
        for (name, socket, serves) in
            [("admin listener", admin, control_side), ("metrics listener", metrics, scrapes_only)]
        {
            let (Some(socket), Some(member)) = (socket, Member::alone()) else { continue };
            let door = Door::new(Arc::clone(&self.house), serves, None, false);
            let stand = Stand::new(door, Arc::clone(&self.parts.live), Arc::clone(&places), None);
            let (life, alive) = (self.line.watch(), listener.clone());
            self.tasks.start(name, async move {
                accept(socket, member, stand, life, Life::Leaving).await;
                drop(alive);
            });
        }
        Ok(Drain { stop, line: self.line.clone(), workers, control })
    }

    fn places(&self) -> Arc<Places> {
        let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let meters = &self.parts.meters;
        let places =
            Places::within(descriptors, meters.connections.clone(), meters.refused_connections.clone());
        let wanted = self.parts.live.load().settings.server.max_connections;
        if places.most() < wanted {
            tracing::warn!(
                wanted,
                possible = places.most(),
                descriptors,
                "server.max_connections is more than the limit of open files allows"
            );
        }
        places
    }

    fn start_worker(
        &self,
        (index, member): (usize, Member),
        socket: TcpListener,
        serves: Serves,
        places: Arc<Places>,
        alive: mpsc::Sender<Infallible>,
    ) -> anyhow::Result<()> {
        let (house, life) = (Arc::clone(&self.house), self.line.watch());
        let (proxy, tls) = (Arc::clone(&self.parts.proxy), self.parts.tls.clone());
        // The runtime is made here, so that its failure is the app's.
        let runtime = Builder::new_current_thread()
            .max_blocking_threads(FILE_THREADS)
            .enable_all()
            .build()
            .context("a worker cannot start")?;
        let serve = {
            let (house, life) = (Arc::clone(&house), life.clone());
            move || {
                runtime.block_on(async move {
                    let snapshots = Arc::clone(&house.live);
                    let door = Door::new(house, serves, Some(proxy.worker()), tls.is_some());
                    let stand = Stand::new(door, snapshots, places, tls);
                    accept(socket, member, stand, life, Life::Draining).await;
                });
                // What still runs is dropped with the runtime, before the worker counts as gone.
                drop(runtime);
            }
        };
        let watched = move || {
            let end = confine_now(serve);
            if life.now() < Life::Draining {
                house.readiness.fell("worker");
                tracing::error!(index, error = end.err().map(tracing::field::display), "a worker has ended");
            }
            drop(alive);
        };
        drop(thread::Builder::new().name(format!("worker-{index}")).spawn(watched)?);
        Ok(())
    }
}

// === impl House ===

impl House {
    /// What all listeners share; must be called inside the control runtime.
    fn of(app: &App, readiness: &Arc<Readiness>) -> Arc<Self> {
        let parts = &app.parts;
        let clock = parts.clock;
        let admin = Admin::new(gateway_admin::Parts {
            store: parts.store.clone(),
            live: Arc::clone(&parts.live),
            publisher: app.publisher.clone(),
            reload: Arc::clone(&parts.status),
            trial: trial_of(app),
            board: Arc::clone(&parts.board),
            pools: Arc::clone(&parts.pools),
            sessions: Arc::clone(&parts.sessions),
            traffic: Arc::clone(&parts.traffic),
            news: News::new(app.started_at),
            under_way: under_way(&parts.proxy),
            probe: Arc::clone(&parts.probe),
            recorder: parts.store.recorder(),
            token: app.admin_token,
            public_port: app.addresses().public.port(),
            started_at: app.started_at,
            version: VERSION,
            ui_folder: ui_folder(&app.options.environment),
            clock: unix_now,
            monotonic: Arc::new(move || clock.now()),
        });
        Arc::new(Self {
            admin: Arc::new(admin),
            proxy: Arc::clone(&parts.proxy),
            live: Arc::clone(&parts.live),
            readiness: Arc::clone(readiness),
            meters: Arc::clone(&parts.meters),
            calls: Places::new(Gauge::noop(), parts.meters.refused_calls.clone()),
            control: Handle::current(),
        })
    }
}

fn under_way(proxy: &Arc<Proxy>) -> Arc<dyn Fn() -> UnderWay + Send + Sync> {
    let proxy = Arc::clone(proxy);
    Arc::new(move || {
        let (requests, streams) = proxy.under_way();
        UnderWay { requests, streams }
    })
}

/// Where those who work on the web pages keep them; a gateway as it is shipped has them built in.
fn ui_folder(environment: &Environment) -> Option<PathBuf> {
    let folder = environment.get("GATEWAY_UI_DIR").filter(|_| cfg!(debug_assertions));
    folder.filter(|folder| !folder.is_empty()).map(PathBuf::from)
}

/// Judges a text in place of the configuration file that is live.
fn trial_of(app: &App) -> gateway_admin::Trial {
    let (mut source, environment) = (app.options.source.clone(), app.options.environment.clone());
    source.path = app.loaded.file.clone().or(source.path);
    Arc::new(move |text| gateway_config::load_text(text, &source, &environment))
}
