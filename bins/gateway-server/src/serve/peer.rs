use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};
use tokio_rustls::server::TlsStream;

/// What is said to a peer that sends no more, to see whether anybody is there. Every HTTP/1.1 client passes over it;
/// the kernel of one that is gone answers with a reset.
pub(super) const INTERIM: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// The first look for a reset comes after this long, each further one after twice as long.
const FIRST_LOOK: Duration = Duration::from_millis(5);
/// This many looks, about five seconds in all: more than any round trip.
const LOOKS: u8 = 10;

/// A client's end of a connection.
pub(crate) trait Peer: AsyncRead + AsyncWrite + Unpin {
    /// Whether the peer has reset the connection; `None` when that cannot be told here.
    fn is_reset(&self) -> Option<bool>;
}

/// Finds out what a peer means that sends no more.
///
/// In TCP, "I have nothing more to send" and "I am gone" look the same, until one sends something: then who is gone
/// answers with a reset. A client that has left must cancel its upstream call at once, before anything of the answer
/// is there; one that has only half-closed its connection must get its answer.
#[derive(Debug, Default)]
pub(super) struct Farewell {
    next_look: Option<Pin<Box<Sleep>>>,
    looks: u8,
}

/// Reads on for a moment after the last byte was written, while the peer is still sending.
///
/// Closing a socket that holds unread bytes resets the connection, and a reset destroys the answer that the peer has
/// not read: a client that sends a body which is too large would never see the 413.
#[derive(Debug, Default)]
pub(super) struct Linger {
    end: Option<Pin<Box<Sleep>>>,
}

// === impl Peer ===

impl Peer for TcpStream {
    fn is_reset(&self) -> Option<bool> {
        Some(!matches!(self.take_error(), Ok(None)))
    }
}

impl Peer for TlsStream<TcpStream> {
    /// Nothing can be slipped in between TLS records, and nobody half-closes TLS: who closes is gone.
    fn is_reset(&self) -> Option<bool> {
        None
    }
}

// === impl Farewell ===

impl Farewell {
    pub(super) fn was_asked(&self) -> bool {
        self.next_look.is_some()
    }

    /// Asks once, then looks. Pending as long as the peer seems to wait for its answer; an end of file when it cannot
    /// be asked; an error when it has left.
    pub(super) fn ask<S: Peer>(&mut self, peer: &mut S, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(is_reset) = peer.is_reset() else { return Poll::Ready(Ok(())) };
        if is_reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if self.next_look.is_none() {
            match Pin::new(&mut *peer).poll_write(cx, INTERIM) {
                Poll::Ready(Ok(written)) if written == INTERIM.len() => {}
                Poll::Ready(Ok(_)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Ready(Ok(())),
            }
        }
        let timer = self.next_look.get_or_insert_with(|| Box::pin(sleep(FIRST_LOOK)));
        while self.looks < LOOKS && timer.as_mut().poll(cx).is_ready() {
            if peer.is_reset() == Some(true) {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            self.looks += 1;
            timer.as_mut().reset(Instant::now() + FIRST_LOOK * (1 << self.looks));
        }
        Poll::Pending
    }
}

// === impl Linger ===

impl Linger {
    /// The longest time that it takes.
    pub(super) const LONGEST: Duration = Duration::from_secs(1);

    pub(super) fn poll<S: Peer>(&mut self, peer: &mut S, cx: &mut Context<'_>) -> Poll<()> {
        let mut room = [0; 4096];
        loop {
            if let Some(end) = &mut self.end
                && end.as_mut().poll(cx).is_ready()
            {
                return Poll::Ready(());
            }
            let mut waste = ReadBuf::new(&mut room);
            match Pin::new(&mut *peer).poll_read(cx, &mut waste) {
                Poll::Ready(Ok(())) if !waste.filled().is_empty() => {
                    self.end.get_or_insert_with(|| Box::pin(sleep(Self::LONGEST)));
                }
                Poll::Ready(_) => return Poll::Ready(()),
                // Nothing is on its way, or not any more: the answer is safe.
                Poll::Pending if self.end.is_none() => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}
