use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use gateway_config::{Cause, HealthCheckSettings, Settings, Snapshot};
use gateway_domain::ChannelId;
use gateway_health::{Board, ProbePlanSet, Rules};
use gateway_objects::Objects;
use gateway_proxy::Proxy;
use gateway_sessions::Sessions;
use gateway_storage::Store;
use rustls::ServerConfig;
use tokio::sync::watch;

use crate::clock::unix_now;
use crate::housekeeping::{HealthBridge, retention};
use crate::publisher::Follow;
use crate::telemetry::LogControl;
use crate::tls;

/// Brings a new snapshot to everyone who works by it.
///
/// What can refuse was asked before, and comes first; what comes after cannot fail.
pub(crate) struct Followers {
    pub(crate) proxy: Arc<Proxy>,
    pub(crate) store: Store,
    pub(crate) board: Arc<Board>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) objects: Arc<Objects>,
    pub(crate) bridge: Arc<HealthBridge>,
    pub(crate) probes: watch::Sender<ProbePlanSet>,
    pub(crate) tls: Option<Arc<ArcSwapOption<ServerConfig>>>,
    pub(crate) log: Option<LogControl>,
    /// The snapshot that they work by now.
    pub(crate) current: Arc<Snapshot>,
}

// === impl Followers ===

impl Follow for Followers {
    fn judge(&self, settings: &Settings) -> Result<(), String> {
        if self.log.is_some() {
            LogControl::check_level(&settings.log.level).map_err(|error| format!("{error:#}"))?;
        }
        match (&self.tls, &settings.server.tls) {
            (Some(_), Some(files)) => {
                tls::server_config(files).map(drop).map_err(|error| format!("{error:#}"))
            }
            _ => Ok(()),
        }
    }

    fn follow(&mut self, new: &Arc<Snapshot>, cause: Cause) -> Result<(), String> {
        let certificate = self.renewed_certificate(new, cause)?;
        if let Some(log) = &self.log
            && new.settings.log.level != self.current.settings.log.level
        {
            log.set_level(&new.settings.log.level).map_err(|error| format!("{error:#}"))?;
        }
        self.proxy.adopt(Arc::clone(new)).map_err(|error| error.to_string())?;
        if let (Some(tls), Some(certificate)) = (&self.tls, certificate) {
            tls.store(Some(certificate));
        }
        self.store.set_retention(retention(&new.settings));
        self.sessions.set_idle(new.settings.session.idle_timeout);
        self.forget_the_gone(new);
        self.board.set_several(&several(new));
        self.board.set_rules(&rules(&new.settings.health_check));
        self.probes.send_replace(plan(new));
        self.bridge.tell(new);
        self.current = Arc::clone(new);
        Ok(())
    }
}

impl Followers {
    /// Certificates are renewed in place: every publication reads them again, from whatever files are set now. Files that
    /// cannot be used refuse a reload, but not an admin write, which has nothing to do with somebody writing them just now.
    fn renewed_certificate(&self, new: &Snapshot, cause: Cause) -> Result<Option<Arc<ServerConfig>>, String> {
        let (Some(_), Some(files)) = (&self.tls, &new.settings.server.tls) else { return Ok(None) };
        match tls::server_config(files) {
            Ok(config) => Ok(Some(config)),
            Err(error) if cause == Cause::AdminWrite => {
                tracing::error!(error = format!("{error:#}"), "the old certificate stays in use");
                Ok(None)
            }
            Err(error) => Err(format!("{error:#}")),
        }
    }

    fn forget_the_gone(&self, new: &Snapshot) {
        for (id, old) in &self.current.channels {
            match new.channels.get(id) {
                None => {
                    self.sessions.forget_channel(*id);
                    self.objects.forget_channel(*id);
                }
                // Another address or key is another account: what was learned of the old one is not its fault.
                Some(now) if now.base_url != old.base_url || now.api_key != old.api_key => {
                    self.board.reset(*id, unix_now());
                }
                Some(_) => {}
            }
        }
        for id in self.current.users.keys().filter(|id| !new.users.contains_key(id)) {
            self.sessions.forget_user(*id);
            self.objects.forget_user(*id);
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

/// The channels that serve more than one model: there, one model's failures are not the channel's.
pub(crate) fn several(snapshot: &Snapshot) -> HashSet<ChannelId> {
    let mut served: HashMap<ChannelId, usize> = HashMap::new();
    for model in snapshot.models.values() {
        let mut channels: Vec<_> = model.mappings.iter().map(|mapping| mapping.channel).collect();
        channels.sort_unstable();
        channels.dedup();
        for channel in channels {
            *served.entry(channel).or_default() += 1;
        }
    }
    let any = snapshot.channels.values().filter(|channel| channel.serves_any_model).map(|channel| channel.id);
    any.chain(served.into_iter().filter(|(_, models)| *models > 1).map(|(channel, _)| channel)).collect()
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
