//! What one message leaves behind for the next one on its thread, instead of giving it back to the allocator.

use std::cell::{Cell, RefCell};

use http::HeaderMap;

/// Larger buffers than this are not kept.
const LARGEST: usize = 64 << 10;
/// As many header maps are kept: those of the answers of one turn of the event loop.
const MAPS: usize = 16;

thread_local! {
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static HEADERS: RefCell<Vec<HeaderMap>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer.
pub(crate) fn buffer() -> Vec<u8> {
    BUFFER.take()
}

/// Keeps a buffer for later.
pub(crate) fn keep_buffer(mut buffer: Vec<u8>) {
    if buffer.capacity() <= LARGEST {
        buffer.clear();
        BUFFER.set(buffer);
    }
}

/// An empty map of headers.
pub(crate) fn headers() -> HeaderMap {
    HEADERS.with_borrow_mut(Vec::pop).unwrap_or_default()
}

/// Keeps a map of headers for later.
pub(crate) fn keep_headers(mut headers: HeaderMap) {
    HEADERS.with_borrow_mut(|kept| {
        if kept.len() < MAPS {
            headers.clear();
            kept.push(headers);
        }
    });
}
