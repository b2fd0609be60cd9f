use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::http1;
use super::shared::Seat;

/// The body of an upstream's answer as it comes.
///
/// Read to its end it lets other calls have its connection. Dropped before, it closes the connection, or its stream on
/// one that is shared: so the upstream learns that nobody listens any more.
#[derive(Debug)]
pub(crate) struct AnswerBody(Inner);

#[derive(Debug)]
enum Inner {
    Http1(http1::Body),
    /// With the place on a connection that is shared, as long as the body needs it.
    Hyper(Incoming, Option<Seat>),
}

/// An answer that breaks off.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AnswerError {
    #[error(transparent)]
    Http1(#[from] http1::Error),
    #[error(transparent)]
    Hyper(#[from] hyper::Error),
}

// === impl AnswerBody ===

impl AnswerBody {
    pub(super) fn http1(body: http1::Body) -> Self {
        Self(Inner::Http1(body))
    }

    pub(super) fn http2(body: Incoming, seat: Seat) -> Self {
        Self(Inner::Hyper(body, Some(seat)))
    }

    /// All of it, where it came together with its head and has not been asked for yet.
    pub(crate) fn take_arrived(&mut self) -> Option<Bytes> {
        match &mut self.0 {
            Inner::Http1(http1::Body::Arrived(data)) if !data.is_empty() => Some(std::mem::take(data)),
            Inner::Http1(_) | Inner::Hyper(..) => None,
        }
    }

    /// One on a connection that is for it alone.
    pub(super) fn alone(body: Incoming) -> Self {
        Self(Inner::Hyper(body, None))
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = AnswerError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, AnswerError>>> {
        match &mut self.0 {
            Inner::Http1(body) => Pin::new(body).poll_frame(cx).map_err(AnswerError::Http1),
            Inner::Hyper(body, seat) => {
                let polled = Pin::new(body).poll_frame(cx).map_err(AnswerError::Hyper);
                if matches!(polled, Poll::Ready(None)) {
                    *seat = None;
                }
                polled
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Inner::Http1(body) => body.is_end_stream(),
            Inner::Hyper(body, _) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Inner::Http1(body) => body.size_hint(),
            Inner::Hyper(body, _) => body.size_hint(),
        }
    }
}
