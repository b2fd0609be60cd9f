use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// A request's body on its way up: the client's bytes, with what the channel needs between them.
///
/// Made anew for each try, which costs nothing: the bytes are shared.
#[derive(Debug)]
pub(crate) struct Outgoing {
    /// Those that have been sent are empty.
    pieces: [Bytes; 5],
}

// === impl Outgoing ===

impl Outgoing {
    /// A body of these pieces in this order; each may be empty.
    pub(crate) fn new(pieces: [Bytes; 5]) -> Self {
        Self { pieces }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = self.pieces.iter_mut().find(|piece| !piece.is_empty()).map(std::mem::take);
        Poll::Ready(next.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.iter().all(Bytes::is_empty)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.pieces.iter().map(|piece| piece.len() as u64).sum())
    }
}
