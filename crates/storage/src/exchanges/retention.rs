//! How much history is kept.

use std::time::Duration;

use gateway_domain::UnixMillis;
use rusqlite::Connection;

use crate::Result;
use crate::tx::signed;

/// How many exchanges are kept, and for how long. What is too much or too old goes in small steps beside the writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// The newest so many; older ones go.
    pub newest: u64,
    /// Those that began at most so long ago; `None`: however old they are.
    pub longest: Option<Duration>,
}

/// Removes the oldest exchanges beyond the newest, and those that have become too old by `now`, at most `step` of them
/// together. Gives the number removed.
pub(crate) fn prune(conn: &Connection, keep: Retention, now: UnixMillis, step: usize) -> Result<usize> {
    let removed = prune_by_number(conn, keep.newest, step)?;
    match keep.longest {
        Some(longest) => Ok(removed + prune_by_age(conn, longest, now, step - removed)?),
        None => Ok(removed),
    }
}

/// Numbers are given without gaps, and nearly all are removed from the low end, so the numbers tell what is too much.
fn prune_by_number(conn: &Connection, newest: u64, step: usize) -> Result<usize> {
    let last: Option<i64> =
        conn.prepare_cached("SELECT max(id) FROM exchanges")?.query_row([], |row| row.get(0))?;
    let Some(bound) = last.map(|last| last.saturating_sub(signed(newest))).filter(|bound| *bound > 0) else {
        return Ok(0);
    };
    Ok(conn
        .prepare_cached(
            "DELETE FROM exchanges WHERE id IN (SELECT id FROM exchanges WHERE id <= ?1 ORDER BY id LIMIT ?2)",
        )?
        .execute([bound, signed(step as u64)])?)
}

fn prune_by_age(conn: &Connection, longest: Duration, now: UnixMillis, step: usize) -> Result<usize> {
    let bound = now.0.saturating_sub(i64::try_from(longest.as_millis()).unwrap_or(i64::MAX));
    Ok(conn
        .prepare_cached(
            "DELETE FROM exchanges
             WHERE id IN (SELECT id FROM exchanges WHERE started_at < ?1 ORDER BY started_at LIMIT ?2)",
        )?
        .execute([bound, signed(step as u64)])?)
}
