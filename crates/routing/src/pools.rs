use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError};

use arc_swap::ArcSwap;
use gateway_domain::ChannelId;

use crate::budget::Account;
use crate::sync::{Mutex, MutexGuard};
use crate::{BuildError, ChannelSpec, Pool, PoolSpec, spec};

/// The pools of one configuration, by name.
pub type PoolMap = HashMap<Arc<str>, Arc<Pool>>;

/// All pools of a process: replaced as a whole when the configuration changes, read without waiting.
///
/// What is learned of a channel's latency, errors and limits is learned for each pool, because models differ. Its
/// configured concurrency and its budgets are the account's, so attempts and tokens are counted over all pools.
#[derive(Debug, Default)]
pub struct Pools {
    live: ArcSwap<PoolMap>,
    ledger: Mutex<Ledger>,
}

/// What concerns channels whichever pools they are in.
#[derive(Debug, Default)]
struct Ledger {
    not_admitted: HashSet<ChannelId>,
    accounts: HashMap<(ChannelId, u64), Arc<Account>>,
}

// === impl Pools ===

impl Pools {
    /// No pools yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes these the pools. All or nothing: on an error, everything stays as it was.
    ///
    /// A pool whose specification did not change stays the same pool. One that did is replaced by a pool that shares
    /// the state of the channels they have in common; a request that began with the former map goes on with its
    /// former configuration, and both learn from it.
    pub fn adopt(&self, wanted: &[PoolSpec]) -> Result<Arc<PoolMap>, BuildError> {
        let mut names = HashSet::with_capacity(wanted.len());
        for pool in wanted {
            spec::check(&pool.channels, &pool.params)?;
            if !names.insert(&pool.name) {
                return Err(BuildError::PoolTwice(Arc::clone(&pool.name)));
            }
        }
        let mut ledger = self.ledger();
        let former = self.live.load();
        let next: PoolMap = wanted
            .iter()
            .map(|spec| (Arc::clone(&spec.name), ledger.adopt(spec, former.get(&spec.name))))
            .collect();
        let next = Arc::new(next);
        self.live.store(Arc::clone(&next));
        ledger.accounts.retain(|_, account| Arc::strong_count(account) > 1);
        Ok(next)
    }

    /// The pools as they are.
    pub fn load(&self) -> Arc<PoolMap> {
        self.live.load_full()
    }

    /// Takes note of an outside verdict on a channel's health, in every pool that has it now or will.
    pub fn set_admitted(&self, id: ChannelId, admitted: bool) {
        let mut ledger = self.ledger();
        if admitted {
            ledger.not_admitted.remove(&id);
        } else {
            ledger.not_admitted.insert(id);
        }
        for pool in self.live.load().values() {
            pool.set_admitted(id, admitted);
        }
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Ledger ===

impl Ledger {
    /// The pool for a specification that was checked.
    fn adopt(&mut self, spec: &PoolSpec, former: Option<&Arc<Pool>>) -> Arc<Pool> {
        let PoolSpec { name: _, channels, policy, params } = spec;
        let account =
            |spec: &ChannelSpec| Arc::clone(self.accounts.entry((spec.id, spec.account64)).or_default());
        let pool = match former {
            Some(pool) if pool.layout().is_as(channels, *policy, *params) => return Arc::clone(pool),
            Some(pool) => Arc::new(pool.succeed(channels, *policy, *params, account)),
            None => Arc::new(Pool::build(channels, *policy, *params, account)),
        };
        for channel in channels.iter().filter(|channel| self.not_admitted.contains(&channel.id)) {
            pool.set_admitted(channel.id, false);
        }
        pool
    }
}
