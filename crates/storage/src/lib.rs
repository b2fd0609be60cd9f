//! Keeps what must survive a restart: channels, models, users and their keys, settings, sessions, whose objects are
//! where, and the story of past exchanges, in one SQLite file.
//!
//! This is the only crate with SQL. Its API blocks: callers on an async runtime use their own blocking threads.
//! One thread owns the only connection that writes (`writer`), readers share a pool of read-only connections
//! (`reader`), and what the request path wants to keep travels through a bounded queue ([`Recorder`]), so that it
//! never waits for the disk.
//!
//! **Must never know:** hyper, HTTP, the proxy, tokio, the configuration file.

mod batch;
mod channels;
mod clock;
mod declared;
mod error;
mod exchanges;
#[cfg(test)]
mod fixture;
mod keys;
mod mailbox;
mod mappings;
mod metrics;
mod models;
mod objects;
mod original;
mod place;
mod reader;
mod recorder;
mod schema;
mod secrets;
mod sessions;
mod settings;
mod store;
mod stored;
mod tuning;
mod tx;
mod users;
mod writer;

pub use channels::ChannelPatch;
pub use error::{Result, StorageError};
pub use exchanges::{
    ExchangeFilter, ExchangePage, MAX_EXCHANGES_PER_QUERY, ObjectRetention, Retention, StoredAttempt,
    StoredExchange,
};
pub use keys::key_digest;
pub use mappings::MappingPatch;
pub use metrics::LifetimeMetrics;
pub use models::ModelPatch;
pub use objects::{ObjectNeighbours, ObjectRow, Side};
pub use recorder::{Record, Recorder};
pub use secrets::MasterKey;
pub use sessions::SessionRow;
pub use store::{Store, StoreOptions};
pub use stored::{Removed, Stored};
pub use tuning::{ChannelTuningPatch, ModelTuningPatch};
pub use users::UserPatch;
