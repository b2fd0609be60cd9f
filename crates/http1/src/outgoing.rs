use std::io;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BufMut as _, Bytes};
use http_body::Body;

use crate::answer::Coding;
use crate::line::{Io, Line, lock};
use crate::numbers::put_hexadecimal;
use crate::{Error, spare};

/// Pieces are copied together up to this size, so that a small answer, or some events of a stream, are one buffer and one
/// write. Larger ones are written from where they are.
const FLAT: usize = 8 << 10;
/// Behind the data of a chunk.
const LINE_END: &[u8] = b"\r\n";
/// The last chunk, without trailers.
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// An answer on its way out.
pub(crate) struct Outgoing<B> {
    /// `None` once it has given everything, or failed.
    body: Option<B>,
    /// One that has given everything. It goes when that is written: until then the answer is not over.
    spent: Option<B>,
    coding: Coding,
    /// What is written next: the head, small pieces of the body. The thread's own, except while the peer does not take it.
    flat: Vec<u8>,
    written: usize,
    /// A piece that is not worth copying, behind that.
    piece: Bytes,
    /// What ends the piece.
    tail: &'static [u8],
    /// Why the answer is not whole. Told once everything before it is written.
    failed: Option<Error>,
}

// === impl Outgoing ===

impl<B> Outgoing<B> {
    fn is_written(&self) -> bool {
        self.written == self.flat.len() && self.piece.is_empty() && self.tail.is_empty()
    }
}

impl<B> Outgoing<B>
where
    B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Unpin,
{
    /// An answer whose head is in `flat`.
    pub(crate) fn new(flat: Vec<u8>, body: B, coding: Coding) -> Self {
        let (body, spent) = if coding == Coding::None { (None, Some(body)) } else { (Some(body), None) };
        Self { body, spent, coding, flat, written: 0, piece: Bytes::new(), tail: &[], failed: None }
    }

    /// Writes as much as goes, each time as much as there is.
    pub(crate) fn poll<S: Io>(
        &mut self,
        line: &Mutex<Line<S>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        loop {
            // The body may be about to read that of the request, and needs the line for it; so may its end.
            let more = self.fill(cx);
            let is_all = more.is_pending() || self.body.is_none();
            ready!(self.poll_write_out(&mut lock(line).io, is_all, cx))?;
            if !is_all {
                continue;
            }
            self.spent = None;
            if let Some(error) = self.failed.take() {
                return Poll::Ready(Err(error));
            }
            return more.map(Ok);
        }
    }

    /// Writes what has been fetched. Where that `is_all` for now, it is to go out.
    fn poll_write_out<S: Io>(
        &mut self,
        io: &mut S,
        is_all: bool,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.is_written() {
            match ready!(self.poll_write(io, cx))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                taken => self.advance(taken),
            }
        }
        if !is_all {
            return Poll::Ready(Ok(()));
        }
        self.written = 0;
        spare::keep_buffer(std::mem::take(&mut self.flat));
        Pin::new(io).poll_flush(cx)
    }

    /// Fetches what is to be written next, as long as it is small. Pending where the body is.
    fn fill(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.piece.is_empty() && self.tail.is_empty() && self.flat.len() - self.written < FLAT {
            let Some(body) = &mut self.body else { break };
            if body.is_end_stream() {
                self.end();
                break;
            }
            match ready!(Pin::new(body).poll_frame(cx)) {
                None => self.end(),
                Some(Err(error)) => self.fail(error.into()),
                // Trailers go nowhere: nobody asked for any.
                Some(Ok(frame)) => self.put(frame.into_data().unwrap_or_default()),
            }
        }
        Poll::Ready(())
    }

    fn put(&mut self, data: Bytes) {
        if data.is_empty() {
            return;
        }
        if self.flat.capacity() == 0 {
            self.flat = spare::buffer();
        }
        let length = data.len() as u64;
        let end = match &mut self.coding {
            Coding::Length(left) if *left < length => {
                return self.fail("it is longer than was announced".into());
            }
            Coding::Length(left) => {
                *left -= length;
                &[]
            }
            Coding::Chunked => {
                put_hexadecimal(length, &mut self.flat);
                self.flat.put_slice(LINE_END);
                LINE_END
            }
            Coding::None | Coding::ToTheEnd => &[],
        };
        if self.flat.len() - self.written + data.len() <= FLAT {
            self.flat.put_slice(&data);
            self.flat.put_slice(end);
        } else {
            self.piece = data;
            self.tail = end;
        }
    }

    /// The body has given everything.
    fn end(&mut self) {
        self.spent = self.body.take();
        match self.coding {
            Coding::Length(1..) => self.fail("it is shorter than was announced".into()),
            Coding::Chunked => self.flat.put_slice(LAST_CHUNK),
            Coding::Length(_) | Coding::None | Coding::ToTheEnd => {}
        }
    }

    fn fail(&mut self, why: Box<dyn std::error::Error + Send + Sync>) {
        self.body = None;
        self.failed = Some(Error::Answer(why));
    }

    fn poll_write<S: Io>(&self, io: &mut S, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let flat = self.flat.get(self.written..).unwrap_or_default();
        if self.piece.is_empty() && self.tail.is_empty() {
            return Pin::new(io).poll_write(cx, flat);
        }
        let pieces = [io::IoSlice::new(flat), io::IoSlice::new(&self.piece), io::IoSlice::new(self.tail)];
        let first = usize::from(flat.is_empty());
        Pin::new(io).poll_write_vectored(cx, pieces.get(first..).unwrap_or_default())
    }

    fn advance(&mut self, taken: usize) {
        let of_flat = taken.min(self.flat.len() - self.written);
        self.written += of_flat;
        if self.written == self.flat.len() {
            self.flat.clear();
            self.written = 0;
        }
        let of_piece = (taken - of_flat).min(self.piece.len());
        self.piece.advance(of_piece);
        self.tail = self.tail.get(taken - of_flat - of_piece..).unwrap_or_default();
        if self.piece.is_empty() {
            // Given back, not kept until the next one comes.
            self.piece = Bytes::new();
        }
    }
}
