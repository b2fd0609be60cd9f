use std::collections::HashSet;
use std::sync::Arc;

use gateway_domain::ChannelId;

use crate::{Params, PolicyKind};

/// One channel of a pool, as configured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChannelSpec {
    /// Which channel.
    pub id: ChannelId,
    /// A hash of something about the channel that is the same on every replica and after every restart, such as
    /// [`stable_hash`](crate::stable_hash) of its name. It decides which sessions are at home here.
    pub key64: u64,
    /// A number for whose account it is, such as a hash of its address and key: what was learned of one account says nothing
    /// of the next. Always the same where that cannot change.
    pub account64: u64,
    /// Its share of traffic relative to its neighbours, ≥ 0 and finite. 0 drains: it is never chosen, and sessions
    /// move away.
    pub weight: f64,
    /// Its priority: channels of a higher tier number get traffic only when no channel of the tiers below accepts.
    pub tier: u8,
    /// At most this many attempts at a time, never exceeded; `None` leaves it to the learned limit. Counted over all
    /// pools of one [`Pools`](crate::Pools).
    pub max_concurrency: Option<u32>,
    /// At most this many attempts a minute, as the upstream grants the account; `None` for no such limit. A bucket
    /// that holds a minute's worth and refills evenly, never exceeded, and counted over all pools of one
    /// [`Pools`](crate::Pools). An attempt that never reached the upstream is not counted.
    pub requests_per_minute: Option<u32>,
    /// At most this many tokens a minute, of prompts and answers together; otherwise as `requests_per_minute`.
    /// [`Request::prompt_tokens`](crate::Request::prompt_tokens) are taken with the decision, and what
    /// [`Outcome`](crate::Outcome) counts in their place at the end, so a long answer may leave a debt.
    pub tokens_per_minute: Option<u32>,
}

/// One pool, as configured.
#[derive(Clone, Debug, PartialEq)]
pub struct PoolSpec {
    /// Its name: the public model, in the gateway.
    pub name: Arc<str>,
    /// Its channels.
    pub channels: Vec<ChannelSpec>,
    /// How it chooses among them.
    pub policy: PolicyKind,
    /// The knobs of the choice.
    pub params: Params,
}

/// Why a pool cannot be built as told. The pool that was there stays as it was.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A weight that is negative, infinite or not a number.
    #[error("channel {channel} has weight {weight}, which is not a number from 0 up")]
    Weight {
        /// Whose weight.
        channel: ChannelId,
        /// The weight.
        weight: f64,
    },
    /// The same channel twice in one pool.
    #[error("channel {0} is listed twice")]
    Twice(ChannelId),
    /// Two channels with the same `key64`: every session would see them in the same place.
    #[error("channels {0} and {1} have the same key64")]
    SameKey(ChannelId, ChannelId),
    /// A concurrency limit of nothing. To drain a channel, give it weight 0.
    #[error("channel {0} has max_concurrency 0; drain a channel with weight 0 instead")]
    NoConcurrency(ChannelId),
    /// A budget of nothing. To drain a channel, give it weight 0.
    #[error(
        "channel {0} may be asked 0 times, or for 0 tokens, a minute; drain a channel with weight 0 instead"
    )]
    NoBudget(ChannelId),
    /// A slack that is below 1 or not a number.
    #[error("slack is {0}, which is not a number from 1 up")]
    Slack(f64),
    /// The same pool name twice.
    #[error("pool `{0}` is listed twice")]
    PoolTwice(Arc<str>),
}

/// Refuses what no pool can be built from.
pub(crate) fn check(specs: &[ChannelSpec], params: &Params) -> Result<(), BuildError> {
    if params.slack.is_nan() || params.slack < 1.0 {
        return Err(BuildError::Slack(params.slack));
    }
    let mut ids = HashSet::with_capacity(specs.len());
    let mut keys = std::collections::HashMap::with_capacity(specs.len());
    for spec in specs {
        if !spec.weight.is_finite() || spec.weight < 0.0 {
            return Err(BuildError::Weight { channel: spec.id, weight: spec.weight });
        }
        if spec.max_concurrency == Some(0) {
            return Err(BuildError::NoConcurrency(spec.id));
        }
        if spec.requests_per_minute == Some(0) || spec.tokens_per_minute == Some(0) {
            return Err(BuildError::NoBudget(spec.id));
        }
        if !ids.insert(spec.id) {
            return Err(BuildError::Twice(spec.id));
        }
        if let Some(other) = keys.insert(spec.key64, spec.id) {
            return Err(BuildError::SameKey(other, spec.id));
        }
    }
    Ok(())
}
