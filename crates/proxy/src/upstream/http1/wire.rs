use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// What a connection runs over.
#[derive(Debug)]
pub(crate) enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

// === impl Wire ===

impl Wire {
    /// Reads into `buffer` and gives the number of bytes; none is the end.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut space = ReadBuf::new(buffer);
        let polled = match self {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, &mut space),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, &mut space),
        };
        polled.map_ok(|()| space.filled().len())
    }

    /// Writes from both pieces, in this order, and gives the number of bytes taken.
    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        first: &[u8],
        second: &[u8],
    ) -> Poll<io::Result<usize>> {
        if second.is_empty() || first.is_empty() {
            let piece = if first.is_empty() { second } else { first };
            return match self {
                Self::Plain(stream) => Pin::new(stream).poll_write(cx, piece),
                Self::Tls(stream) => Pin::new(stream).poll_write(cx, piece),
            };
        }
        let pieces = [IoSlice::new(first), IoSlice::new(second)];
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, &pieces),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, &pieces),
        }
    }

    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    /// Whether nothing has come on a connection that nobody uses. Anything that has is its end, or an answer to nothing.
    ///
    /// Costs no system call where the system has not told of anything.
    pub(crate) fn is_quiet(&mut self) -> bool {
        let mut byte = [0];
        self.poll_read(&mut Context::from_waker(Waker::noop()), &mut byte).is_pending()
    }
}
