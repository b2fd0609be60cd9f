use std::path::Path;

use gateway_domain::{
    AttemptOutcome, BaseUrl, Channel, ChannelId, ChannelTuning, ManagedBy, ModelTuning, ProbePlan, Secret,
    Usage, UsageSource,
};
use rusqlite::params;

use super::*;
use crate::channels::place_of_key;
use crate::fixture::{CHANNEL_KEY, key, wait_until_written};
use crate::{ChannelPatch, ExchangeFilter, Store};

/// A file as the gateway wrote it before channels and models could be tuned, with a row of each kind that changes.
fn at_version_two(path: &Path) {
    let mut conn = Connection::open(path).unwrap();
    let sealer = Arc::new(Sealer::new(&key()));
    let outcome = Arc::new(Mutex::new(Ok(None)));
    migrations(&sealer, UnixMillis(1), &outcome).to_version(&mut conn, 2).unwrap();
    remember_key(&mut conn, &sealer).unwrap();
    let blob = sealer.seal(&place_of_key(7), CHANNEL_KEY).unwrap();
    conn.execute(
        "INSERT INTO channels (id, name, base_url, api_key, weight, enabled, serves_any_model, max_concurrency,
             probe_kind, probe_detail, managed_by, version, created_at, updated_at)
         VALUES (7, 'openai', 'https://api.openai.com/v1', ?1, 30, 1, 0, 4, 'chat', 'tiny', 'api', 5, 10, 20)",
        params![blob],
    )
    .unwrap();
    conn.execute_batch(
        r#"INSERT INTO models (id, name, managed_by, implied, version, created_at, updated_at)
               VALUES (3, 'm', 'file', 0, 2, 10, 20);
           INSERT INTO mappings (model_id, channel_id, backend_model, weight, managed_by, version, created_at, updated_at)
               VALUES (3, 7, 'backend', 10, 'file', 1, 10, 20);
           INSERT INTO users (id, name, enabled, allowed_models, managed_by, version, created_at, updated_at)
               VALUES (4, 'ann', 1, '["m"]', 'api', 1, 10, 20);
           INSERT INTO sessions (id, user_id, model, name, channel_id, created_at, last_used_at)
               VALUES (9, 4, 'm', 1, 7, 10, 20);
           INSERT INTO exchanges (request_id, started_at, endpoint, streamed, attempts, outcome, status, total_ms,
                   bytes_in, bytes_out)
               VALUES ('req-1', 10, '/v1/embeddings', 0, '[{"channel":7,"name":"openai","reason":"home","status":200,
                   "first_byte_ms":1,"total_ms":2,"outcome":"ok"}]', 'ok', 200, 5, 6, 7);
         UPDATE exchanges SET prompt_tokens = 8;"#,
    )
    .unwrap();
}

/// A file as the gateway wrote it while each exchange had a row: more of them than a segment holds, a gap, one that nobody
/// can read, and one that is gone already.
fn at_version_six(path: &Path) {
    at_version_two(path);
    let mut conn = Connection::open(path).unwrap();
    let sealer = Arc::new(Sealer::new(&key()));
    migrations(&sealer, UnixMillis(1), &Arc::new(Mutex::new(Ok(None)))).to_version(&mut conn, 6).unwrap();
    conn.execute_batch(
        r#"WITH RECURSIVE numbers (id) AS (SELECT 2 UNION ALL SELECT id + 1 FROM numbers WHERE id < 1500)
           INSERT INTO exchanges (id, request_id, started_at, user_id, endpoint, model, streamed, attempts, outcome,
                   status, total_ms, bytes_in, bytes_out, usage_source)
           SELECT id, 'req-' || id, id * 10, id % 3, '/v1/chat/completions', 'm', 1,
               '[{"channel":' || (id % 2) || ',"name":"a","reason":"spill","status":null,"first_byte_ms":null,
               "total_ms":2,"outcome":"timeout","home":8,"health_permille":750,"hedge":true}]',
               'interrupted', 502, 5, 6, 7, 'counted' FROM numbers;
         DELETE FROM exchanges WHERE id BETWEEN 600 AND 700 OR id = 1500;
         UPDATE exchanges SET outcome = 'a word of tomorrow' WHERE id = 900;"#,
    )
    .unwrap();
}

#[test]
fn the_newest_version_is_the_number_of_migrations() {
    let mut conn = Connection::open_in_memory().unwrap();
    let sealer = Arc::new(Sealer::new(&crate::MasterKey::from_text("a passphrase for tests").unwrap()));
    establish(&mut conn, &Place::memory(), &sealer, UnixMillis(0)).unwrap();
    let version: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(version, NEWEST);
}

#[test]
fn rows_of_a_gateway_that_knew_no_tuning_come_through_untuned() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.db");
    at_version_two(&path);
    let store = Store::open(&path, &key()).unwrap();

    let channel = store.channel(ChannelId(7)).unwrap();
    assert_eq!(
        (channel.version, channel.created_at, channel.updated_at),
        (5, UnixMillis(10), UnixMillis(20))
    );
    let expected = Channel {
        id: ChannelId(7),
        name: "openai".into(),
        base_url: BaseUrl::parse("https://api.openai.com/v1").unwrap(),
        api_key: Secret::new(CHANNEL_KEY.to_owned()),
        weight: 30,
        enabled: true,
        serves_any_model: false,
        max_concurrency: Some(4),
        probe: ProbePlan::Chat { model: "tiny".to_owned() },
        tuning: ChannelTuning::default(),
        managed_by: ManagedBy::Api,
    };
    assert_eq!(channel.value, expected);
    let inventory = store.inventory().unwrap();
    assert_eq!(inventory.models[0].tuning, ModelTuning::default());
    assert_eq!(inventory.models[0].mappings[0].channel, ChannelId(7));
    assert!(!inventory.users[0].may_explain);
    assert_eq!(store.sessions().unwrap().len(), 1, "a session of a channel outlives the change of its table");

    let told = store.exchanges(&ExchangeFilter::default()).unwrap().exchanges.remove(0);
    let attempt = &told.attempts[0];
    assert_eq!((told.session_source.as_str(), attempt.outcome), ("", AttemptOutcome::Ok));
    assert_eq!((attempt.home, attempt.health, attempt.hedge), (None, None, false), "nobody kept them");
    let usage = Usage { prompt: Some(8), source: UsageSource::Upstream, ..Usage::default() };
    assert_eq!(told.usage, usage, "nothing else was kept then");

    let probe = ProbePlan::ChatStream { model: "tiny".to_owned() };
    let change = ChannelPatch { probe: Some(probe.clone()), ..ChannelPatch::default() };
    assert_eq!(store.update_channel(ChannelId(7), &change, Some(5)).unwrap().value.probe, probe);
}

/// Every number that is kept, the newest first.
fn all_numbers(store: &Store) -> Vec<i64> {
    let (mut filter, mut ids) = (ExchangeFilter { limit: 500, ..ExchangeFilter::default() }, Vec::new());
    loop {
        let page = store.exchanges(&filter).unwrap();
        ids.extend(page.exchanges.iter().map(|exchange| exchange.id));
        filter.before = page.next;
        if filter.before.is_none() {
            return ids;
        }
    }
}

#[test]
fn damaged_records_of_past_calls_step_aside_and_the_gateway_starts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.db");
    at_version_six(&path);
    let mut bytes = std::fs::read(&path).unwrap();
    // A page of the table is one that holds the attempts, too; those of indexes do not.
    let holds = |page: &[u8], text: &[u8]| page.windows(text.len()).any(|part| part == text);
    let pages =
        bytes.chunks_mut(4096).filter(|page| holds(page, b"req-450") && holds(page, b"health_permille"));
    assert_eq!(pages.map(|page| page[..8].fill(0xff)).count(), 1);
    std::fs::write(&path, bytes).unwrap();

    for start in ["the first", "another"] {
        let store = Store::open(&path, &key()).unwrap();
        assert_eq!(store.channels().unwrap().len(), 1, "{start}");
        assert_eq!(all_numbers(&store), [0_i64; 0], "{start}");
        assert_eq!(store.last_exchange().unwrap(), 1500, "{start}: no number is given twice");
    }
    let conn = Connection::open(&path).unwrap();
    let newest: i64 = conn.query_row("SELECT max(id) FROM damaged_exchanges", [], |row| row.get(0)).unwrap();
    assert_eq!(newest, 1499, "nothing is thrown away");
}

#[test]
fn rows_of_past_calls_come_into_segments_under_their_numbers_and_no_number_is_given_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.db");
    at_version_six(&path);
    let store = Store::open(&path, &key()).unwrap();
    let kept = |id: i64| (1..1500).contains(&id) && !(600..=700).contains(&id) && id != 900;
    let ids = all_numbers(&store);
    assert_eq!(ids, (1..1500).rev().filter(|id| kept(*id)).collect::<Vec<_>>());
    let one = store.exchange("req-1499").unwrap().unwrap();
    assert_eq!((one.id, one.started_at, one.user.map(|id| id.0)), (1499, UnixMillis(14_990), Some(2)));
    let attempt = &one.attempts[0];
    assert_eq!((attempt.channel, attempt.outcome), (ChannelId(1), AttemptOutcome::Timeout));
    assert_eq!(
        (attempt.home, attempt.health, attempt.hedge, attempt.status),
        (Some(ChannelId(8)), Some(0.75), true, None)
    );
    let at_one =
        ExchangeFilter { channel: Some(ChannelId(1)), before: Some(10), ..ExchangeFilter::default() };
    let found: Vec<i64> = store.exchanges(&at_one).unwrap().exchanges.iter().map(|found| found.id).collect();
    assert_eq!(found, [9, 7, 5, 3]);

    let next = gateway_domain::Exchange {
        request_id: "next".into(),
        started_at: UnixMillis(1),
        user: None,
        key: None,
        endpoint: "/v1/models",
        model: None,
        streamed: false,
        attempts: gateway_domain::Attempts::new(),
        outcome: gateway_domain::ExchangeOutcome::Ok,
        status: 200,
        first_byte: None,
        total: std::time::Duration::ZERO,
        bytes_in: 0,
        bytes_out: 0,
        usage: Usage::default(),
        session_source: "",
    };
    assert!(store.recorder().exchange(&next));
    wait_until_written(&store.recorder(), 1);
    assert_eq!(store.exchange("next").unwrap().map(|next| next.id), Some(1501));
}

#[test]
fn a_row_of_a_past_call_becomes_the_bytes_that_such_calls_are_kept_as() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.db");
    at_version_six(&path);
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch(
        r#"DELETE FROM exchanges;
           INSERT INTO exchanges (id, request_id, started_at, user_id, key_id, endpoint, model, streamed, attempts, outcome,
                   status, first_byte_ms, total_ms, bytes_in, bytes_out, prompt_tokens, completion_tokens, cached_tokens,
                   reasoning_tokens, session_source, audio_in_tokens, audio_out_tokens, usage_source)
               VALUES (2000, 'req-1', 1700000000000, 1, 200, '/v1/embeddings', 'm', 1, '[
                   {"channel":7,"name":"é","reason":"home","status":503,"first_byte_ms":12,"total_ms":340,
                       "outcome":"server_error","home":-3,"health_permille":250,"hedge":true},
                   {"channel":7,"name":"","reason":"retry","total_ms":340,"outcome":"superseded","health_permille":5000}]',
                   'interrupted', 502, 56, 300, 4000, 0, 1, 2, 3, 4, 'header', 5, 600, 'counted');
           INSERT INTO exchanges (id, request_id, started_at, endpoint, streamed, attempts, outcome, status, total_ms,
                   bytes_in, bytes_out)
               VALUES (2001, 'req-2', -1, '/v1/models', 0, '[]', 'client_error', 401, 0, 0, 0);"#,
    )
    .unwrap();
    drop(conn);
    drop(Store::open(&path, &key()).unwrap());
    let conn = Connection::open(&path).unwrap();
    let (last, bytes): (i64, String) = conn
        .query_row("SELECT last, lower(hex(exchanges)) FROM exchange_segments", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    let first = "5d000000ff070402f6010068e5cf8b010000029003057265712d310e2f76312f656d62656464696e6773016d0668656164657238\
                 ac02a01f000102030405d8041f060e02c3a904686f6d6505f703fa010cd402100d0e00057265747279e807d402";
    let second = "23000000000001009101ffffffffffffffff057265712d320a2f76312f6d6f64656c7300000000";
    assert_eq!((last, bytes), (2001, format!("01{first}{second}")));
}
