use std::sync::Arc;

use gateway_domain::{ChannelId, SessionId, UnixMillis, UserId};

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

impl Store {
    /// All kept sessions, by id.
    pub fn sessions(&self) -> Result<Vec<SessionRow>> {
        self.unfinished()
    }
}
