use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::body::BodyError;

/// The body of a client's request, of whichever protocol.
#[derive(Debug)]
pub enum RequestBody {
    /// Read off its connection by whoever asks.
    Http1(gateway_http1::Body),
    /// Read by the connection, which carries others beside it.
    Http2(Incoming),
}

/// A body that can put its bytes where they are to stay.
pub(crate) trait Gather: Body<Data = Bytes> + Unpin {
    /// Puts more of the body behind `into`. `None` at its end.
    fn poll_gather(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut BytesMut,
    ) -> Poll<Option<Result<(), Self::Error>>> {
        let frame = ready!(Pin::new(self).poll_frame(cx));
        Poll::Ready(frame.map(|frame| {
            // Trailers are read and dropped: nothing below /v1 has any.
            into.extend_from_slice(&frame?.into_data().unwrap_or_default());
            Ok(())
        }))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut *self {
            Self::Http1(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
            Self::Http2(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1(body) => body.is_end_stream(),
            Self::Http2(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http1(body) => body.size_hint(),
            Self::Http2(body) => body.size_hint(),
        }
    }
}

impl Gather for RequestBody {
    fn poll_gather(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut BytesMut,
    ) -> Poll<Option<Result<(), BodyError>>> {
        match self {
            Self::Http1(body) => body.poll_gather(cx, into).map_err(Into::into),
            Self::Http2(body) => body.poll_gather(cx, into).map_err(Into::into),
        }
    }
}

impl Gather for Incoming {}
