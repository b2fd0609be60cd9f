//! How long the reading of a request takes: `cargo bench -p gateway-proxy`.
//!
//! On a machine that is busy with other things, instructions tell more than times do:
//!
//! ```text
//! valgrind --tool=callgrind --toggle-collect='*peek::peek' <this program> --test --exact 'peek/plain/1000'
//! ```
//!
//! (`cargo bench --no-run` says where the program is.)

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput};
use gateway_config::{Settings, Snapshot};
use gateway_domain::{Inventory, KeyDigest, KeyId, ManagedBy, UnixMillis, User, UserId, UserKey};
use gateway_proxy::openai::{BackendModel, peek, pieces, rename};
use serde_json::json;
use sha2::{Digest, Sha256};

/// Bytes of a prompt.
const LENGTHS: [usize; 2] = [1_000, 100_000];
const USERS: [u32; 3] = [10, 1_000, 100_000];

/// What a prompt is made of.
const TEXTS: [(&str, &str); 3] = [
    ("plain", "The quick brown fox jumps over the lazy dog. "),
    ("code", "if x == \"y\" {\n    return \"\\\\\";\n}\n"),
    ("chinese", "敏捷的棕色狐狸跳过了懒狗。"),
];

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    read(&mut criterion);
    read_digits(&mut criterion);
    put(&mut criterion);
    identify(&mut criterion);
    criterion.final_summary();
}

fn body(text: &str, length: usize) -> Bytes {
    let prompt: String = text.chars().cycle().take(length / text.len() * text.chars().count()).collect();
    json!({
        "model": "bench",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": prompt}],
        "temperature": 0.7,
        "stream": true,
    })
    .to_string()
    .into()
}

/// Validates a body and finds what the gateway must know.
fn read(criterion: &mut Criterion) {
    for (name, text) in TEXTS {
        let mut group = criterion.benchmark_group(format!("peek/{name}"));
        for length in LENGTHS {
            let body = body(text, length);
            group.throughput(Throughput::Bytes(body.len() as u64));
            group.bench_function(BenchmarkId::from_parameter(length), |bencher| {
                bencher.iter(|| peek(black_box(&body)).expect("a good body"));
            });
        }
    }
}

/// The same where whoever wrote it keeps to ASCII: each Chinese letter is an escape with digits.
fn read_digits(criterion: &mut Criterion) {
    let body = String::from_utf8(body(TEXTS[2].1, 100_000).to_vec()).expect("JSON is text");
    let digits: String = body
        .chars()
        .map(|c| if c.is_ascii() { c.to_string() } else { format!("\\u{:04x}", u32::from(c)) })
        .collect();
    let mut group = criterion.benchmark_group("peek/digits");
    group.throughput(Throughput::Bytes(digits.len() as u64));
    group.bench_function(BenchmarkId::from_parameter(digits.len()), |bencher| {
        bencher.iter(|| peek(black_box(digits.as_bytes())).expect("a good body"));
    });
}

/// Puts the channel's name for the model into it.
fn put(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("splice");
    let backend = BackendModel::new("bench-backend".into());
    for length in LENGTHS {
        let body = body(TEXTS[0].1, length);
        let span = peek(&body).expect("a good body").model.expect("a model").span;
        group.bench_function(BenchmarkId::from_parameter(length), |bencher| {
            bencher.iter(|| pieces(&body, [None, None, rename(&body, black_box(span.clone()), &backend)]));
        });
    }
}

/// Finds out whose a key is.
fn identify(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("identify");
    for users in USERS {
        let snapshot = Snapshot::assemble(1, Arc::new(Settings::default()), inventory(users));
        let key = key_of(users / 2);
        group.bench_function(BenchmarkId::from_parameter(users), |bencher| {
            bencher.iter(|| {
                let digest = KeyDigest(Sha256::digest(black_box(&key)).into());
                snapshot.identify(&digest, UnixMillis(0)).expect("a known key").0.id
            });
        });
    }
}

fn key_of(user: u32) -> String {
    format!("sk-gw-{user:058}")
}

fn inventory(users: u32) -> Inventory {
    let user = |number: u32| User {
        id: UserId(number.into()),
        name: "user".into(),
        enabled: true,
        allowed_models: None,
        may_explain: false,
        managed_by: ManagedBy::Api,
    };
    let key = |number: u32| UserKey {
        id: KeyId(number.into()),
        user: UserId(number.into()),
        digest: KeyDigest(Sha256::digest(key_of(number)).into()),
        prefix: String::new(),
        last_four: String::new(),
        created_at: UnixMillis(0),
        expires_at: None,
    };
    Inventory {
        users: (0..users).map(user).collect(),
        keys: (0..users).map(key).collect(),
        ..Inventory::default()
    }
}
