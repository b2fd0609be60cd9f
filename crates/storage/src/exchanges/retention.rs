//! How much history is kept.

use std::time::Duration;

use gateway_domain::UnixMillis;
use rusqlite::{Connection, params};

use crate::Result;
use crate::tx::signed;

/// So many segments or objects go in one step: more than come meanwhile, so that they get less.
pub(crate) const PRUNE_STEP: usize = 512;

/// How many exchanges are kept, and for how long. What is too much or too old is not shown any more, and goes in small
/// steps beside the writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// The newest so many; older ones go.
    pub newest: u64,
    /// Those that began at most so long ago; `None`: however old they are.
    pub longest: Option<Duration>,
    /// Objects that are not kept until they are deleted.
    pub objects: Option<ObjectRetention>,
}

/// Objects of one kind that are kept for some time only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectRetention {
    /// Their kind.
    pub kind: &'static str,
    /// So long from the moment at which the gateway learned of them.
    pub longest: Duration,
}

// === impl Retention ===

impl Retention {
    /// Everything, for ever.
    pub const ALL: Self = Self { newest: u64::MAX, longest: None, objects: None };

    /// What began earlier is too old at `now`.
    pub(super) fn oldest(self, now: UnixMillis) -> Option<UnixMillis> {
        self.longest.map(|longest| before(now, longest))
    }
}

/// Removes segments all of whose exchanges are too much or too old by `now`, the oldest first, at most [`PRUNE_STEP`]
/// together. Tells whether there may be more.
///
/// Segments are in the order in which their exchanges ended. One whose exchanges began long ago behind one with younger
/// ones waits for that one, and nobody sees it meanwhile.
pub(crate) fn prune(conn: &Connection, keep: Retention, now: UnixMillis) -> Result<bool> {
    let too_much = super::last_number(conn)?.saturating_sub(signed(keep.newest));
    let oldest = keep.oldest(now).unwrap_or(UnixMillis(i64::MIN));
    let mut statement =
        conn.prepare_cached("SELECT last, newest FROM exchange_segments ORDER BY last LIMIT ?1")?;
    let mut rows = statement.query([signed(PRUNE_STEP as u64)])?;
    let (mut count, mut bound) = (0, None);
    while let Some(row) = rows.next()? {
        let (last, newest): (i64, i64) = (row.get(0)?, row.get(1)?);
        if last > too_much && newest >= oldest.0 {
            break;
        }
        (count, bound) = (count + 1, Some(last));
    }
    drop(rows);
    if let Some(bound) = bound {
        conn.prepare_cached("DELETE FROM exchange_segments WHERE last <= ?1")?.execute([bound])?;
    }
    Ok(count == PRUNE_STEP)
}

/// Removes objects that are too old, likewise. Looks through those that are as old and of other kinds, which is too much
/// for every batch.
pub(crate) fn prune_objects(conn: &Connection, keep: Retention, now: UnixMillis) -> Result<bool> {
    let Some(keep) = keep.objects else { return Ok(false) };
    let removed = conn
        .prepare_cached(
            "DELETE FROM objects WHERE rowid IN (
                 SELECT rowid FROM objects INDEXED BY objects_by_age
                 WHERE kind = ?1 AND created_at < ?2 ORDER BY created_at LIMIT ?3)",
        )?
        .execute(params![keep.kind, before(now, keep.longest).0, signed(PRUNE_STEP as u64)])?;
    Ok(removed == PRUNE_STEP)
}

fn before(now: UnixMillis, longest: Duration) -> UnixMillis {
    UnixMillis(now.0.saturating_sub(i64::try_from(longest.as_millis()).unwrap_or(i64::MAX)))
}
