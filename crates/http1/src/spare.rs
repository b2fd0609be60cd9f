//! What one message leaves behind for the next one on its thread, instead of giving it back to the allocator.

use std::cell::{Cell, RefCell};

use bytes::BytesMut;
use http::HeaderMap;

/// Larger buffers than this are not kept.
const LARGEST: usize = 64 << 10;
/// As many header maps are kept: those of the messages that are under way at a time on a busy thread.
const MAPS: usize = 64;
/// Maps with room for more headers than this are not kept.
const LARGEST_MAP: usize = 64;

/// Copies of more bytes than this are not put beside others.
const SMALL: usize = 2 << 10;
/// How many bytes are put beside each other. As long as one of them is held, room for all of them is.
const CHUNK: usize = 16 << 10;

thread_local! {
    static COPIES: RefCell<BytesMut> = RefCell::new(BytesMut::new());
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static HEADERS: RefCell<Vec<HeaderMap>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer for what is to be written, with the room that another message of this thread has left behind.
pub fn buffer() -> Vec<u8> {
    BUFFER.take()
}

/// Keeps a buffer for a later message of this thread. What is in it is dropped.
pub fn keep_buffer(mut buffer: Vec<u8>) {
    if buffer.capacity() <= LARGEST {
        buffer.clear();
        BUFFER.set(buffer);
    }
}

/// A copy of what was read, for as long as a message is under way: small ones of a thread stand beside each other, so that
/// most of them cost no allocation, and none does when it is shared.
#[must_use]
pub fn copied(bytes: &[u8]) -> BytesMut {
    if bytes.is_empty() || bytes.len() > SMALL {
        return BytesMut::from(bytes);
    }
    COPIES.with_borrow_mut(|copies| {
        if copies.capacity() < bytes.len() {
            copies.reserve(CHUNK);
        }
        copies.extend_from_slice(bytes);
        copies.split()
    })
}

/// An empty map of headers, with the room of one that another message of this thread has left behind.
pub fn headers() -> HeaderMap {
    HEADERS.with_borrow_mut(Vec::pop).unwrap_or_default()
}

/// Keeps a map of headers for a later message of this thread. What is in it is dropped.
pub fn keep_headers(mut headers: HeaderMap) {
    HEADERS.with_borrow_mut(|kept| {
        if kept.len() < MAPS && headers.capacity() <= LARGEST_MAP {
            headers.clear();
            kept.push(headers);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_what_was_copied_however_many_there_are_and_however_long_they_are_held() {
        let pieces: Vec<Vec<u8>> =
            (0..200_u8).map(|n| vec![n; usize::from(n) * 17 % (SMALL + 100)]).collect();
        let mut held: Vec<_> = pieces.iter().map(|piece| copied(piece)).collect();
        assert!(held.iter().zip(&pieces).all(|(copy, piece)| copy == piece));
        for copy in &mut held {
            copy.extend_from_slice(b"more");
        }
        assert!(held.iter().zip(&pieces).all(|(copy, piece)| copy.strip_suffix(b"more") == Some(piece)));
    }
}
