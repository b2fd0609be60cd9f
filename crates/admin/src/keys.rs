//! `/api/users/{id}/keys`: a user's gateway keys. A key is shown in the one answer that makes it, and never again.

use gateway_domain::{KeyId, Secret, UnixMillis, UserId, UserKey};
use serde::Serialize;

use crate::Parts;
use crate::clock::{parse_rfc3339, rfc3339};
use crate::error::ApiError;
use crate::form::Form;
use crate::names::check_key;
use crate::page::Page;
use crate::route::{Answer, Answered, Call};
use crate::schema::{Field, Schema};
use crate::users::id_of;
use crate::wire::location;

/// Characters of a made key after `sk-`: 43 × log2(62) = 256 bits.
const MADE_LENGTH: usize = 43;

/// The longest overlap of a rotation: a year.
const MAX_OVERLAP: i64 = 366 * 86_400;

const MADE_KEY: Field = Field::text("api_key", "The whole key, this once.").required();
const ID: Field = Field::integer("id", "Its row.").required();
const USER_ID: Field = Field::integer("user_id", "Whose it is.").required();
const PREFIX: Field = Field::text("prefix", "Its first characters.").required();
const LAST_FOUR: Field =
    Field::text("last_four", "Its last four characters; empty for short keys.").required();
const CREATED_AT: Field = Field::moment("created_at", "When it was made.").required();
const EXPIRES_AT: Field =
    Field::moment("expires_at", "From when on it is refused; null: never.").required().nullable();
const EXPIRED: Field = Field::flag("expired", "Whether it is refused by now.").required();

/// A key in answers.
pub(crate) static KEY: Schema = Schema {
    name: "UserKey",
    about: "A gateway key: enough to recognise it, not enough to use it.",
    fields: &[
        ID,
        USER_ID,
        Field::text("api_key", "Masked.").required(),
        PREFIX,
        LAST_FOUR,
        CREATED_AT,
        EXPIRES_AT,
        EXPIRED,
    ],
};

/// A key in the answer that made it.
pub(crate) static NEW_KEY_MADE: Schema = Schema {
    name: "MadeUserKey",
    about: "A gateway key that was just made.",
    fields: &[ID, USER_ID, MADE_KEY, PREFIX, LAST_FOUR, CREATED_AT, EXPIRES_AT, EXPIRED],
};

/// `POST /api/users/{id}/keys`.
pub(crate) static NEW_KEY: Schema = Schema {
    name: "NewUserKey",
    about: "Another key for a user. The body may be left out.",
    fields: &[
        Field::text("api_key", "The key; absent: one is made (sk-…)."),
        Field::moment("expires_at", "From when on it is refused; null or absent: never.").nullable(),
    ],
};

/// `POST /api/users/{id}/keys/{key_id}/rotate`.
pub(crate) static ROTATION: Schema = Schema {
    name: "KeyRotation",
    about: "How to replace a key. The body may be left out.",
    fields: &[
        Field::text("api_key", "The new key; absent: one is made (sk-…)."),
        Field::integer("overlap_seconds", "How long the old key is still taken; absent: 0, not at all."),
    ],
};

#[derive(Debug, Serialize)]
pub(crate) struct KeyOut {
    id: i64,
    user_id: i64,
    api_key: String,
    prefix: String,
    last_four: String,
    created_at: String,
    expires_at: Option<String>,
    expired: bool,
}

/// `GET /api/users/{id}/keys`.
pub(crate) fn list(parts: &Parts, call: &Call) -> Answered {
    let (user, page) = (id_of(call)?, Page::read(call)?);
    let keys = parts.store.keys(user)?;
    let cut = page.cut(&keys, |key| key.id.0, |key| page.wants(&[&known_as(key)]))?;
    let shown: Vec<KeyOut> = cut.rows.iter().map(|key| KeyOut::of(key, call.now)).collect();
    Ok(cut.tell(Answer::json(&shown)?))
}

/// `POST /api/users/{id}/keys`.
pub(crate) fn create(parts: &Parts, call: &Call) -> Answered {
    let user = id_of(call)?;
    let mut form = Form::read(&call.body, &NEW_KEY)?;
    let given = given(&mut form);
    let expires_at = expiry(&mut form, call.now);
    let given = form.finish(Some(given))?;
    let (key, row) = make(parts, user, given, expires_at)?;
    answer(call, &key, &row)
}

/// `DELETE /api/users/{id}/keys/{key_id}`.
pub(crate) fn delete(parts: &Parts, call: &Call) -> Answered {
    let key = key_of(parts, call, id_of(call)?)?;
    parts.store.revoke_key(key.id)?;
    Ok(Answer::nothing())
}

/// `POST /api/users/{id}/keys/{key_id}/rotate`.
///
/// The new key is made before the old one ends: if anything breaks in between, the user has a key too many, not
/// too few. An old key that ends earlier anyway is not prolonged.
pub(crate) fn rotate(parts: &Parts, call: &Call) -> Answered {
    let user = id_of(call)?;
    let old = key_of(parts, call, user)?;
    let mut form = Form::read(&call.body, &ROTATION)?;
    let given = given(&mut form);
    let overlap = form.in_range("overlap_seconds", 0..=MAX_OVERLAP).unwrap_or(0);
    let given = form.finish(Some(given))?;
    let (key, row) = make(parts, user, given, None)?;
    let end = UnixMillis(call.now.0.saturating_add(i64::from(overlap) * 1000));
    let end = old.expires_at.map_or(end, |sooner| sooner.min(end));
    if let Err(error) = parts.store.expire_key(old.id, Some(end)) {
        // Nobody has seen the new key yet. If this fails too, it is a key that nobody knows.
        if let Err(error) = parts.store.revoke_key(row.id) {
            tracing::warn!(%error, "a key made for a failed rotation stays");
        }
        return Err(error.into());
    }
    answer(call, &key, &row)
}

/// A random key. Letters and digits only, so that a double click selects all of it.
pub(crate) fn generate() -> Result<Secret<String>, ApiError> {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut key = String::from("sk-");
    let mut bytes = [0_u8; 64];
    while key.len() < 3 + MADE_LENGTH {
        getrandom::fill(&mut bytes).map_err(|_| ApiError::Internal("the system gave no random numbers"))?;
        // 248 = 4 × 62: the rest would make the first letters more likely than the others.
        let letters = bytes.iter().filter(|b| **b < 248);
        let letters = letters.filter_map(|b| ALPHABET.get(usize::from(*b) % 62)).map(|b| char::from(*b));
        key.extend(letters.take(3 + MADE_LENGTH - key.len()));
    }
    Ok(Secret::new(key))
}

/// The key that a body gives, checked.
pub(crate) fn given(form: &mut Form) -> Option<Secret<String>> {
    let key = form.text("api_key")?.to_owned();
    check_key(form, "api_key", &key);
    if key.is_empty() {
        form.object_to("api_key", "must not be empty; leave it out to have one made");
    }
    Some(Secret::new(key))
}

/// `sk-…wxyz`.
pub(crate) fn masked(key: &UserKey) -> String {
    let prefix = if key.prefix.starts_with("sk-") && !key.last_four.is_empty() { "sk-" } else { "" };
    format!("{prefix}…{}", key.last_four)
}

/// `sk-012…wxyz`: all that is known of a key, by which it is searched.
pub(crate) fn known_as(key: &UserKey) -> String {
    format!("{}…{}", key.prefix, key.last_four)
}

fn make(
    parts: &Parts,
    user: UserId,
    given: Option<Secret<String>>,
    expires_at: Option<UnixMillis>,
) -> Result<(Secret<String>, UserKey), ApiError> {
    let key = match given {
        Some(key) => key,
        None => generate()?,
    };
    let row = parts.store.add_key(user, &key, expires_at)?;
    Ok((key, row))
}

/// The one answer with the key in clear.
fn answer(call: &Call, key: &Secret<String>, row: &UserKey) -> Answered {
    let mut made = Answer::json(&KeyOut { api_key: key.expose().clone(), ..KeyOut::of(row, call.now) })?;
    made.headers.push(location(format!("/api/users/{}/keys", row.user)));
    Ok(made)
}

/// The key that a path names, if it is this user's.
fn key_of(parts: &Parts, call: &Call, user: UserId) -> Result<UserKey, ApiError> {
    let id = KeyId(call.id("key_id", "key")?);
    let known = parts.store.keys(user)?.into_iter().find(|key| key.id == id);
    known.ok_or(ApiError::NotFound { what: "key" })
}

fn expiry(form: &mut Form, now: UnixMillis) -> Option<UnixMillis> {
    let moment = parse_rfc3339(form.text("expires_at")?);
    match moment {
        None => form.object_to("expires_at", "must be a moment like 2030-01-31T10:00:00Z"),
        Some(moment) if moment <= now => form.object_to("expires_at", "must lie in the future"),
        Some(_) => {}
    }
    moment
}

// === impl KeyOut ===

impl KeyOut {
    pub(crate) fn of(key: &UserKey, now: UnixMillis) -> Self {
        Self {
            id: key.id.0,
            user_id: key.user.0,
            api_key: masked(key),
            prefix: key.prefix.clone(),
            last_four: key.last_four.clone(),
            created_at: rfc3339(key.created_at),
            expires_at: key.expires_at.map(rfc3339),
            expired: key.is_expired(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_keys_are_long_plain_and_different() {
        let keys: Vec<String> = (0..50).map(|_| generate().unwrap().expose().clone()).collect();
        for key in &keys {
            assert_eq!(key.len(), 46);
            assert!(key.strip_prefix("sk-").unwrap().bytes().all(|b| b.is_ascii_alphanumeric()), "{key}");
            assert_eq!(keys.iter().filter(|other| *other == key).count(), 1);
        }
    }
}
