//! Gateway keys: only a digest and a few characters of each are kept.

use gateway_domain::{KeyDigest, KeyId, ManagedBy, Secret, UnixMillis, UserId, UserKey};
use rusqlite::{Row, params};
use sha2::{Digest, Sha256};

use crate::tx::{Tx, managed_by, managed_by_word, moment};
use crate::{Result, StorageError, Store, users};

/// At most so many characters of a key are shown as its beginning …
const PREFIX_CHARS: usize = 6;
/// … and its end only if it is at least so long.
const LAST_FOUR_FROM: usize = 12;

/// A key as the table has it.
#[derive(Clone, Debug)]
pub(crate) struct KeyRow {
    pub(crate) key: UserKey,
    pub(crate) managed_by: ManagedBy,
}

/// What recognises a gateway key: its SHA-256.
///
/// Gateway keys are long and random, so a fast hash is enough, and the request path can afford it.
pub fn key_digest(key: &str) -> KeyDigest {
    KeyDigest(Sha256::digest(key.as_bytes()).into())
}

// === impl Store ===

impl Store {
    /// The keys of one user, by id. An unknown user is [`StorageError::NotFound`].
    pub fn keys(&self, user: UserId) -> Result<Vec<UserKey>> {
        self.read(|tx| {
            users::find(tx, user)?;
            Ok(of_user(tx, user)?.into_iter().map(|row| row.key).collect())
        })
    }

    /// The keys of all users, by id.
    pub fn all_keys(&self) -> Result<Vec<UserKey>> {
        self.read(all)
    }

    /// Gives a user another key. The key itself is not kept.
    ///
    /// A user that the file declares may get keys too: they belong to the API and outlive changes of the declaration,
    /// as long as it declares the user.
    pub fn add_key(
        &self,
        user: UserId,
        key: &Secret<String>,
        expires_at: Option<UnixMillis>,
    ) -> Result<UserKey> {
        let key = key.clone();
        self.write(move |tx| {
            users::find(tx, user)?;
            refuse_taken(tx, &key)?;
            insert(tx, user.0, key.expose(), ManagedBy::Api, tx.now, expires_at)
        })
    }

    /// Sets from when on a key is refused; `None` is never.
    pub fn expire_key(&self, id: KeyId, at: Option<UnixMillis>) -> Result<UserKey> {
        self.write(move |tx| {
            changeable(tx, id)?;
            tx.run(
                "UPDATE user_keys SET expires_at = ?2 WHERE id = ?1",
                params![id.0, at.map(|moment| moment.0)],
            )?;
            Ok(find(tx, id)?.key)
        })
    }

    /// Deletes a key: it is refused from the next snapshot on. Gives back what was known of it.
    pub fn revoke_key(&self, id: KeyId) -> Result<UserKey> {
        self.write(move |tx| {
            let row = changeable(tx, id)?;
            delete(tx, id)?;
            Ok(row.key)
        })
    }
}

/// The columns in the order in which [`read`] wants them, and then the rest of a query.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, user_id, digest, prefix, last_four, managed_by, created_at, expires_at FROM user_keys ",
            $rest
        )
    };
}

/// All keys, by id.
pub(crate) fn all(tx: Tx<'_>) -> Result<Vec<UserKey>> {
    tx.all(select!("ORDER BY id"), [], |row| Ok(read(row)?.key))
}

/// The keys of one user, by id.
pub(crate) fn of_user(tx: Tx<'_>, user: UserId) -> Result<Vec<KeyRow>> {
    tx.all(select!("WHERE user_id = ?1 ORDER BY id"), [user.0], read)
}

/// The key with this digest, whosever it is.
pub(crate) fn by_digest(tx: Tx<'_>, digest: KeyDigest) -> Result<Option<KeyRow>> {
    tx.one(select!("WHERE digest = ?1"), [digest.0], read)
}

/// Keeps what may be kept of a key that nobody has.
pub(crate) fn insert(
    tx: Tx<'_>,
    user: i64,
    key: &str,
    managed_by: ManagedBy,
    created_at: UnixMillis,
    expires_at: Option<UnixMillis>,
) -> Result<UserKey> {
    let (prefix, last_four) = shown(key);
    let id = tx.insert(
        "INSERT INTO user_keys (user_id, digest, prefix, last_four, managed_by, created_at, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            user,
            key_digest(key).0,
            prefix,
            last_four,
            managed_by_word(managed_by),
            created_at.0,
            expires_at.map(|moment| moment.0)
        ],
    )?;
    Ok(find(tx, KeyId(id))?.key)
}

/// Makes a key one that the file declares for this user; such keys do not expire.
pub(crate) fn take_over(tx: Tx<'_>, id: KeyId, user: UserId) -> Result<()> {
    tx.run(
        "UPDATE user_keys SET user_id = ?2, managed_by = 'file', expires_at = NULL WHERE id = ?1",
        params![id.0, user.0],
    )?;
    Ok(())
}

pub(crate) fn delete(tx: Tx<'_>, id: KeyId) -> Result<()> {
    tx.run("DELETE FROM user_keys WHERE id = ?1", [id.0])?;
    Ok(())
}

/// Two holders of one key could not be told apart.
pub(crate) fn refuse_taken(tx: Tx<'_>, key: &Secret<String>) -> Result<()> {
    match by_digest(tx, key_digest(key.expose()))? {
        None => Ok(()),
        Some(_) => Err(StorageError::Conflict { what: "key", field: "api_key", value: key.masked() }),
    }
}

fn find(tx: Tx<'_>, id: KeyId) -> Result<KeyRow> {
    tx.one(select!("WHERE id = ?1"), [id.0], read)?.ok_or(StorageError::NotFound { what: "key" })
}

fn changeable(tx: Tx<'_>, id: KeyId) -> Result<KeyRow> {
    let row = find(tx, id)?;
    match row.managed_by {
        ManagedBy::Api => Ok(row),
        ManagedBy::File => Err(StorageError::ManagedByFile { what: "key", name: id.to_string() }),
    }
}

fn read(row: &Row<'_>) -> Result<KeyRow> {
    let expires_at: Option<i64> = row.get(7)?;
    let key = UserKey {
        id: KeyId(row.get(0)?),
        user: UserId(row.get(1)?),
        digest: KeyDigest(row.get(2)?),
        prefix: row.get(3)?,
        last_four: row.get(4)?,
        created_at: moment(row, 6)?,
        expires_at: expires_at.map(UnixMillis),
    };
    Ok(KeyRow { key, managed_by: managed_by(row, 5)? })
}

/// The first and last characters of a key, as far as they may be shown.
fn shown(key: &str) -> (String, String) {
    let count = key.chars().count();
    let prefix = key.chars().take(PREFIX_CHARS.min(count / 3)).collect();
    let last_four =
        if count < LAST_FOUR_FROM { String::new() } else { key.chars().skip(count - 4).collect() };
    (prefix, last_four)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_most_a_third_and_four_characters_of_a_key_are_shown() {
        let both = |prefix: &str, last: &str| (prefix.to_owned(), last.to_owned());
        assert_eq!(shown("sk-0123456789abcdef"), both("sk-012", "cdef"));
        assert_eq!(shown("0123456789ab"), both("0123", "89ab"));
        assert_eq!(shown("0123456789a"), both("012", ""));
        assert_eq!(shown("ab"), both("", ""));
        assert_eq!(shown("ключключключ"), both("ключ", "ключ"));
    }

    #[test]
    fn the_digest_is_plain_sha_256() {
        let start = [0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea];
        assert_eq!(key_digest("abc").0[..8], start);
    }
}
