use std::sync::Arc;

use arc_swap::ArcSwapOption;
use gateway_config::{HealthCheckSettings, Snapshot};
use gateway_domain::ChannelId;
use gateway_health::{Board, ProbePlanSet, Rules};
use gateway_proxy::Proxy;
use gateway_sessions::Sessions;
use gateway_storage::Store;
use rustls::ServerConfig;
use tokio::sync::watch;

use crate::housekeeping::HealthBridge;
use crate::telemetry::LogControl;
use crate::tls;

/// Brings a new snapshot to everyone who works by it.
///
/// What can refuse comes first and changes nothing until it has agreed; what comes after cannot fail.
pub(crate) struct Followers {
    pub(crate) proxy: Arc<Proxy>,
    pub(crate) store: Store,
    pub(crate) board: Arc<Board>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) bridge: Arc<HealthBridge>,
    pub(crate) probes: watch::Sender<ProbePlanSet>,
    pub(crate) tls: Option<Arc<ArcSwapOption<ServerConfig>>>,
    pub(crate) log: Option<LogControl>,
    /// The snapshot that they work by now.
    pub(crate) current: Arc<Snapshot>,
}

// === impl Followers ===

impl Followers {
    pub(crate) fn follow(&mut self, new: &Arc<Snapshot>) -> Result<(), String> {
        if let Some(log) = &self.log
            && new.settings.log.level != self.current.settings.log.level
        {
            log.set_level(&new.settings.log.level).map_err(|error| format!("{error:#}"))?;
        }
        self.proxy.adopt(Arc::clone(new)).map_err(|error| error.to_string())?;
        self.renew_certificate(new);
        self.store.set_retention(new.settings.database.keep_requests);
        self.sessions.set_idle(new.settings.session.idle_timeout);
        self.forget_the_gone(new);
        self.board.set_rules(rules(&new.settings.health_check));
        self.probes.send_replace(plan(new));
        self.bridge.tell(new);
        self.current = Arc::clone(new);
        Ok(())
    }

    /// Certificates are renewed in place: every publication reads them again. Files that cannot be used just now, for
    /// somebody is writing them, must not keep an admin write from being in force; the old certificate stays.
    /// Other files than at the start need a restart.
    fn renew_certificate(&self, new: &Snapshot) {
        let (Some(tls), Some(files)) = (&self.tls, &new.settings.server.tls) else { return };
        if self.current.settings.server.tls.as_ref() != Some(files) {
            return;
        }
        match tls::server_config(files) {
            Ok(config) => tls.store(Some(config)),
            Err(error) => tracing::error!(error = format!("{error:#}"), "the old certificate stays in use"),
        }
    }

    fn forget_the_gone(&self, new: &Snapshot) {
        for (id, old) in &self.current.channels {
            match new.channels.get(id) {
                None => {
                    self.sessions.forget_channel(*id);
                }
                // Another address or key is another account: what was learned of the old one is not its fault.
                Some(now) if now.base_url != old.base_url || now.api_key != old.api_key => {
                    self.board.reset(*id);
                }
                Some(_) => {}
            }
        }
        for id in self.current.users.keys().filter(|id| !new.users.contains_key(id)) {
            self.sessions.forget_user(*id);
        }
        let known: Vec<ChannelId> = new.channels.keys().copied().collect();
        self.board.retain(&known);
    }
}

/// When channels leave rotation and return.
pub(crate) fn rules(settings: &HealthCheckSettings) -> Rules {
    Rules {
        unhealthy_after: settings.unhealthy_after,
        healthy_after: settings.healthy_after,
        ..Rules::default()
    }
}

/// Who is probed and how.
pub(crate) fn plan(snapshot: &Snapshot) -> ProbePlanSet {
    let settings = &snapshot.settings.health_check;
    ProbePlanSet {
        channels: snapshot.channels.values().map(Arc::clone).collect(),
        interval: settings.interval,
        timeout: settings.timeout,
    }
}
