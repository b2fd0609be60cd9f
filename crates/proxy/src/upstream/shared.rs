use std::error::Error as _;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use hyper::client::conn::http2;
use hyper_util::rt::TokioExecutor;
use tokio::time::Instant;

use super::idleness::Idleness;
use super::{AnswerBody, Outgoing, Progress, SendError};

type Sender = http2::SendRequest<Outgoing>;

/// An HTTP/2 connection that many calls share, as many as the upstream allows.
///
/// A call beyond that number would not be refused: it would wait, unseen, until another one ends, and that may be a
/// long stream. So the places are counted here, and who finds none makes another connection.
#[derive(Debug)]
pub(super) struct Shared {
    sender: Sender,
    places: Arc<Places>,
    /// How long it may be idle, as the channel wants it whose call came last.
    idle_for: Duration,
}

/// A call's place on a shared connection, until it is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    sender: Sender,
    places: Arc<Places>,
}

/// Drives a connection. Whenever a call goes out, it notes how many the upstream allows by now.
pub(super) struct Driven<C> {
    connection: C,
    places: Arc<Places>,
}

#[derive(Debug)]
struct Places {
    allowed: AtomicUsize,
    taken: AtomicUsize,
    made: Instant,
    /// When a place was last given back, in milliseconds since `made`.
    last_left: AtomicU64,
}

/// A connection that was just made, with its first call on it, and what must be driven for it to work.
pub(super) fn open<I>(
    sender: Sender,
    connection: http2::Connection<I, Outgoing, TokioExecutor>,
) -> (Seat, Driven<http2::Connection<I, Outgoing, TokioExecutor>>)
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let places = Arc::new(Places {
        allowed: AtomicUsize::new(connection.current_max_send_streams()),
        taken: AtomicUsize::new(1),
        made: Instant::now(),
        last_left: AtomicU64::new(0),
    });
    (Seat { sender, places: Arc::clone(&places) }, Driven { connection, places })
}

// === impl Shared ===

impl Shared {
    /// A place for one more call, of a channel that allows a connection this much idleness; if there is one.
    pub(super) fn take(&mut self, idle: Duration, now: Instant) -> Option<Seat> {
        let too_old = self.idleness().is_over_for(idle, now) && !self.is_in_use();
        if too_old || self.sender.is_closed() {
            return None;
        }
        // Only one thread, the worker's, takes places, so none is taken between the two steps.
        if self.places.taken.fetch_add(1, Ordering::Relaxed) >= self.places.allowed.load(Ordering::Relaxed) {
            self.places.taken.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        self.idle_for = idle;
        Some(Seat { sender: self.sender.clone(), places: Arc::clone(&self.places) })
    }

    /// Whether the connection is worth keeping: open, and in use or not idle for too long.
    pub(super) fn is_wanted(&self, now: Instant) -> bool {
        !self.sender.is_closed() && (self.is_in_use() || !self.idleness().is_over(now))
    }

    /// Since the last call ended; it means something while none is under way.
    pub(super) fn idleness(&self) -> Idleness {
        let last_left = Duration::from_millis(self.places.last_left.load(Ordering::Relaxed));
        Idleness::since(self.places.made + last_left, self.idle_for)
    }

    fn is_in_use(&self) -> bool {
        self.places.taken.load(Ordering::Relaxed) > 0
    }
}

// === impl Seat ===

impl Seat {
    /// The connection, for others to take places on, to be kept for this long without calls.
    pub(super) fn share(&self, idle: Duration) -> Shared {
        Shared { sender: self.sender.clone(), places: Arc::clone(&self.places), idle_for: idle }
    }

    /// Sends a request, and waits for the head of its answer.
    pub(super) async fn send(
        mut self,
        request: Request<Outgoing>,
    ) -> Result<Response<AnswerBody>, SendError> {
        if let Err(error) = self.sender.ready().await {
            return Err(SendError::Closed { progress: Progress::Unread, error: error.into() });
        }
        match self.sender.send_request(request).await {
            Ok(response) => Ok(response.map(|body| AnswerBody::http2(body, self))),
            Err(error) if error.is_user() => Err(SendError::Body(error.into())),
            Err(error) if error.is_parse() => Err(SendError::Protocol(error.into())),
            Err(error) => Err(SendError::Closed { progress: progress_of(&error), error: error.into() }),
        }
    }
}

/// An HTTP/2 upstream can give up one request and keep the connection: that is its failure, and the request may have cost it
/// much; only what it says it has not looked at may be sent again.
fn progress_of(error: &hyper::Error) -> Progress {
    match error.source().and_then(|source| source.downcast_ref::<h2::Error>()) {
        Some(error) if error.reason() == Some(h2::Reason::REFUSED_STREAM) => Progress::Unread,
        Some(error) if error.is_reset() => Progress::Answered,
        Some(_) | None => Progress::Unanswered,
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let left = u64::try_from(self.places.made.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.places.last_left.store(left, Ordering::Relaxed);
        self.places.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

// === impl Driven ===

impl<I> Future for Driven<http2::Connection<I, Outgoing, TokioExecutor>>
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    type Output = Result<(), hyper::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let end = Pin::new(&mut self.connection).poll(cx);
        if end.is_pending() {
            self.places.allowed.store(self.connection.current_max_send_streams(), Ordering::Relaxed);
        }
        end
    }
}

#[cfg(test)]
mod tests {
    use hyper::body::Incoming;
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;

    use super::super::connect::http2_over;
    use super::super::pool::Connection;
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn whole(bytes: &'static [u8]) -> Outgoing {
        Outgoing::new(crate::openai::pieces(&bytes::Bytes::from_static(bytes), [None, None, None]))
    }

    /// A connection to an upstream that allows `streams` calls at a time.
    async fn connected(streams: u32) -> Seat {
        let (near, far) = tokio::io::duplex(64 << 10);
        let service = service_fn(async |request: Request<Incoming>| match request.uri().path() {
            "/reset" => Err("given up"),
            _ => Ok(Response::new(whole(b"ok"))),
        });
        #[expect(clippy::disallowed_methods, reason = "a test's own upstream")]
        let serving = tokio::spawn(async move {
            let mut server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            server.max_concurrent_streams(streams).serve_connection(TokioIo::new(far), service).await
        });
        drop(serving);
        match http2_over(TokioIo::new(near)).await.unwrap() {
            Connection::H2(seat) => seat,
            Connection::H1(_) => panic!("that was to be HTTP/2"),
        }
    }

    /// What the upstream allows is known once its first frame has come, and noted with the next call.
    async fn learned(seat: &mut Seat, streams: usize) {
        let told = async {
            while seat.places.allowed.load(Ordering::Relaxed) != streams {
                let request = Request::post("http://upstream/").body(whole(b"")).unwrap();
                seat.sender.send_request(request).await.unwrap();
            }
        };
        tokio::time::timeout(Duration::from_secs(5), told).await.expect("the upstream's word on places");
    }

    #[tokio::test]
    async fn a_connection_takes_as_many_calls_as_its_upstream_allows_and_no_more() {
        let mut first = connected(3).await;
        learned(&mut first, 3).await;
        let mut shared = first.share(MINUTE);

        let second = shared.take(MINUTE, Instant::now());
        let third = shared.take(MINUTE, Instant::now());
        assert!(second.is_some() && third.is_some() && shared.take(MINUTE, Instant::now()).is_none());
        drop(second);
        assert!(shared.take(MINUTE, Instant::now()).is_some());
    }

    #[tokio::test]
    async fn an_unused_connection_is_wanted_until_it_is_too_old() {
        let seat = connected(3).await;
        let mut shared = seat.share(MINUTE);
        let later = |span| Instant::now() + span;

        assert!(shared.is_wanted(later(2 * MINUTE)), "a call is on it");
        let second = shared.take(MINUTE, later(2 * MINUTE));
        assert!(second.is_some(), "age is nothing where calls are under way");
        drop((seat, second));
        let half = later(MINUTE / 2);
        assert!(shared.is_wanted(half), "its last call ended half a minute ago");
        assert!(shared.take(MINUTE / 3, half).is_none(), "it is too old for a channel that allows less");
        drop(shared.take(MINUTE, half).expect("a place, for a channel that allows a minute"));
        let old = later(MINUTE + Duration::from_secs(1));
        assert!(!shared.is_wanted(old) && shared.take(2 * MINUTE, old).is_none());
    }

    #[tokio::test]
    async fn a_request_that_the_upstream_gave_up_is_not_taken_for_a_stale_connection() {
        let seat = connected(3).await;
        let mut shared = seat.share(MINUTE);
        let request = Request::post("http://upstream/reset").body(whole(b""));
        let failed = seat.send(request.unwrap()).await;
        assert!(matches!(failed, Err(SendError::Closed { progress: Progress::Answered, .. })), "{failed:?}");
        assert!(shared.take(MINUTE, Instant::now()).is_some(), "the connection is good");
    }
}
