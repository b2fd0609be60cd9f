//! Exchanges as they are kept: many in one row, one behind the other, each with its length before it.
//!
//! A row of its own for each would cost several times what it costs to write one down here, and the data plane's
//! core pays for it. Lists read segments from the newest to the oldest.

mod entry;
mod numbers;
mod words;

use std::ops::Range;

use gateway_domain::{Exchange, UnixMillis};

pub(super) use self::entry::{Entry, Facts, Try};
use self::numbers::Numbers;

/// How many exchanges a segment has at most: some 70 KB.
pub(crate) const FULL: usize = 512;

/// What a segment begins with. Another format begins with another number.
const FORMAT: u8 = 1;

/// How many bytes the length of an exchange takes.
const LENGTH: usize = 4;

/// Exchanges that go into one row.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    bytes: Vec<u8>,
    count: usize,
    /// Between these, both included, its exchanges began.
    oldest: UnixMillis,
    newest: UnixMillis,
}

/// An exchange as it stands in a segment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Written {
    bytes: Vec<u8>,
    started_at: UnixMillis,
}

// === impl Segment ===

impl Default for Segment {
    fn default() -> Self {
        Self { bytes: vec![FORMAT], count: 0, oldest: UnixMillis(i64::MAX), newest: UnixMillis(i64::MIN) }
    }
}

impl Segment {
    /// Adds an exchange behind the others.
    pub(crate) fn push(&mut self, written: &Written) {
        self.bytes.extend_from_slice(&written.bytes);
        self.count += 1;
        self.oldest = self.oldest.min(written.started_at);
        self.newest = self.newest.max(written.started_at);
    }

    /// Lets go of all exchanges, not of the memory.
    pub(crate) fn clear(&mut self) {
        let Self { mut bytes, .. } = std::mem::take(self);
        bytes.truncate(1);
        self.bytes = bytes;
    }

    pub(crate) const fn len(&self) -> usize {
        self.count
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) const fn oldest(&self) -> UnixMillis {
        self.oldest
    }

    pub(crate) const fn newest(&self) -> UnixMillis {
        self.newest
    }
}

// === impl Written ===

impl Written {
    /// Writes an exchange down in place of the one before.
    pub(crate) fn write(&mut self, exchange: &Exchange) {
        self.write_facts(&Facts::of(exchange), exchange.attempts.iter().map(Try::of));
    }

    /// The same for one whose texts lie elsewhere.
    pub(super) fn write_facts<'a>(&mut self, facts: &Facts<'a>, attempts: impl Iterator<Item = Try<'a>>) {
        self.started_at = facts.started_at;
        self.bytes.clear();
        self.bytes.extend_from_slice(&[0; LENGTH]);
        entry::write(&mut self.bytes, facts, attempts);
        // Ids and names are bounded, and so are attempts: by far less than 4 GB.
        let length = u32::try_from(self.bytes.len() - LENGTH).unwrap_or(u32::MAX);
        if let Some(place) = self.bytes.first_chunk_mut() {
            *place = length.to_le_bytes();
        }
    }
}

/// Where the exchanges of a stored segment lie, put into `places`; `None`: it is not one.
pub(super) fn locate(segment: &[u8], places: &mut Vec<Range<usize>>) -> Option<()> {
    places.clear();
    let mut numbers = Numbers(segment);
    if numbers.byte()? != FORMAT {
        return None;
    }
    while !numbers.is_empty() {
        let length = usize::try_from(u32::from_le_bytes(numbers.array()?)).ok()?;
        let start = segment.len() - numbers.len();
        numbers.bytes(length)?;
        places.push(start..start + length);
    }
    Some(())
}

#[cfg(test)]
mod tests;
