use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use gateway_proxy::{BodyError, Socket};
use http_body::{Frame, SizeHint};

/// The body of any answer that goes out: the data plane's, or the admin side's.
#[derive(Debug)]
pub(crate) enum Body {
    Carried(gateway_proxy::Body),
    Shown(gateway_admin::Body),
}

// === impl Body ===

impl Body {
    /// What is to be run once the head of this answer has gone out; `None` for nearly all answers.
    pub(crate) fn take_socket(&mut self) -> Option<Box<Socket>> {
        match self {
            Self::Carried(body) => body.take_socket(),
            Self::Shown(_) => None,
        }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::Carried(gateway_proxy::Body::full(bytes))
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
            Self::Carried(body) => Pin::new(body).poll_frame(cx),
            Self::Shown(body) => {
                let frame = Pin::new(body).poll_frame(cx);
                frame.map(|frame| frame.map(|result| result.map_err(|never| match never {})))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Carried(body) => body.is_end_stream(),
            Self::Shown(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Carried(body) => body.size_hint(),
            Self::Shown(body) => body.size_hint(),
        }
    }
}
