use std::fmt;

use crate::{KeyId, UnixMillis, UserId};

/// SHA-256 of a gateway key. The key itself is kept nowhere.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyDigest(pub [u8; 32]);

/// One gateway key of a user, as it is remembered: enough to recognise and to show it, not enough to use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserKey {
    /// Its row.
    pub id: KeyId,
    /// Whose key it is.
    pub user: UserId,
    /// What recognises it.
    pub digest: KeyDigest,
    /// Its first characters, for people (`sk-ab12`); never more than a third of the key.
    pub prefix: String,
    /// Its last four characters, for people; empty for keys under twelve characters.
    pub last_four: String,
    /// When it was made.
    pub created_at: UnixMillis,
    /// From when on it is refused; `None` is never. Rotation sets it on the old key.
    pub expires_at: Option<UnixMillis>,
}

// === impl KeyDigest ===

impl fmt::Debug for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyDigest(…)")
    }
}

// === impl UserKey ===

impl UserKey {
    /// Whether the key is refused at `now` because its time is over.
    pub fn is_expired(&self, now: UnixMillis) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }
}
