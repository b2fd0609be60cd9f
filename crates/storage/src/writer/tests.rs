//! Bad days: the database is locked, full, or wrong about one record.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use gateway_domain::{Attempts, Exchange, ExchangeOutcome, ModelTuning, SessionId, UnixMillis, Usage};
use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::fixture::{key, new_channel, new_user, wait_until_written};
use crate::{ExchangeFilter, Recorder, SessionRow, Store, StoreOptions};

/// How long the stores of these tests wait for a lock.
const PATIENCE: Duration = Duration::from_millis(300);
/// A loaded machine may be slow to notice that the time is over.
const SLACK: Duration = Duration::from_secs(3);

fn store(queue: usize) -> (TempDir, PathBuf, Store) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.db");
    let options = StoreOptions { patience: PATIENCE, queue, ..StoreOptions::default() };
    let store = Store::open_with(&path, &key(), options).unwrap();
    (folder, path, store)
}

fn exchange(number: usize) -> Exchange {
    Exchange {
        request_id: format!("req-{number}").into(),
        started_at: UnixMillis(1),
        user: None,
        key: None,
        endpoint: "/v1/embeddings",
        model: None,
        streamed: false,
        attempts: Attempts::new(),
        outcome: ExchangeOutcome::Ok,
        status: 200,
        first_byte: None,
        total: Duration::ZERO,
        bytes_in: 0,
        bytes_out: 0,
        usage: Usage::default(),
        session_source: "",
    }
}

fn record(recorder: &Recorder, numbers: std::ops::Range<usize>) -> usize {
    numbers.filter(|number| recorder.exchange(&exchange(*number))).count()
}

/// Another process that holds the database; drop lets go.
fn lock(path: &PathBuf) -> Connection {
    let conn = Connection::open(path).unwrap();
    conn.busy_timeout(SLACK).unwrap();
    conn.execute_batch("BEGIN EXCLUSIVE").unwrap();
    conn
}

fn wait_for(store: &Store, what: &str, reached: impl Fn(&Result<()>) -> bool) {
    let patience = Instant::now() + Duration::from_secs(20);
    while !reached(&store.health()) {
        assert!(Instant::now() < patience, "never {what}: {:?}", store.health());
        thread::sleep(Duration::from_millis(2));
    }
}

/// How many different exchanges there are.
fn kept(store: &Store) -> u64 {
    let mut filter = ExchangeFilter { limit: 500, ..ExchangeFilter::default() };
    let mut ids = HashSet::new();
    loop {
        let page = store.exchanges(&filter).unwrap();
        ids.extend(page.exchanges.into_iter().map(|exchange| exchange.request_id));
        filter.before = page.next;
        if filter.before.is_none() {
            return ids.len() as u64;
        }
    }
}

#[test]
fn a_locked_database_loses_no_record_and_tells_admins_in_time() {
    let (_folder, path, store) = store(65_536);
    let recorder = store.recorder();
    let holder = lock(&path);
    let started = Instant::now();
    while started.elapsed() < Duration::from_millis(1200) {
        let asked = Instant::now();
        let number = usize::try_from(started.elapsed().as_micros()).unwrap();
        assert!(recorder.exchange(&exchange(number)));
        assert!(asked.elapsed() < Duration::from_millis(200), "the request path does not wait");
        thread::sleep(Duration::from_millis(1));
    }
    let count = recorder.queued() as u64;
    let asked = Instant::now();
    let refused = store.create_channel(&new_channel("late")).map(drop);
    let took = asked.elapsed();
    assert!(matches!(refused, Err(StorageError::Busy)), "{refused:?}");
    assert!(took >= PATIENCE / 2 && took < PATIENCE + SLACK, "{took:?}");
    assert!(matches!(store.health(), Err(StorageError::Busy)));
    assert_eq!(store.channels().unwrap(), [], "reading goes on");
    assert_eq!(recorder.written(), 0);

    drop(holder);
    wait_until_written(&recorder, count);
    assert_eq!((kept(&store), recorder.dropped(), recorder.queued()), (count, 0, 0));
    store.create_channel(&new_channel("late")).unwrap();
    store.health().unwrap();
}

#[test]
fn many_admin_writes_at_a_locked_database_are_all_told_in_time() {
    let (_folder, path, store) = store(16);
    let holder = lock(&path);
    let started = Instant::now();
    thread::scope(|scope| {
        for number in 0..30 {
            let store = store.clone();
            scope.spawn(move || {
                let refused = store.create_model(&format!("model {number}"), &ModelTuning::default());
                assert!(matches!(refused, Err(StorageError::Busy)), "{refused:?}");
            });
        }
    });
    // One after the other, each with a patience of its own, they would need thirty times as long.
    assert!(started.elapsed() < PATIENCE + SLACK, "{:?}", started.elapsed());
    drop(holder);
    store.create_model("model 0", &ModelTuning::default()).unwrap();
}

#[test]
fn an_admin_write_outlasts_a_short_lock() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.db");
    let options = StoreOptions { patience: Duration::from_secs(20), ..StoreOptions::default() };
    let store = Store::open_with(&path, &key(), options).unwrap();
    let holder = lock(&path);
    thread::scope(|scope| {
        let write = scope.spawn(|| store.create_model("patient", &ModelTuning::default()));
        // Longer than SQLite itself waits.
        thread::sleep(BUSY_TIMEOUT * 3);
        drop(holder);
        write.join().unwrap().unwrap();
    });
}

#[test]
fn beyond_the_queue_the_newest_records_are_dropped_and_counted() {
    let (_folder, path, store) = store(100);
    let recorder = store.recorder();
    let holder = lock(&path);
    assert_eq!(record(&recorder, 0..30), 30);
    // Those that the writer has in its hands take room like the others.
    wait_for(&store, "busy", |health| matches!(health, Err(StorageError::Busy)));
    assert_eq!(record(&recorder, 30..150), 70);
    assert_eq!((recorder.queued(), recorder.dropped()), (100, 50));
    drop(holder);
    wait_until_written(&recorder, 100);
    let kept =
        store.exchanges(&ExchangeFilter { limit: 500, ..ExchangeFilter::default() }).unwrap().exchanges;
    let ids: Vec<_> = kept.iter().rev().map(|exchange| exchange.request_id.clone()).collect();
    assert_eq!(ids, (0..100).map(|number| format!("req-{number}")).collect::<Vec<_>>());
    assert_eq!(record(&recorder, 150..250), 100, "there is room again");
}

/// Counts what is said on one thread.
#[derive(Clone, Default)]
struct Ear(Arc<AtomicUsize>);

impl tracing::Subscriber for Ear {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() <= tracing::Level::WARN
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, _: &tracing::Event<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[test]
fn a_queue_that_is_full_says_so_once_each_time() {
    let (_folder, path, store) = store(100);
    let recorder = store.recorder();
    let ear = Ear::default();
    let said = || ear.0.load(Ordering::Relaxed);
    let overflow = |numbers| tracing::subscriber::with_default(ear.clone(), || record(&recorder, numbers));
    let holder = lock(&path);
    assert_eq!(overflow(0..500), 100);
    assert_eq!(said(), 1, "four hundred are lost");
    drop(holder);
    wait_until_written(&recorder, 100);
    let _holder = lock(&path);
    assert_eq!(overflow(500..900), 100);
    assert_eq!((said(), recorder.dropped()), (2, 700), "again, after it had room");
}

#[test]
fn a_full_disk_keeps_records_until_there_is_room_again() {
    let (_folder, _path, store) = store(65_536);
    let recorder = store.recorder();
    let limit = |pages: i64| {
        let set = move |tx: crate::tx::Tx<'_>| {
            tx.conn.pragma_query_value(None, "page_count", |row| row.get::<_, i64>(0))?;
            Ok(tx.conn.pragma_update_and_check(None, "max_page_count", pages, |row| row.get::<_, i64>(0))?)
        };
        store.write(set).unwrap()
    };
    // SQLite takes the pages that there are for the limit when it is lower: no page more.
    limit(1);
    assert_eq!(record(&recorder, 0..2000), 2000);
    wait_for(&store, "full", |health| matches!(health, Err(StorageError::Full)));
    let mut new = new_channel("big");
    new.models = (0..2000).map(|number| format!("a model with a long name {number}").into()).collect();
    let refused = store.create_channel(&new).map(drop);
    assert!(matches!(refused, Err(StorageError::Full)), "{refused:?}");
    assert_eq!(store.channels().unwrap(), [], "nothing half done");

    limit(1_000_000);
    wait_until_written(&recorder, 2000);
    assert_eq!((kept(&store), recorder.dropped()), (2000, 0));
    store.health().unwrap();
    store.create_channel(&new).unwrap();
}

#[test]
fn what_can_never_be_written_does_not_hold_up_the_rest() {
    let (_folder, _path, store) = store(65_536);
    store.write(|tx| Ok(tx.conn.execute_batch(POISON)?)).unwrap();
    let user = store.create_user(&new_user("ann", &[])).unwrap().0.value.id;
    let channel = store.create_channel(&new_channel("a")).unwrap().value.id;
    let recorder = store.recorder();
    // The second segment, and two of the sessions.
    assert_eq!(record(&recorder, 0..2000), 2000);
    for number in 0..1000_i64 {
        let (id, at) = (SessionId(number), UnixMillis(1));
        let (name, model) = (number.cast_unsigned(), Arc::from("m"));
        let row = SessionRow { id, user, model, name, channel, created_at: at, last_used_at: at };
        assert!(recorder.record(Record::SessionPut(row)));
    }
    wait_until_written(&recorder, 3000 - 512 - 2);
    assert_eq!((kept(&store), recorder.dropped(), recorder.queued()), (2000 - 512, 512 + 2, 0));
    assert_eq!(store.sessions().unwrap().len(), 998);
    store.health().unwrap();
}

const POISON: &str = "
    CREATE TRIGGER poison BEFORE INSERT ON exchange_segments WHEN instr(new.exchanges, CAST('req-700' AS BLOB)) > 0
    BEGIN SELECT raise(ABORT, 'poison'); END;
    CREATE TRIGGER venom BEFORE INSERT ON sessions WHEN new.id IN (3, 700)
    BEGIN SELECT raise(ABORT, 'venom'); END;";

#[test]
fn admin_writes_go_before_the_records_that_wait() {
    let (_folder, path, store) = store(65_536);
    let recorder = store.recorder();
    let holder = lock(&path);
    assert_eq!(record(&recorder, 0..20_000), 20_000);
    drop(holder);
    store.create_model("first", &ModelTuning::default()).unwrap();
    assert!(recorder.queued() > 0, "20,000 records cannot have been written before one model");
    wait_until_written(&recorder, 20_000);
}

#[test]
fn close_writes_what_waits_even_after_a_lock() {
    let (_folder, path, store) = store(65_536);
    let recorder = store.recorder();
    let holder = lock(&path);
    assert_eq!(record(&recorder, 0..1500), 1500);
    thread::scope(|scope| {
        let close = scope.spawn(|| store.close());
        thread::sleep(PATIENCE);
        drop(holder);
        close.join().unwrap().unwrap();
    });
    assert!(!recorder.exchange(&exchange(0)), "a closed store takes nothing");
    assert_eq!((recorder.written(), recorder.dropped()), (1500, 1));
    assert_eq!(kept(&Store::open(&path, &key()).unwrap()), 1500);
}

#[test]
fn a_close_that_cannot_write_says_what_is_lost() {
    let (_folder, path, store) = store(16);
    let recorder = store.recorder();
    let _holder = lock(&path);
    assert_eq!(record(&recorder, 0..7), 7);
    let started = Instant::now();
    let writer = store.writer();
    assert_eq!(writer.close(PATIENCE), 7);
    assert!(started.elapsed() < PATIENCE + SLACK);
    assert_eq!((recorder.written(), recorder.dropped(), recorder.queued()), (0, 7, 0));
}

#[test]
fn a_store_that_is_merely_dropped_still_writes_what_waits() {
    let (_folder, path, store) = store(65_536);
    let recorder = store.recorder();
    assert_eq!(record(&recorder, 0..1500), 1500);
    drop(store);
    wait_until_written(&recorder, 1500);
    assert_eq!(kept(&Store::open(&path, &key()).unwrap()), 1500);
}

#[test]
fn nobody_waits_for_a_writer_that_has_panicked() {
    let (_folder, _path, store) = store(16);
    let answer = store.write(|_| -> Result<()> { panic!("a defect, on purpose") });
    assert!(matches!(answer, Err(StorageError::Closed)));
    assert!(matches!(store.create_model("late", &ModelTuning::default()), Err(StorageError::Closed)));
    assert!(matches!(store.health(), Err(StorageError::Closed)));
    assert!(!store.recorder().exchange(&exchange(0)));
}
