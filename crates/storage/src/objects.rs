use std::sync::Arc;

use gateway_domain::{ChannelId, UnixMillis, UserId};
use rusqlite::{Connection, Row, params};

use crate::tx::{moment, text};
use crate::{Result, Store};

/// No list of objects answers with more than this.
pub const MAX_OBJECTS_PER_QUERY: u32 = 1000;

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
}

/// A page of one user's objects of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectPage {
    /// Whose.
    pub user: UserId,
    /// Of which kind.
    pub kind: Arc<str>,
    /// Where the page begins or ends: at the id of an object on the page before or after it.
    pub cursor: Cursor,
    /// Whether the newest stand first.
    pub newest_first: bool,
    /// At most this many, from 1 to [`MAX_OBJECTS_PER_QUERY`]; what lies outside is brought inside.
    pub limit: u32,
}

/// Which part of a list to show. An id that is not in the list shows nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cursor {
    /// From the beginning.
    Beginning,
    /// What stands behind this object.
    After(Arc<str>),
    /// What stands right before this object.
    Before(Arc<str>),
}

// === impl Store ===

impl Store {
    /// The object of this id.
    pub fn object(&self, id: &str) -> Result<Option<ObjectRow>> {
        self.read(|tx| {
            tx.one("SELECT id, kind, channel_id, user_id, created_at FROM objects WHERE id = ?1", [id], read)
        })
    }

    /// The objects that were made last, at most `limit` of them, the oldest of those first.
    pub fn newest_objects(&self, limit: usize) -> Result<Vec<ObjectRow>> {
        let mut rows = self.read(|tx| {
            tx.all(
                "SELECT id, kind, channel_id, user_id, created_at FROM objects
                 ORDER BY created_at DESC, rowid DESC LIMIT ?1",
                [i64::try_from(limit).unwrap_or(i64::MAX)],
                read,
            )
        })?;
        rows.reverse();
        Ok(rows)
    }

    /// One page of a user's objects, in the page's order.
    pub fn objects(&self, page: &ObjectPage) -> Result<Vec<ObjectRow>> {
        // Read backwards from the end of the page, or forwards from its beginning: both are ways along the index.
        let (cursor, backwards) = match &page.cursor {
            Cursor::Beginning => (None, false),
            Cursor::After(id) => (Some(id), false),
            Cursor::Before(id) => (Some(id), true),
        };
        let limit = page.limit.clamp(1, MAX_OBJECTS_PER_QUERY);
        let params = params![page.user.0, &*page.kind, cursor.map(|id| &**id), limit];
        let sql = if page.newest_first == backwards { FORWARDS } else { BACKWARDS };
        let mut rows = self.read(|tx| tx.all(sql, params, read))?;
        if backwards {
            rows.reverse();
        }
        Ok(rows)
    }
}

/// From the oldest to the newest.
const FORWARDS: &str = "SELECT id, kind, channel_id, user_id, created_at FROM objects
    WHERE user_id = ?1 AND kind = ?2 AND (?3 IS NULL OR (created_at, rowid) >
        (SELECT created_at, rowid FROM objects WHERE id = ?3 AND user_id = ?1 AND kind = ?2))
    ORDER BY created_at, rowid LIMIT ?4";
/// From the newest to the oldest.
const BACKWARDS: &str = "SELECT id, kind, channel_id, user_id, created_at FROM objects
    WHERE user_id = ?1 AND kind = ?2 AND (?3 IS NULL OR (created_at, rowid) <
        (SELECT created_at, rowid FROM objects WHERE id = ?3 AND user_id = ?1 AND kind = ?2))
    ORDER BY created_at DESC, rowid DESC LIMIT ?4";

/// Keeps an object, unless its id is another user's.
///
/// Its user or channel may have been deleted while it waited; then there is nothing to keep.
pub(crate) fn put(conn: &Connection, row: &ObjectRow) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO objects (id, kind, channel_id, user_id, created_at)
         SELECT ?1, ?2, ?3, ?4, ?5
         WHERE EXISTS (SELECT 1 FROM users WHERE id = ?4) AND EXISTS (SELECT 1 FROM channels WHERE id = ?3)
         ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, channel_id = excluded.channel_id
         WHERE user_id = excluded.user_id",
    )?
    .execute(params![&*row.id, &*row.kind, row.channel.0, row.user.0, row.created_at.0])?;
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
    })
}

#[cfg(test)]
mod tests;
