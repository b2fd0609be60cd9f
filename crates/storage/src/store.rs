use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gateway_domain::{Inventory, UnixMillis};
use rusqlite::TransactionBehavior;

use crate::mailbox::Trouble;
use crate::place::Place;
use crate::reader::Reader;
use crate::secrets::Sealer;
use crate::tx::Tx;
use crate::writer::Writer;
use crate::{
    MasterKey, Recorder, Result, Retention, StorageError, channels, clock, keys, models, schema, users,
};

/// How long `close` goes on trying to write records when the database is held or failing.
const CLOSE_BUDGET: Duration = Duration::from_secs(15);

/// The gateway's database. Cheap to clone; all clones are the same store.
///
/// Every call blocks: on an async runtime it belongs on a blocking thread. A write that was answered with `Ok` is on
/// disk, and survives a kill and a power cut.
#[derive(Clone, Debug)]
pub struct Store(Arc<Inside>);

#[derive(Debug)]
struct Inside {
    writer: Writer,
    reader: Reader,
    sealer: Arc<Sealer>,
    clock: fn() -> UnixMillis,
}

/// What can be tuned; the default is right for production.
#[derive(Clone, Copy, Debug)]
pub struct StoreOptions {
    /// How long a write or read waits for a database that others hold, before it is [`StorageError::Busy`]: 5 s.
    pub patience: Duration,
    /// How many records may wait to be written: 65,536.
    pub queue: usize,
    /// Tells the time for the rows' timestamps.
    pub clock: fn() -> UnixMillis,
}

// === impl StoreOptions ===

impl Default for StoreOptions {
    fn default() -> Self {
        Self { patience: Duration::from_secs(5), queue: 65_536, clock: clock::now }
    }
}

// === impl Store ===

impl Store {
    /// Opens the database at `path`: makes it if there is none, migrates it if it is older or the original
    /// gateway's. What is damaged, newer, of another program or sealed with another master key is refused and left
    /// as it is.
    pub fn open(path: &Path, key: &MasterKey) -> Result<Self> {
        Self::open_with(path, key, StoreOptions::default())
    }

    /// Like [`Store::open`], tuned.
    pub fn open_with(path: &Path, key: &MasterKey, options: StoreOptions) -> Result<Self> {
        let place = Place::file(path)?;
        Self::open_at(place, key, options).map_err(|error| error.at(path))
    }

    /// A database that is gone with the last clone of the store, for tests and demonstrations.
    pub fn open_in_memory(key: &MasterKey) -> Result<Self> {
        Self::open_at(Place::memory(), key, StoreOptions::default())
    }

    fn open_at(place: Place, key: &MasterKey, options: StoreOptions) -> Result<Self> {
        let sealer = Arc::new(Sealer::new(key));
        let deadline = Instant::now() + options.patience;
        let mut conn = place.connect()?;
        loop {
            match schema::establish(&mut conn, &place, &sealer, (options.clock)()) {
                Err(StorageError::Busy) if Instant::now() < deadline => {}
                established => break established?,
            }
        }
        let reader = Reader::new(&place, options.patience);
        let writer = Writer::start(conn, place, &options)
            .map_err(|error| StorageError::Io { detail: format!("cannot start the writer: {error}") })?;
        Ok(Self(Arc::new(Inside { writer, reader, sealer, clock: options.clock })))
    }

    /// Everything that serving needs, read at one moment.
    pub fn inventory(&self) -> Result<Inventory> {
        self.read(|tx| {
            Ok(Inventory {
                channels: channels::all(tx)?.into_iter().map(|stored| stored.value).collect(),
                models: models::all(tx)?.into_iter().map(|stored| stored.value).collect(),
                users: users::all(tx)?.into_iter().map(|stored| stored.value).collect(),
                keys: keys::all(tx)?,
            })
        })
    }

    /// The way by which the request path keeps things.
    pub fn recorder(&self) -> Recorder {
        Recorder::new(Arc::clone(self.0.writer.mailbox()))
    }

    /// Writes what waits, empties the write-ahead log into the file and ends the writer. What comes later is
    /// [`StorageError::Closed`]. A second call does nothing.
    ///
    /// Fails when records could not be written within 15 seconds; they are lost then, and counted.
    pub fn close(&self) -> Result<()> {
        self.0.reader.close();
        match self.0.writer.close(CLOSE_BUDGET) {
            0 => Ok(()),
            lost => Err(StorageError::Io { detail: format!("{lost} records could not be written any more") }),
        }
    }

    /// Whether the database can be read, and records are being written.
    pub fn health(&self) -> Result<()> {
        if self.0.writer.mailbox().is_closed() {
            return Err(StorageError::Closed);
        }
        self.read(|tx| tx.count("SELECT count(*) FROM meta", []).map(drop))?;
        match self.0.writer.mailbox().trouble() {
            Trouble::None => Ok(()),
            Trouble::Busy => Err(StorageError::Busy),
            Trouble::Full => Err(StorageError::Full),
            Trouble::Other => Err(StorageError::Io { detail: "records cannot be written".to_owned() }),
        }
    }

    /// Which exchanges and objects are kept; others are removed in small steps. Without this call nothing is removed.
    pub fn set_retention(&self, keep: Retention) {
        self.0.writer.mailbox().set_retention(keep);
    }

    /// Has removed what has become too old meanwhile, without waiting for it. Every batch of records does so too: this
    /// is for times without any.
    pub fn prune(&self) {
        self.0.writer.mailbox().ask_to_prune();
    }

    pub(crate) fn retention(&self) -> Retention {
        self.0.writer.mailbox().retention()
    }

    #[cfg(test)]
    pub(crate) fn writer(&self) -> &Writer {
        &self.0.writer
    }

    /// Reads in one transaction.
    pub(crate) fn read<T>(&self, mut query: impl FnMut(Tx<'_>) -> Result<T>) -> Result<T> {
        let Inside { reader, sealer, clock, .. } = &*self.0;
        let now = clock();
        reader.read(|tx| query(Tx { conn: tx, sealer, now }))
    }

    /// Writes in one transaction and waits for the disk. `job` may run several times.
    pub(crate) fn write<T: Send + 'static>(
        &self,
        job: impl FnMut(Tx<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.write_with(TransactionBehavior::Immediate, job)
    }

    /// Like [`Store::write`], but takes the right to write only when `job` first writes: a job that finds nothing to
    /// do leaves the file alone.
    pub(crate) fn write_if_needed<T: Send + 'static>(
        &self,
        job: impl FnMut(Tx<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.write_with(TransactionBehavior::Deferred, job)
    }

    fn write_with<T: Send + 'static>(
        &self,
        behavior: TransactionBehavior,
        mut job: impl FnMut(Tx<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let sealer = Arc::clone(&self.0.sealer);
        let now = (self.0.clock)();
        self.0.writer.write(behavior, move |tx| job(Tx { conn: tx, sealer: &sealer, now }))
    }
}

#[cfg(test)]
mod tests;
