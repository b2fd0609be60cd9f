use std::sync::Arc;

use gateway_domain::{NewUser, User, UserId, UserKey};

use crate::{Removed, Result, Store, Stored};

/// What to change on a user; `None` leaves a field as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserPatch {
    /// See [`User::name`].
    pub name: Option<Arc<str>>,
    /// See [`User::enabled`].
    pub enabled: Option<bool>,
    /// See [`User::allowed_models`]; `Some(None)` allows all.
    pub allowed_models: Option<Option<Vec<Arc<str>>>>,
}

impl Store {
    /// All users, by id.
    pub fn users(&self) -> Result<Vec<Stored<User>>> {
        self.unfinished()
    }

    /// One user.
    pub fn user(&self, id: UserId) -> Result<Stored<User>> {
        self.unfinished_of(id)
    }

    /// Makes a user with its keys. The keys themselves are not kept.
    pub fn create_user(&self, new: &NewUser) -> Result<(Stored<User>, Vec<UserKey>)> {
        self.unfinished_of(new)
    }

    /// Changes a user. With `expect`, only if it still has that version.
    pub fn update_user(&self, id: UserId, patch: &UserPatch, expect: Option<i64>) -> Result<Stored<User>> {
        self.unfinished_of((id, patch, expect))
    }

    /// Deletes a user with its keys and sessions.
    pub fn delete_user(&self, id: UserId) -> Result<Removed> {
        self.unfinished_of(id)
    }
}
