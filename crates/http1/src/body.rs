use std::fmt;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{BufMut as _, Bytes, BytesMut};
use http_body::{Frame, SizeHint};
use tokio::io::AsyncReadExt as _;

use crate::framing::{Framing, Unframed};
use crate::line::{Io, Line, Shared, lock};
use crate::{Error, scratch};

/// What asks for a body whose sender waits to be asked (RFC 9110 §10.1.1).
pub(crate) const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// The body of a request: what came with its head, or read off the connection by whoever asks for it.
pub struct Body(Inner);

enum Inner {
    /// All of it.
    Whole(Bytes),
    /// It is still coming.
    Coming { line: Shared<dyn Io>, call: u64 },
}

// === impl Body ===

impl Body {
    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self(Inner::Whole(bytes))
    }

    pub(crate) const fn is_whole(&self) -> bool {
        matches!(self.0, Inner::Whole(_))
    }

    pub(crate) fn coming<S: Io>(line: &Shared<S>, call: u64) -> Self {
        // Named, so that it becomes one of any socket.
        let line: Shared<S> = Arc::clone(line);
        Self(Inner::Coming { line, call })
    }

    /// Puts more of the body behind `into`, as much as there is room for: without a copy where nothing but the socket
    /// holds it. `None` at the body's end. Room for one byte more than the body has saves a look at the socket.
    ///
    /// # Errors
    ///
    /// The connection failed or ended, or the body's framing is broken; the body is of no use then.
    pub fn poll_gather(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut BytesMut,
    ) -> Poll<Option<Result<(), Error>>> {
        if let Inner::Coming { line, call } = &self.0 {
            let mut line = lock(line);
            if line.call == *call
                && line.rest.is_empty()
                && let Framing::Length(left @ 1..) = line.framing
            {
                return line.poll_gather(cx, left, into).map(Some);
            }
        }
        let frame = ready!(Pin::new(self).poll_data(cx));
        Poll::Ready(frame.map(|data| data.map(|data| into.extend_from_slice(&data))))
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        match &mut self.0 {
            Inner::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                Poll::Ready(Some(Ok(bytes)).filter(|bytes| bytes.as_ref().is_ok_and(|b| !b.is_empty())))
            }
            Inner::Coming { line, call } => {
                let mut line = lock(line);
                if line.call == *call { line.poll_data(cx) } else { Poll::Ready(None) }
            }
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.poll_data(cx).map_ok(Frame::data)
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Inner::Whole(bytes) => bytes.is_empty(),
            Inner::Coming { line, call } => {
                let line = lock(line);
                line.call != *call || line.framing.is_over()
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Inner::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Inner::Coming { line, call } => {
                let line = lock(line);
                let left = if line.call == *call { line.framing.left() } else { Some(0) };
                left.map_or_else(SizeHint::default, SizeHint::with_exact)
            }
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Inner::Whole(bytes) => f.debug_tuple("Whole").field(&bytes.len()).finish(),
            Inner::Coming { call, .. } => f.debug_tuple("Coming").field(call).finish(),
        }
    }
}

// === impl Line ===

/// So many pieces of a body that nobody wants are read to get to the next request.
const PASSED_OVER: usize = 4;

impl<S: Io + ?Sized> Line<S> {
    /// Passes over what is there of the body; tells whether that was all of it.
    pub(crate) fn skip_body(&mut self, cx: &mut Context<'_>) -> bool {
        for _ in 0..PASSED_OVER {
            // One that waits to be asked may come or not, who knows.
            if self.framing.is_over() || self.unasked > 0 {
                break;
            }
            if !matches!(self.poll_data(cx), Poll::Ready(Some(Ok(_)))) {
                break;
            }
        }
        self.framing.is_over()
    }

    /// What has come, or comes next. `None` when the body is over.
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        loop {
            if self.framing.is_over() {
                return Poll::Ready(None);
            }
            let data = if self.rest.is_empty() {
                ready!(self.poll_ask(cx))?;
                ready!(self.read_data(cx))?
            } else {
                self.data_in_rest()?
            };
            // A piece of framing, without any data.
            if !data.is_empty() {
                return Poll::Ready(Some(Ok(data)));
            }
        }
    }

    /// Writes that the body may come, if its sender waits for that.
    fn poll_ask(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        while let Some(word) = CONTINUE.get(CONTINUE.len() - self.unasked..).filter(|word| !word.is_empty()) {
            match ready!(Pin::new(&mut self.io).poll_write(cx, word))? {
                0 => return Poll::Ready(Err(Error::Early)),
                written => self.unasked -= written,
            }
            if self.unasked == 0 {
                // One that holds it back for now is asked again with the answer.
                let _: Poll<()> = Pin::new(&mut self.io).poll_flush(cx)?;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Takes data out of what has been read.
    fn data_in_rest(&mut self) -> Result<Bytes, Error> {
        if let Framing::Length(left) = &mut self.framing {
            let here = usize::try_from(*left).unwrap_or(usize::MAX).min(self.rest.len());
            *left -= here as u64;
            return Ok(self.take_rest(here));
        }
        let Unframed { data, read, flaw } = self.framing.read(&mut self.rest);
        let bytes = Bytes::copy_from_slice(self.rest.get(..data).unwrap_or_default());
        drop(self.take_rest(read));
        match flaw {
            Some(flaw) if bytes.is_empty() => Err(flaw.into()),
            // It is met again, in front, by whoever reads on.
            _ => Ok(bytes),
        }
    }

    /// Reads once.
    fn read_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Error>> {
        scratch::with(|buffer| {
            // Nothing behind a body of known length is read with it: so there is nothing to put aside.
            let most = self.framing.left().and_then(|left| usize::try_from(left).ok()).unwrap_or(usize::MAX);
            let most = most.min(buffer.len());
            let buffer = buffer.get_mut(..most).unwrap_or_default();
            let length = ready!(self.poll_read(cx, buffer))?;
            let bytes = buffer.get_mut(..length).unwrap_or_default();
            if bytes.is_empty() {
                return Poll::Ready(Err(Error::Early));
            }
            let Unframed { data, read, flaw } = self.framing.read(bytes);
            // What is wrong is met again, in front, by whoever reads on.
            self.rest.extend_from_slice(bytes.get(read..).unwrap_or_default());
            match flaw {
                Some(flaw) if data == 0 => Poll::Ready(Err(flaw.into())),
                _ => Poll::Ready(Ok(Bytes::copy_from_slice(bytes.get(..data).unwrap_or_default()))),
            }
        })
    }

    /// Reads once, into where the body is to stand.
    ///
    /// There is room for one byte more than is wanted: a read that fills its room leaves open whether there is more to read,
    /// and whoever looks at the socket next would have to ask the system.
    fn poll_gather(
        &mut self,
        cx: &mut Context<'_>,
        left: u64,
        into: &mut BytesMut,
    ) -> Poll<Result<(), Error>> {
        ready!(self.poll_ask(cx))?;
        let before = into.len();
        if into.capacity() - before < 2 {
            into.reserve(before.max(scratch::SIZE));
        }
        let most =
            usize::try_from(left).unwrap_or(usize::MAX).saturating_add(1).min(into.capacity() - before);
        let io = &mut self.io;
        let mut space = (&mut *into).limit(most);
        let read = ready!(pin!(io.read_buf(&mut space)).poll(cx))? as u64;
        if read == 0 {
            return Poll::Ready(Err(Error::Early));
        }
        if read > left {
            // The beginning of the next request.
            self.rest.extend_from_slice(&into.split_off(into.len() - 1));
        }
        self.framing = Framing::Length(left.saturating_sub(read));
        Poll::Ready(Ok(()))
    }
}
