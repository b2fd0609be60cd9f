use gateway_domain::{KeyDigest, KeyId, Secret, UnixMillis, UserId, UserKey};
use sha2::{Digest, Sha256};

use crate::{Result, Store};

/// What recognises a gateway key: its SHA-256.
///
/// Gateway keys are long and random, so a fast hash is enough, and the request path can afford it.
pub fn key_digest(key: &str) -> KeyDigest {
    KeyDigest(Sha256::digest(key.as_bytes()).into())
}

impl Store {
    /// The keys of one user, by id. An unknown user is [`crate::StorageError::NotFound`].
    pub fn keys(&self, user: UserId) -> Result<Vec<UserKey>> {
        self.unfinished_of(user)
    }

    /// Gives a user another key. The key itself is not kept.
    pub fn add_key(
        &self,
        user: UserId,
        key: &Secret<String>,
        expires_at: Option<UnixMillis>,
    ) -> Result<UserKey> {
        self.unfinished_of((user, key, expires_at))
    }

    /// Sets from when on a key is refused; `None` is never.
    pub fn expire_key(&self, id: KeyId, at: Option<UnixMillis>) -> Result<UserKey> {
        self.unfinished_of((id, at))
    }

    /// Deletes a key: it is refused from the next snapshot on. Gives back what was known of it.
    pub fn revoke_key(&self, id: KeyId) -> Result<UserKey> {
        self.unfinished_of(id)
    }
}
