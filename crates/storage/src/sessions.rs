use std::sync::Arc;

use gateway_domain::{ChannelId, SessionId, UnixMillis, UserId};
use rusqlite::{Connection, Row, params};

use crate::tx::{moment, text};
use crate::{Result, Store};

/// A remembered user → channel binding, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// Its row.
    pub id: SessionId,
    /// Whose session it is.
    pub user: UserId,
    /// The public model name; empty in rows that the original gateway wrote, which knew no model here.
    pub model: Arc<str>,
    /// 0 is the user itself, else the hash of a conversation's id.
    pub name: u64,
    /// The channel that served it last.
    pub channel: ChannelId,
    /// When it began.
    pub created_at: UnixMillis,
    /// When it was last used.
    pub last_used_at: UnixMillis,
}

// === impl Store ===

impl Store {
    /// All kept sessions, by id.
    pub fn sessions(&self) -> Result<Vec<SessionRow>> {
        self.read(|tx| {
            tx.all(
                "SELECT id, user_id, model, name, channel_id, created_at, last_used_at FROM sessions ORDER BY id",
                [],
                read,
            )
        })
    }
}

/// Keeps a session: under its number, and as the only one of its user, model and name.
///
/// Its user or channel may have been deleted while it waited; then there is nothing to keep.
pub(crate) fn put(conn: &Connection, row: &SessionRow) -> Result<()> {
    let name = row.name.cast_signed();
    if !row.model.is_empty() {
        conn.prepare_cached(
            "DELETE FROM sessions WHERE user_id = ?1 AND model = ?2 AND name = ?3 AND id <> ?4",
        )?
        .execute(params![row.user.0, &*row.model, name, row.id.0])?;
    }
    conn.prepare_cached(
        "INSERT INTO sessions (id, user_id, model, name, channel_id, created_at, last_used_at)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7
         WHERE EXISTS (SELECT 1 FROM users WHERE id = ?2) AND EXISTS (SELECT 1 FROM channels WHERE id = ?5)
         ON CONFLICT (id) DO UPDATE SET user_id = excluded.user_id, model = excluded.model, name = excluded.name,
             channel_id = excluded.channel_id, created_at = excluded.created_at, last_used_at = excluded.last_used_at",
    )?
    .execute(params![
        row.id.0,
        row.user.0,
        &*row.model,
        name,
        row.channel.0,
        row.created_at.0,
        row.last_used_at.0
    ])?;
    Ok(())
}

/// Forgets a session.
pub(crate) fn remove(conn: &Connection, id: SessionId) -> Result<()> {
    conn.prepare_cached("DELETE FROM sessions WHERE id = ?1")?.execute([id.0])?;
    Ok(())
}

fn read(row: &Row<'_>) -> Result<SessionRow> {
    Ok(SessionRow {
        id: SessionId(row.get(0)?),
        user: UserId(row.get(1)?),
        model: text(row, 2)?,
        name: row.get::<_, i64>(3)?.cast_unsigned(),
        channel: ChannelId(row.get(4)?),
        created_at: moment(row, 5)?,
        last_used_at: moment(row, 6)?,
    })
}

#[cfg(test)]
mod tests;
