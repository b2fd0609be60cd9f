//! A request's body kept so that it can be sent again: small ones in memory, large ones in a file without a name.
//!
//! The file lies in the system's temporary folder, is readable by nobody else, and is gone with the process, however
//! that ends. The disk is touched on threads of its own, in pieces, so that no worker waits for it.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use tokio::task::{JoinHandle, spawn_blocking};

use crate::error::ProxyError;
use crate::room::{Room, Share};

/// How much is written or read at a time.
const PIECE: usize = 256 << 10;

/// A whole body. Clones share what is kept.
#[derive(Clone, Debug)]
pub(crate) struct Spool(Kept);

#[derive(Clone, Debug)]
enum Kept {
    Memory(Bytes),
    File(Arc<File>, u64),
}

/// A body that is still coming.
#[derive(Debug)]
pub(crate) struct SpoolWriter {
    /// What is not in the file yet; everything, as long as there is none.
    memory: BytesMut,
    above: usize,
    file: Option<Arc<File>>,
    /// How much is in the file.
    written: u64,
    /// What it takes of the memory for bodies.
    share: Share,
}

/// Reads a part of a body, a piece whenever one is asked for.
#[derive(Debug)]
pub(crate) struct SpoolReader {
    kept: Kept,
    left: Range<u64>,
    /// The piece that is being read.
    reading: Option<JoinHandle<io::Result<Bytes>>>,
}

// === impl Spool ===

impl Spool {
    /// Its length in bytes.
    pub(crate) fn len(&self) -> u64 {
        match &self.0 {
            Kept::Memory(bytes) => bytes.len() as u64,
            Kept::File(_, length) => *length,
        }
    }

    /// Reads these bytes of it; what lies beyond its end is left out.
    pub(crate) fn read(&self, range: Range<u64>) -> SpoolReader {
        let end = range.end.min(self.len());
        SpoolReader { kept: self.0.clone(), left: range.start.min(end)..end, reading: None }
    }
}

// === impl SpoolWriter ===

impl SpoolWriter {
    /// An empty body, that goes into a file once it is larger than `above`.
    pub(crate) fn new(above: usize, share: Share) -> Self {
        Self { memory: BytesMut::new(), above, file: None, written: 0, share }
    }

    /// Fails where there is no room for so many bytes more. What is in the file needs none; what is on its way there,
    /// about two pieces.
    pub(crate) fn make_room(&mut self, room: &Arc<Room>, more: usize) -> Result<(), ProxyError> {
        let held = if self.file.is_some() { 2 * PIECE } else { self.memory.len() + more };
        self.share.hold(room, held)
    }

    /// How many bytes have come.
    pub(crate) fn len(&self) -> u64 {
        self.written + self.memory.len() as u64
    }

    /// Adds to the body. An error is the disk's; the body is lost then.
    pub(crate) async fn write(&mut self, data: &[u8]) -> io::Result<()> {
        self.memory.extend_from_slice(data);
        let most = if self.file.is_some() { PIECE } else { self.above };
        if self.memory.len() > most { self.flush().await } else { Ok(()) }
    }

    /// The whole body.
    pub(crate) async fn finish(mut self) -> io::Result<Spool> {
        if self.file.is_some() && !self.memory.is_empty() {
            self.flush().await?;
        }
        Ok(Spool(match self.file {
            Some(file) => Kept::File(file, self.written),
            None => Kept::Memory(self.share.keep(self.memory.freeze())),
        }))
    }

    async fn flush(&mut self) -> io::Result<()> {
        let (piece, at, file) = (std::mem::take(&mut self.memory), self.written, self.file.clone());
        let writing = spawn_blocking(move || {
            let file = file.map_or_else(|| tempfile::tempfile().map(Arc::new), Ok)?;
            file.write_all_at(&piece, at)?;
            Ok::<_, io::Error>((file, piece))
        });
        let (file, mut piece) = writing.await.map_err(io::Error::other)??;
        self.written += piece.len() as u64;
        self.file = Some(file);
        // What the first flush has emptied may be much larger than a piece.
        if piece.capacity() <= 2 * PIECE {
            piece.clear();
            self.memory = piece;
        }
        Ok(())
    }
}

// === impl SpoolReader ===

impl SpoolReader {
    /// How many bytes are still to come.
    pub(crate) fn left(&self) -> u64 {
        self.left.end - self.left.start
    }

    /// The next bytes; `None` at the end.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        let piece = match &self.kept {
            Kept::Memory(bytes) => {
                let index = |at| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
                bytes.slice(index(self.left.start)..index(self.left.end))
            }
            Kept::File(file, _) => {
                let reading = self.reading.get_or_insert_with(|| read_piece(file, &self.left));
                let read = ready!(Pin::new(reading).poll(cx));
                self.reading = None;
                match read.map_err(io::Error::other).and_then(|read| read) {
                    Ok(piece) => piece,
                    Err(error) => {
                        self.left.start = self.left.end;
                        return Poll::Ready(Some(Err(error)));
                    }
                }
            }
        };
        self.left.start += piece.len() as u64;
        Poll::Ready(Some(Ok(piece)))
    }
}

fn read_piece(file: &Arc<File>, left: &Range<u64>) -> JoinHandle<io::Result<Bytes>> {
    let (file, at) = (Arc::clone(file), left.start);
    let length = usize::try_from(left.end - left.start).unwrap_or(usize::MAX).min(PIECE);
    spawn_blocking(move || {
        let mut piece = BytesMut::zeroed(length);
        file.read_exact_at(&mut piece, at)?;
        Ok(piece.freeze())
    })
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    /// Bytes of which no two neighbouring pieces are alike.
    fn content(length: usize) -> Vec<u8> {
        (0..length).map(|at| u8::try_from((at ^ (at >> 8) ^ (at >> 16)) & 0xFF).unwrap()).collect()
    }

    async fn spooled(content: &[u8], above: usize, chunk: usize) -> Spool {
        let mut writer = SpoolWriter::new(above, Share::of_nobody());
        for chunk in content.chunks(chunk) {
            writer.write(chunk).await.unwrap();
        }
        assert_eq!(writer.len(), content.len() as u64);
        writer.finish().await.unwrap()
    }

    async fn all(mut reader: SpoolReader) -> Vec<u8> {
        let mut bytes = Vec::new();
        while let Some(piece) = poll_fn(|cx| reader.poll_next(cx)).await {
            bytes.extend_from_slice(&piece.unwrap());
        }
        assert_eq!(reader.left(), 0);
        bytes
    }

    #[tokio::test]
    async fn a_body_comes_back_as_it_was_as_often_as_it_is_read() {
        for (length, above, chunk) in
            [(0, 10, 1), (10, 10, 3), (11, 10, 3), (11, 10, 11), (PIECE * 3 + 17, 1_000, 70_001)]
        {
            let content = content(length);
            let spool = spooled(&content, above, chunk).await;
            assert_eq!(matches!(spool.0, Kept::File(..)), length > above, "{length} above {above}");
            assert_eq!(spool.len(), length as u64);
            for _ in 0..2 {
                assert!(all(spool.clone().read(0..u64::MAX)).await == content, "{length} above {above}");
            }
        }
    }

    #[tokio::test]
    async fn parts_of_a_body_are_read_and_nothing_beyond_its_end() {
        let content = content(PIECE * 2);
        for spool in [spooled(&content, 10, 100_000).await, spooled(&content, usize::MAX, 100_000).await] {
            let (begin, end) = (PIECE - 5, PIECE + 5);
            assert_eq!(all(spool.read(begin as u64..end as u64)).await, content[begin..end]);
            assert_eq!(all(spool.read(spool.len() - 1..spool.len() + 9)).await.len(), 1);
            assert_eq!(all(spool.read(spool.len() + 1..u64::MAX)).await, b"");
        }
    }

    #[tokio::test]
    async fn a_piece_is_read_when_it_is_asked_for_and_not_before() {
        let spool = spooled(&content(PIECE * 3), 10, PIECE).await;
        let mut reader = spool.read(0..u64::MAX);
        let first = poll_fn(|cx| reader.poll_next(cx)).await.unwrap().unwrap();
        assert_eq!((first.len(), reader.left()), (PIECE, 2 * PIECE as u64));
        assert!(reader.reading.is_none(), "nothing is read ahead");
    }

    #[tokio::test]
    async fn two_readers_of_one_file_do_not_disturb_each_other() {
        let content = content(PIECE * 2 + 1);
        let spool = spooled(&content, 10, 9_999).await;
        let (one, two) = tokio::join!(all(spool.read(0..u64::MAX)), all(spool.read(0..u64::MAX)));
        assert!(one == content && two == content);
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_read_is_an_error_and_then_the_end() {
        let (path, length) = (tempfile::NamedTempFile::new().unwrap(), 10);
        let file = File::options().write(true).open(path.path()).unwrap();
        let mut reader = Spool(Kept::File(Arc::new(file), length)).read(0..length);
        assert!(poll_fn(|cx| reader.poll_next(cx)).await.unwrap().is_err());
        assert!(poll_fn(|cx| reader.poll_next(cx)).await.is_none());
    }
}
