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
    Http1(Box<http1::Body>),
    /// With the place on its connection, as long as the body needs it.
    Http2(Incoming, Option<Seat>),
}

/// An answer that breaks off.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AnswerError {
    #[error(transparent)]
    Http1(#[from] http1::Error),
    #[error(transparent)]
    Http2(#[from] hyper::Error),
}

// === impl AnswerBody ===

impl AnswerBody {
    pub(super) fn http1(body: http1::Body) -> Self {
        Self(Inner::Http1(Box::new(body)))
    }

    pub(super) fn http2(body: Incoming, seat: Seat) -> Self {
        Self(Inner::Http2(body, Some(seat)))
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
            Inner::Http2(body, seat) => {
                let polled = Pin::new(body).poll_frame(cx).map_err(AnswerError::Http2);
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
            Inner::Http2(body, _) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Inner::Http1(body) => body.size_hint(),
            Inner::Http2(body, _) => body.size_hint(),
        }
    }
}
