//! `/api/models`: the names clients ask for.

use std::sync::Arc;

use gateway_domain::{Model, ModelId, ModelTuning};
use gateway_storage::{ModelPatch, Stored};
use serde::Serialize;

use crate::Parts;
use crate::clock::rfc3339;
use crate::error::ApiError;
use crate::form::Form;
use crate::names::check_model_name;
use crate::page::Page;
use crate::route::{Answer, Answered, Call, Forget, Verb};
use crate::schema::{Field, Schema};
use crate::tuning::{self, ModelTuningOut};
use crate::wire;

/// A model in answers.
pub(crate) static MODEL: Schema = Schema {
    name: "Model",
    about: "A public model name.",
    fields: &[
        Field::integer("id", "Its row.").required(),
        Field::text("name", "The name clients give.").required(),
        Field::integer("channels_count", "How many channels serve it.").required(),
        tuning::POLICY.required(),
        tuning::SLACK_PERCENT.required(),
        tuning::STICKY.required(),
        tuning::CUT.required(),
        tuning::HEDGE.required(),
        wire::MANAGED_BY,
        wire::VERSION,
        wire::CREATED_AT,
        wire::UPDATED_AT,
    ],
};

/// `POST` and `PUT`.
pub(crate) static NAMED_MODEL: Schema = Schema {
    name: "NamedModel",
    about: "A model by its name. What else is absent stays; of a new one it is null.",
    fields: &[
        Field::text("name", "A unique name.").required(),
        tuning::POLICY,
        tuning::SLACK_PERCENT,
        tuning::STICKY,
        tuning::CUT,
        tuning::HEDGE,
    ],
};

/// `PATCH`.
pub(crate) static CHANGED_MODEL: Schema = Schema {
    name: "ChangedModel",
    about: "What to change on a model; what is absent stays.",
    fields: &[
        Field::text("name", "A unique name."),
        tuning::POLICY,
        tuning::SLACK_PERCENT,
        tuning::STICKY,
        tuning::CUT,
        tuning::HEDGE,
    ],
};

#[derive(Debug, Serialize)]
struct ModelOut<'a> {
    id: i64,
    name: &'a str,
    channels_count: usize,
    #[serde(flatten)]
    tuning: ModelTuningOut,
    managed_by: &'static str,
    version: i64,
    created_at: String,
    updated_at: String,
}

/// `GET /api/models`.
pub(crate) fn list(parts: &Parts, call: &Call) -> Answered {
    let page = Page::read(call)?;
    let rows = parts.store.models()?;
    let cut = page.cut(&rows, |row| row.value.name.to_string(), |row| page.wants(&[&row.value.name]))?;
    let shown: Vec<ModelOut<'_>> = cut.rows.iter().copied().map(ModelOut::of).collect();
    Ok(cut.tell(Answer::json(&shown)?))
}

/// `GET /api/models/{id}`.
pub(crate) fn show(parts: &Parts, call: &Call) -> Answered {
    answer(&parts.store.model(id_of(call)?)?)
}

/// `POST /api/models`.
pub(crate) fn create(parts: &Parts, call: &Call) -> Answered {
    let ModelPatch { name, tuning } = read_change(Form::read(&call.body, &NAMED_MODEL)?)?;
    let tuning = tuning.applied_to(&ModelTuning::default());
    let row = parts.store.create_model(&name.unwrap_or_default(), &tuning)?;
    let mut made = answer(&row)?;
    made.headers.push(wire::location(format!("/api/models/{}", row.value.id)));
    Ok(made)
}

/// `PUT` and `PATCH /api/models/{id}`.
pub(crate) fn update(parts: &Parts, call: &Call) -> Answered {
    let id = id_of(call)?;
    let schema = if call.verb == Verb::Patch { &CHANGED_MODEL } else { &NAMED_MODEL };
    let patch = read_change(Form::read(&call.body, schema)?)?;
    let old = parts.store.model(id)?;
    if patch == ModelPatch::default() {
        call.check_version(|| Ok(old.version))?;
        return answer(&old);
    }
    let row = parts.store.update_model(id, &patch, call.expected_version())?;
    let changed = answer(&row)?;
    let old = old.value.name;
    // Sessions under the old name belong to a model that is no more.
    Ok(if old == row.value.name { changed } else { changed.forgetting(Forget::Model((*old).to_owned())) })
}

/// `DELETE /api/models/{id}`: with its mappings and sessions.
pub(crate) fn delete(parts: &Parts, call: &Call) -> Answered {
    let id = id_of(call)?;
    let old = parts.store.model(id)?;
    parts.store.delete_model(id, call.expected_version())?;
    Ok(Answer::nothing().forgetting(Forget::Model((*old.value.name).to_owned())))
}

/// The model that a path names.
pub(crate) fn id_of(call: &Call) -> Result<ModelId, ApiError> {
    call.id("id", "model").map(ModelId)
}

fn answer(row: &Stored<Model>) -> Answered {
    Answer::versioned(&ModelOut::of(row), row.version)
}

fn read_change(mut form: Form) -> Result<ModelPatch, ApiError> {
    let name = form.text("name").map(str::to_owned);
    if let Some(name) = &name {
        check_model_name(&mut form, "name", name);
    }
    let tuning = tuning::of_model(&mut form);
    form.finish(Some(ModelPatch { name: name.map(Arc::from), tuning }))
}

// === impl ModelOut ===

impl<'a> ModelOut<'a> {
    fn of(row: &'a Stored<Model>) -> Self {
        Self {
            id: row.value.id.0,
            name: &row.value.name,
            channels_count: row.value.mappings.len(),
            tuning: ModelTuningOut::from(&row.value.tuning),
            managed_by: wire::managed_by(row.value.managed_by),
            version: row.version,
            created_at: rfc3339(row.created_at),
            updated_at: rfc3339(row.updated_at),
        }
    }
}
