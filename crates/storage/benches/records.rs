//! What it costs to keep and to find finished calls: `cargo bench -p gateway-storage`.
//!
//! On a machine that is busy with other things, instructions tell more than times do:
//!
//! ```text
//! valgrind --tool=callgrind --separate-threads=yes <this program> --test --exact keep/burst
//! ```
//!
//! counts those of each thread for [`BURST`] calls: the last thread is the writer, SQLite included, and `keep_all` of the
//! first one is what the threads of the data plane pay. `keep/trickle` has as many calls, but no more than [`TRICKLE`] in a batch.
//! (`cargo bench --no-run` says where the program is; `CARGO_PROFILE_BENCH_DEBUG=1 CARGO_PROFILE_BENCH_STRIP=none` gives it
//! names.)

use std::cell::LazyCell;
use std::iter;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use criterion::Criterion;
use gateway_domain::{
    Attempt, AttemptOutcome, ChannelId, Exchange, ExchangeOutcome, KeyId, UnixMillis, Usage, UsageSource,
    UserId,
};
use gateway_storage::{ExchangeFilter, MasterKey, Recorder, Retention, Store};
use tempfile::TempDir;

/// Calls of one round.
const BURST: u64 = 10_000;
/// Calls of one batch, where few come.
const TRICKLE: u64 = 40;
/// Calls that are remembered while some of them are looked for: as many as the gateway keeps by default.
const HISTORY: u64 = 100_000;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    keep(&mut criterion);
    find(&mut criterion);
    criterion.final_summary();
}

fn keep(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("keep");
    group.sample_size(10);
    for (name, batch) in [("burst", BURST), ("trickle", TRICKLE)] {
        let mut scene = LazyCell::new(Scene::new);
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|rounds| {
                let calls = exchanges(BURST);
                let began = Instant::now();
                for _ in 0..rounds {
                    for batch in calls.chunks(usize::try_from(batch).unwrap_or(usize::MAX)) {
                        scene.keep_all(batch);
                        scene.wait();
                    }
                }
                began.elapsed()
            });
        });
    }
}

fn find(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("find");
    group.sample_size(20);
    let scene = LazyCell::new(|| Scene::with(HISTORY));
    let rare = || ExchangeFilter { limit: 100, ..ExchangeFilter::default() };
    let filters = [
        ("newest", rare()),
        ("user", ExchangeFilter { user: Some(UserId(7)), ..rare() }),
        ("channel", ExchangeFilter { channel: Some(ChannelId(3)), ..rare() }),
        ("model", ExchangeFilter { model: Some("no-such-model".to_owned()), ..rare() }),
        ("status", ExchangeFilter { status: Some(502), ..rare() }),
        ("session", ExchangeFilter { request_id: Some("req_of_nobody".to_owned()), ..rare() }),
        ("moment", ExchangeFilter { until: Some(UnixMillis(FIRST_MOMENT + 1000)), ..rare() }),
    ];
    for (name, filter) in filters {
        group.bench_function(name, |bencher| {
            bencher.iter(|| scene.store.exchanges(&filter).expect("a page").exchanges.len());
        });
    }
    group.bench_function("request_id", |bencher| {
        bencher.iter(|| scene.store.exchange(&request_id(0)).expect("an answer").is_some());
    });
}

/// A database with what is written to it.
struct Scene {
    store: Store,
    recorder: Recorder,
    expected: u64,
    _folder: TempDir,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let key = MasterKey::from_text("a master key for benches only").expect("a key");
        let store = Store::open(&folder.path().join("gateway.db"), &key).expect("a database");
        store.set_retention(Retention { newest: HISTORY, ..Retention::ALL });
        let recorder = store.recorder();
        Self { store, recorder, expected: 0, _folder: folder }
    }

    fn with(history: u64) -> Self {
        let mut scene = Self::new();
        for part in exchanges(history).chunks(10_000) {
            scene.keep_all(part);
            scene.wait();
        }
        scene
    }

    #[inline(never)]
    fn keep_all(&mut self, calls: &[Exchange]) {
        for call in calls {
            assert!(self.recorder.exchange(call), "there is room");
            self.expected += 1;
        }
    }

    fn wait(&self) {
        while self.recorder.written() < self.expected {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

const FIRST_MOMENT: i64 = 1_764_000_000_000;

fn request_id(number: u64) -> String {
    format!("req_{number:032x}")
}

/// Calls as they come: a thousand users, fifty models, three channels, one in fifty fails over.
fn exchanges(count: u64) -> Vec<Exchange> {
    let models: Vec<Arc<str>> = (0..50).map(|number| format!("gpt-4o-mini-{number}").into()).collect();
    let channels: Vec<Arc<str>> = (0..4).map(|number| format!("account-{number}").into()).collect();
    let attempt = |channel: usize, outcome: AttemptOutcome| Attempt {
        channel: ChannelId(i64::try_from(channel).unwrap_or_default()),
        channel_name: channels.get(channel).cloned().unwrap_or_default(),
        reason: "home",
        status: Some(if outcome == AttemptOutcome::Ok { 200 } else { 503 }),
        first_byte: Some(Duration::from_millis(412)),
        total: Duration::from_millis(2034),
        outcome,
        home: None,
        health: 0.987,
        hedge: false,
    };
    (0..count)
        .map(|number| Exchange {
            request_id: request_id(number).into(),
            started_at: UnixMillis(FIRST_MOMENT + i64::try_from(number).unwrap_or_default() * 3),
            user: Some(UserId(i64::try_from(number % 1000).unwrap_or_default())),
            key: Some(KeyId(i64::try_from(number % 1000).unwrap_or_default())),
            endpoint: "/v1/chat/completions",
            model: usize::try_from(number % 50).ok().and_then(|at| models.get(at)).cloned(),
            streamed: number % 3 != 0,
            attempts: if number % 50 == 0 {
                [attempt(1, AttemptOutcome::ServerError), attempt(2, AttemptOutcome::Ok)]
                    .into_iter()
                    .collect()
            } else {
                iter::once(attempt(1, AttemptOutcome::Ok)).collect()
            },
            outcome: ExchangeOutcome::Ok,
            status: 200,
            first_byte: Some(Duration::from_millis(413)),
            total: Duration::from_millis(2035),
            bytes_in: 1024,
            bytes_out: 549,
            usage: Usage {
                prompt: Some(312),
                completion: Some(64),
                cached: Some(128),
                source: UsageSource::Upstream,
                ..Usage::default()
            },
            session_source: "prompt_cache_key",
        })
        .collect()
}
