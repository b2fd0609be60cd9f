use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use metrics::{Counter, Gauge};

/// Connections beyond the limit that are still listened to, to hear what they want: a probe is answered, a call is told
/// to come again. Few, because each may stay silent for a moment.
const STANDING: usize = 32;

/// Counts what may not be too much at a time, over all listeners and workers together, and says when it is.
#[derive(Debug)]
pub(crate) struct Places {
    taken: AtomicUsize,
    /// What the process can hold, whatever the settings say.
    most: usize,
    held: Gauge,
    refused: Counter,
}

/// One place, free again when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    of: Arc<Places>,
    /// It is beyond the limit.
    standing: bool,
}

// === impl Places ===

impl Places {
    /// As many as the settings allow at each moment.
    pub(crate) fn new(held: Gauge, refused: Counter) -> Arc<Self> {
        Self::at_most(usize::MAX, held, refused)
    }

    /// For connections, where `descriptors` is how many files the process may open. Half of what is left after the
    /// database, the log and some reserve belongs to clients; the other half is for the upstream connections that their
    /// calls need.
    pub(crate) fn within(descriptors: u64, held: Gauge, refused: Counter) -> Arc<Self> {
        let reserve = 64 + STANDING as u64;
        let most = usize::try_from(descriptors.saturating_sub(reserve) / 2).unwrap_or(usize::MAX);
        Self::at_most(most.max(16), held, refused)
    }

    fn at_most(most: usize, held: Gauge, refused: Counter) -> Arc<Self> {
        Arc::new(Self { taken: AtomicUsize::new(0), most, held, refused })
    }

    /// The most that can be held whatever the settings allow.
    pub(crate) fn most(&self) -> usize {
        self.most
    }

    /// A place, unless `allowed` or what the process can hold is reached.
    pub(crate) fn take(self: &Arc<Self>, allowed: usize) -> Option<Place> {
        let place = self.occupy(self.most.min(allowed), false);
        if place.is_none() {
            self.refused.increment(1);
        }
        place
    }

    /// The same, but where there is none, one beyond the limit, as long as there are not many of those.
    pub(crate) fn take_or_stand(self: &Arc<Self>, allowed: usize) -> Option<Place> {
        let most = self.most.min(allowed);
        self.take(allowed).or_else(|| self.occupy(most.saturating_add(STANDING), true))
    }

    fn occupy(self: &Arc<Self>, most: usize, standing: bool) -> Option<Place> {
        let room = |taken| (taken < most).then_some(taken + 1);
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).ok()?;
        self.held.increment(1.0);
        Some(Place { of: Arc::clone(self), standing })
    }
}

// === impl Place ===

impl Place {
    /// Whether it is beyond the limit.
    pub(crate) fn is_standing(&self) -> bool {
        self.standing
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.of.taken.fetch_sub(1, Ordering::Relaxed);
        self.of.held.decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(descriptors: u64) -> Arc<Places> {
        Places::within(descriptors, Gauge::noop(), Counter::noop())
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
        assert_eq!(held.len(), (256 - 96) / 2);
    }

    #[test]
    fn some_may_stand_beyond_the_limit_and_are_known_by_it() {
        let places = places(10_000);
        let held: Vec<_> = std::iter::from_fn(|| places.take_or_stand(3)).collect();
        assert_eq!(held.len(), 3 + STANDING);
        assert_eq!(held.iter().filter(|place| place.is_standing()).count(), STANDING);
    }
}
