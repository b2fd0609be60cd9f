//! How much memory the bodies of requests take, all workers together, and when there is no room for more.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use metrics::Counter;

use crate::error::ProxyError;
use crate::spare;

/// Bodies up to this size are not counted: how many of them there are is bounded by the number of calls, and counting
/// would cost the most frequent calls an allocation each.
const SMALL: usize = 16 << 10;

/// The memory that bodies share.
#[derive(Debug)]
pub(crate) struct Room {
    taken: AtomicUsize,
    refused: Counter,
}

/// What one body takes of it, until this is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    /// Nothing for small ones: then the workers do not even meet at the counter of the [`Arc`].
    taken: Option<(Arc<Room>, usize)>,
    /// How much all bodies together may take.
    most: usize,
}

/// Bytes with their share: both go with the last one who holds a part of them.
struct Shared {
    bytes: Bytes,
    _share: Share,
}

// === impl Room ===

impl Room {
    pub(crate) fn new(refused: Counter) -> Arc<Self> {
        Arc::new(Self { taken: AtomicUsize::new(0), refused })
    }

    /// For a body of this announced length, which takes nothing yet: whoever announces much and sends nothing keeps
    /// nobody out. Refused at once where it would not fit now.
    pub(crate) fn share(&self, announced: u64, most: usize) -> Result<Share, ProxyError> {
        let announced = usize::try_from(announced).unwrap_or(usize::MAX);
        if announced > SMALL {
            let taken = self.taken.load(Ordering::Relaxed);
            // One alone may be as large as bodies may be.
            if taken > 0 && taken.saturating_add(announced) > most {
                return Err(self.full());
            }
        }
        Ok(Share { taken: None, most })
    }

    fn full(&self) -> ProxyError {
        self.refused.increment(1);
        ProxyError::NoRoom
    }
}

// === impl Share ===

impl Share {
    /// The body has grown to this length.
    pub(crate) fn grow(&mut self, room: &Arc<Room>, length: usize) -> Result<(), ProxyError> {
        if length <= SMALL {
            return Ok(());
        }
        let (room, own) = self.taken.get_or_insert_with(|| (Arc::clone(room), 0));
        let more = length.saturating_sub(*own);
        let fits = |taken: usize| {
            let then = taken.saturating_add(more);
            (then <= self.most || taken == *own).then_some(then)
        };
        match room.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits) {
            Ok(_) => {
                *own += more;
                Ok(())
            }
            Err(_) => Err(room.full()),
        }
    }

    /// The body takes this much from now on, be it more than before or less.
    pub(crate) fn hold(&mut self, room: &Arc<Room>, length: usize) -> Result<(), ProxyError> {
        if let Some((room, own)) = &mut self.taken
            && length < *own
        {
            room.taken.fetch_sub(*own - length, Ordering::Relaxed);
            *own = length;
            return Ok(());
        }
        self.grow(room, length)
    }

    /// The body as it is kept.
    pub(crate) fn keep(self, bytes: Bytes) -> Bytes {
        if self.taken.is_none() { bytes } else { Bytes::from_owner(Shared { bytes, _share: self }) }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if let Some((room, bytes)) = &self.taken {
            room.taken.fetch_sub(*bytes, Ordering::Relaxed);
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // Nobody else has a part of these: whoever has one has a part of what owns them.
        if let Ok(buffer) = std::mem::take(&mut self.bytes).try_into_mut() {
            spare::keep(buffer);
        }
    }
}

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// One of its own, for tests of what takes a part of it.
#[cfg(test)]
pub(crate) fn room() -> Arc<Room> {
    Room::new(Counter::noop())
}

#[cfg(test)]
impl Share {
    pub(crate) fn of_nobody() -> Self {
        Self { taken: None, most: usize::MAX }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    #[test]
    fn a_body_finds_no_room_beside_others_that_fill_it() {
        let room = room();
        let mut one = room.share(0, 2 * MIB).unwrap();
        one.grow(&room, MIB).unwrap();
        assert!(matches!(room.share(MIB as u64 + 1, 2 * MIB), Err(ProxyError::NoRoom)));
        let mut unannounced = room.share(0, 2 * MIB).unwrap();
        unannounced.grow(&room, MIB).unwrap();
        assert!(matches!(unannounced.grow(&room, MIB + 1), Err(ProxyError::NoRoom)));
    }

    #[test]
    fn room_comes_back_with_the_last_part_of_a_body() {
        let room = room();
        let mut share = room.share(0, MIB).unwrap();
        share.grow(&room, MIB).unwrap();
        let body = share.keep(vec![b'x'; MIB].into());
        let part = body.slice(10..20);
        drop(body);
        assert_eq!((part.len(), room.taken.load(Ordering::Relaxed)), (10, MIB));
        drop(part);
        assert_eq!(room.taken.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn one_alone_may_be_larger_than_the_room() {
        let room = room();
        let mut share = room.share(5 * MIB as u64, MIB).unwrap();
        share.grow(&room, 2 * MIB).unwrap();
        share.grow(&room, 5 * MIB).unwrap();
        assert!(room.share(MIB as u64, MIB).is_err());
    }

    #[test]
    fn what_has_left_the_memory_is_given_back() {
        let room = room();
        let mut share = room.share(0, 2 * MIB).unwrap();
        share.hold(&room, 2 * MIB).unwrap();
        share.hold(&room, MIB / 2).unwrap();
        assert_eq!(room.taken.load(Ordering::Relaxed), MIB / 2);
        room.share(0, 2 * MIB).unwrap().grow(&room, MIB).unwrap();
        drop(share);
        assert_eq!(room.taken.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn small_bodies_are_not_counted() {
        let room = room();
        let mut share = room.share(SMALL as u64, MIB).unwrap();
        share.grow(&room, SMALL).unwrap();
        let _body = share.keep(vec![b'x'; SMALL].into());
        assert_eq!(room.taken.load(Ordering::Relaxed), 0);
    }
}
