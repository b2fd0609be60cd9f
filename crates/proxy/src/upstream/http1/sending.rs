use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use http_body::Body as _;

use super::wire::Wire;
use super::{Error, head};
use crate::upstream::{Asked, Outgoing, Target};

/// Pieces up to this size are copied behind the head, so that a small request is one buffer and one write.
const FLAT: usize = 8 << 10;
/// Room for a head with a few headers.
const HEAD: usize = 512;

/// A request on its way out.
#[derive(Debug)]
pub(super) struct Sending {
    /// The head, small pieces of the body behind it.
    flat: BytesMut,
    /// A piece that is not worth copying.
    piece: Bytes,
    body: Outgoing,
}

// === impl Sending ===

impl Sending {
    pub(super) fn new(asked: Asked<'_>, target: &Target) -> Self {
        let length = asked.body.size_hint().exact().unwrap_or_default();
        let short = usize::try_from(length).unwrap_or(usize::MAX).min(FLAT);
        let mut flat = BytesMut::with_capacity(HEAD + short);
        head::write(&asked, target, length, &mut flat);
        Self { flat, piece: Bytes::new(), body: asked.body }
    }

    /// Writes as much as goes.
    pub(super) fn poll(&mut self, wire: &mut Wire, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            let more = self.fill(cx)?;
            if self.flat.is_empty() && self.piece.is_empty() {
                ready!(more);
                return wire.poll_flush(cx).map_err(Error::Io);
            }
            let taken = ready!(wire.poll_write(cx, &self.flat, &self.piece))?;
            if taken == 0 {
                return Poll::Ready(Err(Error::Early));
            }
            let of_flat = taken.min(self.flat.len());
            self.flat.advance(of_flat);
            self.piece.advance(taken - of_flat);
        }
    }

    /// Fetches what is to be written next, as long as it is small. Pending where the body is: it is being read.
    fn fill(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>, Error> {
        while self.piece.is_empty() && !self.body.is_end_stream() {
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Pending => return Ok(Poll::Pending),
                Poll::Ready(None) => break,
                Poll::Ready(Some(Err(error))) => return Err(Error::Body(error)),
                Poll::Ready(Some(Ok(frame))) => {
                    let data = frame.into_data().unwrap_or_default();
                    if self.flat.len() + data.len() <= HEAD + FLAT {
                        self.flat.extend_from_slice(&data);
                    } else {
                        self.piece = data;
                    }
                }
            }
        }
        Ok(Poll::Ready(()))
    }
}
