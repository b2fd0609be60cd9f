use std::sync::Arc;

use gateway_domain::{ManagedBy, NewUser, User, UserId, UserKey};
use rusqlite::{Row, params};
use serde_json::Value;

use crate::tx::{Tx, managed_by, managed_by_word, moment, text, unreadable};
use crate::{Removed, Result, StorageError, Store, Stored, keys};

/// What to change on a user; `None` leaves a field as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserPatch {
    /// See [`User::name`].
    pub name: Option<Arc<str>>,
    /// See [`User::enabled`].
    pub enabled: Option<bool>,
    /// See [`User::allowed_models`]; `Some(None)` allows all.
    pub allowed_models: Option<Option<Vec<Arc<str>>>>,
    /// See [`User::may_explain`].
    pub may_explain: Option<bool>,
}

// === impl Store ===

impl Store {
    /// All users, by id.
    pub fn users(&self) -> Result<Vec<Stored<User>>> {
        self.read(all)
    }

    /// One user.
    pub fn user(&self, id: UserId) -> Result<Stored<User>> {
        self.read(|tx| find(tx, id))
    }

    /// Makes a user with its keys. The keys themselves are not kept.
    pub fn create_user(&self, new: &NewUser) -> Result<(Stored<User>, Vec<UserKey>)> {
        let new = new.clone();
        self.write(move |tx| {
            let user = insert(tx, &new, ManagedBy::Api)?;
            let keys = new
                .keys
                .iter()
                .map(|key| {
                    keys::refuse_taken(tx, key)?;
                    keys::insert(tx, user.value.id.0, key.expose(), ManagedBy::Api, tx.now, None)
                })
                .collect::<Result<_>>()?;
            Ok((user, keys))
        })
    }

    /// Changes a user. With `expect`, only if it still has that version.
    pub fn update_user(&self, id: UserId, patch: &UserPatch, expect: Option<i64>) -> Result<Stored<User>> {
        let patch = patch.clone();
        self.write(move |tx| {
            let stored = find(tx, id)?;
            refuse_managed_by_file(&stored.value)?;
            stored.expect(expect)?;
            let changed = patch.applied_to(stored.value.clone());
            if changed == stored.value {
                return Ok(stored);
            }
            write(tx, &changed)?;
            find(tx, id)
        })
    }

    /// Deletes a user with its keys and sessions. With `expect`, only if it still has that version.
    pub fn delete_user(&self, id: UserId, expect: Option<i64>) -> Result<Removed> {
        self.write(move |tx| {
            let stored = find(tx, id)?;
            refuse_managed_by_file(&stored.value)?;
            stored.expect(expect)?;
            delete(tx, id)
        })
    }
}

// === impl UserPatch ===

impl UserPatch {
    fn applied_to(&self, user: User) -> User {
        let patch = self.clone();
        User {
            id: user.id,
            name: patch.name.unwrap_or(user.name),
            enabled: patch.enabled.unwrap_or(user.enabled),
            allowed_models: patch.allowed_models.unwrap_or(user.allowed_models),
            may_explain: patch.may_explain.unwrap_or(user.may_explain),
            managed_by: user.managed_by,
        }
    }
}

/// The columns in the order in which [`read`] wants them, and then the rest of a query.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, enabled, allowed_models, managed_by, version, created_at, updated_at, may_explain ",
            "FROM users ",
            $rest
        )
    };
}

/// All users, by id.
pub(crate) fn all(tx: Tx<'_>) -> Result<Vec<Stored<User>>> {
    tx.all(select!("ORDER BY id"), [], read)
}

/// One user, or [`StorageError::NotFound`].
pub(crate) fn find(tx: Tx<'_>, id: UserId) -> Result<Stored<User>> {
    tx.one(select!("WHERE id = ?1"), [id.0], read)?.ok_or(StorageError::NotFound { what: "user" })
}

/// The user whom a declaration means by a name: names need not be unique, so one that the file manages already comes
/// first, and then the oldest.
pub(crate) fn by_name(tx: Tx<'_>, name: &str) -> Result<Option<Stored<User>>> {
    tx.one(select!("WHERE name = ?1 ORDER BY managed_by = 'file' DESC, id LIMIT 1"), [name], read)
}

/// Makes a user without keys.
pub(crate) fn insert(tx: Tx<'_>, new: &NewUser, managed_by: ManagedBy) -> Result<Stored<User>> {
    let id = tx.insert(
        "INSERT INTO users (name, enabled, allowed_models, managed_by, version, created_at, updated_at, may_explain)
         VALUES (?1, ?2, ?3, ?4, 1, ?5, ?5, ?6)",
        params![
            &*new.name,
            new.enabled,
            models_json(new.allowed_models.as_deref()),
            managed_by_word(managed_by),
            tx.now.0,
            new.may_explain,
        ],
    )?;
    find(tx, UserId(id))
}

/// Writes all columns of an existing user, and counts its version up.
pub(crate) fn write(tx: Tx<'_>, user: &User) -> Result<()> {
    tx.run(
        "UPDATE users SET name = ?2, enabled = ?3, allowed_models = ?4, managed_by = ?5, version = version + 1,
             updated_at = ?6, may_explain = ?7
         WHERE id = ?1",
        params![
            user.id.0,
            &*user.name,
            user.enabled,
            models_json(user.allowed_models.as_deref()),
            managed_by_word(user.managed_by),
            tx.now.0,
            user.may_explain,
        ],
    )?;
    Ok(())
}

/// Deletes a user; what belongs to it goes with it.
pub(crate) fn delete(tx: Tx<'_>, id: UserId) -> Result<Removed> {
    let removed = Removed {
        mappings: 0,
        sessions: tx.count("SELECT count(*) FROM sessions WHERE user_id = ?1", [id.0])?,
        keys: tx.count("SELECT count(*) FROM user_keys WHERE user_id = ?1", [id.0])?,
    };
    tx.run("DELETE FROM users WHERE id = ?1", [id.0])?;
    Ok(removed)
}

fn read(row: &Row<'_>) -> Result<Stored<User>> {
    let allowed: Option<String> = row.get(3)?;
    let allowed_models = match allowed {
        None => None,
        Some(json) => Some(models_of_json(&json).ok_or_else(|| unreadable(row, 3))?),
    };
    let value = User {
        id: UserId(row.get(0)?),
        name: text(row, 1)?,
        enabled: row.get(2)?,
        allowed_models,
        may_explain: row.get(8)?,
        managed_by: managed_by(row, 4)?,
    };
    Ok(Stored { value, version: row.get(5)?, created_at: moment(row, 6)?, updated_at: moment(row, 7)? })
}

fn models_json(models: Option<&[Arc<str>]>) -> Option<String> {
    models.map(|names| names.iter().map(|name| Value::from(&**name)).collect::<Value>().to_string())
}

fn models_of_json(json: &str) -> Option<Vec<Arc<str>>> {
    let names: Value = serde_json::from_str(json).ok()?;
    names.as_array()?.iter().map(|name| name.as_str().map(Arc::from)).collect()
}

fn refuse_managed_by_file(user: &User) -> Result<()> {
    match user.managed_by {
        ManagedBy::Api => Ok(()),
        ManagedBy::File => {
            Err(StorageError::ManagedByFile { what: "user", name: user.name.as_ref().to_owned() })
        }
    }
}

#[cfg(test)]
mod tests;
