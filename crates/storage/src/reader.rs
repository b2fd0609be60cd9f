//! A pool of connections that can only read. In the write-ahead log mode readers never wait for the writer.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use r2d2::Pool;
use r2d2_sqlite::SqliteConnectionManager;
use rusqlite::Transaction;

use crate::place::Place;
use crate::{Result, StorageError};

/// Admin requests that read at the same time; more of them wait for a connection.
const CONNECTIONS: u32 = 4;

#[derive(Debug)]
pub(crate) struct Reader {
    /// Gone when the store is closed.
    pool: Mutex<Option<Pool<SqliteConnectionManager>>>,
    patience: Duration,
}

// === impl Reader ===

impl Reader {
    /// Connections are made when they are first needed.
    pub(crate) fn new(place: &Place, patience: Duration) -> Self {
        let pool = Pool::builder()
            .max_size(CONNECTIONS)
            .min_idle(Some(0))
            .connection_timeout(patience)
            .test_on_check_out(false)
            .error_handler(Box::new(r2d2::NopErrorHandler))
            .build_unchecked(place.read_only());
        Self { pool: Mutex::new(Some(pool)), patience }
    }

    /// Runs `query` in a transaction: all it reads is of one moment. It may run several times.
    pub(crate) fn read<T>(&self, mut query: impl FnMut(&Transaction<'_>) -> Result<T>) -> Result<T> {
        let pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let pool = pool.ok_or(StorageError::Closed)?;
        let deadline = Instant::now() + self.patience;
        loop {
            let mut conn = pool.get().map_err(|error| StorageError::Io {
                detail: format!("no connection to read with: {error}"),
            })?;
            let found = conn.transaction().map_err(StorageError::from).and_then(|tx| query(&tx));
            match found {
                Err(StorageError::Busy) if Instant::now() < deadline => {}
                found => return found,
            }
        }
    }

    /// Lets go of the connections, as soon as nobody uses them.
    pub(crate) fn close(&self) {
        let pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(pool);
    }
}
