use std::sync::atomic::{AtomicU64, Ordering};

/// A number that one thread publishes and others read without waiting.
///
/// Relaxed: each such number stands for itself; what must agree is changed under the slot's lock.
#[derive(Debug)]
pub(crate) struct AtomicF64(AtomicU64);

// === impl AtomicF64 ===

impl AtomicF64 {
    pub(crate) const fn new(value: f64) -> Self {
        Self(AtomicU64::new(value.to_bits()))
    }

    pub(crate) fn load(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }

    pub(crate) fn store(&self, value: f64) {
        self.0.store(value.to_bits(), Ordering::Relaxed);
    }
}

impl Clone for AtomicF64 {
    fn clone(&self) -> Self {
        Self::new(self.load())
    }
}
