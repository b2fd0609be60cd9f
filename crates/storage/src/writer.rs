//! The only thread that writes.
//!
//! Admin writes have a transaction each and are answered when it is committed, which means: on disk. Records are
//! written in batches that nobody waits for. When the database is locked, full or failing, an admin write tells its
//! caller so in time, and records stay where they are until it works again.

use std::io;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use gateway_domain::UnixMillis;
use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};

use crate::batch::{Batch, Piece};
use crate::mailbox::{Job, Mailbox, Trouble, Turn};
use crate::place::{BUSY_TIMEOUT, Place};
use crate::{Record, Result, StorageError, StoreOptions, exchanges, objects, schema, sessions};

/// After a failure that is not a lock, the disk is left alone for so long.
const REST: Duration = Duration::from_millis(500);
/// After a lock, SQLite itself has waited already.
const BREATH: Duration = Duration::from_millis(5);

/// The handle to the writer's thread.
#[derive(Debug)]
pub(crate) struct Writer {
    mailbox: Arc<Mailbox>,
    place: Arc<Place>,
    patience: Duration,
    thread: Mutex<Option<JoinHandle<u64>>>,
}

/// What the thread owns.
struct Pen {
    conn: Connection,
    /// Tells how old history is.
    clock: fn() -> UnixMillis,
    place: Arc<Place>,
    mailbox: Arc<Mailbox>,
    /// Records taken out of the mailbox and not yet written.
    batch: Batch,
    /// When to try the batch again after it failed.
    retry_at: Option<Instant>,
}

/// Why a batch was not written.
enum BatchError {
    /// This piece can never be written.
    Unwritable(Piece, StorageError),
    /// The database cannot be written at the moment.
    Later(StorageError),
}

// === impl Writer ===

impl Writer {
    /// Starts the thread.
    pub(crate) fn start(conn: Connection, place: Place, options: &StoreOptions) -> io::Result<Self> {
        let StoreOptions { patience, queue, clock } = *options;
        let (mailbox, place) = (Arc::new(Mailbox::new(queue)), Arc::new(place));
        let pen = Pen {
            conn,
            clock,
            place: Arc::clone(&place),
            mailbox: Arc::clone(&mailbox),
            batch: Batch::default(),
            retry_at: None,
        };
        let thread = thread::Builder::new().name("storage-writer".to_owned()).spawn(move || pen.run())?;
        Ok(Self { mailbox, place, patience, thread: Mutex::new(Some(thread)) })
    }

    pub(crate) fn mailbox(&self) -> &Arc<Mailbox> {
        &self.mailbox
    }

    /// Runs `job` in a transaction of its own and waits until that is committed. `job` may run several times.
    pub(crate) fn write<T: Send + 'static>(
        &self,
        behavior: TransactionBehavior,
        mut job: impl FnMut(&Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (reply, answer) = mpsc::sync_channel(1);
        let place = Arc::clone(&self.place);
        let run = move |conn: &mut Connection, last: bool| {
            let mut outcome = place.check().and_then(|()| transact(conn, behavior, &mut job));
            if matches!(outcome, Err(StorageError::Full)) && schema::empty_log(conn).is_ok() {
                outcome = transact(conn, behavior, &mut job);
            }
            match outcome {
                Err(StorageError::Busy) if !last => false,
                outcome => {
                    // A caller that has gone away needs no answer.
                    let _gone = reply.send(outcome);
                    true
                }
            }
        };
        self.mailbox.submit(Job { deadline: Instant::now() + self.patience, run: Box::new(run) })?;
        answer.recv().unwrap_or(Err(StorageError::Closed))
    }

    /// Writes what waits, for at most `budget`, and ends the thread. Gives the number of records lost.
    pub(crate) fn close(&self, budget: Duration) -> u64 {
        self.mailbox.close(Instant::now() + budget);
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        thread.take().map_or(0, |thread| thread.join().unwrap_or(0))
    }
}

impl Drop for Writer {
    /// A store that is dropped without being closed still writes what waits, if that works at once.
    fn drop(&mut self) {
        self.mailbox.close(Instant::now());
    }
}

// === impl Pen ===

impl Pen {
    fn run(mut self) -> u64 {
        // However the thread ends, callers must not wait for it.
        let ended = Ended(Arc::clone(&self.mailbox));
        loop {
            match self.mailbox.turn(&mut self.batch, self.retry_at) {
                Turn::Job(job) => self.run_job(job),
                Turn::Batch => self.write_batch(),
                Turn::Prune => self.prune(),
                Turn::End => break,
            }
        }
        let lost = self.mailbox.end(self.batch.len());
        drop(ended);
        if lost > 0 {
            tracing::error!(records = lost, "records could not be written before the database was closed");
        }
        // Without this the next start reads the log instead; nothing is lost either way.
        if let Err(error) = schema::empty_log(&self.conn) {
            tracing::debug!(%error, "the write-ahead log stays for the next start");
        }
        lost
    }

    fn run_job(&mut self, mut job: Job) {
        let left = job.deadline.saturating_duration_since(Instant::now());
        self.wait_for_locks(left.min(BUSY_TIMEOUT));
        self.make_room();
        let last = left <= BUSY_TIMEOUT;
        if !(job.run)(&mut self.conn, last) {
            thread::sleep(BREATH);
            self.mailbox.put_back(job);
        }
    }

    fn write_batch(&mut self) {
        loop {
            match self.try_batch() {
                Ok(more) => {
                    self.mailbox.written_down(&mut self.batch);
                    self.retry_at = None;
                    self.recovered();
                    if more {
                        self.mailbox.ask_to_prune();
                    }
                    return;
                }
                Err(BatchError::Unwritable(at, error)) => {
                    let records = self.batch.remove(at);
                    tracing::error!(%error, records, "dropped what cannot be written");
                    self.mailbox.count_dropped(records as u64);
                }
                Err(BatchError::Later(error)) => {
                    let rest = if matches!(error, StorageError::Busy) { BREATH } else { REST };
                    self.retry_at = Some(Instant::now() + rest);
                    self.complain(&error);
                    return;
                }
            }
        }
    }

    /// All records of the batch in one transaction, which also removes history that is too much by now. Tells
    /// whether there may be more of that.
    fn try_batch(&mut self) -> Result<bool, BatchError> {
        self.wait_for_locks(BUSY_TIMEOUT);
        self.place.check().map_err(BatchError::Later)?;
        self.make_room();
        let later = |error: rusqlite::Error| BatchError::Later(error.into());
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate).map_err(later)?;
        for (at, segment) in self.batch.segments.iter().enumerate() {
            exchanges::insert(&tx, segment).map_err(|error| BatchError::of(Piece::Segment(at), error))?;
        }
        for (at, record) in self.batch.records.iter().enumerate() {
            let written = match record {
                Record::SessionPut(row) => sessions::put(&tx, row),
                Record::SessionRemove(id) => sessions::remove(&tx, *id),
                Record::ObjectPut(row) => objects::put(&tx, row),
                Record::ObjectRemove(id) => objects::remove(&tx, id),
            };
            written.map_err(|error| BatchError::of(Piece::Record(at), error))?;
        }
        let more =
            exchanges::prune(&tx, self.mailbox.retention(), (self.clock)()).map_err(BatchError::Later)?;
        tx.commit().map_err(later)?;
        Ok(more)
    }

    /// One step of removing history; more follow as long as there is more to remove and nothing else to do.
    fn prune(&mut self) {
        self.wait_for_locks(BUSY_TIMEOUT);
        let (keep, now) = (self.mailbox.retention(), (self.clock)());
        let step = self.place.check().and_then(|()| {
            transact(&mut self.conn, TransactionBehavior::Immediate, &mut |tx| {
                Ok(exchanges::prune(tx, keep, now)? | exchanges::prune_objects(tx, keep, now)?)
            })
        });
        // A failed step is not repeated at once: the next batch asks again.
        if matches!(step, Ok(true)) {
            self.mailbox.ask_to_prune();
        }
    }

    /// On a full disk it may be the write-ahead log that fills it. What little room there is must go to emptying the
    /// log into the file before the log can take it.
    fn make_room(&self) {
        if self.mailbox.trouble() == Trouble::Full
            && let Err(error) = schema::empty_log(&self.conn)
        {
            tracing::debug!(%error, "the write-ahead log cannot be emptied yet");
        }
    }

    /// How long SQLite itself waits for a lock before it is busy.
    fn wait_for_locks(&self, time: Duration) {
        if let Err(error) = self.conn.busy_timeout(time) {
            tracing::debug!(%error, "cannot set the busy timeout");
        }
    }

    /// Says once that records have to wait, not at every try.
    fn complain(&self, error: &StorageError) {
        let trouble = Trouble::of(error);
        if self.mailbox.set_trouble(trouble) != trouble {
            tracing::warn!(%error, waiting = self.mailbox.queued(), "records cannot be written and wait");
        }
    }

    fn recovered(&self) {
        if self.mailbox.set_trouble(Trouble::None) != Trouble::None {
            tracing::info!(dropped = self.mailbox.dropped(), "records are written again");
        }
    }
}

// === impl BatchError ===

impl BatchError {
    /// Only these are the piece's own fault; whatever else goes wrong would go wrong with any.
    fn of(piece: Piece, error: StorageError) -> Self {
        let code = if let StorageError::Sql(error) = &error { error.sqlite_error_code() } else { None };
        let own = [ErrorCode::ConstraintViolation, ErrorCode::TypeMismatch, ErrorCode::TooBig];
        if code.is_some_and(|code| own.contains(&code)) {
            Self::Unwritable(piece, error)
        } else {
            Self::Later(error)
        }
    }
}

/// Marks the mailbox when the thread is gone, by a panic too.
struct Ended(Arc<Mailbox>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.end(0);
    }
}

/// Runs `job` in a transaction; what it did is kept only if it succeeds.
fn transact<T>(
    conn: &mut Connection,
    behavior: TransactionBehavior,
    job: &mut impl FnMut(&Transaction<'_>) -> Result<T>,
) -> Result<T> {
    let tx = conn.transaction_with_behavior(behavior)?;
    let value = job(&tx)?;
    tx.commit()?;
    Ok(value)
}

#[cfg(test)]
mod tests;
