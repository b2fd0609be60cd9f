use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use gateway_http1::{keep_buffer, spare_buffer};
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
    flat: Vec<u8>,
    /// How much of that is out.
    written: usize,
    /// A piece that is not worth copying.
    piece: Bytes,
    body: Outgoing,
}

// === impl Sending ===

impl Sending {
    pub(super) fn new(asked: Asked<'_>, target: &Target) -> Self {
        let length = asked.body.size_hint().exact().unwrap_or_default();
        let short = usize::try_from(length).unwrap_or(usize::MAX).min(FLAT);
        let mut flat = spare_buffer();
        flat.reserve(HEAD + short);
        head::write(&asked, target, length, &mut flat);
        Self { flat, written: 0, piece: Bytes::new(), body: asked.body }
    }

    /// Writes as much as goes.
    pub(super) fn poll(&mut self, wire: &mut Wire, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            let more = self.fill(cx)?;
            let flat = self.flat.get(self.written..).unwrap_or_default();
            if flat.is_empty() && self.piece.is_empty() {
                ready!(more);
                return wire.poll_flush(cx).map_err(Error::Io);
            }
            let taken = ready!(wire.poll_write(cx, flat, &self.piece))?;
            if taken == 0 {
                return Poll::Ready(Err(Error::Early));
            }
            let of_flat = taken.min(flat.len());
            self.written += of_flat;
            self.piece.advance(taken - of_flat);
            if self.written == self.flat.len() {
                // Given back, not kept until more of the body comes.
                self.written = 0;
                keep_buffer(std::mem::take(&mut self.flat));
            }
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
                    if self.flat.len() - self.written + data.len() <= HEAD + FLAT {
                        if self.flat.capacity() == 0 {
                            self.flat = spare_buffer();
                        }
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
