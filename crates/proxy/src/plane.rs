//! A snapshot made ready for carrying calls: pools, prepared channels and metric handles that fit together.

use std::collections::HashMap;
use std::sync::Arc;

use gateway_config::{Policy, Snapshot};
use gateway_domain::{Channel, ChannelId};
use gateway_routing::{ChannelSpec, Params, PolicyKind, Pool, PoolSpec, Pools, stable_hash};

use crate::metrics::{ChannelMetrics, Metrics, RouteMetrics};
use crate::upstream::Target;

/// The pool, and the metric label, of model names that only wildcard channels serve.
const ANY: &str = "*";
/// The pool of calls that name no model. No model can be called so: model names are not empty.
const DEFAULT: &str = "";

/// What a call sees of the configuration, from its beginning to its end.
#[derive(Debug)]
pub(crate) struct Plane {
    pub snapshot: Arc<Snapshot>,
    models: HashMap<Arc<str>, Arc<Served>>,
    /// Who serves names without mappings.
    any: Option<Arc<Served>>,
    /// Who serves calls that name no model.
    default: Option<Arc<Served>>,
}

/// One public model and the channels that serve it.
#[derive(Debug)]
pub(crate) struct Served {
    /// The public name; `*` for names that only wildcard channels serve.
    pub name: Arc<str>,
    /// Decides among the channels.
    pub pool: Arc<Pool>,
    routes: HashMap<ChannelId, Arc<Route>>,
}

/// One way to serve a model.
#[derive(Debug)]
pub(crate) struct Route {
    /// The channel.
    pub target: Arc<Target>,
    /// What the channel calls the model; `None`: as the client does.
    pub backend_model: Option<Arc<str>>,
    pub channel_metrics: Arc<ChannelMetrics>,
    pub metrics: Arc<RouteMetrics>,
}

/// Why a snapshot cannot carry calls. The one in force stays.
#[derive(Debug, thiserror::Error)]
#[error("the pools cannot be built: {0}")]
pub struct AdoptError(#[from] gateway_routing::BuildError);

// === impl Plane ===

impl Plane {
    /// Prepares a snapshot. Pools of models that stay keep what they have learned.
    pub(crate) fn build(
        snapshot: Arc<Snapshot>,
        pools: &Pools,
        metrics: &Metrics,
    ) -> Result<Self, AdoptError> {
        let targets = targets_of(&snapshot);
        let drafts = drafts_of(&snapshot, &targets);
        let policy = policy_of(snapshot.settings.proxy.policy);
        let specs: Vec<PoolSpec> = drafts.iter().map(|draft| draft.pool(policy)).collect();
        let pools = pools.adopt(&specs)?;
        let mut models: HashMap<Arc<str>, Arc<Served>> = drafts
            .into_iter()
            .filter_map(|draft| {
                let pool = Arc::clone(pools.get(&draft.name)?);
                let served = draft.serve(pool, metrics);
                Some((Arc::clone(&served.name), Arc::new(served)))
            })
            .collect();
        Ok(Self { any: models.remove(ANY), default: models.remove(DEFAULT), models, snapshot })
    }

    /// Who serves a model: its mappings, or else the wildcard channels, if there are any.
    pub(crate) fn model(&self, name: &str) -> Option<&Arc<Served>> {
        self.models.get(name).or(self.any.as_ref())
    }

    /// Who serves calls that name no model, if anyone.
    pub(crate) fn default(&self) -> Option<&Arc<Served>> {
        self.default.as_ref()
    }

    /// All models that have mappings, in no order.
    pub(crate) fn models(&self) -> impl Iterator<Item = &Arc<Served>> {
        self.models.values()
    }
}

// === impl Served ===

impl Served {
    pub(crate) fn route(&self, channel: ChannelId) -> Option<&Arc<Route>> {
        self.routes.get(&channel)
    }

    /// The channels that may be chosen.
    pub(crate) fn channels(&self) -> impl Iterator<Item = &Arc<Channel>> {
        self.routes.values().map(|route| route.target.channel())
    }
}

/// A pool before it is built.
struct Draft {
    name: Arc<str>,
    /// Channel, what it calls the model, weight.
    routes: Vec<(Arc<Target>, Option<Arc<str>>, f64)>,
}

// === impl Draft ===

impl Draft {
    fn pool(&self, policy: PolicyKind) -> PoolSpec {
        let channels = self
            .routes
            .iter()
            .map(|(target, _, weight)| ChannelSpec {
                id: target.channel().id,
                key64: stable_hash(target.channel().name.as_bytes()),
                weight: *weight,
                tier: target.channel().tuning.tier,
                max_concurrency: target.channel().max_concurrency,
                requests_per_minute: target.channel().tuning.requests_per_minute,
                tokens_per_minute: target.channel().tuning.tokens_per_minute,
            })
            .collect();
        PoolSpec { name: Arc::clone(&self.name), channels, policy, params: Params::default() }
    }

    fn serve(self, pool: Arc<Pool>, metrics: &Metrics) -> Served {
        let routes = self
            .routes
            .into_iter()
            .map(|(target, backend_model, _)| {
                let channel = Arc::clone(target.channel());
                let route = Route {
                    backend_model,
                    channel_metrics: metrics.channel(&channel.name),
                    metrics: metrics.route(&channel.name, &self.name),
                    target,
                };
                (channel.id, Arc::new(route))
            })
            .collect();
        Served { name: self.name, pool, routes }
    }
}

fn targets_of(snapshot: &Snapshot) -> HashMap<ChannelId, Arc<Target>> {
    let mut targets = HashMap::with_capacity(snapshot.channels.len());
    for channel in snapshot.channels.values().filter(|channel| channel.enabled) {
        match Target::new(Arc::clone(channel)) {
            Ok(target) => {
                targets.insert(channel.id, Arc::new(target));
            }
            // The others still serve; the admin API refuses such values, so this is an old or hand-made row.
            Err(error) => tracing::error!(channel = %channel.name, %error, "channel cannot be called"),
        }
    }
    targets
}

fn drafts_of(snapshot: &Snapshot, targets: &HashMap<ChannelId, Arc<Target>>) -> Vec<Draft> {
    let mut drafts: Vec<Draft> = snapshot
        .models
        .values()
        .map(|model| Draft {
            name: Arc::clone(&model.name),
            routes: model
                .mappings
                .iter()
                .filter_map(|mapping| {
                    let target = targets.get(&mapping.channel)?;
                    let weight = f64::from(target.channel().weight) * f64::from(mapping.weight);
                    Some((Arc::clone(target), Some(Arc::clone(&mapping.backend_model)), weight))
                })
                .collect(),
        })
        .collect();
    let as_named = |channel: &Arc<Channel>| {
        let target = targets.get(&channel.id)?;
        Some((Arc::clone(target), None, f64::from(channel.weight)))
    };
    let any = snapshot.wildcard_channels().filter_map(as_named).collect();
    let default = snapshot.default_channel().into_iter().filter_map(as_named).collect();
    for (name, routes) in [(ANY, any), (DEFAULT, default)] {
        let draft = Draft { name: name.into(), routes };
        drafts.extend(Some(draft).filter(|draft| !draft.routes.is_empty()));
    }
    drafts
}

const fn policy_of(policy: Policy) -> PolicyKind {
    match policy {
        Policy::Adaptive => PolicyKind::Adaptive,
        Policy::WeightedScore => PolicyKind::WeightedScore,
        Policy::Weighted => PolicyKind::Weighted,
        Policy::LeastInflight => PolicyKind::LeastInflight,
        Policy::RoundRobin => PolicyKind::RoundRobin,
    }
}
