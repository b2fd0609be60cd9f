//! Buffers that large bodies leave behind for the next ones on their thread.
//!
//! An allocator gives the memory of a large body back to the system, and takes it again page by page for the next one: for
//! a body of 100 KB that costs more than everything else the gateway does with it.

use std::cell::RefCell;

use bytes::BytesMut;

/// Larger buffers are not kept.
const LARGEST: usize = (1 << 20) + 1;
/// So much is kept at most, all buffers of a thread together.
const MOST: usize = 8 << 20;
/// A buffer is not taken for a body that would fill less than this part of it.
const WASTE: usize = 4;

#[derive(Default)]
struct Kept {
    buffers: Vec<BytesMut>,
    /// The room in all of them.
    bytes: usize,
    /// So many buffers were there all the time since unused ones were given back: nobody needs them.
    unused: usize,
}

thread_local! {
    static KEPT: RefCell<Kept> = RefCell::default();
}

/// An empty buffer with room for a body of this length.
pub(crate) fn take(length: usize) -> BytesMut {
    KEPT.with_borrow_mut(|kept| {
        let fits = |buffer: &BytesMut| (length..=length.saturating_mul(WASTE)).contains(&buffer.capacity());
        let Some(at) = kept.buffers.iter().rposition(fits) else { return BytesMut::with_capacity(length) };
        let buffer = kept.buffers.swap_remove(at);
        kept.bytes -= buffer.capacity();
        kept.unused = kept.unused.min(kept.buffers.len());
        buffer
    })
}

/// Keeps a buffer for later.
pub(crate) fn keep(mut buffer: BytesMut) {
    let room = buffer.capacity();
    KEPT.with_borrow_mut(|kept| {
        if room <= LARGEST && kept.bytes + room <= MOST {
            buffer.clear();
            kept.bytes += room;
            kept.buffers.push(buffer);
        }
    });
}

/// Gives back what nobody has needed since this was last called.
pub(crate) fn give_back_unused() {
    KEPT.with_borrow_mut(|kept| {
        let gone: usize = kept.buffers.drain(..kept.unused).map(|buffer| buffer.capacity()).sum();
        kept.bytes -= gone;
        kept.unused = kept.buffers.len();
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: usize = 100 << 10;

    fn kept() -> (usize, usize) {
        KEPT.with_borrow(|kept| (kept.buffers.len(), kept.bytes))
    }

    #[test]
    fn the_next_body_of_about_the_length_gets_the_room_of_the_last_one() {
        let mut buffer = take(LENGTH);
        buffer.extend_from_slice(b"secret");
        let room = buffer.as_ptr();
        keep(buffer);
        assert_ne!(take(LENGTH + 1).as_ptr(), room, "it is too small");
        assert_ne!(take(LENGTH / 5).as_ptr(), room, "it is far too large");
        let again = take(LENGTH - 1);
        assert_eq!((again.as_ptr(), again.len()), (room, 0));
        assert_eq!(kept(), (0, 0));
    }

    #[test]
    fn no_more_is_kept_than_some() {
        (0..200).for_each(|_| keep(BytesMut::with_capacity(LENGTH)));
        keep(BytesMut::with_capacity(LARGEST + 1));
        let (buffers, bytes) = kept();
        assert_eq!((buffers, bytes), (MOST / LENGTH, MOST / LENGTH * LENGTH));
    }

    #[test]
    fn what_nobody_needs_is_given_back() {
        (0..4).for_each(|_| keep(BytesMut::with_capacity(LENGTH)));
        give_back_unused();
        assert_eq!(kept().0, 4, "it is not known yet");
        let (one, two) = (take(LENGTH), take(LENGTH));
        keep(one);
        keep(two);
        give_back_unused();
        assert_eq!(kept(), (2, 2 * LENGTH));
        give_back_unused();
        assert_eq!(kept(), (0, 0));
    }
}
