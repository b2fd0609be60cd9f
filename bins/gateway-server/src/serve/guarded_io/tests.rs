use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::Version;
use http_body_util::Full;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::super::activity::{Call, Leaving};
use super::super::peer::INTERIM;
use super::*;

const LIMITS: Limits =
    Limits { head: Duration::from_secs(10), idle: Duration::from_secs(75), write: Duration::from_secs(30) };

/// One end of a pipe that can say that the other has reset it.
struct Wire {
    pipe: DuplexStream,
    reset: Arc<AtomicBool>,
    /// It has taken what it has not passed on, as encryption does.
    is_full: Arc<AtomicBool>,
}

struct Bench {
    io: GuardedIo<Wire>,
    peer: DuplexStream,
    reset: Arc<AtomicBool>,
    is_full: Arc<AtomicBool>,
    activity: Arc<Activity>,
    leaving: Leaving,
    start: Instant,
}

fn bench() -> Bench {
    let (pipe, peer) = duplex(64);
    let leaving = Leaving::default();
    let (activity, reset) = (Activity::new(leaving.clone()), Arc::new(AtomicBool::new(false)));
    let is_full = Arc::<AtomicBool>::default();
    let wire = Wire { pipe, reset: Arc::clone(&reset), is_full: Arc::clone(&is_full) };
    let io = GuardedIo::new(wire, LIMITS, Arc::clone(&activity));
    Bench { io, peer, reset, is_full, activity, leaving, start: Instant::now() }
}

impl Peer for Wire {
    fn is_reset(&self) -> Option<bool> {
        Some(self.reset.load(Ordering::Relaxed))
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.pipe).poll_write(cx, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_full.load(Ordering::Relaxed) {
            return Poll::Pending;
        }
        Pin::new(&mut self.pipe).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_shutdown(cx)
    }
}

impl Bench {
    /// Reads until nothing more comes; says how it ended and after how many seconds since the accept.
    async fn end(&mut self) -> (&'static str, u64) {
        let mut buffer = [0; 64];
        let how = loop {
            match self.io.read(&mut buffer).await {
                Ok(0) => break "closed",
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::TimedOut => break "late",
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => break "left",
                Err(error) => panic!("{error}"),
            }
        };
        (how, self.start.elapsed().as_secs())
    }

    async fn receive(&mut self, bytes: &[u8]) {
        self.peer.write_all(bytes).await.unwrap();
        let mut buffer = vec![0; bytes.len()];
        self.io.read_exact(&mut buffer).await.unwrap();
    }

    /// Lets the reading side look once while nothing comes.
    async fn look(&mut self) {
        let mut buffer = [0; 1];
        tokio::select! {
            biased;
            result = self.io.read(&mut buffer) => panic!("{result:?}"),
            () = tokio::task::yield_now() => {}
        }
    }
}

fn pass(seconds: u64) -> impl Future<Output = ()> {
    tokio::time::advance(Duration::from_secs(seconds))
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_says_nothing_ends_after_the_head_time() {
    assert_eq!(bench().end().await, ("late", 10));
}

#[tokio::test(start_paused = true)]
async fn half_a_preface_does_not_win_time() {
    let mut bench = bench();
    pass(6).await;
    bench.receive(b"PRI * HT").await;
    assert_eq!(bench.end().await, ("late", 10));
}

#[tokio::test(start_paused = true)]
async fn a_dripping_first_head_ends_at_the_head_time() {
    let mut bench = bench();
    for _ in 0..4 {
        pass(2).await;
        bench.receive(b"X").await;
        bench.look().await;
    }
    assert_eq!(bench.end().await, ("late", 10));
}

#[tokio::test(start_paused = true)]
async fn silence_between_calls_ends_cleanly_after_the_idle_time() {
    let mut bench = bench();
    bench.receive(b"GET / HTTP/1.1\r\n\r\n").await;
    drop(bench.activity.begin(Version::HTTP_11));
    pass(5).await;
    bench.look().await;
    assert_eq!(bench.end().await, ("closed", 80));
}

#[tokio::test(start_paused = true)]
async fn every_call_renews_the_idle_time_even_when_it_is_over_before_anyone_looks() {
    let mut bench = bench();
    for _ in 0..5 {
        bench.receive(b"GET / HTTP/1.1\r\n\r\n").await;
        drop(bench.activity.begin(Version::HTTP_11));
        bench.look().await;
        pass(60).await;
    }
    assert_eq!(bench.end().await, ("closed", 4 * 60 + 75));
}

#[tokio::test(start_paused = true)]
async fn half_a_later_head_ends_after_the_head_time() {
    let mut bench = bench();
    bench.receive(b"GET / HTTP/1.1\r\n\r\n").await;
    drop(bench.activity.begin(Version::HTTP_11));
    bench.look().await;
    pass(20).await;
    bench.receive(b"GET / HT").await;
    assert_eq!(bench.end().await, ("late", 30));
}

#[tokio::test(start_paused = true)]
async fn a_call_under_way_is_not_timed_and_the_idle_time_begins_at_its_end() {
    let mut bench = bench();
    bench.receive(b"GET / HTTP/1.1\r\n\r\n").await;
    let call = bench.activity.begin(Version::HTTP_11);
    for _ in 0..10 {
        bench.look().await;
        pass(100).await;
    }
    bench.look().await;
    drop(call);
    bench.look().await;
    assert_eq!(bench.end().await, ("closed", 1075));
}

#[tokio::test(start_paused = true)]
async fn an_idle_http2_connection_ends_cleanly_and_pings_do_not_keep_it() {
    let mut bench = bench();
    bench.receive(HTTP2_PREFACE).await;
    bench.look().await;
    for _ in 0..6 {
        pass(10).await;
        bench.receive(b"ping").await;
        bench.look().await;
    }
    assert_eq!(bench.end().await, ("closed", 75));
}

#[tokio::test(start_paused = true)]
async fn an_http2_peer_that_never_opens_its_window_is_left() {
    let mut bench = bench();
    bench.receive(HTTP2_PREFACE).await;
    bench.look().await;
    let mut call = bench.activity.begin(Version::HTTP_11);
    pass(5).await;
    call.gave();
    let (how, after) = bench.end().await;
    assert_eq!(how, "late");
    assert!((35..=75).contains(&after), "ended after {after} s");
}

#[tokio::test(start_paused = true)]
async fn an_http2_answer_that_waits_for_its_upstream_is_not_a_stall() {
    let mut bench = bench();
    bench.receive(HTTP2_PREFACE).await;
    let mut call = bench.activity.begin(Version::HTTP_11);
    call.gave();
    call.asked();
    for _ in 0..20 {
        bench.look().await;
        pass(30).await;
    }
    bench.look().await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_is_left_after_the_write_time() {
    let mut bench = bench();
    let error = bench.io.write_all(&[0; 65]).await.unwrap_err();
    assert_eq!((error.kind(), bench.start.elapsed().as_secs()), (io::ErrorKind::TimedOut, 30));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_slowly_is_served() {
    let Bench { mut io, mut peer, .. } = bench();
    let slow_reader = async {
        let mut buffer = [0; 64];
        let mut left = 1000;
        while left > 0 {
            tokio::time::sleep(Duration::from_secs(29)).await;
            left -= peer.read(&mut buffer).await.unwrap();
        }
    };
    let (written, ()) = tokio::join!(io.write_all(&[0; 1000]), slow_reader);
    written.unwrap();
}

const REQUEST: &[u8] = b"POST / HTTP/1.1\r\n\r\n";

#[tokio::test(start_paused = true)]
async fn a_peer_that_only_stops_sending_is_asked_once_and_gets_its_answer() {
    let mut bench = bench();
    bench.receive(REQUEST).await;
    let call = bench.activity.begin(Version::HTTP_11);
    bench.peer.shutdown().await.unwrap();
    bench.look().await;
    pass(600).await;
    bench.look().await;
    bench.io.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
    bench.look().await;
    let mut got = vec![0; INTERIM.len() + 19];
    bench.peer.read_exact(&mut got).await.unwrap();
    assert_eq!(got, [INTERIM, b"HTTP/1.1 200 OK\r\n\r\n"].concat());
    drop(call);
    assert_eq!(bench.end().await.0, "closed");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_resets_when_asked_has_left() {
    let mut bench = bench();
    bench.receive(REQUEST).await;
    let _call = bench.activity.begin(Version::HTTP_11);
    bench.peer.shutdown().await.unwrap();
    bench.look().await;
    bench.reset.store(true, Ordering::Relaxed);
    assert_eq!(bench.end().await, ("left", 0));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_closes_while_it_is_answered_has_left() {
    let mut bench = bench();
    bench.receive(REQUEST).await;
    let _call = bench.activity.begin(Version::HTTP_11);
    bench.io.write_all(b"HTTP/1.1 200 OK").await.unwrap();
    bench.peer.shutdown().await.unwrap();
    assert_eq!(bench.end().await, ("closed", 0));
}

#[tokio::test(start_paused = true)]
async fn a_peer_of_the_old_protocol_is_not_asked() {
    let mut bench = bench();
    bench.receive(REQUEST).await;
    let _call = bench.activity.begin(Version::HTTP_10);
    bench.peer.shutdown().await.unwrap();
    assert_eq!(bench.end().await, ("closed", 0));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_is_still_sending_may_read_the_answer_before_the_end() {
    let mut bench = bench();
    bench.receive(REQUEST).await;
    bench.peer.write_all(&[0; 64]).await.unwrap();
    let Bench { mut io, mut peer, start, .. } = bench;
    let sender = async {
        while peer.write_all(&[0; 64]).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        result = io.shutdown() => result.unwrap(),
        () = sender => panic!("the connection was dropped while the peer was sending"),
    }
    assert_eq!(start.elapsed(), Linger::LONGEST);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_sends_nothing_is_not_waited_for() {
    let mut bench = bench();
    bench.receive(REQUEST).await;
    bench.io.shutdown().await.unwrap();
    assert_eq!(bench.start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn an_idle_peer_that_does_not_answer_a_goodbye_is_not_waited_for() {
    let mut bench = bench();
    bench.receive(HTTP2_PREFACE).await;
    bench.look().await;
    bench.leaving.now();
    assert_eq!(bench.end().await, ("closed", 1));
}

#[tokio::test(start_paused = true)]
async fn a_call_under_way_survives_the_goodbye() {
    let mut bench = bench();
    bench.receive(HTTP2_PREFACE).await;
    let call = bench.activity.begin(Version::HTTP_2);
    bench.leaving.now();
    for _ in 0..5 {
        bench.look().await;
        pass(20).await;
    }
    bench.look().await;
    drop(call);
    bench.look().await;
    assert_eq!(bench.end().await, ("closed", 101));
}

#[tokio::test]
async fn a_protocol_is_recognised_however_its_first_bytes_are_cut_and_none_of_them_is_lost() {
    for (text, http2) in [
        (&b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"[..], false),
        (b"PRI * HTTP/1.1\r\n\r\n", false),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nframes", true),
    ] {
        for cut in 1..text.len() {
            let Bench { mut io, mut peer, .. } = bench();
            let (head, tail) = text.split_at(cut);
            let (recognised, ()) = tokio::join!(io.recognise(), async {
                peer.write_all(head).await.unwrap();
                tokio::task::yield_now().await;
                peer.write_all(tail).await.unwrap();
            });
            assert_eq!(recognised.unwrap(), http2, "{cut}");
            let mut read = vec![0; text.len()];
            io.read_exact(&mut read).await.unwrap();
            assert_eq!(read, text, "{cut}");
        }
    }
}

#[tokio::test]
async fn what_came_early_is_read_together_with_what_came_behind_it() {
    let Bench { mut io, mut peer, .. } = bench();
    peer.write_all(b"POST / HTTP/1.1\r\nhost: a-long-one.example\r\n\r\n").await.unwrap();
    assert!(!io.recognise().await.unwrap());
    let mut space = [0; 64];
    assert_eq!(io.read(&mut space).await.unwrap(), 45);
}

#[tokio::test]
async fn a_peer_that_leaves_at_once_is_read_to_its_end() {
    let Bench { mut io, mut peer, .. } = bench();
    peer.write_all(b"PRI").await.unwrap();
    drop(peer);
    assert!(!io.recognise().await.unwrap());
    let mut all = Vec::new();
    io.read_to_end(&mut all).await.unwrap();
    assert_eq!(all, b"PRI");
}

#[tokio::test(start_paused = true)]
async fn who_reads_slowly_but_reads_has_not_stalled_whether_all_has_left_or_not() {
    let mut bench = bench();
    bench.is_full.store(true, Ordering::Relaxed);
    let flush = async |bench: &mut Bench| {
        poll_fn(|cx| Poll::Ready(Pin::new(&mut bench.io).poll_flush(cx).map_err(|error| error.kind()))).await
    };
    assert_eq!(flush(&mut bench).await, Poll::Pending);
    for _ in 0..4 {
        pass(10).await;
        bench.io.write_all(&[b'x'; 8]).await.unwrap();
        bench.peer.read_exact(&mut [0; 8]).await.unwrap();
    }
    assert_eq!(flush(&mut bench).await, Poll::Pending);
    pass(30).await;
    assert_eq!(flush(&mut bench).await, Poll::Ready(Err(io::ErrorKind::TimedOut)));
}

/// The body of a whole answer, which is a call until it is dropped.
struct Answer(Full<Bytes>, #[expect(dead_code, reason = "it is dropped")] Call);

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.0).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.0.size_hint()
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_not_over_before_it_is_written() {
    let Bench { io, mut peer, activity, leaving, .. } = bench();
    let answers = |_| {
        let body = Answer(Full::new(vec![b'x'; 4000].into()), activity.begin(Version::HTTP_11));
        std::future::ready(http::Response::new(body))
    };
    let refuses = |_| unreachable!("it is a good request");
    let connection = gateway_http1::Connection::new(io, 8 << 10, answers, refuses);
    let reader = async {
        peer.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        tokio::task::yield_now().await;
        leaving.now();
        tokio::time::sleep(Duration::from_secs(5)).await;
        let mut got = Vec::new();
        let mut buffer = [0; 64];
        while !got.ends_with(&[b'x'; 4000]) {
            let read = peer.read(&mut buffer).await.unwrap();
            assert_ne!(read, 0, "it was cut after {} bytes", got.len());
            got.extend_from_slice(&buffer[..read]);
        }
    };
    tokio::select! {
        biased;
        () = reader => {}
        ended = connection => panic!("{ended:?}"),
    }
}
