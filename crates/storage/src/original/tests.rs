use std::fs;
use std::path::{Path, PathBuf};

use gateway_domain::{ChannelId, UserId};
use tempfile::TempDir;

use super::*;
use crate::fixture::{key, new_channel};
use crate::{MasterKey, Store, key_digest};

/// The tables as the original makes them.
const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS channels (
        id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, base_url TEXT NOT NULL,
        api_key TEXT NOT NULL, weight INTEGER DEFAULT 10, enabled BOOLEAN DEFAULT 1, models TEXT,
        created_at DATETIME DEFAULT CURRENT_TIMESTAMP, updated_at DATETIME DEFAULT CURRENT_TIMESTAMP);
    CREATE TABLE IF NOT EXISTS users (
        id INTEGER PRIMARY KEY AUTOINCREMENT, api_key TEXT NOT NULL UNIQUE, name TEXT,
        created_at DATETIME DEFAULT CURRENT_TIMESTAMP, updated_at DATETIME DEFAULT CURRENT_TIMESTAMP);
    CREATE TABLE IF NOT EXISTS sessions (
        id INTEGER PRIMARY KEY AUTOINCREMENT, user_id INTEGER NOT NULL, channel_id INTEGER NOT NULL,
        last_used_at DATETIME DEFAULT CURRENT_TIMESTAMP, created_at DATETIME DEFAULT CURRENT_TIMESTAMP,
        FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE,
        FOREIGN KEY (channel_id) REFERENCES channels(id) ON DELETE CASCADE, UNIQUE(user_id, channel_id));
    CREATE TABLE IF NOT EXISTS channel_metrics (
        channel_id INTEGER PRIMARY KEY, latency_avg REAL DEFAULT 0, error_rate REAL DEFAULT 0,
        request_count INTEGER DEFAULT 0, success_count INTEGER DEFAULT 0,
        last_updated_at DATETIME DEFAULT CURRENT_TIMESTAMP,
        FOREIGN KEY (channel_id) REFERENCES channels(id) ON DELETE CASCADE);
    CREATE TABLE IF NOT EXISTS models (
        id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE,
        created_at DATETIME DEFAULT CURRENT_TIMESTAMP, updated_at DATETIME DEFAULT CURRENT_TIMESTAMP);
    CREATE TABLE IF NOT EXISTS model_channels (
        id INTEGER PRIMARY KEY AUTOINCREMENT, model_id INTEGER NOT NULL, channel_id INTEGER NOT NULL,
        backend_model_name TEXT NOT NULL, weight INTEGER DEFAULT 10,
        created_at DATETIME DEFAULT CURRENT_TIMESTAMP,
        FOREIGN KEY (model_id) REFERENCES models(id) ON DELETE CASCADE,
        FOREIGN KEY (channel_id) REFERENCES channels(id) ON DELETE CASCADE, UNIQUE(model_id, channel_id));
    CREATE INDEX IF NOT EXISTS idx_channels_enabled ON channels(enabled);
    CREATE INDEX IF NOT EXISTS idx_sessions_user_id ON sessions(user_id);
    CREATE INDEX IF NOT EXISTS idx_sessions_last_used ON sessions(last_used_at);
    CREATE INDEX IF NOT EXISTS idx_models_name ON models(name);
    CREATE INDEX IF NOT EXISTS idx_model_channels_model_id ON model_channels(model_id);
    CREATE INDEX IF NOT EXISTS idx_model_channels_channel_id ON model_channels(channel_id);";

/// Two channels of use and a deleted one, two models, two users, and rows that point at what is gone.
const ROWS: &str = "
    INSERT INTO channels (id, name, base_url, api_key, weight, enabled, models, created_at, updated_at) VALUES
        (1, 'openai', 'https://api.openai.com', 'sk-canary-channel-one', 30, 1, NULL,
            '2026-01-31 10:00:00', '2026-02-01 11:30:05'),
        (3, 'local', 'http://127.0.0.1:8000/v1/', 'sk-canary-channel-two', 10, 0, '[\"gpt-4\"]',
            '2026-01-31 10:00:01', '2026-01-31 10:00:01'),
        (4, 'doomed', 'http://127.0.0.1:9/v1', 'sk-canary-channel-deleted', 10, 1, NULL,
            '2026-01-31 10:00:02', '2026-01-31 10:00:02');
    INSERT INTO users (id, api_key, name, created_at, updated_at) VALUES
        (1, 'sk-canary-user-one', 'alice', '2026-01-31 10:00:03', '2026-01-31 10:00:03'),
        (2, 'short', NULL, '2026-01-31 10:00:04', '2026-01-31 10:00:04'),
        (5, 'sk-canary-user-deleted', 'bob', '2026-01-31 10:00:05', '2026-01-31 10:00:05');
    INSERT INTO models (id, name) VALUES (1, 'gpt-4o'), (2, 'llama');
    INSERT INTO model_channels (id, model_id, channel_id, backend_model_name, weight) VALUES
        (1, 1, 1, 'gpt-4o-2026', 10), (2, 1, 3, 'local-gpt', 20), (3, 2, 3, 'llama-3', 5), (4, 2, 4, 'llama-3', 5);
    INSERT INTO sessions (id, user_id, channel_id, last_used_at, created_at) VALUES
        (1, 1, 1, '2026-02-02 08:00:00', '2026-02-01 08:00:00'),
        (2, 1, 3, '2026-02-02 08:00:00', '2026-02-01 09:00:00'),
        (3, 2, 4, '2026-02-02 08:00:00', '2026-02-01 09:00:00'),
        (4, 5, 1, '2026-02-02 08:00:00', '2026-02-01 09:00:00');
    INSERT INTO channel_metrics (channel_id, latency_avg, error_rate, request_count, success_count, last_updated_at)
        VALUES (1, 1.25, 0.1, 10, 9, '2026-02-02 08:00:01'), (4, 1.0, 1.0, 1, 0, '2026-02-02 08:00:01');
    DELETE FROM channels WHERE id = 4;
    DELETE FROM users WHERE id = 5;";

/// Makes a file as the original leaves it behind.
fn original(sql: &[&str]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.db");
    let conn = Connection::open(&path).unwrap();
    conn.pragma_update(None, "foreign_keys", false).unwrap();
    for sql in sql {
        conn.execute_batch(sql).unwrap();
    }
    (folder, path)
}

/// Whether any file in the folder holds this text.
fn is_anywhere(folder: &Path, text: &str) -> bool {
    fs::read_dir(folder).unwrap().any(|file| {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

fn millis(text: &str) -> UnixMillis {
    let conn = Connection::open_in_memory().unwrap();
    UnixMillis(conn.query_row("SELECT unixepoch(?1) * 1000", [text], |row| row.get(0)).unwrap())
}

#[test]
fn every_row_comes_over_with_its_number() {
    let (_folder, path) = original(&[TABLES, ROWS]);
    let store = Store::open(&path, &key()).unwrap();

    let channels = store.channels().unwrap();
    let shown: Vec<_> = channels
        .iter()
        .map(|row| {
            let channel = &row.value;
            (channel.id.0, &*channel.name, channel.base_url.as_str(), channel.weight, channel.enabled)
        })
        .collect();
    assert_eq!(
        shown,
        [
            (1, "openai", "https://api.openai.com/v1", 30, true),
            (3, "local", "http://127.0.0.1:8000/v1", 10, false)
        ]
    );
    assert_eq!(channels[0].value.api_key.expose(), "sk-canary-channel-one");
    assert_eq!(channels[1].value.api_key.expose(), "sk-canary-channel-two");
    assert_eq!(channels[0].created_at, millis("2026-01-31 10:00:00"));
    assert_eq!(channels[0].updated_at, millis("2026-02-01 11:30:05"));

    let models = store.models().unwrap();
    let mappings: Vec<_> = models
        .iter()
        .flat_map(|row| row.value.mappings.iter().map(|mapping| (&*row.value.name, mapping)))
        .map(|(model, mapping)| {
            (model, mapping.id.0, mapping.channel.0, &*mapping.backend_model, mapping.weight)
        })
        .collect();
    assert_eq!(
        mappings,
        [
            ("gpt-4o", 1, 1, "gpt-4o-2026", 10),
            ("gpt-4o", 2, 3, "local-gpt", 20),
            ("llama", 3, 3, "llama-3", 5)
        ]
    );

    let users: Vec<_> =
        store.users().unwrap().into_iter().map(|row| (row.value.id.0, row.value.name)).collect();
    assert_eq!(users, [(1, "alice".into()), (2, "".into())]);
    let keys = store.inventory().unwrap().keys;
    let shown: Vec<_> =
        keys.iter().map(|key| (key.user.0, key.digest, &*key.prefix, &*key.last_four)).collect();
    assert_eq!(
        shown,
        [(1, key_digest("sk-canary-user-one"), "sk-can", "-one"), (2, key_digest("short"), "s", "")]
    );

    let sessions = store.sessions().unwrap();
    let shown: Vec<_> =
        sessions.iter().map(|row| (row.id.0, row.user.0, &*row.model, row.name, row.channel.0)).collect();
    assert_eq!(shown, [(1, 1, "", 0, 1), (2, 1, "", 0, 3)]);
    assert_eq!(sessions[0].last_used_at, millis("2026-02-02 08:00:00"));
    assert_eq!(sessions[0].created_at, millis("2026-02-01 08:00:00"));

    let metrics = store.lifetime_metrics().unwrap();
    assert_eq!(metrics.len(), 1);
    assert_eq!(metrics[0].channel, ChannelId(1));
    assert_eq!(metrics[0].latency_mean.as_millis(), 1250);
    assert_eq!((metrics[0].requests, metrics[0].successes), (10, 9));
}

#[test]
fn what_points_at_nothing_is_dropped_and_counted() {
    let (_folder, path) = original(&[TABLES, ROWS]);
    let mut conn = Connection::open(&path).unwrap();
    conn.pragma_update(None, "foreign_keys", false).unwrap();
    let sealer = crate::secrets::Sealer::new(&key());
    let tx = conn.transaction().unwrap();
    set_aside(&tx).unwrap();
    tx.execute_batch(include_str!("../migrations/0002_tables.sql")).unwrap();
    let done = carry_over(Tx { conn: &tx, sealer: &sealer, now: UnixMillis(0) }).unwrap().unwrap();
    assert_eq!(
        done,
        CarriedOver {
            channels: 2,
            models: 2,
            mappings: 3,
            users: 2,
            sessions: 2,
            metrics: 1,
            // A mapping, two sessions and a metrics row.
            orphans: 4,
            duplicates: 0,
            unusable_channels: Vec::new(),
            ignored_lists: vec!["local".to_owned()],
        }
    );
    let broken: i64 =
        tx.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0)).unwrap();
    assert_eq!(broken, 0);
}

#[test]
fn no_clear_key_stays_in_the_files() {
    for journal in ["DELETE", "WAL", "PERSIST"] {
        let mode = format!("PRAGMA journal_mode = {journal};");
        // Deleted rows leave their text in free pages; the padding makes them whole pages.
        let padding = "INSERT INTO users (id, api_key, name)
            WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 500)
            SELECT 1000 + i, 'sk-canary-padding-' || i, hex(zeroblob(100)) FROM n;
            DELETE FROM users WHERE id BETWEEN 1100 AND 1400;";
        let (folder, path) = original(&[&mode, TABLES, padding, ROWS]);
        // Without this the test would pass on files that never had a key.
        assert!(is_anywhere(folder.path(), "sk-canary-channel-one"), "{journal}");
        assert!(is_anywhere(folder.path(), "sk-canary-padding-250"), "{journal}");

        let store = Store::open(&path, &key()).unwrap();
        assert!(!is_anywhere(folder.path(), "sk-canary"), "{journal}, while open");
        assert_eq!(store.channels().unwrap()[0].value.api_key.expose(), "sk-canary-channel-one");
        store.create_channel(&new_channel("another")).unwrap();
        store.close().unwrap();
        assert!(!is_anywhere(folder.path(), "sk-canary"), "{journal}, after closing");
    }
}

#[test]
fn a_wipe_that_was_cut_short_is_finished_at_the_next_start() {
    let (folder, path) = original(&[TABLES, ROWS]);
    Store::open(&path, &key()).unwrap().close().unwrap();
    // As if the gateway had been killed between the migration and the wipe.
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch(
        "INSERT INTO meta VALUES ('wipe_clear_text', 'yes');
         CREATE TABLE left_over (key TEXT); INSERT INTO left_over VALUES ('sk-canary-left');
         DROP TABLE left_over;",
    )
    .unwrap();
    drop(conn);
    assert!(is_anywhere(folder.path(), "sk-canary-left"));
    let store = Store::open(&path, &key()).unwrap();
    assert!(!is_anywhere(folder.path(), "sk-canary-left"));
    assert_eq!(store.channels().unwrap().len(), 2);
}

#[test]
fn migrating_twice_is_opening_once() {
    let (_folder, path) = original(&[TABLES, ROWS]);
    let store = Store::open(&path, &key()).unwrap();
    let (first, sessions) = (store.inventory().unwrap(), store.sessions().unwrap());
    store.close().unwrap();
    let store = Store::open(&path, &key()).unwrap();
    assert_eq!(store.inventory().unwrap(), first);
    assert_eq!(store.sessions().unwrap(), sessions);
    store.close().unwrap();
    let other = MasterKey::from_text("quite another passphrase").unwrap();
    assert!(matches!(Store::open(&path, &other), Err(StorageError::WrongMasterKey { .. })));
}

#[test]
fn numbers_that_the_original_gave_are_not_given_again() {
    let (_folder, path) = original(&[TABLES, ROWS]);
    let store = Store::open(&path, &key()).unwrap();
    assert_eq!(store.create_channel(&new_channel("new")).unwrap().value.id, ChannelId(5));
    let (user, _) = store.create_user(&crate::fixture::new_user("new", &[])).unwrap();
    assert_eq!(user.value.id, UserId(6));
}

#[test]
fn an_empty_original_becomes_an_empty_gateway() {
    let (_folder, path) = original(&[TABLES]);
    let store = Store::open(&path, &key()).unwrap();
    assert_eq!(store.inventory().unwrap(), gateway_domain::Inventory::default());
    assert_eq!(store.sessions().unwrap(), []);
}

#[test]
fn an_older_original_without_the_later_tables_comes_over_too() {
    let older = "
        CREATE TABLE channels (id INTEGER PRIMARY KEY, name TEXT, base_url TEXT, api_key TEXT);
        CREATE TABLE users (id INTEGER PRIMARY KEY, api_key TEXT);
        INSERT INTO channels VALUES (1, 'a', 'https://a.example', 'sk-canary-1'), (2, 'a', 'https://b.example', '');
        INSERT INTO users VALUES (1, 'sk-canary-2'), (2, 'sk-canary-2'), (3, ''), (4, NULL);";
    let (folder, path) = original(&[older]);
    let store = Store::open(&path, &key()).unwrap();
    let names: Vec<_> = store.channels().unwrap().into_iter().map(|row| row.value.name).collect();
    assert_eq!(names, ["a".into(), "a #2".into()]);
    assert_eq!(store.users().unwrap().len(), 4);
    let keys = store.inventory().unwrap().keys;
    assert_eq!(keys.len(), 1);
    assert_eq!(keys[0].user, UserId(1));
    assert!(!is_anywhere(folder.path(), "sk-canary"));
}

#[test]
fn values_of_every_type_come_over_without_harm() {
    let odd = "
        INSERT INTO channels (id, name, base_url, api_key, weight, enabled, created_at) VALUES
            (1, 'no url', 'just text', 'sk-1', -5, 1, 'yesterday'),
            (2, 'password', 'https://user:sk-canary-password@host/v1', 'sk-2', 99999999999, 1, NULL),
            (3, 'words', 'https://host/v1', 'sk-3', '7', 'true', '2026-01-31T10:00:00.250Z'),
            (4, 'go zero', 'https://host/v1', x'736b2d34', NULL, NULL, '0001-01-01 00:00:00+00:00'),
            (5, 'go local', 'https://host/v1', 5, 1.0, 0, '2026-01-31 12:00:00.5 +0200 CEST');";
    let (folder, path) = original(&[TABLES, odd]);
    let store = Store::open(&path, &key()).unwrap();
    let rows = store.channels().unwrap();
    let shown: Vec<_> = rows
        .iter()
        .map(|row| {
            let channel = &row.value;
            (channel.base_url.authority(), &**channel.api_key.expose(), channel.weight, channel.enabled)
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("unusable.invalid", "sk-1", 0, false),
            ("unusable.invalid", "sk-2", u32::MAX, false),
            ("host", "sk-3", 7, true),
            ("host", "sk-4", 10, true),
            ("host", "5", 1, false),
        ]
    );
    assert_eq!(rows[2].created_at.0, millis("2026-01-31 10:00:00").0 + 250);
    // A moment that cannot be read is the one of the last change.
    assert!(rows.iter().all(|row| row.created_at > millis("2026-01-01 00:00:00")), "{rows:?}");
    assert!(!is_anywhere(folder.path(), "sk-canary-password"));
}

#[test]
fn a_migration_that_fails_leaves_the_original_as_it_was() {
    let (_folder, path) = original(&[TABLES, ROWS]);
    // A view with the name of one of our tables: the migration cannot make that table.
    Connection::open(&path).unwrap().execute_batch("CREATE VIEW meta AS SELECT 1").unwrap();
    let failed = Store::open(&path, &key()).map(drop);
    assert!(failed.is_err());
    let conn = Connection::open(&path).unwrap();
    let kept: i64 = conn.query_row("SELECT count(*) FROM model_channels", [], |row| row.get(0)).unwrap();
    assert_eq!(kept, 4);
    conn.execute_batch("DROP VIEW meta").unwrap();
    drop(conn);
    assert_eq!(Store::open(&path, &key()).unwrap().channels().unwrap().len(), 2);
}

#[test]
fn an_original_that_is_still_in_use_is_not_migrated_under_its_feet() {
    let (_folder, path) = original(&[TABLES, ROWS]);
    let holder = Connection::open(&path).unwrap();
    holder.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let options =
        crate::StoreOptions { patience: std::time::Duration::from_millis(300), ..Default::default() };
    let refused = Store::open_with(&path, &key(), options).map(drop);
    assert!(matches!(refused, Err(StorageError::Busy)), "{refused:?}");
    holder.execute_batch("ROLLBACK").unwrap();
    drop(holder);
    assert_eq!(Store::open(&path, &key()).unwrap().channels().unwrap().len(), 2);
}
