use std::path::Path;

use gateway_domain::{
    AttemptOutcome, BaseUrl, Channel, ChannelId, ChannelTuning, ManagedBy, ModelTuning, ProbePlan, Secret,
    Usage, UsageSource,
};
use rusqlite::params;

use super::*;
use crate::channels::place_of_key;
use crate::fixture::{CHANNEL_KEY, key};
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
