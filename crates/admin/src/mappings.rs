//! `/api/models/{id}/channels`: which channels serve a model, under which name and with which weight.

use std::sync::Arc;

use gateway_domain::{ChannelId, Mapping, ModelId};
use gateway_storage::{MappingPatch, StorageError, Stored};
use serde::Serialize;

use crate::Parts;
use crate::clock::rfc3339;
use crate::error::ApiError;
use crate::form::Form;
use crate::models::id_of;
use crate::names::check_name;
use crate::page::Page;
use crate::route::{Answer, Answered, Call, Verb};
use crate::schema::{Field, Schema};
use crate::wire;

/// A mapping in answers.
pub(crate) static MAPPING: Schema = Schema {
    name: "Mapping",
    about: "One way in which a model is served.",
    fields: &[
        Field::integer("id", "Its row.").required(),
        Field::integer("model_id", "The model.").required(),
        Field::integer("channel_id", "The channel that serves it.").required(),
        Field::text("channel_name", "The channel's name; null when it was deleted a moment ago.")
            .required()
            .nullable(),
        Field::text("backend_model_name", "What that channel calls the model.").required(),
        Field::integer("weight", "Multiplies the channel's weight for this model; 0 drains.").required(),
        wire::VERSION,
        wire::CREATED_AT,
        wire::UPDATED_AT,
    ],
};

/// `POST /api/models/{id}/channels`.
pub(crate) static NEW_MAPPING: Schema = Schema {
    name: "NewMapping",
    about: "A channel that is to serve the model.",
    fields: &[
        Field::integer("channel_id", "The channel.").required(),
        Field::text("backend_model_name", "What the channel calls the model.").required(),
        Field::integer("weight", "Absent, 0 or less is 10."),
    ],
};

/// `PUT` and `PATCH /api/models/{id}/channels/{channel_id}`.
pub(crate) static CHANGED_MAPPING: Schema = Schema {
    name: "ChangedMapping",
    about: "What to change on a mapping; what is absent stays. With PUT also an empty text or a weight of 0 or less \
            stays; with PATCH every value means what it says (weight 0 drains).",
    fields: &[
        Field::text("backend_model_name", "What the channel calls the model."),
        Field::integer("weight", "Multiplies the channel's weight for this model."),
    ],
};

#[derive(Debug, Serialize)]
struct MappingOut<'a> {
    id: i64,
    model_id: i64,
    channel_id: i64,
    channel_name: Option<&'a str>,
    backend_model_name: &'a str,
    weight: u32,
    version: i64,
    created_at: String,
    updated_at: String,
}

/// `GET /api/models/{id}/channels`.
pub(crate) fn list(parts: &Parts, call: &Call) -> Answered {
    let (model, page) = (id_of(call)?, Page::read(call)?);
    let rows = parts.store.mappings(model)?;
    let channels = parts.store.channels()?;
    let name = |id| channels.iter().find(|row| row.value.id == id).map(|row| &*row.value.name);
    let wanted = |row: &Stored<Mapping>| {
        page.wants(&[&row.value.backend_model, name(row.value.channel).unwrap_or_default()])
    };
    let cut = page.cut(&rows, |row| row.value.id.0, wanted)?;
    let shown: Vec<MappingOut<'_>> =
        cut.rows.iter().map(|row| MappingOut::of(model, row, name(row.value.channel))).collect();
    Ok(cut.tell(Answer::json(&shown)?))
}

/// `GET /api/models/{id}/channels/{channel_id}`.
pub(crate) fn show(parts: &Parts, call: &Call) -> Answered {
    let (model, channel) = (id_of(call)?, channel_of(call)?);
    answer(parts, model, &parts.store.mapping(model, channel)?)
}

/// `POST /api/models/{id}/channels`.
pub(crate) fn create(parts: &Parts, call: &Call) -> Answered {
    let model = id_of(call)?;
    let (channel, backend, weight) = read_new(Form::read(&call.body, &NEW_MAPPING)?)?;
    let row = match parts.store.add_mapping(model, channel, &backend, weight) {
        Ok(row) => row,
        // The path is right, the body is not.
        Err(StorageError::NotFound { what: "channel" }) => {
            return Err(ApiError::value("channel_id", "names no channel"));
        }
        Err(error) => return Err(error.into()),
    };
    let mut made = answer(parts, model, &row)?;
    made.headers.push(wire::location(format!("/api/models/{model}/channels/{channel}")));
    Ok(made)
}

/// `PUT` and `PATCH /api/models/{id}/channels/{channel_id}`.
pub(crate) fn update(parts: &Parts, call: &Call) -> Answered {
    let (model, channel) = (id_of(call)?, channel_of(call)?);
    let literal = call.verb == Verb::Patch;
    let mut form = Form::read(&call.body, &CHANGED_MAPPING)?;
    let backend = wire::text_of_change(&form, "backend_model_name", literal);
    if let Some(name) = &backend {
        check_name(&mut form, "backend_model_name", name);
    }
    let weight = wire::weight_of_change(&mut form, literal);
    let patch = form.finish(Some(MappingPatch { backend_model: backend.map(Arc::from), weight }))?;
    answer(parts, model, &parts.store.update_mapping(model, channel, &patch, call.expected_version())?)
}

/// `DELETE /api/models/{id}/channels/{channel_id}`.
pub(crate) fn delete(parts: &Parts, call: &Call) -> Answered {
    let (model, channel) = (id_of(call)?, channel_of(call)?);
    parts.store.delete_mapping(model, channel, call.expected_version())?;
    Ok(Answer::nothing())
}

fn channel_of(call: &Call) -> Result<ChannelId, ApiError> {
    call.id("channel_id", "channel").map(ChannelId)
}

fn answer(parts: &Parts, model: ModelId, row: &Stored<Mapping>) -> Answered {
    let channel = parts.store.channel(row.value.channel).ok();
    let name = channel.as_ref().map(|channel| &*channel.value.name);
    Answer::versioned(&MappingOut::of(model, row, name), row.version)
}

fn read_new(mut form: Form) -> Result<(ChannelId, String, u32), ApiError> {
    let channel = form.integer("channel_id").map(ChannelId);
    let backend = form.text("backend_model_name").unwrap_or_default().to_owned();
    check_name(&mut form, "backend_model_name", &backend);
    let weight = wire::weight_of_new(&mut form);
    form.finish(channel.map(|channel| (channel, backend, weight)))
}

// === impl MappingOut ===

impl<'a> MappingOut<'a> {
    fn of(model: ModelId, row: &'a Stored<Mapping>, channel_name: Option<&'a str>) -> Self {
        Self {
            id: row.value.id.0,
            model_id: model.0,
            channel_id: row.value.channel.0,
            channel_name,
            backend_model_name: &row.value.backend_model,
            weight: row.value.weight,
            version: row.version,
            created_at: rfc3339(row.created_at),
            updated_at: rfc3339(row.updated_at),
        }
    }
}
