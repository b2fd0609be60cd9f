//! `/api/users`: the holders of gateway keys.

use std::collections::HashMap;
use std::sync::Arc;

use gateway_domain::{NewUser, Secret, User, UserId, UserKey};
use gateway_storage::{Stored, UserPatch};
use serde::Serialize;

use crate::Parts;
use crate::clock::rfc3339;
use crate::error::ApiError;
use crate::form::Form;
use crate::keys::{self, KEY, KeyOut};
use crate::names::check_name;
use crate::page::Page;
use crate::route::{Answer, Answered, Call, Forget, Verb};
use crate::schema::{Field, Schema};
use crate::wire;

/// A user in answers.
pub(crate) static USER: Schema = Schema {
    name: "User",
    about: "A holder of gateway keys.",
    fields: &[
        Field::integer("id", "Its row.").required(),
        Field::text(
            "api_key",
            "In the answer that makes the user: the whole key, this once. Everywhere else: its newest key that is in \
             force, masked; empty when there is none.",
        )
        .required(),
        Field::text("name", "For people; need not be unique.").required(),
        Field::flag("enabled", "A disabled user's keys are refused.").required(),
        Field::texts("allowed_models", "The models its keys may use; null: all.").required().nullable(),
        MAY_EXPLAIN.required(),
        Field::objects("keys", &KEY, "All its keys.").required(),
        wire::MANAGED_BY,
        wire::VERSION,
        wire::CREATED_AT,
        wire::UPDATED_AT,
    ],
};

/// `POST /api/users`.
pub(crate) static NEW_USER: Schema = Schema {
    name: "NewUser",
    about: "A user to make.",
    fields: &[
        Field::text("name", "For people."),
        Field::text("api_key", "Its key; absent: one is made (sk-…) and shown in the answer, this once."),
        Field::flag("enabled", "Absent is true."),
        ALLOWED_MODELS,
        MAY_EXPLAIN,
    ],
};

/// `PUT` and `PATCH /api/users/{id}`.
pub(crate) static CHANGED_USER: Schema = Schema {
    name: "ChangedUser",
    about: "What to change on a user; what is absent stays. With PUT also an empty name stays. Keys have routes of \
            their own.",
    fields: &[
        Field::text("name", "For people."),
        Field::flag("enabled", "Whether its keys are taken."),
        ALLOWED_MODELS,
        MAY_EXPLAIN,
    ],
};

const ALLOWED_MODELS: Field =
    Field::texts("allowed_models", "The models its keys may use; null or a \"*\" in it: all.").nullable();

const MAY_EXPLAIN: Field = Field::flag(
    "may_explain",
    "Whether its keys may ask with x-gateway-explain why a call went where it went.",
);

#[derive(Debug, Serialize)]
struct UserOut<'a> {
    id: i64,
    api_key: String,
    name: &'a str,
    enabled: bool,
    allowed_models: Option<Vec<&'a str>>,
    may_explain: bool,
    keys: Vec<KeyOut>,
    managed_by: &'static str,
    version: i64,
    created_at: String,
    updated_at: String,
}

/// `GET /api/users`.
pub(crate) fn list(parts: &Parts, call: &Call) -> Answered {
    let page = Page::read(call)?;
    let rows = parts.store.users()?;
    let mut keys: HashMap<UserId, Vec<UserKey>> = HashMap::new();
    for key in parts.store.all_keys()? {
        keys.entry(key.user).or_default().push(key);
    }
    let keys = |row: &Stored<User>| keys.get(&row.value.id).map(Vec::as_slice).unwrap_or_default();
    let wanted = |row: &Stored<User>| {
        page.wants(&[&row.value.name]) || keys(row).iter().any(|key| page.wants(&[&keys::known_as(key)]))
    };
    let cut = page.cut(&rows, |row| row.value.id.0, wanted)?;
    let shown: Vec<UserOut<'_>> = cut.rows.iter().map(|row| UserOut::of(row, keys(row), call)).collect();
    Ok(cut.tell(Answer::json(&shown)?))
}

/// `GET /api/users/{id}`.
pub(crate) fn show(parts: &Parts, call: &Call) -> Answered {
    let row = parts.store.user(id_of(call)?)?;
    answer(parts, call, &row)
}

/// `POST /api/users`: the only answer, beside those that make a key, with a key in clear.
pub(crate) fn create(parts: &Parts, call: &Call) -> Answered {
    let (mut new, given) = read_new(Form::read(&call.body, &NEW_USER)?)?;
    let key = match given {
        Some(key) => key,
        None => keys::generate()?,
    };
    new.keys = vec![key.clone()];
    let (row, made) = parts.store.create_user(&new)?;
    let shown = UserOut { api_key: key.expose().clone(), ..UserOut::of(&row, &made, call) };
    let mut answer = Answer::versioned(&shown, row.version)?;
    answer.headers.push(wire::location(format!("/api/users/{}", row.value.id)));
    Ok(answer)
}

/// `PUT` and `PATCH /api/users/{id}`.
pub(crate) fn update(parts: &Parts, call: &Call) -> Answered {
    let id = id_of(call)?;
    let patch = read_change(Form::read(&call.body, &CHANGED_USER)?, call.verb == Verb::Patch)?;
    let row = parts.store.update_user(id, &patch, call.expected_version())?;
    answer(parts, call, &row)
}

/// `DELETE /api/users/{id}`: with its keys and sessions.
pub(crate) fn delete(parts: &Parts, call: &Call) -> Answered {
    let id = id_of(call)?;
    parts.store.delete_user(id, call.expected_version())?;
    Ok(Answer::nothing().forgetting(Forget::User(id)))
}

/// The user that a path names.
pub(crate) fn id_of(call: &Call) -> Result<UserId, ApiError> {
    call.id("id", "user").map(UserId)
}

fn answer(parts: &Parts, call: &Call, row: &Stored<User>) -> Answered {
    let keys = parts.store.keys(row.value.id)?;
    Answer::versioned(&UserOut::of(row, &keys, call), row.version)
}

fn read_new(mut form: Form) -> Result<(NewUser, Option<Secret<String>>), ApiError> {
    let name = form.text("name").unwrap_or_default().to_owned();
    // The original gateway took users without a name, and so do we.
    if !name.is_empty() {
        check_name(&mut form, "name", &name);
    }
    let key = keys::given(&mut form);
    let enabled = form.flag("enabled").unwrap_or(true);
    let may_explain = form.flag("may_explain").unwrap_or(false);
    let allowed_models = allowed_models(&mut form).flatten();
    form.finish(Some((
        NewUser { name: name.into(), keys: Vec::new(), enabled, allowed_models, may_explain },
        key,
    )))
}

fn read_change(mut form: Form, literal: bool) -> Result<UserPatch, ApiError> {
    let name = wire::text_of_change(&form, "name", literal);
    if let Some(name) = name.as_ref().filter(|name| !name.is_empty()) {
        check_name(&mut form, "name", name);
    }
    let (enabled, may_explain) = (form.flag("enabled"), form.flag("may_explain"));
    let allowed_models = allowed_models(&mut form);
    form.finish(Some(UserPatch { name: name.map(Arc::from), enabled, allowed_models, may_explain }))
}

/// `None`: not given. `Some(None)`: all models.
#[expect(clippy::option_option, reason = "the field of the patch that it fills is one")]
fn allowed_models(form: &mut Form) -> Option<Option<Vec<Arc<str>>>> {
    if !form.has("allowed_models") {
        return None;
    }
    let names = wire::model_names(form, "allowed_models", true);
    let all = form.value("allowed_models").is_none() || names.iter().any(|name| &**name == "*");
    Some((!all).then_some(names))
}

// === impl UserOut ===

impl<'a> UserOut<'a> {
    fn of(row: &'a Stored<User>, keys: &[UserKey], call: &Call) -> Self {
        let allowed = row.value.allowed_models.as_ref();
        let newest = keys.iter().rev().find(|key| !key.is_expired(call.now));
        Self {
            id: row.value.id.0,
            api_key: newest.map(keys::masked).unwrap_or_default(),
            name: &row.value.name,
            enabled: row.value.enabled,
            allowed_models: allowed.map(|names| names.iter().map(|name| &**name).collect()),
            may_explain: row.value.may_explain,
            keys: keys.iter().map(|key| KeyOut::of(key, call.now)).collect(),
            managed_by: wire::managed_by(row.value.managed_by),
            version: row.version,
            created_at: rfc3339(row.created_at),
            updated_at: rfc3339(row.updated_at),
        }
    }
}
