use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use tokio::time::Instant;

use super::Outgoing;
use crate::tasks;

/// At most this many idle connections are kept for one origin.
const MAX_IDLE_PER_ORIGIN: usize = 256;

/// A connection on which one request can be sent now.
#[derive(Debug)]
pub(crate) enum Connection {
    /// One call at a time.
    H1(http1::SendRequest<Outgoing>),
    /// Many calls at a time; clones share the connection.
    H2(http2::SendRequest<Outgoing>),
}

/// One worker's idle connections, newest last.
#[derive(Debug, Default)]
pub(super) struct Pool {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    origins: HashMap<Arc<str>, Origin>,
    /// Whether a task is looking after connections that grow too old.
    swept: bool,
}

#[derive(Debug, Default)]
struct Origin {
    idle: Vec<Idle>,
    shared: Option<http2::SendRequest<Outgoing>>,
}

#[derive(Debug)]
struct Idle {
    sender: http1::SendRequest<Outgoing>,
    since: Instant,
}

/// A connection in use. [`Lease::release`] gives it back once the answer has been read to its end; dropping it closes
/// the connection, which is how the upstream learns that nobody listens any more.
#[derive(Debug)]
pub(crate) struct Lease {
    connection: Connection,
    pool: Arc<Pool>,
    origin: Arc<str>,
    idle: Duration,
}

// === impl Connection ===

impl Connection {
    pub(super) fn is_h2(&self) -> bool {
        matches!(self, Self::H2(_))
    }

    pub(super) async fn send(
        &mut self,
        request: Request<Outgoing>,
    ) -> Result<Response<Incoming>, hyper::Error> {
        match self {
            Self::H1(sender) => sender.send_request(request).await,
            Self::H2(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
        }
    }
}

// === impl Pool ===

impl Pool {
    /// A kept connection that is still good, the one used last first: it is the least likely to be stale.
    pub(super) fn take(&self, origin: &str, idle: Duration) -> Option<Connection> {
        let mut kept = self.lock();
        let origin = kept.origins.get_mut(origin)?;
        if let Some(shared) = &origin.shared {
            if shared.is_closed() {
                origin.shared = None;
            } else {
                return Some(Connection::H2(shared.clone()));
            }
        }
        let oldest = Instant::now().checked_sub(idle);
        while let Some(Idle { sender, since }) = origin.idle.pop() {
            if oldest.is_some_and(|oldest| since < oldest) {
                // The rest is older still.
                origin.idle.clear();
                return None;
            }
            if sender.is_ready() {
                return Some(Connection::H1(sender));
            }
        }
        None
    }

    /// Lets other calls use an HTTP/2 connection too.
    pub(super) fn share(&self, origin: Arc<str>, connection: &Connection) {
        if let Connection::H2(sender) = connection {
            self.lock().origins.entry(origin).or_default().shared = Some(sender.clone());
        }
    }

    fn put(self: &Arc<Self>, origin: Arc<str>, sender: http1::SendRequest<Outgoing>, idle: Duration) {
        let mut kept = self.lock();
        let list = &mut kept.origins.entry(origin).or_default().idle;
        if list.len() < MAX_IDLE_PER_ORIGIN {
            list.push(Idle { sender, since: Instant::now() });
        }
        if !kept.swept {
            kept.swept = true;
            drop(kept);
            let pool = Arc::clone(self);
            tasks::sweep(idle, move || pool.sweep(idle));
        }
    }

    /// Closes what is older than `idle`; tells whether anything is left to look after.
    fn sweep(&self, idle: Duration) -> bool {
        let mut kept = self.lock();
        if let Some(oldest) = Instant::now().checked_sub(idle) {
            for origin in kept.origins.values_mut() {
                origin.idle.retain(|kept| kept.since >= oldest && !kept.sender.is_closed());
            }
        }
        kept.origins.retain(|_, origin| {
            origin.shared = origin.shared.take().filter(|shared| !shared.is_closed());
            !origin.idle.is_empty() || origin.shared.is_some()
        });
        kept.swept = !kept.origins.is_empty();
        kept.swept
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Lease ===

impl Lease {
    pub(super) fn new(connection: Connection, pool: Arc<Pool>, origin: Arc<str>, idle: Duration) -> Self {
        Self { connection, pool, origin, idle }
    }

    /// Gives the connection back. To be called only when the answer's body has come to its end.
    pub(crate) fn release(self) {
        if let Connection::H1(sender) = self.connection {
            self.pool.put(self.origin, sender, self.idle);
        }
    }
}
