//! The pools of a snapshot, as the data plane makes them, with the default parameters.

use std::sync::Arc;

use gateway_config::Snapshot;
use gateway_domain::Channel;
use gateway_routing::{ChannelSpec, Params, PolicyKind, PoolSpec, stable_hash};

use crate::routing::{ANY, DEFAULT};

pub(super) fn pools_of(snapshot: &Snapshot) -> Vec<PoolSpec> {
    let mapped = |mapping: &gateway_domain::Mapping| {
        let channel = snapshot.channels.get(&mapping.channel).filter(|channel| channel.enabled)?;
        Some(spec(channel, mapping.weight))
    };
    let mut pools: Vec<PoolSpec> = snapshot
        .models
        .values()
        .map(|model| pool(&model.name, model.mappings.iter().filter_map(mapped).collect()))
        .collect();
    let plain = |channel: &Arc<Channel>| spec(channel, 1);
    let any = snapshot.wildcard_channels().map(plain).collect();
    let default = snapshot.default_channel().into_iter().map(plain).collect();
    pools.extend(
        [pool(ANY, any), pool(DEFAULT, default)].into_iter().filter(|pool| !pool.channels.is_empty()),
    );
    pools
}

fn pool(name: &str, channels: Vec<ChannelSpec>) -> PoolSpec {
    PoolSpec { name: name.into(), channels, policy: PolicyKind::Adaptive, params: Params::default() }
}

fn spec(channel: &Channel, weight: u32) -> ChannelSpec {
    ChannelSpec {
        id: channel.id,
        key64: stable_hash(channel.name.as_bytes()),
        account64: 0,
        weight: f64::from(channel.weight) * f64::from(weight),
        tier: channel.tuning.tier,
        max_concurrency: channel.max_concurrency,
        requests_per_minute: channel.tuning.requests_per_minute,
        tokens_per_minute: channel.tuning.tokens_per_minute,
    }
}
