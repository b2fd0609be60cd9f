use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use gateway_http1::{Framing, Unframed, with_scratch};
use http_body::{Frame, SizeHint};

use super::Error;
use super::sending::Sending;
use super::wire::Wire;
use crate::upstream::pool::Home;

/// The body of an answer.
#[derive(Debug)]
pub(crate) enum Body {
    /// It came with its head, whole.
    Arrived(Bytes),
    Coming(Box<Coming>),
}

/// A body that is read off its connection by whoever asks for it. At its end the connection goes back to where it is kept;
/// dropped before, it is closed, which is how the upstream learns that nobody listens any more.
#[derive(Debug)]
pub(crate) struct Coming {
    /// `None` once there is nothing more to read.
    wire: Option<Wire>,
    /// What is wrong behind the data that has come.
    flaw: Option<Error>,
    framing: Framing,
    /// Data that has come and was not given out yet.
    arrived: Bytes,
    /// What is left of the request, where the answer came first. Boxed: that is rare, and streams keep what is here.
    sending: Option<Box<Sending>>,
    /// Where the connection goes when all is read; `None` where it cannot be used again.
    home: Option<Home>,
}

/// What came of a body together with its head.
#[derive(Debug)]
pub(super) struct Arrived {
    pub data: Bytes,
    /// Whether more came than belongs to the body.
    pub beyond: bool,
    /// What is wrong behind the data.
    pub flaw: Option<Error>,
}

// === impl Body ===

impl Body {
    pub(super) fn new(
        wire: Wire,
        framing: Framing,
        arrived: Arrived,
        sending: Option<Box<Sending>>,
        home: Option<Home>,
    ) -> Self {
        let Arrived { data, beyond, flaw } = arrived;
        if framing.is_over() && flaw.is_none() {
            if let Some(home) = home.filter(|_| !beyond && sending.is_none()) {
                home.take_back(wire);
            }
            return Self::Arrived(data);
        }
        let mut coming = Coming { wire: Some(wire), flaw: None, framing, arrived: data, sending, home };
        coming.settle(beyond, flaw);
        Self::Coming(Box::new(coming))
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match &mut *self {
            Self::Arrived(data) if data.is_empty() => Poll::Ready(None),
            Self::Arrived(data) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(data))))),
            Self::Coming(coming) => coming.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Arrived(data) => data.is_empty(),
            Self::Coming(coming) => {
                coming.wire.is_none() && coming.arrived.is_empty() && coming.flaw.is_none()
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Arrived(data) => SizeHint::with_exact(data.len() as u64),
            Self::Coming(coming) => match coming.framing.left() {
                Some(left) => SizeHint::with_exact(left + coming.arrived.len() as u64),
                None => SizeHint::default(),
            },
        }
    }
}

// === impl Coming ===

impl Coming {
    /// Lets go of the connection once the body is over. One on which more has come than was asked for, or whose request
    /// is not out yet, is of no use to anybody.
    fn settle(&mut self, beyond: bool, flaw: Option<Error>) {
        if flaw.is_some() {
            self.flaw = flaw;
            self.wire = None;
        }
        if !self.framing.is_over() {
            return;
        }
        let wire = self.wire.take();
        let home = self.home.take().filter(|_| !beyond && self.sending.is_none());
        if let (Some(wire), Some(home)) = (wire, home) {
            home.take_back(wire);
        }
    }

    /// Reads once. `None` when the body is over.
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        let Self { wire: Some(wire), framing, .. } = self else {
            return Poll::Ready(self.flaw.take().map(Err));
        };
        if let Some(sending) = &mut self.sending {
            match sending.poll(wire, cx) {
                Poll::Pending => {}
                Poll::Ready(Ok(())) => self.sending = None,
                // Whoever has answered already need not take the rest.
                Poll::Ready(Err(_)) => {
                    self.sending = None;
                    self.home = None;
                }
            }
        }
        let read = with_scratch(|buffer| -> Poll<Result<Option<Arrived>, Error>> {
            let length = ready!(wire.poll_read(cx, buffer))?;
            let bytes = buffer.get_mut(..length).unwrap_or_default();
            if bytes.is_empty() {
                return Poll::Ready(Ok(None));
            }
            let Unframed { data, read, flaw } = framing.read(bytes);
            let data = Bytes::copy_from_slice(bytes.get(..data).unwrap_or_default());
            Poll::Ready(Ok(Some(Arrived { data, beyond: read < length, flaw: flaw.map(Error::from) })))
        });
        match ready!(read) {
            Ok(Some(Arrived { data, beyond, flaw })) => {
                self.settle(beyond, flaw);
                Poll::Ready(Some(Ok(data)))
            }
            Ok(None) => {
                self.wire = None;
                let whole = self.framing == Framing::ToTheEnd;
                self.framing = Framing::Length(0);
                Poll::Ready(if whole { None } else { Some(Err(Error::Early)) })
            }
            Err(error) => {
                self.wire = None;
                self.framing = Framing::Length(0);
                Poll::Ready(Some(Err(error)))
            }
        }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if !self.arrived.is_empty() {
            let data = std::mem::take(&mut self.arrived);
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        loop {
            match ready!(self.poll_data(cx)) {
                // A piece of framing, without any data.
                Some(Ok(data)) if data.is_empty() => {}
                read => return Poll::Ready(read.map(|data| data.map(Frame::data))),
            }
        }
    }
}
