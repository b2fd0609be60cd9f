use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::relay::Relay;
use crate::socket::Socket;
use crate::waiting::Waiting;

/// What the body of an answer can fail with: the connection is then cut, so that the client sees that the answer is
/// not whole.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// The body of an answer: known bytes, an upstream's answer as it comes, one that is still being searched for, or the
/// socket that comes in its place.
#[derive(Debug)]
pub struct Body(Inner);

#[derive(Debug)]
enum Inner {
    Full(Option<Bytes>),
    Relay(Box<Relay>),
    Waiting(Box<Waiting>),
    /// There is none; what follows the head is no HTTP.
    Socket(Option<Box<Socket>>),
}

// === impl Body ===

impl Body {
    /// A body of known bytes.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self(Inner::Full(if bytes.is_empty() { None } else { Some(bytes) }))
    }

    pub(crate) fn relay(relay: Relay) -> Self {
        Self(Inner::Relay(Box::new(relay)))
    }

    pub(crate) fn socket(socket: Socket) -> Self {
        Self(Inner::Socket(Some(Box::new(socket))))
    }

    /// What is to be run once the head of this answer has gone out; `None` for nearly all answers.
    pub fn take_socket(&mut self) -> Option<Box<Socket>> {
        match &mut self.0 {
            Inner::Socket(socket) => socket.take(),
            Inner::Full(_) | Inner::Relay(_) | Inner::Waiting(_) => None,
        }
    }

    pub(crate) fn waiting(waiting: Waiting) -> Self {
        Self(Inner::Waiting(Box::new(waiting)))
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.0 {
            Inner::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Inner::Relay(relay) => relay.poll_frame(cx),
            Inner::Waiting(waiting) => waiting.poll_frame(cx),
            Inner::Socket(_) => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Inner::Full(bytes) => bytes.is_none(),
            Inner::Relay(relay) => relay.is_end_stream(),
            Inner::Waiting(waiting) => waiting.is_end_stream(),
            Inner::Socket(_) => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Inner::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64)),
            Inner::Relay(relay) => relay.size_hint(),
            Inner::Waiting(_) => SizeHint::default(),
            Inner::Socket(_) => SizeHint::with_exact(0),
        }
    }
}
