//! What keys may do that are for some models only.
//!
//! They may name their models, in whatever place of a call, and the models that they have trained. What names no model
//! is theirs where it is about their own objects, or only keeps something; where an upstream would choose a model by
//! itself it is not.

use std::borrow::Cow;

use gateway_config::{ObjectSettings, UnknownIds};
use http::Method;
use serde::Deserialize;

use crate::call::Call;
use crate::error::ProxyError;
use crate::openai::{EndpointKind, Gives, ModelAt, ObjectKind};

#[derive(Deserialize)]
struct Upload<'a> {
    #[serde(borrow)]
    purpose: Cow<'a, str>,
}

/// Refuses a call that names a model in any other place than its own (a grader, a tool, a transcription) that is not
/// for the key, and models that nobody could check.
pub(crate) fn check(call: &Call, models: &[Cow<'_, str>]) -> Result<(), ProxyError> {
    if call.user.allowed_models.is_none() {
        return Ok(());
    }
    // Its messages name the models.
    if call.socket.is_some() && call.endpoint.asks() {
        return Err(ProxyError::SocketForAll);
    }
    if let Some(name) = models.iter().find(|name| !call.user.may_use(name)) {
        return Err(ProxyError::model_not_found(name));
    }
    if call.endpoint.makes == Some(ObjectKind::Upload) {
        let upload: Option<Upload<'_>> = serde_json::from_slice(call.body.text()).ok();
        if upload.is_none_or(|upload| upload.purpose == "batch") {
            return Err(ProxyError::BadRequest {
                message: "this key is for some models only, so the lines of a batch are checked, which cannot be done in \
                          parts: send the file to /v1/files"
                    .to_owned(),
                param: Some("purpose"),
                code: "batch_in_parts",
            });
        }
    }
    Ok(())
}

/// What becomes of ids that nobody knows: without a model, such a key is for its own objects only.
pub(crate) fn rules(call: &Call, settings: ObjectSettings) -> ObjectSettings {
    if call.user.allowed_models.is_some() && call.model.is_none() {
        return ObjectSettings { unknown_ids: UnknownIds::Refuse, ..settings };
    }
    settings
}

/// Whether a call may be carried although it names no model.
pub(crate) fn may_name_none(call: &Call) -> bool {
    // A client secret was made for a model that was checked.
    if call.user.allowed_models.is_none() || call.secret.is_some() {
        return true;
    }
    let endpoint = call.endpoint;
    let (reads, own) = (endpoint.method != Method::POST, call.pull.is_to());
    match endpoint.kind {
        EndpointKind::Assistants
        | EndpointKind::Containers
        | EndpointKind::Conversations
        | EndpointKind::Evals
        | EndpointKind::Files
        | EndpointKind::FineTuning
        | EndpointKind::Models
        | EndpointKind::Provenance
        | EndpointKind::Skills
        | EndpointKind::StoredCompletions
        | EndpointKind::StoredResponses
        | EndpointKind::Uploads
        | EndpointKind::VectorStores
        | EndpointKind::Voices => true,
        // A run asks the model of its assistant, a batch those of its file's lines, a video the model of another one:
        // all of them were checked when those were made.
        EndpointKind::Batches | EndpointKind::ChatKit => reads || own,
        EndpointKind::Threads => reads || own || endpoint.model == ModelAt::Nowhere,
        EndpointKind::Videos => reads || own || endpoint.makes == Some(ObjectKind::Character),
        // A call that is hung up on asks nobody, and one that is listened to has its model.
        EndpointKind::Realtime => {
            own && (endpoint.model == ModelAt::Nowhere || endpoint.gives == Gives::Socket)
        }
        EndpointKind::Administration
        | EndpointKind::ChatCompletions
        | EndpointKind::Compact
        | EndpointKind::Completions
        | EndpointKind::Embeddings
        | EndpointKind::ImageEdits
        | EndpointKind::ImageGenerations
        | EndpointKind::ImageVariations
        | EndpointKind::InputTokens
        | EndpointKind::Moderations
        | EndpointKind::Other
        | EndpointKind::Responses
        | EndpointKind::Speech
        | EndpointKind::Transcriptions
        | EndpointKind::Translations => false,
    }
}
