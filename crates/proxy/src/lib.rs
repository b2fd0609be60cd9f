//! The data plane: carries an OpenAI call to the best channel and its answer back.
//!
//! The path of a request is one function in `gateway.rs`, read top to bottom. This is the only crate that knows the
//! OpenAI wire format ([`openai`]).
//!
//! **Must never know:** storage, the admin API, SQL. Records leave through the [`Sink`], which must not block.
//!
//! **Invariants.** One [`Snapshot`] per call. Bytes that need not change are not changed. Nothing on the path of a
//! request waits for a database, for a lock held across an await, or for another request; only a call that names an object
//! that memory does not hold asks storage, through [`Recall`], for a second at most. A client that leaves
//! cancels its upstream call. No key reaches an answer, a log line or a metric.

mod admit;
mod affinity;
mod attempt;
mod batch_file;
mod body;
mod budget;
mod call;
mod clock;
mod commit;
mod drain;
mod error;
mod events;
mod explain;
mod failures;
#[cfg(feature = "fuzz")]
pub mod fuzz;
mod gateway;
mod headers;
mod journal;
mod limited;
mod metrics;
mod models;
pub mod openai;
mod own_lists;
mod plane;
mod relay;
mod request_body;
mod request_id;
mod respond;
mod room;
mod route;
mod scrub;
mod search;
mod socket;
mod spare;
mod spool;
mod tap;
mod tasks;
mod understand;
mod upload;
mod upstream;
mod waiting;
pub mod websocket;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use gateway_config::Snapshot;
use gateway_health::Board;
use gateway_objects::Objects;
use gateway_routing::Pools;
use gateway_sessions::Sessions;

pub use admit::{MayExplain, wants_explanation};
pub use affinity::{Neighbours, Question, Recall, Recalled, Silent};
pub use body::{Body, BodyError};
pub use clock::Clock;
pub use explain::ROUTE;
pub use gateway::Worker;
pub use journal::Sink;
pub use metrics::Metrics;
pub use plane::AdoptError;
pub use request_body::RequestBody;
pub use request_id::{REQUEST_ID, RequestId, seed};
pub use socket::Socket;
pub use upstream::Names;

use affinity::Directory;
use drain::Cut;
use gateway::Shared;
use journal::Journal;
use plane::Plane;
use room::Room;
use upstream::{EveryPool, Upstreams};

/// What the data plane is built from.
pub struct Parts {
    /// Where each model's pool lives.
    pub pools: Arc<Pools>,
    /// Which channel served whom last.
    pub sessions: Arc<Sessions>,
    /// Which channel made which object, and whose it is.
    pub objects: Arc<Objects>,
    /// How objects are found that memory does not hold.
    pub recall: Recall,
    /// What is known of the channels' health.
    pub board: Arc<Board>,
    /// What Prometheus reads.
    pub metrics: Metrics,
    /// How upstreams are trusted.
    pub tls: Arc<rustls::ClientConfig>,
    /// How their names are resolved.
    pub names: Names,
    /// Where finished exchanges go.
    pub sink: Sink,
    /// One clock for all workers.
    pub clock: Clock,
}

/// The data plane's control side: takes snapshots, gives workers.
pub struct Proxy {
    shared: Arc<Shared>,
    pools: Arc<Pools>,
    metrics: Metrics,
    tls: Arc<rustls::ClientConfig>,
    names: Names,
    every_pool: EveryPool,
    /// One for each worker: registering with it must not make workers meet.
    cuts: Mutex<Vec<Cut>>,
}

// === impl Proxy ===

impl Proxy {
    /// A data plane that serves this first snapshot.
    pub fn new(parts: Parts, first: Arc<Snapshot>) -> Result<Self, AdoptError> {
        let Parts { pools, sessions, objects, recall, board, metrics, tls, names, sink, clock } = parts;
        let plane = ArcSwap::from_pointee(Plane::build(first, &pools, &metrics, None)?);
        let journal = Arc::new(Journal { clock, board: Arc::clone(&board), metrics: metrics.clone(), sink });
        let directory = Directory { objects, recall };
        let room = Room::new(metrics.no_room());
        let shared = Arc::new(Shared { plane, sessions, directory, board, journal, room });
        let (every_pool, cuts) = (EveryPool::default(), Mutex::default());
        Ok(Self { shared, pools, metrics, tls, names, every_pool, cuts })
    }

    /// Puts a snapshot in force. Calls under way keep the one they began with. On an error the old one stays.
    pub fn adopt(&self, snapshot: Arc<Snapshot>) -> Result<(), AdoptError> {
        let plane = Plane::build(snapshot, &self.pools, &self.metrics, Some(&self.shared.plane.load()))?;
        self.shared.plane.store(Arc::new(plane));
        Ok(())
    }

    /// A worker with upstream connections of its own: one per core.
    pub fn worker(&self) -> Worker {
        let cut = Cut::default();
        self.cuts.lock().unwrap_or_else(PoisonError::into_inner).push(cut.clone());
        let upstreams = Upstreams::new(&self.tls, self.names.clone(), &self.every_pool);
        Worker::new(Arc::clone(&self.shared), upstreams, cut)
    }

    /// Closes some upstream connections that nobody uses, for the sake of the files that they take. `false` where there are none.
    pub fn give_up_idle(&self) -> bool {
        self.every_pool.give_up_idle()
    }

    /// How many requests are under way, and how many of them are streamed answers or WebSockets.
    pub fn under_way(&self) -> (u64, u64) {
        self.metrics.under_way()
    }

    /// Brings the gauges of what is under way up to date; to be called before they are read.
    pub fn show_under_way(&self) {
        self.metrics.show_under_way();
    }

    /// Ends every stream that is still running with an error event, and answers every call that has no answer yet, for
    /// the end of a shutdown's grace.
    pub fn cut(&self) {
        for cut in &*self.cuts.lock().unwrap_or_else(PoisonError::into_inner) {
            cut.now();
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proxy")
    }
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Parts")
    }
}
