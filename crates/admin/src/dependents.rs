//! `…/dependents`: what a delete takes along, so that whoever is about to do it knows.

use gateway_sessions::SessionKey;
use gateway_storage::{ExchangeFilter, StorageError};
use serde::Serialize;

use crate::route::{Answer, Answered, Call};
use crate::schema::{Field, Schema};
use crate::{Parts, channels, models, users};

/// What hangs on a channel, model or user.
pub(crate) static DEPENDENTS: Schema = Schema {
    name: "Dependents",
    about: "What goes when this is deleted, and what stays.",
    fields: &[
        Field::integer("mappings", "Mappings that go with it.").required(),
        Field::integer("keys", "Gateway keys that go with it.").required(),
        Field::integer("sessions", "Sessions that go with it; their next calls go elsewhere.").required(),
        Field::texts("unserved", "Models that no other channel is mapped to.").required(),
        Field::integer("exchanges", "Past calls on record that name it. They stay.").required(),
    ],
};

#[derive(Debug, Default, Serialize)]
struct DependentsOut {
    mappings: usize,
    keys: usize,
    sessions: usize,
    unserved: Vec<String>,
    exchanges: u64,
}

/// `GET /api/channels/{id}/dependents`.
pub(crate) fn of_channel(parts: &Parts, call: &Call) -> Answered {
    let id = parts.store.channel(channels::id_of(call)?)?.value.id;
    let models = parts.store.models()?;
    let served = models
        .iter()
        .map(|row| &row.value)
        .filter(|model| model.mappings.iter().any(|one| one.channel == id));
    let (mut mappings, mut unserved) = (0, Vec::new());
    for model in served {
        mappings += 1;
        if model.mappings.len() == 1 {
            unserved.push(model.name.to_string());
        }
    }
    Answer::json(&DependentsOut {
        mappings,
        sessions: parts.sessions.count(|_, channel| channel == id),
        unserved,
        exchanges: kept(parts, &ExchangeFilter { channel: Some(id), ..ExchangeFilter::default() })?,
        ..DependentsOut::default()
    })
}

/// `GET /api/models/{id}/dependents`.
pub(crate) fn of_model(parts: &Parts, call: &Call) -> Answered {
    let model = parts.store.model(models::id_of(call)?)?.value;
    Answer::json(&DependentsOut {
        mappings: model.mappings.len(),
        sessions: parts.sessions.count(|key: &SessionKey, _| key.model == model.name),
        exchanges: kept(
            parts,
            &ExchangeFilter { model: Some(model.name.to_string()), ..ExchangeFilter::default() },
        )?,
        ..DependentsOut::default()
    })
}

/// `GET /api/users/{id}/dependents`.
pub(crate) fn of_user(parts: &Parts, call: &Call) -> Answered {
    let id = users::id_of(call)?;
    Answer::json(&DependentsOut {
        keys: parts.store.keys(id)?.len(),
        sessions: parts.sessions.count(|key: &SessionKey, _| key.user == id),
        exchanges: kept(parts, &ExchangeFilter { user: Some(id), ..ExchangeFilter::default() })?,
        ..DependentsOut::default()
    })
}

/// How many exchanges that are kept name it.
fn kept(parts: &Parts, of: &ExchangeFilter) -> Result<u64, StorageError> {
    parts.store.count_exchanges(of)
}
