use std::sync::Arc;

use gateway_domain::{ChannelId, UnixMillis, UserId};
use rusqlite::{Connection, Row, params};

use crate::tx::{moment, text};
use crate::{Result, Store};

/// Which channel made an object and whose it is, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectRow {
    /// The id that the upstream gave it.
    pub id: Arc<str>,
    /// What it is, in one word.
    pub kind: Arc<str>,
    /// Where it was made.
    pub channel: ChannelId,
    /// Who made it.
    pub user: UserId,
    /// When the gateway learned of it.
    pub created_at: UnixMillis,
    /// When it was made, in seconds by the upstream's clock; `None`: it has not said.
    pub made_at: Option<i64>,
}

/// The objects of one user, kind and channel that were made right before or after a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectNeighbours {
    /// Whose.
    pub user: UserId,
    /// Of which kind.
    pub kind: Arc<str>,
    /// Made where.
    pub channel: ChannelId,
    /// The moment, in seconds by the upstream's clock. What was made in this second itself is not among them.
    pub at: i64,
    /// On which side of it.
    pub side: Side,
    /// At most this many.
    pub limit: u32,
}

/// A side of a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Earlier.
    Before,
    /// Later.
    After,
}

// === impl Store ===

impl Store {
    /// The object of this id.
    pub fn object(&self, id: &str) -> Result<Option<ObjectRow>> {
        self.read(|tx| {
            tx.one(
                "SELECT id, kind, channel_id, user_id, created_at, made_at FROM objects WHERE id = ?1",
                [id],
                read,
            )
        })
    }

    /// The objects that were made last, at most `limit` of them, the oldest of those first.
    pub fn newest_objects(&self, limit: usize) -> Result<Vec<ObjectRow>> {
        let mut rows = self.read(|tx| {
            tx.all(
                "SELECT id, kind, channel_id, user_id, created_at, made_at FROM objects
                 ORDER BY created_at DESC, rowid DESC LIMIT ?1",
                [i64::try_from(limit).unwrap_or(i64::MAX)],
                read,
            )
        })?;
        rows.reverse();
        Ok(rows)
    }

    /// Who has objects of which kind at which channels: each once.
    pub fn object_places(&self) -> Result<Vec<(UserId, Arc<str>, ChannelId)>> {
        self.read(|tx| {
            tx.all("SELECT DISTINCT user_id, kind, channel_id FROM objects", [], |row| {
                Ok((UserId(row.get(0)?), text(row, 1)?, ChannelId(row.get(2)?)))
            })
        })
    }

    /// The neighbours of a moment, the nearest first. Objects of which it is not known when they were made are no
    /// neighbours.
    pub fn object_neighbours(&self, of: &ObjectNeighbours) -> Result<Vec<ObjectRow>> {
        let sql = match of.side {
            Side::Before => BEFORE,
            Side::After => AFTER,
        };
        let params = params![of.user.0, &*of.kind, of.channel.0, of.at, of.limit];
        self.read(|tx| tx.all(sql, params, read))
    }
}

const BEFORE: &str = "SELECT id, kind, channel_id, user_id, created_at, made_at FROM objects
    WHERE user_id = ?1 AND kind = ?2 AND channel_id = ?3 AND made_at < ?4
    ORDER BY made_at DESC LIMIT ?5";
const AFTER: &str = "SELECT id, kind, channel_id, user_id, created_at, made_at FROM objects
    WHERE user_id = ?1 AND kind = ?2 AND channel_id = ?3 AND made_at > ?4
    ORDER BY made_at LIMIT ?5";

/// Keeps an object, unless its id is another user's.
///
/// Its user or channel may have been deleted while it waited; then there is nothing to keep.
pub(crate) fn put(conn: &Connection, row: &ObjectRow) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO objects (id, kind, channel_id, user_id, created_at, made_at)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6
         WHERE EXISTS (SELECT 1 FROM users WHERE id = ?4) AND EXISTS (SELECT 1 FROM channels WHERE id = ?3)
         ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, channel_id = excluded.channel_id,
             made_at = CASE WHEN channel_id = excluded.channel_id
                 THEN COALESCE(excluded.made_at, made_at) ELSE excluded.made_at END
         WHERE user_id = excluded.user_id",
    )?
    .execute(params![&*row.id, &*row.kind, row.channel.0, row.user.0, row.created_at.0, row.made_at])?;
    Ok(())
}

/// Forgets an object.
pub(crate) fn remove(conn: &Connection, id: &str) -> Result<()> {
    conn.prepare_cached("DELETE FROM objects WHERE id = ?1")?.execute([id])?;
    Ok(())
}

fn read(row: &Row<'_>) -> Result<ObjectRow> {
    Ok(ObjectRow {
        id: text(row, 0)?,
        kind: text(row, 1)?,
        channel: ChannelId(row.get(2)?),
        user: UserId(row.get(3)?),
        created_at: moment(row, 4)?,
        made_at: row.get(5)?,
    })
}

#[cfg(test)]
mod tests;
