//! `POST /api/config/check`: what is wrong with a configuration file, and what putting it in force would change.

use std::collections::HashMap;

use gateway_config::{Loaded, Problem, SettingChange, Snapshot, changed_settings, restart_needed};
use gateway_domain::{Declaration, ManagedBy};
use serde_json::{Value, json};

use crate::Parts;
use crate::config::{PROBLEM, problem_json};
use crate::error::ApiError;
use crate::form::Form;
use crate::route::{Answer, Answered, Call};
use crate::schema::{Field, Schema};

/// The question, when it is JSON; a file may also be sent as it is.
pub(crate) static TRIAL: Schema = Schema {
    name: "ConfigurationTrial",
    about: "A configuration file to check.",
    fields: &[Field::text("toml", "The text of the file.").required().or_empty()],
};

/// The answer.
pub(crate) static VERDICT: Schema = Schema {
    name: "ConfigurationVerdict",
    about: "What is wrong with a configuration, and what it would change. Nothing was put in force.",
    fields: &[
        Field::flag("ok", "Whether a reload would accept it.").required(),
        Field::objects("problems", &PROBLEM, "Everything that is wrong, in the order of the file.")
            .required(),
        Field::objects("warnings", &PROBLEM, "What is not wrong but not right either.").required(),
        Field::object("changes", &CHANGES, "What a reload would change; null: it would be refused.")
            .required()
            .nullable(),
    ],
};

static CHANGES: Schema = Schema {
    name: "ConfigurationChanges",
    about: "What differs from the configuration in force.",
    fields: &[
        Field::objects("settings", &SETTING_CHANGE, "Keys with another value.").required(),
        Field::texts("restart_needed", "Of these, the ones that only a restart applies.").required(),
        Field::objects("channels", &ENTRY_CHANGE, "Declared channels, by name.").required(),
        Field::objects("models", &ENTRY_CHANGE, "Declared models, by name.").required(),
        Field::objects("users", &ENTRY_CHANGE, "Declared users, by name.").required(),
    ],
};

static SETTING_CHANGE: Schema = Schema {
    name: "SettingChange",
    about: "A key that gets another value.",
    fields: &[
        Field::text("key", "Its dotted name.").required(),
        Field::text("from", "Its value in force; null: it is a secret.").required().nullable(),
        Field::text("to", "Its new value; null: it is a secret.").required().nullable(),
    ],
};

static ENTRY_CHANGE: Schema = Schema {
    name: "EntryChange",
    about: "Something declared that is no longer as it was.",
    fields: &[
        Field::text("name", "Its name.").required(),
        Field::word(
            "change",
            &["added", "changed", "removed", "taken_over"],
            "taken_over: there is one of this name that the admin API made; the file would replace and manage it.",
        )
        .required(),
    ],
};

/// `POST /api/config/check`. A file that is wrong is an answer here, not an error: this is where one asks.
pub(crate) fn check(parts: &Parts, call: &Call) -> Answered {
    let text = text_of(call)?;
    let all = |problems: &[Problem]| problems.iter().map(problem_json).collect::<Vec<_>>();
    let verdict = match (parts.trial)(&text) {
        Ok(loaded) => json!({
            "ok": true,
            "problems": [],
            "warnings": all(&loaded.warnings),
            "changes": changes(parts, &loaded),
        }),
        Err(problems) => {
            json!({"ok": false, "problems": all(problems.as_slice()), "warnings": [], "changes": null})
        }
    };
    Answer::json(&verdict)
}

fn text_of(call: &Call) -> Result<String, ApiError> {
    if !call.is_text {
        let form = Form::read(&call.body, &TRIAL)?;
        let text = form.text("toml").unwrap_or_default().to_owned();
        return form.finish(Some(text));
    }
    match std::str::from_utf8(&call.body) {
        Ok(text) => Ok(text.to_owned()),
        Err(error) => Err(ApiError::NotText { valid_up_to: error.valid_up_to() }),
    }
}

fn changes(parts: &Parts, loaded: &Loaded) -> Value {
    let (snapshot, declared) = (parts.live.load(), &parts.reload.load().declared);
    let new = &*loaded.declaration;
    let settings: Vec<Value> =
        changed_settings(&snapshot.settings, &loaded.settings).into_iter().map(setting_json).collect();
    json!({
        "settings": settings,
        "restart_needed": restart_needed(&snapshot.settings, &loaded.settings),
        "channels": channels(declared, new, &snapshot),
        "models": models(declared, new, &snapshot),
        "users": users(declared, new, &snapshot),
    })
}

fn setting_json(change: SettingChange) -> Value {
    let SettingChange { key, from, to } = change;
    json!({"key": key, "from": from, "to": to})
}

fn channels(old: &Declaration, new: &Declaration, snapshot: &Snapshot) -> Vec<Value> {
    let made = |name: &str| {
        snapshot
            .channels
            .values()
            .any(|channel| *channel.name == *name && channel.managed_by == ManagedBy::Api)
    };
    entries(&old.channels, &new.channels, |channel| &channel.name, made)
}

fn models(old: &Declaration, new: &Declaration, snapshot: &Snapshot) -> Vec<Value> {
    let made = |name: &str| snapshot.models.get(name).is_some_and(|model| model.managed_by == ManagedBy::Api);
    entries(&old.models, &new.models, |model| &model.name, made)
}

fn users(old: &Declaration, new: &Declaration, snapshot: &Snapshot) -> Vec<Value> {
    let made = |name: &str| {
        snapshot.users.values().any(|user| *user.name == *name && user.managed_by == ManagedBy::Api)
    };
    entries(&old.users, &new.users, |user| &user.name, made)
}

/// What becomes of the entries of one list, by name; `made` tells whether the admin API made one of that name.
fn entries<T: PartialEq>(
    old: &[T],
    new: &[T],
    name: impl Fn(&T) -> &str,
    made: impl Fn(&str) -> bool,
) -> Vec<Value> {
    let before: HashMap<&str, &T> = old.iter().map(|entry| (name(entry), entry)).collect();
    let after: HashMap<&str, &T> = new.iter().map(|entry| (name(entry), entry)).collect();
    let mut changes: Vec<(&str, &str)> = new
        .iter()
        .filter_map(|entry| match before.get(name(entry)) {
            Some(former) if **former == *entry => None,
            Some(_) => Some((name(entry), "changed")),
            None if made(name(entry)) => Some((name(entry), "taken_over")),
            None => Some((name(entry), "added")),
        })
        .collect();
    changes.extend(old.iter().map(&name).filter(|old| !after.contains_key(old)).map(|old| (old, "removed")));
    changes.sort_unstable();
    changes.into_iter().map(|(name, change)| json!({"name": name, "change": change})).collect()
}
