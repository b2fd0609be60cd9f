//! Names of upstreams: which addresses they have, asked for off the path of calls.
//!
//! An answer is used for as long as its TTL says, and a name in use is asked for again before that time is over, so
//! that calls do not wait for name servers. While these fail, the last answer serves on for [`entry::STALE_FOR`]. Each
//! name is looked up once at a time, by a task of its own, and waits for no other name.

mod ask;
mod entry;
mod order;
mod sockets;
#[cfg(test)]
mod stub;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use gateway_health::out_of_files;
use metrics::Counter;
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};

use self::ask::{Asker, Found};
use self::entry::{Entry, Step};
use super::race::Finish;
use crate::metrics::Metrics;
use crate::tasks;

/// A lookup that has no answer by then never will. It may go on longer than anybody waits for it: a slow answer still
/// serves the next call.
const LOOKUP_LIMIT: Duration = Duration::from_secs(5);

/// The names that one process calls, shared by its workers. Literal addresses pass through without a question.
#[derive(Clone)]
pub struct Names(Arc<Inner>);

struct Inner {
    asker: Asker,
    entries: ArcSwap<HashMap<Arc<str>, Arc<Mutex<Entry>>>>,
    lookups: [Counter; LookupError::ALL.len() + 1],
}

/// Why a name has no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub(crate) enum LookupError {
    /// The name servers say so.
    #[error("there is no such name")]
    Absent,
    /// The name is there and has no address.
    #[error("the name has no address")]
    Empty,
    /// SERVFAIL, REFUSED and the like.
    #[error("the name server failed")]
    Refused,
    /// There is nobody to ask.
    #[error("no name server can be reached")]
    Unreachable,
    /// Silence.
    #[error("no name server answered in time")]
    Timeout,
    /// Nobody was asked: the process, or the machine, has as many files open as it may.
    #[error("no file is left to ask a name server")]
    NoFile,
}

/// A lookup under way. However it ends, the next one may begin then.
struct Asking {
    entry: Arc<Mutex<Entry>>,
    /// Dropped after the entry was told, which wakes who waits.
    _over: watch::Sender<()>,
}

// === impl Names ===

impl Names {
    /// Asks these name servers, or the ones of `/etc/resolv.conf` where none is given. `/etc/hosts` and the search list
    /// are the system's in both cases. Nothing is asked yet.
    pub fn new(servers: &[SocketAddr], metrics: &Metrics) -> Self {
        Self::asking(Asker::new(servers), metrics)
    }

    fn asking(asker: Asker, metrics: &Metrics) -> Self {
        let lookups = metrics.name_lookups(LookupError::OUTCOMES);
        Self(Arc::new(Inner { asker, entries: ArcSwap::default(), lookups }))
    }

    /// The addresses of a host, for others than calls. Waits for an answer no longer than calls do.
    pub async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let found = self.addresses(host, Instant::now() + LOOKUP_LIMIT).await;
        found.map_err(|error| {
            let no_file = error == LookupError::NoFile;
            if no_file { out_of_files() } else { io::Error::new(io::ErrorKind::NotFound, error) }
        })
    }

    /// The addresses to try, in this order. Never empty.
    pub(crate) async fn addresses(&self, host: &str, deadline: Instant) -> Result<Vec<IpAddr>, LookupError> {
        if let Ok(address) = host.parse() {
            return Ok(vec![address]);
        }
        let (host, entry) = self.entry(host);
        let since = Instant::now();
        loop {
            let (step, over) = locked(&entry).next(since, Instant::now());
            if let Some(over) = over {
                self.start(Arc::clone(&host), Arc::clone(&entry), over);
            }
            let (mut over, until) = match step {
                Step::Take(addresses) => return Ok(locked(&entry).order.arrange(&addresses, Instant::now())),
                Step::Fail(why) => return Err(why),
                Step::Wait(over, until) => (over, until),
            };
            // Woken or not: what is known by then is looked at anew.
            let _: Result<_, _> = timeout_at(until.min(deadline), over.changed()).await;
            if Instant::now() >= deadline {
                return Err(LookupError::Timeout);
            }
        }
    }

    /// Tells how connecting to these addresses went: who lost comes last next time, and where nobody could be reached,
    /// the name may have other addresses by now.
    pub(super) fn raced(&self, host: &str, finish: &Finish) {
        if host.parse::<IpAddr>().is_ok() {
            return;
        }
        let (host, entry) = self.entry(host);
        let now = Instant::now();
        let mut known = locked(&entry);
        known.order.raced(finish.won.as_ref().ok().map(|(_, address)| address.ip()), &finish.lost, now);
        let over = if finish.won.is_err() { known.doubt(now) } else { None };
        drop(known);
        if let Some(over) = over {
            self.start(host, entry, over);
        }
    }

    /// The name's entry, made if it is not there.
    fn entry(&self, host: &str) -> (Arc<str>, Arc<Mutex<Entry>>) {
        if let Some((host, entry)) = self.0.entries.load().get_key_value(host) {
            return (Arc::clone(host), Arc::clone(entry));
        }
        let (host, entry): (Arc<str>, _) = (host.into(), Arc::new(Mutex::new(Entry::new(Instant::now()))));
        self.0.entries.rcu(|known| {
            let mut more = HashMap::clone(known);
            let now = Instant::now();
            // Names of channels that are gone leave with the next name that comes.
            more.retain(|_, entry| locked(entry).is_wanted(now));
            more.entry(Arc::clone(&host)).or_insert_with(|| Arc::clone(&entry));
            more
        });
        // Another worker may have been first; and if the entry is gone again, this one will do for this call.
        let kept = self.0.entries.load().get(&host).cloned();
        (host, kept.unwrap_or(entry))
    }

    fn start(&self, host: Arc<str>, entry: Arc<Mutex<Entry>>, over: watch::Sender<()>) {
        let inner = Arc::clone(&self.0);
        let asking = Asking { entry, _over: over };
        tasks::look_up(async move {
            let found = timeout(LOOKUP_LIMIT, inner.asker.ask(&host)).await;
            asking.settle(&host, found.unwrap_or(Err(LookupError::Timeout)), &inner.lookups);
        });
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.entries.load().keys()).finish()
    }
}

// === impl Asking ===

impl Asking {
    fn settle(self, host: &str, found: Result<Found, LookupError>, lookups: &[Counter]) {
        let outcome = found.as_ref().map_or_else(|error| *error as usize + 1, |_| 0);
        if let Some(counter) = lookups.get(outcome) {
            counter.increment(1);
        }
        match &found {
            Ok(found) => tracing::debug!(host, ?found, "name looked up"),
            Err(error) => tracing::debug!(host, %error, "name lookup failed"),
        }
        let turned = locked(&self.entry).settle(found, Instant::now());
        match turned {
            Some(Err(error)) => tracing::warn!(host, %error, "the addresses of an upstream cannot be had"),
            Some(Ok(())) => tracing::info!(host, "the addresses of an upstream can be had again"),
            None => {}
        }
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        locked(&self.entry).asked_no_more();
    }
}

// === impl LookupError ===

impl LookupError {
    const ALL: [Self; 6] =
        [Self::Absent, Self::Empty, Self::Refused, Self::Unreachable, Self::Timeout, Self::NoFile];

    /// The words for outcomes of lookups: the one that found something, then the errors in their order.
    const OUTCOMES: [&str; Self::ALL.len() + 1] =
        ["ok", "nxdomain", "empty", "servfail", "unreachable", "timeout", "no_file"];

    /// Whether this is an answer. Otherwise nothing is known, and an old answer is the best there is.
    const fn is_answer(self) -> bool {
        matches!(self, Self::Absent | Self::Empty)
    }
}

fn locked(entry: &Mutex<Entry>) -> MutexGuard<'_, Entry> {
    entry.lock().unwrap_or_else(PoisonError::into_inner)
}
