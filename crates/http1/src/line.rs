use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::framing::Framing;
use crate::spare;

/// What a connection runs over.
pub trait Io: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Io for S {}

/// A socket, and what has been read of it and not been used.
pub(crate) struct Line<S: ?Sized> {
    /// The number of the call whose body is being read. A body that is held for longer than its call must not read on in
    /// the next one.
    pub call: u64,
    /// The rest of that call's body.
    pub framing: Framing,
    pub rest: BytesMut,
    /// How much is still to be written of the word that asks for the body.
    pub unasked: usize,
    pub io: S,
}

/// The connection and the body of its request share the socket. They are polled by one task, one after the other, so nobody
/// ever waits for the lock.
pub(crate) type Shared<S> = Arc<Mutex<Line<S>>>;

/// The line, while one of them uses it.
pub(crate) type Held<'l, S> = MutexGuard<'l, Line<S>>;

/// Takes the lock.
pub(crate) fn lock<S: ?Sized>(line: &Mutex<Line<S>>) -> Held<'_, S> {
    line.lock().unwrap_or_else(PoisonError::into_inner)
}

// === impl Line ===

impl<S> Line<S> {
    pub(crate) fn new(io: S) -> Self {
        Self { call: 0, framing: Framing::Length(0), rest: BytesMut::new(), unasked: 0, io }
    }
}

impl<S: Io + ?Sized> Line<S> {
    /// Reads into `buffer` and gives the number of bytes; none is the end.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut space = ReadBuf::new(buffer);
        Pin::new(&mut self.io).poll_read(cx, &mut space).map_ok(|()| space.filled().len())
    }

    /// Keeps what came behind a head: it is asked for at once.
    pub(crate) fn put_behind_head(&mut self, bytes: &[u8]) {
        if self.rest.is_empty() {
            self.rest = spare::copied(bytes);
        } else {
            self.rest.extend_from_slice(bytes);
        }
    }

    /// The first bytes of what has been read, without a copy. Of what is used up the connection keeps no room.
    pub(crate) fn take_rest(&mut self, length: usize) -> Bytes {
        if length == self.rest.len() {
            return std::mem::take(&mut self.rest).freeze();
        }
        self.rest.split_to(length).freeze()
    }
}
