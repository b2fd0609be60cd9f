//! `POST /api/channels/{id}/test` and `GET /api/channels/{id}/models`: asks an upstream now.

use std::sync::Arc;
use std::time::Duration;

use gateway_domain::{Channel, ProbePlan};
use gateway_health::ProbeReport;
use serde::Serialize;
use serde_json::json;

use crate::Parts;
use crate::channels::id_of;
use crate::error::ApiError;
use crate::form::Form;
use crate::names::check_name;
use crate::route::{Answer, Answered, Call};
use crate::schema::{Field, Schema};
use crate::scrub::{excerpt, scrub};
use crate::wire::millis;

/// A person waits for the answer, and a model may have to be loaded first.
const PATIENCE: Duration = Duration::from_secs(30);

/// `POST /api/channels/{id}/test`.
pub(crate) static TEST: Schema = Schema {
    name: "ChannelTest",
    about: "What to ask a channel. The body may be left out.",
    fields: &[
        Field::text(
            "model",
            "Ask this upstream model for a token or an embedding, which costs a little; absent: the model that the \
             channel's probe asks, if it asks one.",
        ),
        Field::word(
            "shape",
            &["chat", "chat_stream", "embeddings", "responses"],
            "What to ask the model for; absent: what the channel's probe asks for, or else a chat completion.",
        ),
    ],
};

/// The answer to it.
pub(crate) static TEST_RESULT: Schema = Schema {
    name: "ChannelTestResult",
    about: "What a channel answered.",
    fields: &[
        Field::integer("channel_id", "Which channel.").required(),
        Field::word(
            "shape",
            &["models", "path", "chat", "chat_stream", "embeddings", "responses"],
            "What it was asked for.",
        )
        .required(),
        Field::text("model", "The upstream's name of the model that was asked.").required().nullable(),
        Field::flag("ok", "Whether it is well.").required(),
        Field::text("outcome", "How it ended, in the words of attempts.").required(),
        Field::integer("status", "The HTTP status it answered with.").required().nullable(),
        Field::integer("latency_ms", "How long it took.").required(),
        Field::text("error", "Why it is not well.").required().nullable(),
        Field::text("reply", "The beginning of its reply, without secrets.").required().nullable(),
    ],
};

/// `GET /api/channels/{id}/models`.
pub(crate) static UPSTREAM_MODELS: Schema = Schema {
    name: "UpstreamModels",
    about: "The models that a channel's upstream lists. That it cannot be asked is an answer too: ok is false.",
    fields: &[
        Field::integer("channel_id", "Which channel.").required(),
        Field::flag("ok", "Whether it gave a list.").required(),
        Field::texts("models", "Their names at the upstream.").required(),
        Field::text("error", "Why there is no list.").required().nullable(),
    ],
};

#[derive(Debug, Serialize)]
struct ResultOut {
    channel_id: i64,
    shape: &'static str,
    model: Option<String>,
    ok: bool,
    outcome: &'static str,
    status: Option<u16>,
    latency_ms: u64,
    error: Option<String>,
    reply: Option<String>,
}

/// Asks a channel, enabled or not, and shows what it said. The verdict on its health is left alone: probes and
/// traffic make that one.
pub(crate) async fn test(parts: &Parts, call: &Call) -> Answered {
    let channel = channel_of(parts, call)?;
    let plan = plan_of(&channel, Form::read(&call.body, &TEST)?)?;
    let report = parts.probe.ask(&channel, &plan, PATIENCE).await;
    Answer::json(&ResultOut::of(&channel, &plan, report))
}

/// What is asked: what the channel's probe asks, as far as nothing else is wished.
fn plan_of(channel: &Channel, mut form: Form) -> Result<ProbePlan, ApiError> {
    // A channel that is not probed is asked all the same: a person wants to know.
    let off = channel.probe == ProbePlan::Off;
    let own = if off { &ProbePlan::Models } else { &channel.probe };
    let model = form.text("model").map(str::to_owned);
    if let Some(model) = &model {
        check_name(&mut form, "model", model);
    }
    let shape = form.text("shape").map(str::to_owned);
    if model.is_none() && shape.is_none() {
        return form.finish(Some(own.clone()));
    }
    let Some(model) = model.or_else(|| own.model().map(str::to_owned)) else {
        form.object_to("model", "is required with a shape, for the channel's probe asks no model");
        return form.finish(None);
    };
    let shape = shape.as_deref().unwrap_or_else(|| own.shape());
    let plan = ProbePlan::of_shape(shape, model.clone()).unwrap_or(ProbePlan::Chat { model });
    form.finish(Some(plan))
}

/// Asks a channel for its models.
pub(crate) async fn models(parts: &Parts, call: &Call) -> Answered {
    let channel = channel_of(parts, call)?;
    let key = channel.api_key.expose();
    let (ok, names, error) = match parts.probe.models(&channel, PATIENCE).await {
        Ok(names) => (true, names.iter().map(|name| scrub(name, key)).collect(), None),
        Err(report) => (false, Vec::new(), Some(why(&report, key))),
    };
    Answer::json(&json!({"channel_id": channel.id.0, "ok": ok, "models": names, "error": error}))
}

/// The channel as it is in force: what is asked here is what calls would be sent to.
fn channel_of(parts: &Parts, call: &Call) -> Result<Arc<Channel>, ApiError> {
    let id = id_of(call)?;
    parts.live.load().channels.get(&id).map(Arc::clone).ok_or(ApiError::NotFound { what: "channel" })
}

fn why(report: &ProbeReport, key: &str) -> String {
    scrub(report.why.as_deref().unwrap_or("it did not answer well"), key)
}

// === impl ResultOut ===

impl ResultOut {
    fn of(channel: &Channel, plan: &ProbePlan, report: ProbeReport) -> Self {
        let key = channel.api_key.expose();
        Self {
            channel_id: channel.id.0,
            shape: plan.shape(),
            model: plan.model().map(str::to_owned),
            ok: report.is_ok(),
            outcome: report.outcome.as_str(),
            status: report.status,
            latency_ms: millis(report.latency),
            error: (!report.is_ok()).then(|| why(&report, key)),
            reply: report.body.map(|body| excerpt(&body, key)),
        }
    }
}
