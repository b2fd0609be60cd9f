use std::cell::Cell;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, TryLockError};

use gateway_domain::Exchange;

use super::sums::Sums;

/// More than machines have cores for workers, or nearly so; threads beyond it share.
const SHARDS: usize = 16;

/// Sums that threads count into, each into its own.
#[derive(Debug)]
pub(super) struct Shards {
    shards: [Shard; SHARDS],
    /// Calls that found no shard free.
    unseen: AtomicU32,
}

/// Alone on its cache lines: its neighbours are other threads'.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard(Mutex<Box<Sums>>);

/// The number of the next thread that counts.
static NEXT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// This thread's shard, once it has one.
    static MINE: Cell<usize> = const { Cell::new(usize::MAX) };
}

// === impl Shards ===

impl Shards {
    pub(super) fn new() -> Self {
        Self { shards: Default::default(), unseen: AtomicU32::new(0) }
    }

    /// Never blocks: where a thread's own shard is being emptied just now, its neighbour does as well.
    pub(super) fn count(&self, exchange: &Exchange) {
        let mine = mine();
        let is_counted = self.shards.get(mine).is_some_and(|shard| shard.count(exchange));
        if !is_counted {
            self.count_elsewhere(exchange, mine);
        }
    }

    #[cold]
    fn count_elsewhere(&self, exchange: &Exchange, mine: usize) {
        let mut others = self.shards.iter().cycle().skip(mine + 1).take(SHARDS);
        if !others.any(|shard| shard.count(exchange)) {
            self.unseen.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Moves everything counted so far into `sums`. `spare` is empty before and after.
    pub(super) fn drain(&self, sums: &mut Sums, spare: &mut Box<Sums>) {
        for Shard(shard) in &self.shards {
            std::mem::swap(&mut *shard.lock().unwrap_or_else(PoisonError::into_inner), spare);
            if !spare.is_empty() {
                sums.add(spare);
                spare.clear();
            }
        }
        sums.count_unseen(self.unseen.swap(0, Ordering::Relaxed));
    }
}

// === impl Shard ===

impl Shard {
    /// Whether the shard was free.
    fn count(&self, exchange: &Exchange) -> bool {
        let mut sums = match self.0.try_lock() {
            Ok(sums) => sums,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return false,
        };
        sums.count(exchange);
        true
    }
}

fn mine() -> usize {
    MINE.with(|mine| {
        if mine.get() == usize::MAX {
            mine.set(NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS);
        }
        mine.get()
    })
}
