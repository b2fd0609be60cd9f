use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::time::Instant;

use super::pool::Pool;

/// How often it is told at most that connections are given up.
const TOLD_EVERY: Duration = Duration::from_mins(1);

/// The pools of all workers, for the sake of what they share: the files that a process may open.
#[derive(Clone, Debug, Default)]
pub(crate) struct EveryPool {
    all: Arc<Mutex<All>>,
}

#[derive(Debug, Default)]
struct All {
    pools: Vec<Weak<Pool>>,
    told: Option<Instant>,
}

// === impl EveryPool ===

impl EveryPool {
    /// One worker's pool, empty.
    pub(super) fn open(&self) -> Arc<Pool> {
        let pool = Arc::new(Pool::default());
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.pools.push(Arc::downgrade(&pool));
        pool
    }

    /// Closes some of the HTTP/1.1 connections that nobody uses, whichever worker keeps them. `false` where there were none.
    pub(crate) fn give_up_idle(&self) -> bool {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.pools.retain(|pool| pool.strong_count() > 0);
        let given_up: usize =
            all.pools.iter().filter_map(Weak::upgrade).map(|pool| pool.give_up_idle()).sum();
        let is_news = all.told.is_none_or(|told| told.elapsed() >= TOLD_EVERY);
        if given_up > 0 && is_news {
            all.told = Some(Instant::now());
            tracing::warn!(
                given_up,
                "no file is left: idle upstream connections are closed; raise the limit of open files, or lower \
                 server.max_connections"
            );
        }
        given_up > 0
    }
}
