//! Brings a file to the schema of this gateway: new, older, or the original gateway's.
//!
//! Migrations go forward only, and all that are due run in one transaction: a file is at its old version or at the
//! new one, whatever happens meanwhile. `user_version` counts them.

use std::sync::{Arc, Mutex, PoisonError};

use gateway_domain::UnixMillis;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use rusqlite_migration::{HookError, M, Migrations};

use crate::original;
use crate::place::Place;
use crate::secrets::Sealer;
use crate::tx::Tx;
use crate::{Result, StorageError, exchanges};

/// Stands in the header of the gateway's files: "OAGW".
const APPLICATION_ID: i64 = 0x4F41_4757;
/// The newest schema version that this gateway knows.
const NEWEST: i64 = 9;
/// The first one whose history lies in segments.
const WITH_SEGMENTS: i64 = 7;
/// Sealed into `meta`: whoever can open it has the right master key.
const CHECK_TEXT: &str = "openai-gateway";
const CHECK_PLACE: &str = "meta:key_check";
/// What the connection that writes keeps of the file in memory, in KiB. It appends, and reads little of what it has written:
/// with the usual 2,000 its memory would rise page by page through the first ten minutes of load, for nothing.
const WRITER_CACHE_KIB: i64 = 512;

/// Whose file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Nothing in it yet.
    Empty,
    /// The original gateway's, which kept no version.
    Original,
    /// Ours, at this version.
    Ours(i64),
}

/// Readies the connection that writes: checks the file, migrates it, checks the master key, wipes what the original
/// left in clear. May be tried again after [`StorageError::Busy`].
pub(crate) fn establish(
    conn: &mut Connection,
    place: &Place,
    sealer: &Arc<Sealer>,
    now: UnixMillis,
) -> Result<()> {
    let kind = recognise(conn, place)?;
    inspect(conn, kind)?;
    if matches!(kind, Kind::Ours(_)) {
        check_key(conn, sealer)?;
    }
    if matches!(place, Place::File { .. }) {
        let mode: String = conn.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
        if mode != "wal" {
            return Err(StorageError::Io {
                detail: "the file system does not allow a write-ahead log".to_owned(),
            });
        }
        conn.pragma_update(None, "journal_size_limit", 16 * 1024 * 1024)?;
    }
    conn.pragma_update(None, "synchronous", "FULL")?;
    if matches!(kind, Kind::Ours(version) if version < WITH_SEGMENTS) {
        exchanges::set_aside_if_damaged(conn)?;
    }
    migrate(conn, kind, sealer, now)?;
    remember_key(conn, sealer)?;
    check_key(conn, sealer)?;
    wipe(conn)?;
    conn.pragma_update(None, "secure_delete", false)?;
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    Ok(())
}

/// Tells the file's kind by application id, version and tables; refuses other programs' and newer gateways' files.
fn recognise(conn: &Connection, place: &Place) -> Result<Kind> {
    let number = |pragma: &str| conn.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let (application, version) = (number("application_id")?, number("user_version")?);
    if application == APPLICATION_ID && version > 0 {
        if version > NEWEST
            && let Place::File { path, .. } = place
        {
            return Err(StorageError::TooNew { path: path.clone(), found: version, known: NEWEST });
        }
        return Ok(Kind::Ours(version));
    }
    let tables: i64 = conn.query_row(
        "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
        [],
        |row| row.get(0),
    )?;
    if tables == 0 && application == 0 && version == 0 {
        return Ok(Kind::Empty);
    }
    if application == 0 && version == 0 && original::is_original(conn)? {
        return Ok(Kind::Original);
    }
    Err(StorageError::Corrupt { detail: "it belongs to another program".to_owned() })
}

/// Looks for damage before anything relies on the file. History is left out: it is large, and losing a page of it
/// must not keep the gateway from serving.
fn inspect(conn: &Connection, kind: Kind) -> Result<()> {
    let checks: &[&str] = match kind {
        Kind::Empty => &[],
        Kind::Original => &["PRAGMA quick_check(1)"],
        Kind::Ours(_) => &[
            "PRAGMA quick_check('sqlite_schema')",
            "PRAGMA quick_check('meta')",
            "PRAGMA quick_check('settings')",
            "PRAGMA quick_check('channels')",
            "PRAGMA quick_check('models')",
            "PRAGMA quick_check('mappings')",
            "PRAGMA quick_check('users')",
            "PRAGMA quick_check('user_keys')",
        ],
    };
    for check in checks {
        let said: String = conn.query_row(check, [], |row| row.get(0))?;
        if said != "ok" {
            return Err(StorageError::Corrupt { detail: said });
        }
    }
    Ok(())
}

/// Runs what is due. Foreign keys rest meanwhile: the original's rows break them, and its tables go away.
fn migrate(conn: &mut Connection, kind: Kind, sealer: &Arc<Sealer>, now: UnixMillis) -> Result<()> {
    if kind == Kind::Ours(NEWEST) {
        return Ok(());
    }
    conn.pragma_update(None, "foreign_keys", false)?;
    // The original's keys stand in clear; all else may be overwritten when its place is wanted.
    conn.pragma_update(None, "secure_delete", kind == Kind::Original)?;
    conn.set_transaction_behavior(TransactionBehavior::Immediate);
    // Hooks may only fail with a text; what really happened is handed over here.
    let outcome: Arc<Mutex<Result<Option<original::CarriedOver>>>> = Arc::new(Mutex::new(Ok(None)));
    let result = migrations(sealer, now, &outcome).to_latest(conn);
    let outcome = std::mem::replace(&mut *outcome.lock().unwrap_or_else(PoisonError::into_inner), Ok(None))?;
    result.map_err(migration_error)?;
    if let Some(carried_over) = outcome {
        carried_over.log();
    }
    Ok(())
}

fn migrations(
    sealer: &Arc<Sealer>,
    now: UnixMillis,
    outcome: &Arc<Mutex<Result<Option<original::CarriedOver>>>>,
) -> Migrations<'static> {
    let (sealer, told, outcome) = (Arc::clone(sealer), Arc::clone(outcome), Arc::clone(outcome));
    Migrations::new(vec![
        // 1: the original's tables step aside, since ours have the same names. SQL alone cannot do that "if they
        // exist".
        M::up_with_hook("", |tx| original::set_aside(tx).map_err(HookError::RusqliteError)),
        // 2: our tables, and into them what the original had.
        M::up_with_hook(include_str!("migrations/0002_tables.sql"), move |tx| {
            let done = original::carry_over(Tx { conn: tx, sealer: &sealer, now });
            let failed = done.as_ref().err().map(ToString::to_string);
            *outcome.lock().unwrap_or_else(PoisonError::into_inner) = done;
            failed.map_or(Ok(()), |text| Err(HookError::Hook(text)))
        }),
        // 3: how channels and models are routed.
        M::up(include_str!("migrations/0003_routing.sql")),
        // 4: which channel made which object.
        M::up(include_str!("migrations/0004_objects.sql")),
        // 5: when the upstreams made them.
        M::up(include_str!("migrations/0005_object_times.sql")),
        // 6: who counted the tokens of a call.
        M::up(include_str!("migrations/0006_records.sql")),
        // 7: segments of exchanges, and into them the rows that there are.
        M::up_with_hook(include_str!("migrations/0007_segments.sql"), move |tx| {
            exchanges::carry_over(tx).map_err(|error| {
                let text = error.to_string();
                *told.lock().unwrap_or_else(PoisonError::into_inner) = Err(error);
                HookError::Hook(text)
            })
        }),
        // 8: the rows are gone.
        M::up(include_str!("migrations/0008_rows_gone.sql")),
        // 9: how long a channel's idle connections are kept.
        M::up(include_str!("migrations/0009_pool_idle_timeout.sql")),
    ])
}

fn migration_error(error: rusqlite_migration::Error) -> StorageError {
    if let rusqlite_migration::Error::RusqliteError { err, .. } = error {
        return err.into();
    }
    StorageError::Corrupt { detail: format!("it cannot be migrated: {error}") }
}

/// A database belongs to the first master key that opens it.
fn remember_key(conn: &mut Connection, sealer: &Sealer) -> Result<()> {
    if meta(conn, "key_id")?.is_some() {
        return Ok(());
    }
    let check = sealer.seal(CHECK_PLACE, CHECK_TEXT)?;
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.execute("INSERT INTO meta (name, value) VALUES ('key_id', ?1)", [sealer.key_id()])?;
    tx.execute("INSERT INTO meta (name, value) VALUES ('key_check', ?1)", [check])?;
    Ok(tx.commit()?)
}

/// Refuses to go on with another master key than the one that the secrets were sealed with.
fn check_key(conn: &Connection, sealer: &Sealer) -> Result<()> {
    let check: Option<Vec<u8>> =
        conn.query_row("SELECT value FROM meta WHERE name = 'key_check'", [], |row| row.get(0)).optional()?;
    let expected = meta(conn, "key_id")?;
    let (Some(check), Some(expected)) = (check, expected) else {
        return Err(StorageError::Corrupt { detail: "it does not say which master key it wants".to_owned() });
    };
    if expected != sealer.key_id() {
        return Err(StorageError::WrongMasterKey { expected, given: sealer.key_id() });
    }
    match sealer.unseal(CHECK_PLACE, &check)?.as_str() {
        CHECK_TEXT => Ok(()),
        _ => Err(StorageError::WrongMasterKey { expected, given: sealer.key_id() }),
    }
}

/// Removes every trace of the original's clear keys from the file and its log. `secure_delete` has emptied the pages
/// already; the rewrite also catches what earlier deletes had left behind.
///
/// The mark in `meta` is set by the migration itself, so a gateway that is killed in between goes on here at its next
/// start.
fn wipe(conn: &Connection) -> Result<()> {
    if meta(conn, original::WIPE_MARK)?.is_none() {
        return Ok(());
    }
    empty_log(conn)?;
    conn.execute_batch("VACUUM")?;
    empty_log(conn)?;
    conn.execute("DELETE FROM meta WHERE name = ?1", [original::WIPE_MARK])?;
    empty_log(conn)?;
    tracing::info!("keys are encrypted or hashed now, and their clear text is wiped from the database file");
    Ok(())
}

/// Moves the write-ahead log into the file and cuts it to nothing.
pub(crate) fn empty_log(conn: &Connection) -> Result<()> {
    let held: i64 = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if held == 0 { Ok(()) } else { Err(StorageError::Busy) }
}

fn meta(conn: &Connection, name: &str) -> Result<Option<String>> {
    Ok(conn.query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get(0)).optional()?)
}

#[cfg(test)]
mod tests;
