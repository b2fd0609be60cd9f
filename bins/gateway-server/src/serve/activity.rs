use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gateway_proxy::Socket;
use http::Version;
use tokio::time::Instant;

use super::places::Place;

/// What one connection's calls tell its socket.
///
/// The timers of a connection depend on whether a call is under way, and only the service knows. Both sides run in
/// the same task or on the same thread nearly always, so relaxed atomics cost next to nothing.
#[derive(Debug)]
pub(crate) struct Activity {
    /// Calls that ever began.
    begun: AtomicU64,
    /// Calls whose answer has not ended.
    open: AtomicU32,
    /// HTTP/2: answers that gave a frame and were not asked for the next one since.
    held: AtomicU32,
    /// HTTP/2: when an answer last gave a frame or was asked for one, in milliseconds since `origin`.
    moved: AtomicU64,
    origin: Instant,
    http2: AtomicBool,
    /// The last call spoke HTTP/1.0.
    http1_0: AtomicBool,
    /// What the connection becomes once the answer that says so has gone out.
    socket: Mutex<Option<Carried>>,
    leaving: Leaving,
}

/// What a connection becomes: a socket, which takes a call's place as long as it lasts.
pub(crate) type Carried = (Box<Socket>, Option<Place>);

/// Whether the listener of some connections is closing. Shared by all of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Leaving(Arc<AtomicBool>);

/// Marks one call of a connection as under way until it is dropped.
#[derive(Debug)]
pub(crate) struct Call {
    activity: Arc<Activity>,
    holds_frame: bool,
}

// === impl Activity ===

impl Activity {
    pub(crate) fn new(leaving: Leaving) -> Arc<Self> {
        Arc::new(Self {
            begun: AtomicU64::new(0),
            open: AtomicU32::new(0),
            held: AtomicU32::new(0),
            moved: AtomicU64::new(0),
            origin: Instant::now(),
            http2: AtomicBool::new(false),
            http1_0: AtomicBool::new(false),
            socket: Mutex::default(),
            leaving,
        })
    }

    /// A call begins.
    pub(crate) fn begin(self: &Arc<Self>, version: Version) -> Call {
        self.http1_0.store(version == Version::HTTP_10, Ordering::Relaxed);
        self.begun.fetch_add(1, Ordering::Relaxed);
        self.open.fetch_add(1, Ordering::Relaxed);
        Call { activity: Arc::clone(self), holds_frame: false }
    }

    /// How many calls ever began.
    pub(crate) fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    /// Whether a call is under way.
    pub(crate) fn is_serving(&self) -> bool {
        self.open.load(Ordering::Relaxed) > 0
    }

    /// What the connection has become, if it is no longer one of HTTP.
    pub(crate) fn take_socket(&self) -> Option<Carried> {
        self.socket.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether the peer is known not to understand interim answers (1xx).
    pub(crate) fn takes_no_interim(&self) -> bool {
        self.http1_0.load(Ordering::Relaxed)
    }

    /// Whether the connection should end as soon as nothing is under way.
    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.0.load(Ordering::Relaxed)
    }

    /// The socket saw the HTTP/2 preface.
    pub(crate) fn speaks_http2(&self) {
        self.http2.store(true, Ordering::Relaxed);
    }

    /// Whether answers wait for the peer to open its window, and nothing moved for `limit`.
    ///
    /// On HTTP/1 a peer that does not read shows in the socket; on HTTP/2 the socket may be idle while every stream
    /// waits for a window update that never comes.
    pub(crate) fn is_stalled(&self, now: Instant, limit: Duration) -> bool {
        let moved = Duration::from_millis(self.moved.load(Ordering::Relaxed));
        self.held.load(Ordering::Relaxed) > 0
            && now.duration_since(self.origin).saturating_sub(moved) >= limit
    }

    fn touch(&self) {
        let since = u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.moved.store(since, Ordering::Relaxed);
    }
}

// === impl Leaving ===

impl Leaving {
    /// The connections are told by their servers; this is for those whose peers do not answer.
    pub(crate) fn now(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

// === impl Call ===

impl Call {
    /// The connection is this socket's from now on: for its timers one more call, which lasts as long as it does.
    pub(crate) fn hand_over(&self, socket: Carried) {
        self.activity.open.fetch_add(1, Ordering::Relaxed);
        *self.activity.socket.lock().unwrap_or_else(PoisonError::into_inner) = Some(socket);
    }

    /// The connection asks for the answer's next frame: what it was given before has been taken.
    pub(crate) fn asked(&mut self) {
        if self.holds_frame {
            self.holds_frame = false;
            self.activity.held.fetch_sub(1, Ordering::Relaxed);
            self.activity.touch();
        }
    }

    /// The answer gave a frame.
    pub(crate) fn gave(&mut self) {
        if !self.holds_frame && self.activity.http2.load(Ordering::Relaxed) {
            self.holds_frame = true;
            self.activity.held.fetch_add(1, Ordering::Relaxed);
            self.activity.touch();
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.asked();
        self.activity.open.fetch_sub(1, Ordering::Relaxed);
    }
}
