use std::sync::Arc;

use gateway_domain::ChannelId;

use crate::{
    BuildError, ChannelSpec, ChannelView, Decision, Explain, Micros, NoRoute, Params, PolicyKind, Request,
    spec,
};

/// The channels of one model, what is known of them, and the choice among them.
#[derive(Debug)]
pub struct Pool {
    policy: PolicyKind,
}

// === impl Pool ===

impl Pool {
    /// A pool of these channels, of which nothing is known yet.
    pub fn new(specs: &[ChannelSpec], policy: PolicyKind, params: Params) -> Result<Self, BuildError> {
        spec::check(specs, &params)?;
        Ok(Self { policy })
    }

    /// Changes the configuration. Channels that stay keep what is known of them.
    pub fn update(
        &self,
        specs: &[ChannelSpec],
        _policy: PolicyKind,
        params: Params,
    ) -> Result<(), BuildError> {
        spec::check(specs, &params)
    }

    /// Takes note of an outside verdict on a channel's health.
    pub fn set_admitted(&self, _id: ChannelId, _admitted: bool) {}

    /// Chooses a channel for one attempt.
    pub fn decide(self: &Arc<Self>, _r: &Request<'_>, _now: Micros, _seed: u64) -> Result<Decision, NoRoute> {
        Err(NoRoute::Empty)
    }

    /// What [`Pool::decide`] would answer to the same arguments, and why. Changes nothing.
    pub fn explain(&self, _r: &Request<'_>, _now: Micros, seed: u64) -> Explain {
        Explain {
            policy: self.policy,
            seed,
            key: 0,
            keyed: false,
            home: None,
            chosen: Err(NoRoute::Empty),
            reference_ms: 0.0,
            candidates: Vec::new(),
        }
    }

    /// The channels as they stand, in order of tier.
    pub fn views(&self, _now: Micros) -> Vec<ChannelView> {
        Vec::new()
    }
}
