//! Carries over what the original gateway (the Go program that this one succeeds) kept in its file.
//!
//! Its rows cannot be trusted: foreign keys were off, so mappings, sessions and metrics may point at nothing;
//! columns take any type; keys stand in clear. Ids are kept. What points at nothing is dropped and counted; what
//! cannot be used as it is (a base URL that is none) is kept in a shape that does no harm, and logged.

use std::collections::HashSet;

use gateway_domain::{BaseUrl, ManagedBy, UnixMillis};
use rusqlite::{Connection, params};

use crate::tx::Tx;
use crate::{Result, StorageError, channels, keys};

mod row;

use row::OriginalRow;

/// Stands in `meta` while clear text may still be somewhere in the file.
pub(crate) const WIPE_MARK: &str = "wipe_clear_text";

/// Takes the place of a base URL that cannot be one. The name is reserved for this and never resolves.
const UNUSABLE_URL: &str = "https://unusable.invalid/v1";

/// What came over, and what did not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CarriedOver {
    pub(crate) channels: usize,
    pub(crate) models: usize,
    pub(crate) mappings: usize,
    pub(crate) users: usize,
    pub(crate) sessions: usize,
    pub(crate) metrics: usize,
    /// Rows that pointed at a channel, model or user that does not exist.
    pub(crate) orphans: usize,
    /// Rows, names or keys that stood there a second time.
    pub(crate) duplicates: usize,
    /// Channels whose base URL cannot be one; they are disabled.
    pub(crate) unusable_channels: Vec<String>,
    /// Channels with a list in the column `models`, which the original itself no longer looked at.
    pub(crate) ignored_lists: Vec<String>,
}

/// Whether the tables are the original's.
pub(crate) fn is_original(conn: &Connection) -> rusqlite::Result<bool> {
    let found: i64 = conn.query_row(
        "SELECT (SELECT count(*) FROM pragma_table_info('channels') WHERE name IN ('base_url', 'api_key'))
              + (SELECT count(*) FROM pragma_table_info('users') WHERE name = 'api_key')",
        [],
        |row| row.get(0),
    )?;
    Ok(found == 3)
}

/// Renames the original's tables, as far as they exist, so that ours can take their names.
pub(crate) fn set_aside(conn: &Connection) -> rusqlite::Result<()> {
    for (table, rename) in [
        ("channels", "ALTER TABLE channels RENAME TO original_channels"),
        ("models", "ALTER TABLE models RENAME TO original_models"),
        ("model_channels", "ALTER TABLE model_channels RENAME TO original_model_channels"),
        ("users", "ALTER TABLE users RENAME TO original_users"),
        ("sessions", "ALTER TABLE sessions RENAME TO original_sessions"),
        ("channel_metrics", "ALTER TABLE channel_metrics RENAME TO original_channel_metrics"),
    ] {
        if exists(conn, table)? {
            conn.execute_batch(rename)?;
        }
    }
    Ok(())
}

/// Copies the rows that were set aside into our tables and removes them. `None` when there were none.
pub(crate) fn carry_over(tx: Tx<'_>) -> Result<Option<CarriedOver>> {
    if !exists(tx.conn, "original_channels")? {
        return Ok(None);
    }
    let mut done = CarriedOver::default();
    let channels = carry_channels(tx, &mut done)?;
    let models = carry_models(tx, &mut done)?;
    let users = carry_users(tx, &mut done)?;
    carry_mappings(tx, &models, &channels, &mut done)?;
    carry_sessions(tx, &users, &channels, &mut done)?;
    carry_metrics(tx, &channels, &mut done)?;
    continue_numbers(tx)?;
    tx.conn.execute_batch(
        "DROP TABLE IF EXISTS original_channel_metrics;
         DROP TABLE IF EXISTS original_sessions;
         DROP TABLE IF EXISTS original_model_channels;
         DROP TABLE IF EXISTS original_models;
         DROP TABLE IF EXISTS original_users;
         DROP TABLE IF EXISTS original_channels;",
    )?;
    tx.run("INSERT INTO meta (name, value) VALUES (?1, 'yes')", [WIPE_MARK])?;
    Ok(Some(done))
}

// === impl CarriedOver ===

impl CarriedOver {
    /// Tells the operator once, after the migration has been committed.
    pub(crate) fn log(&self) {
        let Self { channels, models, mappings, users, sessions, metrics, .. } = self;
        tracing::info!(
            channels,
            models,
            mappings,
            users,
            sessions,
            metrics,
            "took over the database of the original gateway"
        );
        if self.orphans > 0 {
            tracing::warn!(
                rows = self.orphans,
                "dropped rows that pointed at a channel, model or user that is gone"
            );
        }
        if self.duplicates > 0 {
            tracing::warn!(rows = self.duplicates, "found the same thing twice; the first one counts");
        }
        if !self.unusable_channels.is_empty() {
            tracing::warn!(channels = ?self.unusable_channels, "disabled channels whose base_url is not a URL: set it");
        }
        if !self.ignored_lists.is_empty() {
            tracing::warn!(
                channels = ?self.ignored_lists,
                "left out the old model lists of these channels, which had no effect: map the models if they matter"
            );
        }
    }
}

fn carry_channels(tx: Tx<'_>, done: &mut CarriedOver) -> Result<HashSet<i64>> {
    let mut ids = HashSet::new();
    let mut names = HashSet::new();
    for row in row::all(tx.conn, "original_channels", "SELECT * FROM original_channels ORDER BY id")? {
        let id = row.id()?;
        let name = first_of_its_name(&row.text("name"), id, &mut names, done);
        let url = BaseUrl::parse(&row.text("base_url"));
        if url.is_err() {
            done.unusable_channels.push(name.clone());
        }
        if !matches!(row.text("models").trim(), "" | "[]" | "null") {
            done.ignored_lists.push(name.clone());
        }
        let enabled = url.is_ok() && row.flag("enabled").unwrap_or(true);
        let (created_at, updated_at) = row.times(tx.conn, tx.now)?;
        tx.run(
            "INSERT INTO channels (id, name, base_url, api_key, weight, enabled, serves_any_model, probe_kind,
                 managed_by, version, created_at, updated_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, 'models', 'api', 1, ?7, ?8)",
            params![
                id,
                name,
                url.as_ref().map_or(UNUSABLE_URL, BaseUrl::as_str),
                tx.sealer.seal(&channels::place_of_key(id), &row.text("api_key"))?,
                row.weight(),
                enabled,
                created_at.0,
                updated_at.0,
            ],
        )?;
        ids.insert(id);
    }
    done.channels = ids.len();
    Ok(ids)
}

fn carry_models(tx: Tx<'_>, done: &mut CarriedOver) -> Result<HashSet<i64>> {
    let mut ids = HashSet::new();
    let mut names = HashSet::new();
    for row in row::all(tx.conn, "original_models", "SELECT * FROM original_models ORDER BY id")? {
        let id = row.id()?;
        let name = first_of_its_name(&row.text("name"), id, &mut names, done);
        let (created_at, updated_at) = row.times(tx.conn, tx.now)?;
        tx.run(
            "INSERT INTO models (id, name, managed_by, version, created_at, updated_at)
             VALUES (?1, ?2, 'api', 1, ?3, ?4)",
            params![id, name, created_at.0, updated_at.0],
        )?;
        ids.insert(id);
    }
    done.models = ids.len();
    Ok(ids)
}

fn carry_users(tx: Tx<'_>, done: &mut CarriedOver) -> Result<HashSet<i64>> {
    let mut ids = HashSet::new();
    let mut digests = HashSet::new();
    for row in row::all(tx.conn, "original_users", "SELECT * FROM original_users ORDER BY id")? {
        let id = row.id()?;
        let (created_at, updated_at) = row.times(tx.conn, tx.now)?;
        tx.run(
            "INSERT INTO users (id, name, enabled, managed_by, version, created_at, updated_at)
             VALUES (?1, ?2, 1, 'api', 1, ?3, ?4)",
            params![id, row.text("name"), created_at.0, updated_at.0],
        )?;
        ids.insert(id);
        let key = row.text("api_key");
        if key.is_empty() {
            continue;
        }
        if digests.insert(keys::key_digest(&key)) {
            keys::insert(tx, id, &key, ManagedBy::Api, created_at, None)?;
        } else {
            done.duplicates += 1;
        }
    }
    done.users = ids.len();
    Ok(ids)
}

fn carry_mappings(
    tx: Tx<'_>,
    models: &HashSet<i64>,
    channels: &HashSet<i64>,
    done: &mut CarriedOver,
) -> Result<()> {
    let mut pairs = HashSet::new();
    for row in
        row::all(tx.conn, "original_model_channels", "SELECT * FROM original_model_channels ORDER BY id")?
    {
        let (Some(model), Some(channel)) = (row.int("model_id"), row.int("channel_id")) else {
            done.orphans += 1;
            continue;
        };
        if !models.contains(&model) || !channels.contains(&channel) {
            done.orphans += 1;
        } else if !pairs.insert((model, channel)) {
            done.duplicates += 1;
        } else {
            let created_at = row.moment(tx.conn, "created_at")?.unwrap_or(tx.now);
            tx.run(
                "INSERT INTO mappings (id, model_id, channel_id, backend_model, weight, managed_by, version,
                     created_at, updated_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, 'api', 1, ?6, ?6)",
                params![
                    row.id()?,
                    model,
                    channel,
                    row.text("backend_model_name"),
                    row.weight(),
                    created_at.0
                ],
            )?;
            done.mappings += 1;
        }
    }
    Ok(())
}

fn carry_sessions(
    tx: Tx<'_>,
    users: &HashSet<i64>,
    channels: &HashSet<i64>,
    done: &mut CarriedOver,
) -> Result<()> {
    for row in row::all(tx.conn, "original_sessions", "SELECT * FROM original_sessions ORDER BY id")? {
        let (Some(user), Some(channel)) = (row.int("user_id"), row.int("channel_id")) else {
            done.orphans += 1;
            continue;
        };
        if !users.contains(&user) || !channels.contains(&channel) {
            done.orphans += 1;
            continue;
        }
        let created_at = row.moment(tx.conn, "created_at")?.unwrap_or(tx.now);
        let last_used_at = row.moment(tx.conn, "last_used_at")?.unwrap_or(created_at);
        tx.run(
            "INSERT INTO sessions (id, user_id, model, name, channel_id, created_at, last_used_at)
             VALUES (?1, ?2, '', 0, ?3, ?4, ?5)",
            params![row.id()?, user, channel, created_at.0, last_used_at.0],
        )?;
        done.sessions += 1;
    }
    Ok(())
}

fn carry_metrics(tx: Tx<'_>, channels: &HashSet<i64>, done: &mut CarriedOver) -> Result<()> {
    let mut seen = HashSet::new();
    for row in row::all(tx.conn, "original_channel_metrics", "SELECT * FROM original_channel_metrics")? {
        let Some(channel) = row.int("channel_id").filter(|id| channels.contains(id)) else {
            done.orphans += 1;
            continue;
        };
        if !seen.insert(channel) {
            done.duplicates += 1;
            continue;
        }
        let counted = row.moment(tx.conn, "last_updated_at")?.unwrap_or(UnixMillis(0));
        tx.run(
            "INSERT INTO lifetime_metrics (channel_id, latency_mean, error_rate, requests, successes, last_updated_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                channel,
                row.real("latency_avg").max(0.0),
                row.real("error_rate").clamp(0.0, 1.0),
                row.int("request_count").unwrap_or(0).max(0),
                row.int("success_count").unwrap_or(0).max(0),
                counted.0,
            ],
        )?;
        done.metrics += 1;
    }
    Ok(())
}

/// The numbers of rows that the original had deleted are not given again either.
fn continue_numbers(tx: Tx<'_>) -> Result<()> {
    for (ours, original) in [
        ("channels", "original_channels"),
        ("models", "original_models"),
        ("mappings", "original_model_channels"),
        ("users", "original_users"),
    ] {
        let given = "SELECT seq FROM sqlite_sequence WHERE name = ?1";
        let read = |row: &rusqlite::Row<'_>| Ok(row.get::<_, i64>(0)?);
        let last = tx.one(given, [ours], read)?.max(tx.one(given, [original], read)?);
        if let Some(last) = last {
            tx.run("DELETE FROM sqlite_sequence WHERE name = ?1", [ours])?;
            tx.run("INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)", params![ours, last])?;
        }
    }
    Ok(())
}

/// The original's tables forbid equal names, but an older file of it may not have.
fn first_of_its_name(name: &str, id: i64, names: &mut HashSet<String>, done: &mut CarriedOver) -> String {
    let mut free = name.to_owned();
    while !names.insert(free.clone()) {
        free = format!("{free} #{id}");
    }
    if free != name {
        done.duplicates += 1;
    }
    free
}

fn exists(conn: &Connection, table: &str) -> rusqlite::Result<bool> {
    conn.query_row("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1", [table], |row| {
        row.get::<_, i64>(0)
    })
    .map(|count| count > 0)
}

impl OriginalRow {
    /// The row's number. Every table of the original has one.
    fn id(&self) -> Result<i64> {
        self.int("id").ok_or_else(|| StorageError::Corrupt { detail: "a row has no id".to_owned() })
    }
}

#[cfg(test)]
mod tests;
