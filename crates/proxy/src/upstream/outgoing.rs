use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::spool::{Spool, SpoolReader};

/// A request's body on its way up: the client's bytes, with what the channel needs between them.
///
/// Made anew for each try, which costs nothing: the bytes are shared. A piece of a spooled body is read when the
/// connection asks for it and not before, so no more than that piece is in memory.
#[derive(Debug)]
pub(crate) struct Outgoing(Source);

#[derive(Debug)]
enum Source {
    /// Those that have been sent are empty. Boxed: a body goes through many hands, which need not have room for all of it.
    Pieces(Box<[Bytes; 7]>),
    /// A kept body, and what stands in the middle of it instead of what stood there.
    Spooled { before: SpoolReader, instead: Bytes, behind: SpoolReader },
}

// === impl Outgoing ===

impl Outgoing {
    /// A body of these pieces in this order; each may be empty.
    pub(crate) fn new(pieces: [Bytes; 7]) -> Self {
        Self(Source::Pieces(Box::new(pieces)))
    }

    /// A kept body whose bytes at `range` are replaced by others.
    pub(crate) fn spooled(spool: &Spool, range: Range<u64>, instead: Bytes) -> Self {
        let (before, behind) = (spool.read(0..range.start), spool.read(range.end..spool.len()));
        Self(Source::Spooled { before, instead, behind })
    }

    fn left(&self) -> u64 {
        match &self.0 {
            Source::Pieces(pieces) => pieces.iter().map(|piece| piece.len() as u64).sum(),
            Source::Spooled { before, instead, behind } => {
                before.left() + instead.len() as u64 + behind.left()
            }
        }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    /// The disk's: what was kept cannot be read.
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let next = match &mut self.0 {
            Source::Pieces(pieces) => {
                pieces.iter_mut().find(|piece| !piece.is_empty()).map(|piece| Ok(std::mem::take(piece)))
            }
            Source::Spooled { before, instead, behind } => match ready!(before.poll_next(cx)) {
                Some(piece) => Some(piece),
                None if !instead.is_empty() => Some(Ok(std::mem::take(instead))),
                None => ready!(behind.poll_next(cx)),
            },
        };
        Poll::Ready(next.map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.left() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left())
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;
    use crate::spool::SpoolWriter;

    async fn sent(body: Outgoing) -> Vec<u8> {
        let length = body.size_hint().exact().unwrap();
        let bytes = body.collect().await.unwrap().to_bytes().to_vec();
        assert_eq!(bytes.len() as u64, length, "the announced length is the real one");
        bytes
    }

    #[tokio::test]
    async fn one_range_of_a_kept_body_is_replaced_and_nothing_else() {
        let content: Vec<u8> = (0..=255).cycle().take(700_000).collect();
        for above in [1_000, usize::MAX] {
            let mut writer = SpoolWriter::new(above, crate::room::Share::of_nobody());
            writer.write(&content).await.unwrap();
            let spool = writer.finish().await.unwrap();
            for (range, instead) in
                [(0..0, ""), (0..10, "new"), (350_000..350_004, "a longer one"), (699_995..700_000, "")]
            {
                let body = Outgoing::spooled(
                    &spool,
                    range.start as u64..range.end as u64,
                    Bytes::from_static(instead.as_bytes()),
                );
                let expected = [&content[..range.start], instead.as_bytes(), &content[range.end..]].concat();
                assert!(sent(body).await == expected, "{range:?}");
            }
        }
    }

    #[tokio::test]
    async fn pieces_are_sent_in_their_order_and_empty_ones_left_out() {
        let piece = Bytes::from_static;
        let body = Outgoing::new([&b"a"[..], b"", b"bc", b"", b"d", b"", b"e"].map(piece));
        assert_eq!(sent(body).await, b"abcde");
        assert!(Outgoing::new(Default::default()).is_end_stream());
    }
}
