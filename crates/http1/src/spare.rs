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
/// How many bytes are put beside each other. As long as one of them is held, by a call that waits for its answer, so is the
/// room of all of them.
const CHUNK: usize = 4 << 10;

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
    if (1..=LARGEST).contains(&buffer.capacity()) {
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
        let is_worth_it = (1..=LARGEST_MAP).contains(&headers.capacity());
        // Values of one name stand elsewhere, and have room of their own.
        if kept.len() < MAPS && is_worth_it && headers.len() <= LARGEST_MAP {
            headers.clear();
            kept.push(headers);
        }
    });
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::ACCEPT;

    use super::*;

    #[test]
    fn what_has_no_room_takes_nobodys_place_and_what_has_much_is_not_kept() {
        keep_buffer(Vec::with_capacity(100));
        keep_buffer(Vec::new());
        keep_buffer(Vec::with_capacity(LARGEST + 1));
        assert!((100..=LARGEST).contains(&buffer().capacity()));
        assert_eq!(buffer().capacity(), 0);
        let mut many = HeaderMap::new();
        for _ in 0..=LARGEST_MAP {
            many.append(ACCEPT, HeaderValue::from_static("x"));
        }
        keep_headers(many);
        keep_headers(HeaderMap::new());
        keep_headers(HeaderMap::with_capacity(LARGEST_MAP + 1));
        assert_eq!(headers().capacity(), 0);
        keep_headers([(ACCEPT, HeaderValue::from_static("secret"))].into_iter().collect());
        let kept = headers();
        assert!(kept.is_empty() && kept.capacity() > 0);
    }

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
