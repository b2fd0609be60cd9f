use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::telemetry::Meters;

/// Counts the connections of all listeners together, and says when there are too many.
#[derive(Debug)]
pub(crate) struct Places {
    taken: AtomicUsize,
    /// What the process's file descriptors allow, whatever the settings say.
    most: usize,
    meters: Arc<Meters>,
}

/// One connection's place, free again when dropped.
#[derive(Debug)]
pub(crate) struct Place(Arc<Places>);

// === impl Places ===

impl Places {
    /// `descriptors` is how many files the process may open. Half of what is left after the database, the log and
    /// some reserve belongs to clients; the other half is for the upstream connections that their calls need.
    pub(crate) fn new(descriptors: u64, meters: Arc<Meters>) -> Self {
        let most = usize::try_from(descriptors.saturating_sub(64) / 2).unwrap_or(usize::MAX).max(16);
        Self { taken: AtomicUsize::new(0), most, meters }
    }

    /// The most that can be held whatever the settings allow.
    pub(crate) fn most(&self) -> usize {
        self.most
    }

    /// A place, unless `allowed` or what the process can hold is reached.
    pub(crate) fn take(self: &Arc<Self>, allowed: usize) -> Option<Place> {
        let most = self.most.min(allowed);
        let room = |taken| (taken < most).then_some(taken + 1);
        if self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).is_err() {
            self.meters.refused_connections.increment(1);
            return None;
        }
        self.meters.connections.increment(1.0);
        Some(Place(Arc::clone(self)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
        self.0.meters.connections.decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(descriptors: u64) -> Arc<Places> {
        Arc::new(Places::new(descriptors, Arc::new(Meters::new("1").unwrap())))
    }

    #[test]
    fn no_more_places_are_given_than_allowed_and_each_comes_back() {
        let places = places(10_000);
        let (one, two) = (places.take(2), places.take(2));
        assert!(one.is_some() && two.is_some() && places.take(2).is_none());
        drop(one);
        assert!(places.take(2).is_some());
    }

    #[test]
    fn few_file_descriptors_leave_half_for_upstreams() {
        let places = places(256);
        let held: Vec<_> = std::iter::from_fn(|| places.take(10_000)).collect();
        assert_eq!(held.len(), (256 - 64) / 2);
    }
}
