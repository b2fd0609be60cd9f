use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use gateway_proxy::BodyError;
use http_body::{Frame, SizeHint};

use crate::serve::{Carried, Place};

/// The body of any answer that goes out: the data plane's, or the admin side's.
#[derive(Debug)]
pub(crate) enum Body {
    /// With the place that its call takes until it has gone out.
    Carried(gateway_proxy::Body, Option<Place>),
    Shown(gateway_admin::Body),
}

// === impl Body ===

impl Body {
    /// What is to be run once the head of this answer has gone out; `None` for nearly all answers.
    pub(crate) fn take_socket(&mut self) -> Option<Carried> {
        match self {
            Self::Carried(body, place) => body.take_socket().map(|socket| (socket, place.take())),
            Self::Shown(_) => None,
        }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::Carried(gateway_proxy::Body::full(bytes), None)
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut *self {
            Self::Carried(body, _) => Pin::new(body).poll_frame(cx),
            Self::Shown(body) => {
                let frame = Pin::new(body).poll_frame(cx);
                frame.map(|frame| frame.map(|result| result.map_err(|never| match never {})))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Carried(body, _) => body.is_end_stream(),
            Self::Shown(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Carried(body, _) => body.size_hint(),
            Self::Shown(body) => body.size_hint(),
        }
    }
}
