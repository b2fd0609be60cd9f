use std::path::Path;
use std::time::Duration;

use gateway_domain::{Inventory, UnixMillis};

use crate::{MasterKey, Recorder, Result, StorageError};

/// The gateway's database. Cheap to clone; all clones are the same store.
#[derive(Clone, Debug)]
pub struct Store {}

/// What can be tuned; the default is right for production.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// How long an admin write waits for a database that others hold, before it is [`StorageError::Busy`].
    pub patience: Duration,
    /// How many records may wait to be written.
    pub queue: usize,
    /// Tells the time for the rows' timestamps.
    pub clock: fn() -> UnixMillis,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { patience: Duration::from_secs(5), queue: 65_536, clock: || UnixMillis(0) }
    }
}

impl Store {
    /// Opens the database at `path`: makes it if there is none, migrates it if it is older or the original
    /// gateway's.
    pub fn open(path: &Path, key: &MasterKey) -> Result<Self> {
        Self::open_with(path, key, StoreOptions::default())
    }

    /// Like [`Store::open`], tuned.
    pub fn open_with(path: &Path, key: &MasterKey, options: StoreOptions) -> Result<Self> {
        let _ = (path, key, options);
        Err(StorageError::Closed)
    }

    /// A database that is gone with the last clone of the store, for tests and demonstrations.
    pub fn open_in_memory(key: &MasterKey) -> Result<Self> {
        let _ = key;
        Err(StorageError::Closed)
    }

    /// Everything that serving needs, read at one moment.
    pub fn inventory(&self) -> Result<Inventory> {
        self.unfinished()
    }

    /// The way by which the request path keeps things.
    pub fn recorder(&self) -> Recorder {
        Recorder {}
    }

    /// Writes what waits, empties the write-ahead log into the file and ends the writer. What comes later is
    /// [`StorageError::Closed`]. A second call does nothing.
    pub fn close(&self) -> Result<()> {
        self.unfinished()
    }

    /// Whether the database can be read, and the last write did not fail.
    pub fn health(&self) -> Result<()> {
        self.unfinished()
    }

    pub(crate) fn unfinished<T>(&self) -> Result<T> {
        let _ = self;
        Err(StorageError::Closed)
    }

    pub(crate) fn unfinished_of<A, T>(&self, _argument: A) -> Result<T> {
        self.unfinished()
    }
}
