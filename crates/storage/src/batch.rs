//! What is written in one transaction.

use crate::Record;
use crate::exchanges::Segment;

/// Records that belong together until they are written.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) segments: Vec<Segment>,
    pub(crate) records: Vec<Record>,
}

/// A piece of a batch that is written or refused as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// The segment at this place.
    Segment(usize),
    /// The record at this place.
    Record(usize),
}

// === impl Batch ===

impl Batch {
    /// How many exchanges and other records it has.
    pub(crate) fn len(&self) -> usize {
        self.segments.iter().map(Segment::len).sum::<usize>() + self.records.len()
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.segments.is_empty() && self.records.is_empty()
    }

    /// Lets go of a piece; gives the number of records that it had.
    pub(crate) fn remove(&mut self, piece: Piece) -> usize {
        match piece {
            Piece::Segment(at) => self.segments.remove(at).len(),
            Piece::Record(at) => {
                self.records.remove(at);
                1
            }
        }
    }
}
