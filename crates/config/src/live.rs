use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::Snapshot;

/// The snapshot that is in force. Reading takes no lock; only the publisher writes.
#[derive(Debug)]
pub struct Live(ArcSwap<Snapshot>);

// === impl Live ===

impl Live {
    /// Holds a first snapshot.
    pub fn new(snapshot: Snapshot) -> Self {
        Self(ArcSwap::from_pointee(snapshot))
    }

    /// The snapshot in force now. Load it once per call and keep it.
    pub fn load(&self) -> Arc<Snapshot> {
        self.0.load_full()
    }

    /// One thing about the snapshot in force now: cheaper than [`Live::load`] where nothing else of it is wanted.
    pub fn look<T>(&self, look: impl FnOnce(&Snapshot) -> T) -> T {
        look(&self.0.load())
    }

    /// Puts a snapshot in force; calls under way keep the one they loaded.
    pub fn publish(&self, snapshot: Snapshot) {
        self.0.store(Arc::new(snapshot));
    }
}
