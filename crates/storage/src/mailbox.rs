//! What waits for the writer: admin writes in front, records behind them. Both are bounded.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::batch::Batch;
use crate::exchanges::{FULL, Segment, Written};
use crate::{Record, Result, Retention, StorageError};

/// Records are written together when the first of them has waited so long: each transaction costs a sync and its share
/// of the data plane's core …
const BATCH_WAIT: Duration = Duration::from_millis(200);
/// … or when so many wait: an eighth of the queue, no more than this. One transaction takes no more, either.
const BATCH: usize = 8192;
/// The memory of so many segments is kept for the next ones.
const SPARE: usize = 4;
/// So many batches go before a look for history to remove; then it comes first, or records that never cease to come would
/// keep it away for ever.
const BATCHES_BEFORE_PRUNING: u8 = 8;
/// Admin writes that may wait; they come from people and scripts, one at a time each.
const MAX_JOBS: usize = 256;

/// Where callers leave work and the writer finds it.
#[derive(Debug)]
pub(crate) struct Mailbox {
    capacity: usize,
    /// When so many records wait, the writer does not wait any longer.
    plenty: usize,
    inside: Mutex<Inside>,
    /// Wakes the writer.
    work: Condvar,
    /// Wakes callers that wait for room among the jobs.
    room: Condvar,
    dropped: AtomicU64,
    /// Records are being lost for want of room.
    full: AtomicBool,
    written: AtomicU64,
    retention: Mutex<Retention>,
    trouble: AtomicU8,
}

#[derive(Debug, Default)]
struct Inside {
    jobs: VecDeque<Job>,
    /// Exchanges; the last segment is being filled.
    segments: VecDeque<Segment>,
    /// What is no exchange.
    records: VecDeque<Record>,
    /// Exchanges and other records together.
    waiting: usize,
    /// Empty ones.
    spare: Vec<Segment>,
    /// Records that the writer has taken out and not yet written.
    in_hand: usize,
    /// When the oldest record that still lies here came.
    oldest: Option<Instant>,
    prune: bool,
    /// The batches that went before it since it was asked for.
    went_before: u8,
    /// Set when the store closes: until when the writer may still try.
    closing: Option<Instant>,
    /// The writer has ended.
    ended: bool,
}

/// An admin write. `run` answers its caller and gives `true`, or gives `false` to be run again because the database
/// was busy; it must answer when it is told that this is the last time.
pub(crate) struct Job {
    pub(crate) deadline: Instant,
    pub(crate) run: Box<Run>,
}

type Run = dyn FnMut(&mut Connection, bool) -> bool + Send;

/// What the writer should do next.
#[derive(Debug)]
pub(crate) enum Turn {
    /// Run this admin write.
    Job(Job),
    /// Write the batch in hand.
    Batch,
    /// Remove some history.
    Prune,
    /// End.
    End,
}

/// Why writes fail at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Trouble {
    None = 0,
    Busy = 1,
    Full = 2,
    Other = 3,
}

// === impl Mailbox ===

impl Mailbox {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            plenty: (capacity / 8).clamp(1, BATCH),
            inside: Mutex::default(),
            work: Condvar::new(),
            room: Condvar::new(),
            dropped: AtomicU64::new(0),
            full: AtomicBool::new(false),
            written: AtomicU64::new(0),
            // Nothing is removed before the owner has said how much to keep.
            retention: Mutex::new(Retention::ALL),
            trouble: AtomicU8::new(Trouble::None as u8),
        }
    }

    /// Leaves an admin write; waits for room until its deadline.
    pub(crate) fn submit(&self, job: Job) -> Result<()> {
        let mut inside = self.lock();
        loop {
            if inside.closing.is_some() || inside.ended {
                return Err(StorageError::Closed);
            }
            if inside.jobs.len() < MAX_JOBS {
                inside.jobs.push_back(job);
                self.work.notify_one();
                return Ok(());
            }
            let left = job.deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(StorageError::Busy);
            }
            inside = self.room.wait_timeout(inside, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Leaves a record, or drops it when there is no room. Never waits but for the moment that the lock takes.
    pub(crate) fn record(&self, record: Record) -> bool {
        self.leave(|inside| inside.records.push_back(record))
    }

    /// Leaves an exchange, likewise.
    pub(crate) fn exchange(&self, written: &Written) -> bool {
        self.leave(|inside| inside.push(written))
    }

    fn leave(&self, put: impl FnOnce(&mut Inside)) -> bool {
        let mut inside = self.lock();
        let closed = inside.closing.is_some() || inside.ended;
        if closed || inside.waiting + inside.in_hand >= self.capacity {
            drop(inside);
            self.count_dropped(1);
            if !closed && !self.full.swap(true, Ordering::Relaxed) {
                tracing::warn!(waiting = self.capacity, "the queue of records is full; the newest are lost");
            }
            return false;
        }
        put(&mut inside);
        inside.waiting += 1;
        let waiting = inside.waiting;
        if waiting == 1 {
            inside.oldest = Some(Instant::now());
        }
        drop(inside);
        // Only these two change when the writer has to wake up; waking it for each record would cost the request
        // path a system call.
        if waiting == 1 || waiting == self.plenty {
            self.work.notify_one();
        }
        true
    }

    /// Waits for what the writer should do next. `batch` is what it has in hand; when that is not empty it failed
    /// before, and is not due again before `retry_at`. An empty one is filled.
    pub(crate) fn turn(&self, batch: &mut Batch, retry_at: Option<Instant>) -> Turn {
        let mut inside = self.lock();
        inside.in_hand = batch.len();
        loop {
            if let Some(job) = inside.jobs.pop_front() {
                self.room.notify_one();
                return Turn::Job(job);
            }
            let now = Instant::now();
            let waiting = !batch.is_empty() || inside.waiting > 0;
            // A batch that is in hand has failed before; everything else is tried once, however late it is.
            let failing = !batch.is_empty();
            if inside.closing.is_some_and(|until| !waiting || failing && now >= until) {
                return Turn::End;
            }
            let due = match (batch.is_empty(), retry_at, inside.oldest) {
                (false, retry_at, _) => Some(retry_at.unwrap_or(now)),
                (true, _, Some(_)) if inside.closing.is_some() || inside.waiting >= self.plenty => Some(now),
                (true, _, oldest) => oldest.map(|oldest| oldest + BATCH_WAIT),
            };
            let waited_enough = inside.went_before >= BATCHES_BEFORE_PRUNING && inside.closing.is_none();
            if inside.prune && (due.is_none() || (waited_enough && !failing)) {
                // Whoever asks from here on asks for another look.
                (inside.prune, inside.went_before) = (false, 0);
                return Turn::Prune;
            }
            if due.is_some_and(|due| due <= now) {
                inside.fill(batch);
                inside.went_before = inside.went_before.saturating_add(u8::from(inside.prune));
                return Turn::Batch;
            }
            let until = [due, inside.closing].into_iter().flatten().min();
            inside = match until {
                Some(until) => {
                    let left = until.saturating_duration_since(now);
                    self.work.wait_timeout(inside, left).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.work.wait(inside).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Puts an admin write back in front: it comes again before all others.
    pub(crate) fn put_back(&self, job: Job) {
        self.lock().jobs.push_front(job);
    }

    /// Tells the writer to write what waits, trying until `until`, and to end.
    pub(crate) fn close(&self, until: Instant) {
        let mut inside = self.lock();
        inside.closing.get_or_insert(until);
        self.work.notify_one();
        self.room.notify_all();
    }

    /// The writer has ended: what still waits is lost. Gives the number of records lost.
    pub(crate) fn end(&self, in_hand: usize) -> u64 {
        let mut inside = self.lock();
        inside.ended = true;
        let lost = (inside.waiting + in_hand) as u64;
        (inside.segments, inside.records, inside.waiting) = (VecDeque::new(), VecDeque::new(), 0);
        inside.in_hand = 0;
        // Dropping a job hangs up on its caller, who takes that for `Closed`.
        inside.jobs.clear();
        drop(inside);
        self.room.notify_all();
        self.count_dropped(lost);
        lost
    }

    pub(crate) fn is_closed(&self) -> bool {
        let inside = self.lock();
        inside.closing.is_some() || inside.ended
    }

    pub(crate) fn queued(&self) -> usize {
        let inside = self.lock();
        inside.waiting + inside.in_hand
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    pub(crate) fn count_dropped(&self, records: u64) {
        self.dropped.fetch_add(records, Ordering::Relaxed);
    }

    pub(crate) fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// The batch in hand is on disk: it is emptied.
    pub(crate) fn written_down(&self, batch: &mut Batch) {
        let records = batch.len();
        batch.records.clear();
        batch.segments.truncate(SPARE);
        batch.segments.iter_mut().for_each(Segment::clear);
        // Nobody may see these records as written and as waiting at once.
        let mut inside = self.lock();
        inside.in_hand = 0;
        inside.spare.append(&mut batch.segments);
        inside.spare.truncate(SPARE);
        self.written.fetch_add(records as u64, Ordering::Relaxed);
        // Not with the first free place, or it would be said over and over.
        let roomy = inside.waiting <= self.capacity / 2;
        drop(inside);
        if roomy && self.full.swap(false, Ordering::Relaxed) {
            tracing::info!(dropped = self.dropped(), "the queue of records has room again");
        }
    }

    /// Which exchanges to keep.
    pub(crate) fn retention(&self) -> Retention {
        *self.retention.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_retention(&self, keep: Retention) {
        *self.retention.lock().unwrap_or_else(PoisonError::into_inner) = keep;
        self.ask_to_prune();
    }

    /// Whether the writer should look for history to remove when it has nothing better to do.
    pub(crate) fn ask_to_prune(&self) {
        self.lock().prune = true;
        self.work.notify_one();
    }

    pub(crate) fn trouble(&self) -> Trouble {
        [Trouble::Busy, Trouble::Full, Trouble::Other]
            .into_iter()
            .find(|trouble| *trouble as u8 == self.trouble.load(Ordering::Relaxed))
            .unwrap_or(Trouble::None)
    }

    /// Notes how the last write went; gives how the one before went.
    pub(crate) fn set_trouble(&self, trouble: Trouble) -> Trouble {
        let before = self.trouble();
        self.trouble.store(trouble as u8, Ordering::Relaxed);
        before
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Inside ===

impl Inside {
    /// Adds an exchange to the segment that is being filled.
    fn push(&mut self, written: &Written) {
        if self.segments.back().is_none_or(|segment| segment.len() >= FULL) {
            let segment = self.spare.pop().unwrap_or_default();
            self.segments.push_back(segment);
        }
        if let Some(segment) = self.segments.back_mut() {
            segment.push(written);
        }
    }

    /// Moves records into an empty batch. One that holds something already failed before, and is tried as it is.
    fn fill(&mut self, batch: &mut Batch) {
        if batch.is_empty() {
            // Sessions and objects first, and half of it at most: neither waits behind all of the other.
            let count = self.records.len().min(BATCH / 2);
            batch.records.extend(self.records.drain(..count));
            let count = self.segments.len().min((BATCH - count) / FULL);
            batch.segments.extend(self.segments.drain(..count));
            self.waiting -= batch.len();
            self.oldest = if self.waiting == 0 { None } else { Some(Instant::now()) };
        }
        self.in_hand = batch.len();
    }
}

// === impl Job ===

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

// === impl Trouble ===

impl Trouble {
    pub(crate) const fn of(error: &StorageError) -> Self {
        if matches!(error, StorageError::Busy) {
            Self::Busy
        } else if matches!(error, StorageError::Full) {
            Self::Full
        } else {
            Self::Other
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Record;

    #[test]
    fn history_is_looked_for_though_records_never_cease_to_come() {
        let mailbox = Mailbox::new(1);
        mailbox.ask_to_prune();
        let mut turns = Vec::new();
        for _ in 0..3 * usize::from(BATCHES_BEFORE_PRUNING) {
            mailbox.record(Record::ObjectRemove("one".into()));
            let mut batch = Batch::default();
            turns.push(matches!(mailbox.turn(&mut batch, None), Turn::Prune));
            mailbox.written_down(&mut batch);
        }
        assert_eq!(
            turns.iter().filter(|is_prune| **is_prune).count(),
            1,
            "once for each time that it is asked for"
        );
    }
}
