//! What goes through the gateway, counted second by second: the figures behind the charts.
//!
//! The data plane counts a finished exchange into sums of its own thread ([`Traffic::count`]); once a second the
//! control side takes all sums, makes figures of them and keeps these for an hour. So a call pays for some additions,
//! and nobody waits for anybody.
//!
//! **Invariant:** memory is bounded: by the span that is kept and by the channels that were called within it.

mod histogram;
mod rings;
mod shards;
mod sums;

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use gateway_domain::{Exchange, UnixMillis};

use self::rings::Rings;
use self::shards::Shards;
use self::sums::Sums;

pub(crate) use self::rings::{Bucket, FINE, LONGEST, Span};
pub(crate) use self::sums::Figures;

/// Counts exchanges, and remembers the figures of the last hour.
pub struct Traffic {
    shards: Shards,
    kept: Mutex<Kept>,
}

struct Kept {
    rings: Rings,
    /// Where sums are put together; empty between two seconds.
    gathered: Sums,
    spare: Box<Sums>,
}

/// What is under way at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct UnderWay {
    /// Requests whose answer has not ended.
    pub requests: u64,
    /// Of these, streamed answers and WebSockets.
    pub streams: u64,
}

// === impl Traffic ===

impl Traffic {
    /// Nothing counted yet.
    pub fn new() -> Self {
        let (gathered, spare) = (Sums::default(), Box::default());
        Self { shards: Shards::new(), kept: Mutex::new(Kept { rings: Rings::default(), gathered, spare }) }
    }

    /// Counts a finished exchange. For the data plane's threads: never blocks.
    pub fn count(&self, exchange: &Exchange) {
        self.shards.count(exchange);
    }

    /// Closes a second, which ends `now`; `skipped` seconds before it were slept through and are not known.
    pub(crate) fn close(&self, now: UnixMillis, skipped: u64, under_way: UnderWay) {
        let kept = &mut *self.kept();
        self.shards.drain(&mut kept.gathered, &mut kept.spare);
        kept.rings.skip(skipped);
        kept.rings.close(now, &kept.gathered, under_way);
        kept.gathered.clear();
    }

    /// The last so many seconds, up to [`LONGEST`].
    pub(crate) fn last(&self, seconds: usize) -> Span {
        self.kept().rings.last(seconds)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Traffic {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Traffic")
    }
}

#[cfg(test)]
mod tests;
