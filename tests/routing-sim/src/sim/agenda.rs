use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::router::Kind;

/// Something that is going to happen.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    /// A request needs an attempt.
    Try(usize),
    /// The first token of an attempt comes.
    FirstToken(usize),
    /// The last one comes.
    LastToken(usize),
    /// An attempt fails.
    Failure { attempt: usize, kind: Kind, retry_after: Option<f64> },
    /// Somebody loses patience with an attempt.
    Deadline(usize),
}

/// What is going to happen, in order: by time, then by who noted it first.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    entries: BinaryHeap<Entry>,
    noted: u64,
}

#[derive(Debug)]
struct Entry {
    at: f64,
    number: u64,
    event: Event,
}

// === impl Agenda ===

impl Agenda {
    pub(super) fn note(&mut self, at: f64, event: Event) {
        self.noted += 1;
        self.entries.push(Entry { at, number: self.noted, event });
    }

    /// The next event and its time.
    pub(super) fn next(&mut self) -> Option<(f64, Event)> {
        self.entries.pop().map(|entry| (entry.at, entry.event))
    }
}

// === impl Entry ===

/// The greatest is the one that happens first: a [`BinaryHeap`] gives its greatest.
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        other.at.total_cmp(&self.at).then(other.number.cmp(&self.number))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Entry {}

#[cfg(test)]
mod tests {
    use super::{Agenda, Event};

    #[test]
    fn events_come_in_the_order_of_time_then_of_noting() {
        let mut agenda = Agenda::default();
        for (at, number) in [(2.0, 0), (1.0, 1), (2.0, 2), (0.5, 3)] {
            agenda.note(at, Event::Try(number));
        }
        let order: Vec<_> = std::iter::from_fn(|| agenda.next())
            .map(|(_, event)| if let Event::Try(number) = event { number } else { usize::MAX })
            .collect();
        assert_eq!(order, [3, 1, 0, 2]);
    }
}
