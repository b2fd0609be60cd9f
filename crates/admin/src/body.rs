use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::feed::Listener;

/// The body of an admin answer.
#[derive(Debug)]
pub struct Body(Content);

#[derive(Debug)]
enum Content {
    /// Bytes that are known; `None` once they are given.
    Whole(Option<Bytes>),
    /// What comes, as it comes.
    Feed(Listener),
}

// === impl Body ===

impl Body {
    /// What it says, when it is JSON.
    pub(crate) fn json(&self) -> Option<serde_json::Value> {
        match &self.0 {
            Content::Whole(bytes) => serde_json::from_slice(bytes.as_deref()?).ok(),
            Content::Feed(_) => None,
        }
    }

    pub(crate) fn feed(listener: Listener) -> Self {
        Self(Content::Feed(listener))
    }
}

impl Default for Body {
    fn default() -> Self {
        Self(Content::Whole(None))
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self(Content::Whole(Some(bytes).filter(|bytes| !bytes.is_empty())))
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let bytes = match &mut self.0 {
            Content::Whole(bytes) => Poll::Ready(bytes.take()),
            Content::Feed(listener) => listener.poll_next(cx),
        };
        bytes.map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.0, Content::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Content::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Content::Feed(_) => SizeHint::default(),
        }
    }
}
