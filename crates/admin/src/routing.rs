//! `/api/routing`: the pools, and how each channel stands in them.

use gateway_config::Snapshot;
use gateway_routing::{Cause, ChannelView};
use serde::Serialize;
use serde_json::Value;

use crate::Parts;
use crate::route::{Answer, Answered, Call};
use crate::schema::{Field, Schema};
use crate::wire::float;

/// A pool in answers.
pub(crate) static POOL: Schema = Schema {
    name: "Pool",
    about: "The channels that may serve one model, as routing sees them now.",
    fields: &[
        Field::text("name", "The public model name, or the gateway's own name for the other pools.")
            .required(),
        Field::objects("channels", &POOL_CHANNEL, "Its channels, in order of tier.").required(),
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
        Field::integer("blocked_ms", "How long its rate limit lasts.").required(),
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
    ],
};

#[derive(Debug, Serialize)]
struct PoolOut<'a> {
    name: &'a str,
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
}

/// `GET /api/routing`: by name.
pub(crate) fn list(parts: &Parts, _call: &Call) -> Answered {
    let (pools, snapshot, now) = (parts.pools.load(), parts.live.load(), (parts.monotonic)());
    let mut shown: Vec<PoolOut<'_>> = pools
        .iter()
        .map(|(name, pool)| {
            let views = pool.views(now);
            PoolOut { name, channels: views.iter().map(|view| ViewOut::of(view, &snapshot)).collect() }
        })
        .collect();
    shown.sort_unstable_by_key(|pool| pool.name);
    Answer::json(&shown)
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
        }
    }
}
