use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gateway_domain::Known;
use tokio::time::Instant;

use super::http1::Wire;
use super::idleness::Idleness;
use super::shared::{Seat, Shared};
use crate::{spare, tasks};

/// At most this many idle connections are kept for one origin by one worker. As many calls may come again at a time; for those beyond,
/// connections are made anew each time, which costs more than the call.
const MAX_IDLE_PER_ORIGIN: usize = 1_024;

/// Buffers that nobody has needed for this long are given back.
const SPARE_FOR: Duration = Duration::from_secs(10);

/// A connection on which one request can be sent now.
#[derive(Debug)]
pub(crate) enum Connection {
    /// One call at a time.
    H1(Wire),
    /// Many calls at a time: a place for one of them.
    H2(Seat),
}

/// One worker's idle connections, newest last.
#[derive(Debug, Default)]
pub(super) struct Pool {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    origins: Known<Arc<str>, Origin>,
    /// Whether a task is looking after connections that grow too old.
    swept: bool,
}

#[derive(Debug, Default)]
struct Origin {
    idle: Vec<Idle>,
    shared: Vec<Shared>,
}

#[derive(Debug)]
struct Idle {
    wire: Wire,
    idleness: Idleness,
}

/// Where a connection is kept between two calls.
#[derive(Debug)]
pub(super) struct Home {
    pub pool: Arc<Pool>,
    pub origin: Arc<str>,
    /// How long it is kept, as the channel wants it whose call was on it.
    pub idle: Duration,
}

// === impl Pool ===

impl Pool {
    /// A kept connection that is still good, the one used last first: it is the least likely to be stale.
    pub(super) fn take(&self, origin: &str, idle: Duration, now: Instant) -> Option<Connection> {
        let mut kept = self.lock();
        let origin = kept.origins.get_mut(origin)?;
        // The first with a place, so that those that are too many by now grow old and are closed.
        if let Some(seat) = origin.shared.iter_mut().find_map(|shared| shared.take(idle, now)) {
            return Some(Connection::H2(seat));
        }
        while let Some(mut kept) = origin.idle.pop() {
            let is_over = kept.idleness.is_over(now);
            if !is_over && kept.idleness.is_over_for(idle, now) {
                // Those below are older still. They are others' to use, whose channels are more patient.
                origin.idle.push(kept);
                return None;
            }
            if !is_over && kept.wire.is_quiet() {
                return Some(Connection::H1(kept.wire));
            }
        }
        None
    }

    /// Lets other calls use an HTTP/2 connection too.
    pub(super) fn share(self: &Arc<Self>, origin: Arc<str>, connection: &Connection, idle: Duration) {
        if let Connection::H2(seat) = connection {
            let mut kept = self.lock();
            kept.origins.entry(origin).or_default().shared.push(seat.share(idle));
            self.look_after(kept, idle);
        }
    }

    fn put(self: &Arc<Self>, origin: Arc<str>, wire: Wire, idle: Duration) {
        let mut kept = self.lock();
        let list = &mut kept.origins.entry(origin).or_default().idle;
        if list.len() < MAX_IDLE_PER_ORIGIN {
            list.push(Idle { wire, idleness: Idleness::begin(idle) });
        }
        self.look_after(kept, idle);
    }

    /// Closes an eighth of the connections that nobody uses, of each origin those that were used last the longest ago. Tells how
    /// many those were. Those of HTTP/2 are few for all that they carry, and stay.
    pub(super) fn give_up_idle(&self) -> usize {
        let mut kept = self.lock();
        let lists = kept.origins.values_mut().map(|origin| &mut origin.idle);
        lists.map(|idle| idle.drain(..idle.len().div_ceil(8)).count()).sum()
    }

    fn look_after(self: &Arc<Self>, mut kept: MutexGuard<'_, Kept>, idle: Duration) {
        if !kept.swept {
            kept.swept = true;
            drop(kept);
            let pool = Arc::clone(self);
            let mut last = Instant::now();
            tasks::sweep(idle, move || {
                if last.elapsed() >= SPARE_FOR {
                    last = Instant::now();
                    spare::give_back_unused();
                }
                pool.sweep()
            });
        }
    }

    /// Closes what is too old, and what the other side has closed. Gives the shortest time for which something that is left
    /// may be kept; `None` where nothing is left.
    fn sweep(&self) -> Option<Duration> {
        let mut kept = self.lock();
        let now = Instant::now();
        let mut shortest = None;
        kept.origins.retain(|_, origin| {
            origin.idle.retain_mut(|kept| !kept.idleness.is_over(now) && kept.wire.is_quiet());
            origin.shared.retain(|shared| shared.is_wanted(now));
            let idle = origin.idle.iter().map(|kept| kept.idleness);
            let left = idle.chain(origin.shared.iter().map(Shared::idleness));
            shortest = left.map(Idleness::allowed).chain(shortest).min();
            !origin.idle.is_empty() || !origin.shared.is_empty()
        });
        kept.swept = !kept.origins.is_empty();
        shortest
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Home ===

impl Home {
    /// Keeps a connection whose last answer has been read to its end.
    pub(super) fn take_back(self, mut wire: Wire) {
        wire.rests();
        self.pool.put(self.origin, wire, self.idle);
    }
}
