use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use gateway_http1::Alarm;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::activity::Activity;
use super::peer::{Farewell, Linger, Peer};

/// The first bytes of every HTTP/2 connection.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How the word begins that asks for an expected body.
const CONTINUE: &[u8] = b"HTTP/1.1 100 ";

/// How long an idle connection is kept when its listener closes: the peer was told to go, and one that does not
/// answer must not hold up the end.
const GOODBYE: Duration = Duration::from_secs(1);

/// How long a connection may be silent in each of its phases.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// From accept to the end of the first request's head (HTTP/1) or of the preface (HTTP/2); and for every later
    /// head from its first byte on.
    pub(crate) head: Duration,
    /// Between calls.
    pub(crate) idle: Duration,
    /// While there is something to write and the peer does not take it.
    pub(crate) write: Duration,
}

/// A socket with the timers that those who speak HTTP on it do not have.
///
/// Neither hyper nor our own server times half a head, silence between two requests, a connection that sends nothing,
/// half a preface, an idle HTTP/2 connection, or a peer that does not read. Here all of these are timed by what the socket
/// sees and by what [`Activity`] says, with one lazy alarm for reading: it is set again only when it rings or must ring
/// earlier, so a busy connection does not touch it.
///
/// Silence between calls ends in a clean end of file, so that the server closes as if the peer had; everything else is
/// an error.
///
/// It also tells a peer that has left from one that only has nothing more to send ([`Farewell`]), and lets a peer that
/// is still sending read the answer before its connection is reset ([`Linger`]).
#[derive(Debug)]
pub(crate) struct GuardedIo<S> {
    inner: S,
    /// What came before it was known who is to read it.
    early: Early,
    limits: Limits,
    activity: Arc<Activity>,
    protocol: Protocol,
    phase: Phase,
    /// Calls that had begun when the phase was last looked at.
    begun: u64,
    /// Bytes came while no call was under way: the beginning of a head.
    head_began: bool,
    read_alarm: Alarm,
    write_stall: Stall,
    flush_stall: Stall,
    /// How many calls had begun when bytes were last written: whether this call's answer has begun.
    answered: u64,
    farewell: Farewell,
    linger: Linger,
}

/// The first bytes of a connection, at most as many as the HTTP/2 preface has.
#[derive(Debug, Default)]
struct Early {
    bytes: [u8; HTTP2_PREFACE.len()],
    length: u8,
}

/// What the first bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    /// This many bytes of the HTTP/2 preface were seen, and nothing else.
    Unknown(usize),
    Http1,
    Http2,
}

/// What the reading side waits for, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The first head.
    First(Instant),
    /// The rest of a later head.
    Head(Instant),
    /// A call to begin.
    Idle(Instant),
    /// Nothing: a call is under way, and whoever answers it times the body.
    Serving,
}

/// Times a writing side that makes no progress.
#[derive(Debug, Default)]
struct Stall {
    alarm: Option<Alarm>,
    running: bool,
}

// === impl GuardedIo ===

impl<S> GuardedIo<S> {
    /// Guards a socket that was accepted now.
    pub(crate) fn new(inner: S, limits: Limits, activity: Arc<Activity>) -> Self {
        let first = Instant::now() + limits.head;
        Self {
            inner,
            early: Early::default(),
            limits,
            activity,
            protocol: Protocol::Unknown(0),
            phase: Phase::First(first),
            begun: 0,
            head_began: false,
            read_alarm: Alarm::at(first),
            write_stall: Stall::default(),
            flush_stall: Stall::default(),
            answered: 0,
            farewell: Farewell::default(),
            linger: Linger::default(),
        }
    }

    /// Bytes came.
    fn saw(&mut self, bytes: &[u8]) {
        if let Protocol::Unknown(seen) = self.protocol {
            self.protocol = Protocol::recognise(seen, bytes);
            if self.protocol == Protocol::Http2 {
                self.activity.speaks_http2();
            }
        }
        self.head_began |= !bytes.is_empty() && !self.activity.is_serving();
    }

    /// Nothing came: which phase is it now? Called only then, so a head that comes in one piece costs no clock.
    fn advance(&mut self) {
        let begun = self.activity.begun();
        let call_began = begun != self.begun;
        self.begun = begun;
        if call_began {
            self.head_began = false;
        }
        if self.activity.is_serving() {
            self.phase = Phase::Serving;
            return;
        }
        let http1 = self.protocol == Protocol::Http1;
        self.phase = match self.phase {
            // A call that began and ended between two looks is a new silence, too.
            _ if call_began => self.idle(),
            Phase::Serving => self.idle(),
            Phase::First(_) if self.protocol == Protocol::Http2 => self.idle(),
            Phase::Idle(end) if self.activity.is_leaving() => Phase::Idle(end.min(Instant::now() + GOODBYE)),
            Phase::Idle(_) if http1 && self.head_began => Phase::Head(Instant::now() + self.limits.head),
            same @ (Phase::First(_) | Phase::Head(_) | Phase::Idle(_)) => same,
        };
    }

    fn idle(&self) -> Phase {
        let leaving = self.activity.is_leaving();
        Phase::Idle(Instant::now() + if leaving { GOODBYE.min(self.limits.idle) } else { self.limits.idle })
    }

    /// Nothing came: has the time run out? Registers the task to be woken when it might have.
    fn overdue(&mut self, cx: &mut Context<'_>) -> Option<io::Result<()>> {
        self.advance();
        let deadline = self.phase.deadline();
        if deadline.is_some_and(|deadline| deadline < self.read_alarm.deadline()) {
            self.set_alarm(deadline);
        }
        while self.read_alarm.poll(cx).is_ready() {
            let now = Instant::now();
            match self.phase {
                Phase::First(end) | Phase::Head(end) if end <= now => {
                    return Some(Err(timed_out("the request's head did not arrive in time")));
                }
                Phase::Idle(end) if end <= now => return Some(Ok(())),
                Phase::Serving if self.activity.is_stalled(now, self.limits.write) => {
                    return Some(Err(timed_out("the client does not take its answers")));
                }
                Phase::First(_) | Phase::Head(_) | Phase::Idle(_) | Phase::Serving => {
                    self.set_alarm(self.phase.deadline());
                }
            }
        }
        None
    }

    /// Without a deadline the alarm looks again from time to time: for stalled streams, and for an end of the call
    /// that nobody told the reading side of.
    fn set_alarm(&mut self, deadline: Option<Instant>) {
        let look_again = || Instant::now() + (self.limits.write / 4).max(Duration::from_millis(10));
        self.read_alarm.set(deadline.unwrap_or_else(look_again));
    }
}

impl<S: Peer> GuardedIo<S> {
    /// Reads until it is known whether the peer speaks HTTP/2. What is read stays to be read.
    ///
    /// They are two servers, so it has to be known before either of them begins.
    pub(crate) async fn recognise(&mut self) -> io::Result<bool> {
        let mut early = Early::default();
        while matches!(self.protocol, Protocol::Unknown(_)) {
            let mut space =
                ReadBuf::new(early.bytes.get_mut(usize::from(early.length)..).unwrap_or_default());
            poll_fn(|cx| Pin::new(&mut *self).poll_read(cx, &mut space)).await?;
            let read = u8::try_from(space.filled().len()).unwrap_or_default();
            if read == 0 {
                break;
            }
            early.length += read;
        }
        self.early = early;
        Ok(self.protocol == Protocol::Http2)
    }

    /// The peer sends no more. Has it left, or does it wait for its answer?
    ///
    /// Once the answer has begun, nothing can be asked any more, and who closes then counts as gone.
    fn at_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let answer_began = self.answered == self.activity.begun() || self.write_stall.running;
        let may_ask = self.protocol == Protocol::Http1
            && self.activity.is_serving()
            && !self.activity.takes_no_interim()
            && (self.farewell.was_asked() || !answer_began);
        if may_ask { self.farewell.ask(&mut self.inner, cx) } else { Poll::Ready(Ok(())) }
    }

    /// What was to be written begins with these bytes.
    fn wrote(
        &mut self,
        first: &[u8],
        result: Poll<io::Result<usize>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if matches!(result, Poll::Ready(Ok(1..))) {
            // Whoever takes something reads, whether everything has left by now or not.
            self.flush_stall.running = false;
            // "Go on" is no answer.
            if self.protocol != Protocol::Http1 || !first.starts_with(CONTINUE) {
                self.answered = self.activity.begun();
            }
        }
        self.write_stall.watch(result, cx, self.limits.write)
    }
}

impl<S: Peer> AsyncRead for GuardedIo<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let early = this.early.give(buf);
        let before = buf.filled().len();
        match Pin::new(&mut this.inner).poll_read(cx, buf) {
            Poll::Pending | Poll::Ready(Ok(())) if early && buf.filled().len() == before => {
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Ok(())) if buf.filled().len() == before && buf.remaining() > 0 => this.at_end(cx),
            Poll::Ready(result) => {
                this.saw(buf.filled().get(before..).unwrap_or_default());
                Poll::Ready(result)
            }
            Poll::Pending => this.overdue(cx).map_or(Poll::Pending, Poll::Ready),
        }
    }
}

impl<S: Peer> AsyncWrite for GuardedIo<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let result = Pin::new(&mut this.inner).poll_write(cx, bytes);
        this.wrote(bytes, result, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let result = Pin::new(&mut this.inner).poll_write_vectored(cx, pieces);
        this.wrote(pieces.first().map_or(&[], |piece| piece), result, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let result = Pin::new(&mut this.inner).poll_flush(cx);
        this.flush_stall.watch(result, cx, this.limits.write)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let result = Pin::new(&mut this.inner).poll_shutdown(cx);
        match this.flush_stall.watch(result, cx, this.limits.write) {
            Poll::Ready(Ok(())) => this.linger.poll(&mut this.inner, cx).map(Ok),
            unfinished @ (Poll::Ready(Err(_)) | Poll::Pending) => unfinished,
        }
    }
}

// === impl Early ===

impl Early {
    /// Gives what there is, as much as there is room for; tells whether that was anything.
    fn give(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        if self.length == 0 {
            return false;
        }
        let all = self.bytes.get(..usize::from(self.length)).unwrap_or_default();
        let (given, kept) = all.split_at(all.len().min(buf.remaining()));
        buf.put_slice(given);
        let (gone, left) = (given.len(), kept.len());
        self.bytes.copy_within(gone..gone + left, 0);
        self.length = u8::try_from(left).unwrap_or_default();
        gone > 0
    }
}

// === impl Protocol ===

impl Protocol {
    fn recognise(seen: usize, bytes: &[u8]) -> Self {
        let wanted = HTTP2_PREFACE.get(seen..).unwrap_or_default();
        let both = wanted.len().min(bytes.len());
        if wanted.get(..both) != bytes.get(..both) {
            Self::Http1
        } else if both == wanted.len() {
            Self::Http2
        } else {
            Self::Unknown(seen + both)
        }
    }
}

// === impl Phase ===

impl Phase {
    const fn deadline(self) -> Option<Instant> {
        match self {
            Self::First(end) | Self::Head(end) | Self::Idle(end) => Some(end),
            Self::Serving => None,
        }
    }
}

// === impl Stall ===

impl Stall {
    /// Passes a result on; a side that is pending without progress for `limit` becomes an error.
    fn watch<T>(
        &mut self,
        result: Poll<io::Result<T>>,
        cx: &mut Context<'_>,
        limit: Duration,
    ) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.running = false;
            return result;
        }
        if !self.running {
            self.running = true;
            let end = Instant::now() + limit;
            self.alarm.get_or_insert_with(|| Alarm::at(end)).set(end);
        }
        let late = self.alarm.as_mut().is_some_and(|alarm| alarm.poll(cx).is_ready());
        if late { Poll::Ready(Err(timed_out("the client does not read"))) } else { Poll::Pending }
    }
}

fn timed_out(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, what)
}

#[cfg(test)]
mod tests;
