use std::sync::atomic::{AtomicU64, Ordering};

use gateway_routing::Micros;

use crate::clock::Clock;

/// How far an attempt has come, readable while it is under way.
#[derive(Debug)]
pub(crate) struct Pace {
    clock: Clock,
    /// The moment of the first byte plus one; 0 while there is none.
    first_byte: AtomicU64,
}

// === impl Pace ===

impl Pace {
    pub(crate) const fn new(clock: Clock) -> Self {
        Self { clock, first_byte: AtomicU64::new(0) }
    }

    /// The first byte that is part of an answer has come.
    pub(super) fn first_byte(&self) {
        self.first_byte.store(self.clock.now().0 + 1, Ordering::Relaxed);
    }

    /// When it came.
    pub(crate) fn first_byte_at(&self) -> Option<Micros> {
        self.first_byte.load(Ordering::Relaxed).checked_sub(1).map(Micros)
    }
}
