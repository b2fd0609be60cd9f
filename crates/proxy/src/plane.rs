//! A snapshot made ready for carrying calls: pools, prepared channels and metric handles that fit together.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use gateway_config::{ProxySettings, Snapshot};
use gateway_domain::{ById, Channel, ChannelId, Hedge, Known, ModelTuning, Policy};
use gateway_routing::{ChannelSpec, Params, PolicyKind, Pool, PoolSpec, Pools, stable_hash};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::budget::Budget;
use crate::metrics::{ChannelMetrics, Metrics, ModelMetrics, RouteMetrics};
use crate::openai::BackendModel;
use crate::upstream::{Target, Timeouts};

/// The pool, and the metric label, of model names that only wildcard channels serve.
const ANY: &str = "*";
/// The pool of calls that name no model. No model can be called so: model names are not empty.
const DEFAULT: &str = "";
/// The pool of all channels, for calls that belong to a channel whatever it serves. No model can be called so: names of
/// models have no control characters.
const EVERYONE: &str = "\u{1}everyone";
/// The pool of administration. No model can be called so: their names hold no control characters.
const ADMINISTRATION: &str = "\u{1}administration";

/// What a call sees of the configuration, from its beginning to its end.
#[derive(Debug)]
pub(crate) struct Plane {
    pub snapshot: Arc<Snapshot>,
    models: Known<Arc<str>, Arc<Served>>,
    /// Who serves names without mappings.
    any: Option<Arc<Served>>,
    /// Who serves calls that name no model.
    default: Option<Arc<Served>>,
    /// All channels, those that are drained too; `None` when there is none.
    everyone: Option<Arc<Served>>,
    /// Who carries administration.
    administration: Option<Arc<Served>>,
    /// The header that names sessions, if one does.
    session_header: Option<HeaderName>,
}

/// One public model and the channels that serve it.
#[derive(Debug)]
pub(crate) struct Served {
    /// The public name; `*` for names that only wildcard channels serve.
    pub name: Arc<str>,
    /// Decides among the channels.
    pub pool: Arc<Pool>,
    /// When a call gets a second attempt beside a slow first one; `None`: never.
    pub hedge: Option<Hedge>,
    /// How many attempts beyond the first its calls may cost.
    pub budget: Arc<Budget>,
    pub metrics: Arc<ModelMetrics>,
    routes: ById<ChannelId, Arc<Route>>,
}

/// One way to serve a model.
#[derive(Debug)]
pub(crate) struct Route {
    /// The channel.
    pub target: Arc<Target>,
    /// What the channel calls the model; `None`: as the client does.
    pub backend_model: Option<BackendModel>,
    /// For connections.
    pub timeouts: Timeouts,
    /// The longest wait for the first byte of a stream.
    pub first_byte: Duration,
    /// The longest silence inside a stream.
    pub stream_gap: Duration,
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
    ///
    /// `former` is the plane before this one: what models have spent of their budgets is taken over from it.
    pub(crate) fn build(
        snapshot: Arc<Snapshot>,
        pools: &Pools,
        metrics: &Metrics,
        former: Option<&Self>,
    ) -> Result<Self, AdoptError> {
        let settings = &snapshot.settings.proxy;
        let targets = targets_of(&snapshot);
        let drafts = drafts_of(&snapshot, &targets);
        let specs: Vec<PoolSpec> = drafts.iter().map(|draft| draft.pool(settings)).collect();
        let pools = pools.adopt(&specs)?;
        let mut models: Known<Arc<str>, Arc<Served>> = drafts
            .into_iter()
            .filter_map(|draft| {
                let name = Arc::clone(&draft.name);
                let pool = Arc::clone(pools.get(&name)?);
                let budget =
                    former.and_then(|former| former.named(&draft.name)).map(|was| Arc::clone(&was.budget));
                let served = draft.serve(pool, budget.unwrap_or_default(), settings, metrics);
                Some((name, Arc::new(served)))
            })
            .collect();
        Ok(Self {
            any: models.remove(ANY),
            default: models.remove(DEFAULT),
            everyone: models.remove(EVERYONE),
            administration: models.remove(ADMINISTRATION),
            models,
            session_header: settings.session_header.parse().ok(),
            snapshot,
        })
    }

    /// The session that a call's own header names.
    pub(crate) fn session_in<'h>(&self, headers: &'h HeaderMap) -> Option<&'h [u8]> {
        headers.get(self.session_header.as_ref()?).map(HeaderValue::as_bytes)
    }

    /// Who serves a model: its mappings, or else the wildcard channels, if there are any.
    pub(crate) fn model(&self, name: &str) -> Option<&Arc<Served>> {
        self.models.get(name).or(self.any.as_ref())
    }

    /// Whether a model has mappings of its own.
    pub(crate) fn has_model(&self, name: &str) -> bool {
        self.models.contains_key(name)
    }

    /// Who serves calls that name no model, if anyone.
    pub(crate) fn default(&self) -> Option<&Arc<Served>> {
        self.default.as_ref()
    }

    /// All channels, if there is one.
    pub(crate) fn everyone(&self) -> Option<&Arc<Served>> {
        self.everyone.as_ref()
    }

    /// Who carries administration, if anyone.
    pub(crate) fn administration(&self) -> Option<&Arc<Served>> {
        self.administration.as_ref()
    }

    /// The one of this name, those that clients cannot name included.
    fn named(&self, name: &str) -> Option<&Arc<Served>> {
        match name {
            ANY => self.any.as_ref(),
            DEFAULT => self.default.as_ref(),
            EVERYONE => self.everyone.as_ref(),
            ADMINISTRATION => self.administration.as_ref(),
            name => self.models.get(name),
        }
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

    /// The channels that call the model by this name.
    pub(crate) fn channels_by_name(&self, name: &str) -> impl Iterator<Item = ChannelId> {
        let same = move |route: &&Arc<Route>| route.backend_name().is_none_or(|backend| **backend == *name);
        self.routes.values().filter(same).map(|route| route.target.channel().id)
    }

    /// The channels that may be chosen.
    pub(crate) fn channels(&self) -> impl Iterator<Item = &Arc<Channel>> {
        self.routes.values().map(|route| route.target.channel())
    }
}

// === impl Route ===

impl Route {
    /// The name of the model at the channel, if it has one of its own there.
    pub(crate) fn backend_name(&self) -> Option<&Arc<str>> {
        self.backend_model.as_ref().map(BackendModel::name)
    }
}

/// Whose account a channel is: its address and its key, as a number that says nothing of them outside of this process.
fn account_of(channel: &Channel) -> u64 {
    static SECRET: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    SECRET.hash_one((channel.base_url.as_str(), channel.api_key.expose()))
}

/// A pool before it is built.
struct Draft {
    name: Arc<str>,
    tuning: ModelTuning,
    /// Channel, what it calls the model, weight.
    routes: Vec<(Arc<Target>, Option<Arc<str>>, f64)>,
}

// === impl Draft ===

impl Draft {
    fn pool(&self, settings: &ProxySettings) -> PoolSpec {
        let channels = self
            .routes
            .iter()
            .map(|(target, _, weight)| {
                let channel = target.channel();
                ChannelSpec {
                    id: channel.id,
                    key64: stable_hash(channel.name.as_bytes()),
                    account64: account_of(channel),
                    weight: *weight,
                    tier: channel.tuning.tier,
                    max_concurrency: channel.max_concurrency,
                    requests_per_minute: channel.tuning.requests_per_minute,
                    tokens_per_minute: channel.tuning.tokens_per_minute,
                }
            })
            .collect();
        let tuning = &self.tuning;
        let params = Params {
            slack: f64::from(tuning.slack_percent.unwrap_or(settings.slack_percent)) / 100.0,
            sticky: tuning.sticky.unwrap_or(settings.sticky),
            cut: tuning.cut.unwrap_or(settings.cut),
        };
        let policy = policy_of(tuning.policy.unwrap_or(settings.policy));
        PoolSpec { name: Arc::clone(&self.name), channels, policy, params }
    }

    fn serve(
        self,
        pool: Arc<Pool>,
        budget: Arc<Budget>,
        settings: &ProxySettings,
        metrics: &Metrics,
    ) -> Served {
        // To people, whoever names no model is one of those; administration goes by its name.
        let name = match &*self.name {
            EVERYONE => Arc::from(DEFAULT),
            ADMINISTRATION => Arc::from(ADMINISTRATION.trim_start_matches('\u{1}')),
            _ => self.name,
        };
        let routes = self
            .routes
            .into_iter()
            .map(|(target, backend_model, _)| {
                let channel = Arc::clone(target.channel());
                let times = settings.times_of(&channel.tuning);
                let route = Route {
                    backend_model: backend_model.map(BackendModel::new),
                    timeouts: Timeouts { connect: times.connect, idle: times.pool_idle },
                    first_byte: times.first_byte,
                    stream_gap: times.stream_gap,
                    channel_metrics: metrics.channel(&channel.name),
                    metrics: metrics.route(&channel.name, &name),
                    target,
                };
                (channel.id, Arc::new(route))
            })
            .collect();
        let metrics = metrics.model(&name);
        Served { name, pool, hedge: self.tuning.hedge, budget, metrics, routes }
    }
}

fn targets_of(snapshot: &Snapshot) -> ById<ChannelId, Arc<Target>> {
    let mut targets = ById::default();
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

fn drafts_of(snapshot: &Snapshot, targets: &ById<ChannelId, Arc<Target>>) -> Vec<Draft> {
    let mut drafts: Vec<Draft> = snapshot
        .models
        .values()
        .map(|model| Draft {
            name: Arc::clone(&model.name),
            tuning: model.tuning.clone(),
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
    // An object does not leave a channel because the channel is drained.
    let everyone = targets
        .values()
        .map(|target| (Arc::clone(target), None, f64::from(target.channel().weight.max(1))))
        .collect();
    let administration = snapshot.settings.proxy.administration_channel.as_deref();
    let administration = administration
        .and_then(|name| snapshot.channels.values().find(|channel| *channel.name == *name))
        .into_iter()
        .filter_map(as_named)
        .collect();
    for (name, routes) in
        [(ANY, any), (DEFAULT, default), (EVERYONE, everyone), (ADMINISTRATION, administration)]
    {
        let draft = Draft { name: name.into(), tuning: ModelTuning::default(), routes };
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
