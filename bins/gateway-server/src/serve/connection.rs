use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use gateway_proxy::{BodyError, RequestBody};
use http::header::CONNECTION;
use http::{HeaderValue, Version};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::unconstrained;

use super::activity::{Activity, Call, Leaving};
use super::guarded_io::{GuardedIo, Limits};
use super::listener::Stand;
use super::peer::Peer;
use crate::body;
use crate::dispatch::{self, Door};
use crate::life::{Life, LifeWatch};
use crate::panic::{confine, confine_now};
use crate::telemetry::Meters;

/// Calls at a time on one HTTP/2 connection.
const HTTP2_CALLS: u32 = 100;
/// Streams that the peer may open and reset before it is told to go away.
const HTTP2_RESETS: usize = 20;
/// Streams that may fail by the peer's protocol errors before it is told to go away.
const HTTP2_ERRORS: usize = 100;
/// How much of one answer may wait in memory for an HTTP/2 window to open.
const HTTP2_SEND_BUFFER: usize = 128 << 10;
/// An HTTP/2 peer is asked for a sign of life this often, and must give it within the same time.
const HTTP2_PING: Duration = Duration::from_secs(20);

/// For how long a connection beyond the limit may be silent, before its one request and in the middle of it.
const STANDING: Duration = Duration::from_secs(2);
/// How long a connection that has said nothing may still begin when its listener closes.
const LAST_WORD: Duration = Duration::from_secs(1);

/// When the listener of a connection closes: then the connection ends with the calls that are under way.
#[derive(Clone, Debug)]
pub(super) struct Closing {
    pub life: LifeWatch,
    pub at: Life,
    pub leaving: Leaving,
    /// Told when a connection beyond the limit has been answered: on HTTP/2 nothing else ends it while its peer asks again
    /// and again.
    pub enough: Option<Arc<Notify>>,
}

/// An answer's body that keeps its connection informed, and whose panics end the connection instead of the thread.
#[derive(Debug)]
pub(crate) struct Tracked<B> {
    body: B,
    call: Call,
    meters: Arc<Meters>,
}

/// What bounds an HTTP/2 connection, whose requests' heads have at most so many bytes, as HPACK counts them.
fn http2_builder(max_head: usize) -> http2::Builder<TokioExecutor> {
    let mut http2 = http2::Builder::new(TokioExecutor::new());
    http2
        .timer(TokioTimer::new())
        .max_concurrent_streams(HTTP2_CALLS)
        .max_header_list_size(u32::try_from(max_head).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(HTTP2_RESETS)
        .max_local_error_reset_streams(HTTP2_ERRORS)
        .max_send_buf_size(HTTP2_SEND_BUFFER)
        .keep_alive_interval(HTTP2_PING)
        .keep_alive_timeout(HTTP2_PING);
    http2
}

/// Serves one accepted connection until it ends.
pub(super) async fn serve(
    socket: TcpStream,
    peer: SocketAddr,
    stand: &Stand,
    crowded: bool,
    closing: Closing,
) {
    let (limits, max_head) = {
        let live = stand.live.load();
        let server = &live.settings.server;
        let patience = |usual: Duration| if crowded { usual.min(STANDING) } else { usual };
        let limits = Limits {
            head: patience(server.header_timeout),
            idle: patience(server.keep_alive),
            write: patience(server.write_timeout),
        };
        (limits, server.max_header_bytes)
    };
    let bounds = (limits, max_head);
    match stand.acceptor() {
        None => speak(socket, (peer, crowded), stand, bounds, closing).await,
        // Boxed, like everything here that most connections are not: what they keep is room for the largest.
        Some(acceptor) => {
            Box::pin(async move {
                let mut closing = closing;
                let handshake = tokio::time::timeout(limits.head, closing.bounds(acceptor.accept(socket)));
                match handshake.await {
                    Ok(Ok(socket)) => speak(socket, (peer, crowded), stand, bounds, closing).await,
                    Ok(Err(error)) => tracing::debug!(%peer, %error, "TLS handshake failed"),
                    Err(_) => tracing::debug!(%peer, "TLS handshake took too long"),
                }
            })
            .await;
        }
    }
}

/// Finds out which protocol the peer speaks, and speaks it.
async fn speak<S>(
    socket: S,
    (peer, crowded): (SocketAddr, bool),
    stand: &Stand,
    (limits, max_head): (Limits, usize),
    mut closing: Closing,
) where
    S: Peer + Send + 'static,
{
    let activity = Activity::new(stand.leaving.clone());
    let mut io = GuardedIo::new(socket, limits, Arc::clone(&activity));
    let http2 = match closing.bounds(io.recognise()).await {
        Ok(http2) => http2,
        Err(error) => {
            tracing::debug!(%peer, %error, "connection ended before it began");
            return;
        }
    };
    closing.enough = (crowded && http2).then(Arc::default);
    let enough = closing.enough.clone();
    let answers = |request: Request<RequestBody>| {
        let call = activity.begin(request.version());
        let door = Arc::clone(&stand.door);
        // Boxed once: moved from future to future, the request would have room in each of them.
        let request = Box::new(request);
        let enough = enough.clone();
        // Boxed: the connection has room for the whole future as long as it lives, idle or streaming. The box comes first,
        // so that the compiler may make the future in it: it is large, and was moved there three times.
        let place = Box::new_uninit();
        Box::into_pin(Box::write(place, answer(door, request, (peer, crowded), call, enough)))
    };
    let ended = if http2 {
        let service = service_fn(|request: Request<Incoming>| {
            let call = answers(request.map(RequestBody::Http2));
            async move { Ok::<_, Infallible>(call.await) }
        });
        let connection = http2_builder(max_head).serve_connection(TokioIo::new(io), service);
        Box::pin(run(connection, closing, http2::Connection::graceful_shutdown))
            .await
            .map_err(BodyError::from)
    } else {
        let refuses = |flaw| tracked(dispatch::refuse(flaw), activity.begin(Version::HTTP_11), &stand.door);
        let answers = |request: Request<gateway_http1::Body>| answers(request.map(RequestBody::Http1));
        let connection = gateway_http1::Connection::new(io, max_head, answers, refuses);
        run(connection, closing, |connection| connection.get_mut().wind_down()).await.map_err(BodyError::from)
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "connection ended");
    }
    if let Some((socket, _place)) = activity.take_socket()
        && let Err(panicked) = confine(Box::pin(socket.run())).await
    {
        stand.door.meters().panics.increment(1);
        tracing::error!(%peer, error = %panicked, "a socket failed");
    }
}

/// Speaks until the connection ends, or its listener closes and the calls that are under way have ended.
async fn run<C: Future>(
    connection: C,
    mut closing: Closing,
    wind_down: impl FnOnce(Pin<&mut C>),
) -> C::Output {
    let mut connection = pin!(connection);
    let (life, crowded) = (closing.life.clone(), closing.enough.is_some());
    let ended = {
        // Without a share in the task's budget: one that is used up would let it be put off without anybody being told.
        let mut begins = pin!(unconstrained(closing.begins()));
        // The task that is woken when it begins. To ask again with each event of the connection would say nothing new.
        let mut asked: Option<Waker> = None;
        poll_fn(|cx| {
            if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
                return Poll::Ready(Some(ended));
            }
            let is_told = asked.as_ref().is_some_and(|asked| asked.will_wake(cx.waker()));
            if is_told && !crowded && !life.has_moved() {
                return Poll::Pending;
            }
            asked = Some(cx.waker().clone());
            begins.as_mut().poll(cx).map(|()| None)
        })
        .await
    };
    if let Some(ended) = ended {
        return ended;
    }
    wind_down(connection.as_mut());
    connection.await
}

async fn answer(
    door: Arc<Door>,
    request: Box<Request<RequestBody>>,
    (peer, crowded): (SocketAddr, bool),
    call: Call,
    enough: Option<Arc<Notify>>,
) -> Response<Tracked<body::Body>> {
    let http1 = request.version() < Version::HTTP_2;
    let mut response = door.answer(request, peer, crowded).await;
    if let Some(socket) = response.body_mut().take_socket() {
        call.hand_over(socket);
    }
    if crowded && http1 {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if let Some(enough) = enough {
        enough.notify_one();
    }
    tracked(response, call, &door)
}

fn tracked(response: Response<body::Body>, call: Call, door: &Door) -> Response<Tracked<body::Body>> {
    response.map(|body| Tracked { body, call, meters: Arc::clone(door.meters()) })
}

// === impl Closing ===

impl Closing {
    async fn begins(&mut self) {
        let enough = async {
            match &self.enough {
                Some(enough) => enough.notified().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // The listener says so itself, but perhaps not before this connection has looked for the last time.
            () = self.life.reaches(self.at) => self.leaving.now(),
            () = enough => {}
        }
    }

    /// What is waited for before anything is under way: not much longer than until the listener closes.
    async fn bounds<T>(&mut self, waited: impl Future<Output = io::Result<T>>) -> io::Result<T> {
        let mut waited = pin!(waited);
        tokio::select! {
            biased;
            ended = waited.as_mut() => return ended,
            () = self.begins() => {}
        }
        tokio::time::timeout(LAST_WORD, waited).await?
    }
}

// === impl Tracked ===

impl<B: Body<Data = Bytes, Error: Into<BodyError>> + Unpin> Body for Tracked<B> {
    type Data = Bytes;
    /// The connection is aborted, so that the client sees that the answer is not whole.
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        this.call.asked();
        match confine_now(|| Pin::new(&mut this.body).poll_frame(cx)) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(frame)) => {
                if frame.is_some() {
                    this.call.gave();
                }
                Poll::Ready(frame.map(|result| result.map_err(Into::into)))
            }
            Err(panicked) => {
                this.meters.panics.increment(1);
                Poll::Ready(Some(Err(panicked.into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use http_body_util::BodyExt;

    use super::*;
    use crate::life::LifeLine;

    #[tokio::test]
    async fn a_body_that_panics_breaks_off_and_is_counted() {
        let meters = Arc::new(Meters::new("1").unwrap());
        let frames = std::iter::once(Frame::data(Bytes::from_static(b"one")));
        let mut frames = frames.chain(std::iter::from_fn(|| panic!("in the middle")));
        let body = PanicAfter(Box::new(move || frames.next()));
        let mut tracked = Tracked {
            body,
            call: Activity::new(Leaving::default()).begin(Version::HTTP_11),
            meters: Arc::clone(&meters),
        };
        assert!(tracked.frame().await.unwrap().is_ok());
        assert!(matches!(tracked.frame().await, Some(Err(_))));
        assert!(meters.render().contains("gateway_panics_total 1"));
    }

    #[tokio::test]
    async fn a_connection_that_has_used_up_its_tasks_budget_hears_that_its_listener_closes() {
        let line = LifeLine::new();
        let leaving = Leaving::default();
        let closing = Closing { life: line.watch(), at: Life::Draining, leaving, enough: None };
        let mut is_first = true;
        let connection = poll_fn(|cx| {
            // As a large upload does that never has to wait.
            while std::mem::take(&mut is_first) {
                is_first = pin!(tokio::task::coop::consume_budget()).poll(cx).is_ready();
            }
            Poll::<()>::Pending
        });
        let (told, woken) = (AtomicBool::new(false), Arc::new(Woken::default()));
        let mut running =
            pin!(run(connection, closing, |_: Pin<&mut _>| told.store(true, Ordering::Relaxed)));
        let waker = Waker::from(Arc::clone(&woken));
        let mut turn = || assert!(running.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());

        turn();
        // A task without budget comes again.
        tokio::task::yield_now().await;
        woken.0.store(false, Ordering::Relaxed);
        turn();
        assert!(!woken.0.load(Ordering::Relaxed) && !told.load(Ordering::Relaxed));

        line.advance(Life::Draining);
        assert!(woken.0.load(Ordering::Relaxed), "whoever waits is woken");
        turn();
        assert!(told.load(Ordering::Relaxed));
    }

    #[derive(Default)]
    struct Woken(AtomicBool);

    impl std::task::Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    struct PanicAfter(Box<dyn FnMut() -> Option<Frame<Bytes>> + Send>);

    impl Body for PanicAfter {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready((self.0)().map(Ok))
        }
    }
}
