use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use gateway_http1::Alarm;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::client::TlsStream;

/// A connection, and the timer of the call that waits on it for its answer.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(in crate::upstream) socket: Socket,
    /// Made by the first call that waits, and left as it is between two calls.
    alarm: Option<Alarm>,
}

/// What a connection runs over.
#[derive(Debug)]
pub(crate) enum Socket {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

// === impl Wire ===

impl Wire {
    pub(in crate::upstream) const fn plain(tcp: TcpStream) -> Self {
        Self { socket: Socket::Plain(tcp), alarm: None }
    }

    pub(in crate::upstream) fn tls(tls: TlsStream<TcpStream>) -> Self {
        Self { socket: Socket::Tls(Box::new(tls)), alarm: None }
    }

    /// Ready once it is too late.
    ///
    /// The timer may ring too early, because of a call before, and is set only then, or where it would ring too late: most
    /// calls end long before their time and cost no look at the timers of all.
    pub(super) fn poll_late(&mut self, until: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let alarm = self.alarm.get_or_insert_with(|| Alarm::at(until));
        if alarm.deadline() > until {
            alarm.set(until);
        }
        while alarm.poll(cx).is_ready() {
            if alarm.deadline() >= until {
                return Poll::Ready(());
            }
            alarm.set(until);
        }
        Poll::Pending
    }

    /// The call is over: the task that waited is nobody's concern any more.
    pub(in crate::upstream) fn rests(&mut self) {
        if let Some(alarm) = &mut self.alarm {
            alarm.forget();
        }
    }

    /// Reads into `buffer` and gives the number of bytes; none is the end.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut space = ReadBuf::new(buffer);
        let polled = match &mut self.socket {
            Socket::Plain(stream) => Pin::new(stream).poll_read(cx, &mut space),
            Socket::Tls(stream) => Pin::new(stream).poll_read(cx, &mut space),
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
            return match &mut self.socket {
                Socket::Plain(stream) => Pin::new(stream).poll_write(cx, piece),
                Socket::Tls(stream) => Pin::new(stream).poll_write(cx, piece),
            };
        }
        let pieces = [IoSlice::new(first), IoSlice::new(second)];
        match &mut self.socket {
            Socket::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, &pieces),
            Socket::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, &pieces),
        }
    }

    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.socket {
            Socket::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Socket::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    /// Whether nothing has come on a connection that nobody uses. Anything that has is its end, or an answer to nothing.
    ///
    /// Costs no system call where the system has not told of anything.
    pub(crate) fn is_quiet(&mut self) -> bool {
        let mut byte = [0];
        match &mut self.socket {
            // Nobody is to be woken, so nobody is registered.
            Socket::Plain(stream) => {
                stream.try_read(&mut byte).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
            }
            Socket::Tls(stream) => {
                let mut cx = Context::from_waker(Waker::noop());
                Pin::new(stream).poll_read(&mut cx, &mut ReadBuf::new(&mut byte)).is_pending()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn one_timer_serves_one_call_after_the_other_whenever_it_was_set() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut wire = Wire::plain(TcpStream::connect(listener.local_addr().unwrap()).await.unwrap());
        let now = Instant::now();
        let (minute, hour) = (now + Duration::from_mins(1), now + Duration::from_hours(1));
        let not_yet = |wire: &mut Wire, until| {
            wire.poll_late(until, &mut Context::from_waker(Waker::noop())).is_pending()
        };

        assert!(not_yet(&mut wire, minute), "it is set for the first time");
        assert!(not_yet(&mut wire, hour), "it rings too early, which is seen to when it does");
        poll_fn(|cx| wire.poll_late(now, cx)).await;
        assert!(not_yet(&mut wire, hour), "it has rung for a call that is over");
    }
}
