//! `/api/routing/pools`: the pools, and how each channel stands in them.

use gateway_config::Snapshot;
use gateway_routing::{Cause, ChannelView, Limited};
use serde::Serialize;
use serde_json::Value;

use crate::Parts;
use crate::route::{Answer, Answered, Call};
use crate::schema::{Field, Schema};
use crate::wire::float;

/// The pool of model names that only wildcard channels serve. No model can be called so.
pub(crate) const ANY: &str = "*";

/// The pool of calls that name no model.
pub(crate) const DEFAULT: &str = "";

/// Whether a pool is one that people know: a model's or one of those above. The others have names that begin with a
/// control character.
pub(crate) fn is_shown(name: &str) -> bool {
    !name.starts_with(char::is_control)
}

/// Which calls a pool is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PoolKind {
    /// Those for one model.
    Model,
    /// Those for a model without mappings.
    Any,
    /// Those that name no model.
    Default,
}

/// A pool in answers.
pub(crate) static POOL: Schema = Schema {
    name: "Pool",
    about: "The channels that may serve one model, as routing sees them now.",
    fields: &[
        Field::text(
            "name",
            "The public model name; * for models without mappings, empty for calls that name none.",
        )
        .required(),
        Field::word(
            "kind",
            &["model", "any", "default"],
            "Which calls it is for: those for one model, those for a \
            model without mappings (its channels serve any), or those that name no model.",
        )
        .required(),
        Field::objects("channels", &POOL_CHANNEL, "Its channels, by tier and id.").required(),
    ],
};

static POOL_CHANNEL: Schema = Schema {
    name: "PoolChannel",
    about: "One channel of a pool.",
    fields: &[
        Field::integer("channel_id", "The channel.").required(),
        Field::text("channel_name", "Its name.").required().nullable(),
        Field::number("weight", "Channel weight × mapping weight.").required().nullable(),
        Field::integer("tier", "Higher tiers get traffic only when no lower one accepts.").required(),
        Field::flag("admitted", "The health verdict.").required(),
        Field::text("state", "Its breaker: closed, open or half_open.").required(),
        Field::text("cause", "Why the breaker is not closed.").required().nullable(),
        Field::integer("open_ms", "How long until the breaker allows a trial.").required(),
        Field::integer("blocked_ms", "How long it is rate limited.").required(),
        LIMITED_BY,
        Field::number("latency_ms", "Estimated time until the first token.").required().nullable(),
        Field::number("error_rate", "Estimated share of failed answers.").required().nullable(),
        Field::integer("inflight", "Attempts in flight.").required(),
        Field::integer("waiting", "Of these, how many wait for their first token.").required(),
        Field::number("limit", "How many it may have in flight; null: no limit is known.")
            .required()
            .nullable(),
        Field::number("latency_factor", "In (0, 1].").required().nullable(),
        Field::number("error_factor", "In (0, 1].").required().nullable(),
        Field::number("load_factor", "In (0, 1].").required().nullable(),
        Field::number("health", "The product of the factors.").required().nullable(),
        Field::number("score", "weight × health; 0 while it may not be chosen.").required().nullable(),
        Field::number(
            "share",
            "Its share of the first attempts of the last minute or so; 0 everywhere when there were none.",
        )
        .required()
        .nullable(),
        Field::number(
            "expected_share",
            "Its share by weight alone, among the channels of the first tier with weight.",
        )
        .required()
        .nullable(),
    ],
};

/// `limited_by`, in pools and explanations.
pub(crate) const LIMITED_BY: Field = Field::word(
    "limited_by",
    &["upstream", "requests_per_minute", "tokens_per_minute"],
    "By what: the upstream said so, or a budget of the channel is used up.",
)
.required()
.nullable();

#[derive(Debug, Serialize)]
struct PoolOut<'a> {
    name: &'a str,
    kind: &'static str,
    channels: Vec<ViewOut<'a>>,
}

#[derive(Debug, Serialize)]
struct ViewOut<'a> {
    channel_id: i64,
    channel_name: Option<&'a str>,
    weight: Value,
    tier: u8,
    admitted: bool,
    state: &'static str,
    cause: Option<&'static str>,
    open_ms: u64,
    blocked_ms: u64,
    limited_by: Option<&'static str>,
    latency_ms: Value,
    error_rate: Value,
    inflight: u32,
    waiting: u32,
    limit: Value,
    latency_factor: Value,
    error_factor: Value,
    load_factor: Value,
    health: Value,
    score: Value,
    share: Value,
    expected_share: Value,
}

/// `GET /api/routing/pools`: by name.
pub(crate) fn list(parts: &Parts, _call: &Call) -> Answered {
    let (pools, snapshot, now) = (parts.pools.load(), parts.live.load(), (parts.monotonic)());
    let mut shown: Vec<PoolOut<'_>> = pools
        .iter()
        .filter(|(name, _)| is_shown(name))
        .map(|(name, pool)| {
            let mut views = pool.views(now);
            views.sort_unstable_by_key(|view| (view.tier, view.id));
            let channels = views.iter().map(|view| ViewOut::of(view, &snapshot)).collect();
            PoolOut { name, kind: PoolKind::of(name).as_str(), channels }
        })
        .collect();
    shown.sort_unstable_by_key(|pool| pool.name);
    Answer::json(&shown)
}

// === impl PoolKind ===

impl PoolKind {
    /// What the pool of this name is for.
    pub(crate) fn of(name: &str) -> Self {
        match name {
            ANY => Self::Any,
            DEFAULT => Self::Default,
            _ => Self::Model,
        }
    }

    /// What its channels serve, in a sentence.
    pub(crate) const fn whose(self) -> &'static str {
        match self {
            Self::Model => "this model",
            Self::Any => "models without mappings",
            Self::Default => "calls without a model",
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Any => "any",
            Self::Default => "default",
        }
    }
}

// === impl ViewOut ===

impl<'a> ViewOut<'a> {
    fn of(view: &ChannelView, snapshot: &'a Snapshot) -> Self {
        Self {
            channel_id: view.id.0,
            channel_name: snapshot.channels.get(&view.id).map(|channel| &*channel.name),
            weight: float(view.weight),
            tier: view.tier,
            admitted: view.admitted,
            state: view.state.as_str(),
            cause: view.cause.map(Cause::as_str),
            open_ms: view.open_ms,
            blocked_ms: view.blocked_ms,
            limited_by: view.limited_by.map(Limited::as_str),
            latency_ms: float(view.latency_ms),
            error_rate: float(view.error_rate),
            inflight: view.inflight,
            waiting: view.waiting,
            limit: view.limit.map_or(Value::Null, float),
            latency_factor: float(view.f_lat),
            error_factor: float(view.f_err),
            load_factor: float(view.f_load),
            health: float(view.h),
            score: float(view.score),
            share: float(view.share),
            expected_share: float(view.expected_share),
        }
    }
}
