//! The words and objects that several resources share on the wire.

use std::sync::Arc;

use gateway_domain::{DEFAULT_WEIGHT, ManagedBy, ProbePlan};
use serde_json::{Value, json};

use crate::form::Form;
use crate::names::{MAX_WEIGHT, check_model_name, check_name};
use crate::schema::Field;

/// `managed_by`.
pub(crate) const MANAGED_BY: Field = Field::word(
    "managed_by",
    &["api", "file"],
    "Who may change it: this API, or the configuration file alone (then writes are 409 managed_by_file).",
)
.required();

/// `version`.
pub(crate) const VERSION: Field =
    Field::integer("version", "Counts the changes; the ETag of the single GET, to be sent back in If-Match.")
        .required();

pub(crate) const CREATED_AT: Field = Field::moment("created_at", "When it was made.").required();

pub(crate) const UPDATED_AT: Field = Field::moment("updated_at", "When it was last changed.").required();

/// `probe`, in the words of the configuration file.
pub(crate) const PROBE: Field = Field::any(
    "probe",
    "How its health is asked: \"models\" (GET {base_url}/models), \"/path\" (GET that path below base_url), \
     {\"chat\": \"model\"} (a one-token chat completion, which costs a little), {\"chat_stream\": \"model\"} (the same \
     as a stream), {\"embeddings\": \"model\"}, {\"responses\": \"model\"} or \"off\" (never asked, judged by traffic \
     alone).",
);

/// Writes a [`ProbePlan`] as [`PROBE`] says.
pub(crate) fn probe_json(plan: &ProbePlan) -> Value {
    match plan {
        ProbePlan::Models => "models".into(),
        ProbePlan::Path(path) => path.as_str().into(),
        ProbePlan::Chat { model } => json!({ "chat": model }),
        ProbePlan::ChatStream { model } => json!({ "chat_stream": model }),
        ProbePlan::Embeddings { model } => json!({ "embeddings": model }),
        ProbePlan::Responses { model } => json!({ "responses": model }),
        ProbePlan::Off => "off".into(),
    }
}

/// Reads `probe`; `None` when it is absent or objected to.
pub(crate) fn probe_of(form: &mut Form) -> Option<ProbePlan> {
    let plan = form.value("probe")?.clone();
    let call = plan.as_object().filter(|object| object.len() == 1).and_then(|object| object.iter().next());
    let call = call.and_then(|(kind, model)| Some((kind.as_str(), model.as_str()?.to_owned())));
    let understood = match (plan.as_str(), call) {
        (Some("models"), _) => Some(ProbePlan::Models),
        (Some("off"), _) => Some(ProbePlan::Off),
        (Some(path), _) if is_path(path) => Some(ProbePlan::Path(path.to_owned())),
        (None, Some((kind, model))) if !model.is_empty() => {
            check_name(form, "probe", &model);
            call_of(kind, model)
        }
        _ => None,
    };
    if understood.is_none() {
        form.object_to(
            "probe",
            r#"must be "models", "off", "/path" or {"chat": "model"} (or chat_stream, embeddings, responses)"#,
        );
    }
    understood
}

fn call_of(kind: &str, model: String) -> Option<ProbePlan> {
    match kind {
        "chat" => Some(ProbePlan::Chat { model }),
        "chat_stream" => Some(ProbePlan::ChatStream { model }),
        "embeddings" => Some(ProbePlan::Embeddings { model }),
        "responses" => Some(ProbePlan::Responses { model }),
        _ => None,
    }
}

fn is_path(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_graphic() && !b"#\\\"<>^`{|}".contains(&b);
    text.starts_with('/') && text.len() <= 1000 && text.bytes().all(plain)
}

pub(crate) const fn managed_by(who: ManagedBy) -> &'static str {
    match who {
        ManagedBy::Api => "api",
        ManagedBy::File => "file",
    }
}

/// The weight of something new: absent or not positive is the default, as in the original gateway.
pub(crate) fn weight_of_new(form: &mut Form) -> u32 {
    match form.integer("weight") {
        Some(weight) if weight > 0 => form.in_range("weight", 1..=MAX_WEIGHT).unwrap_or(DEFAULT_WEIGHT),
        _ => DEFAULT_WEIGHT,
    }
}

/// A changed weight. With `PUT`, one that is not positive changes nothing, as in the original gateway; with `PATCH`
/// a value means what it says, and 0 drains.
pub(crate) fn weight_of_change(form: &mut Form, literal: bool) -> Option<u32> {
    let weight = form.integer("weight")?;
    if weight <= 0 && !literal { None } else { form.in_range("weight", 0..=MAX_WEIGHT) }
}

/// A changed text. With `PUT`, an empty one changes nothing, as in the original gateway.
pub(crate) fn text_of_change(form: &Form, field: &str, literal: bool) -> Option<String> {
    form.text(field).filter(|text| literal || !text.is_empty()).map(str::to_owned)
}

/// Model names of a list, checked, each once, in order. `star` tells whether `*` may be among them.
pub(crate) fn model_names(form: &mut Form, field: &str, star: bool) -> Vec<Arc<str>> {
    let mut names: Vec<Arc<str>> = Vec::new();
    for name in form.texts(field).into_iter().map(Arc::<str>::from).collect::<Vec<_>>() {
        if !(star && &*name == "*") {
            check_model_name(form, field, &name);
        }
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// The header that says where a new thing is.
pub(crate) fn location(path: String) -> (http::HeaderName, String) {
    (http::header::LOCATION, path)
}

/// A duration in whole milliseconds.
pub(crate) fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A float as JSON; what JSON cannot say (infinity, not a number) is `null`.
pub(crate) fn float(number: f64) -> Value {
    json!(number)
}
