//! `/api/channels`: the upstream accounts.

use std::collections::HashMap;
use std::sync::Arc;

use gateway_domain::{BaseUrl, Channel, ChannelId, ChannelTuning, Model, NewChannel, Secret};
use gateway_storage::{ChannelPatch, ChannelTuningPatch, Stored};
use serde::Serialize;
use serde_json::Value;

use crate::Parts;
use crate::clock::rfc3339;
use crate::error::ApiError;
use crate::form::Form;
use crate::health::{HEALTH, HealthOut};
use crate::names::{check_key, check_name};
use crate::page::Page;
use crate::route::{Answer, Answered, Call, Forget, Verb};
use crate::schema::{Field, Schema};
use crate::tuning::{self, ChannelTuningOut};
use crate::wire;

/// A channel in answers.
pub(crate) static CHANNEL: Schema = Schema {
    name: "Channel",
    about: "An upstream account.",
    fields: &[
        Field::integer("id", "Its row.").required(),
        Field::text("name", "Its unique name.").required(),
        Field::text("base_url", "Where it answers, normalised: an empty path has become /v1.").required(),
        Field::text("api_key", "The upstream key, masked; empty when it has none.").required(),
        Field::integer("weight", "Its share of traffic relative to its neighbours; 0 drains it.").required(),
        Field::flag("enabled", "A disabled channel gets no traffic.").required(),
        Field::texts("models", "The models that map to it; \"*\" when it serves any other name too.")
            .required(),
        Field::flag("serves_any_model", "Whether models holds \"*\".").required(),
        Field::integer("max_concurrency", "Most calls at a time; null: no limit.").required().nullable(),
        wire::PROBE.required(),
        tuning::TIER.required(),
        tuning::REQUESTS_PER_MINUTE.required(),
        tuning::TOKENS_PER_MINUTE.required(),
        tuning::ADD_CACHE_KEY.required(),
        tuning::CONNECT_TIMEOUT.required(),
        tuning::FIRST_BYTE_TIMEOUT.required(),
        tuning::STREAM_GAP_TIMEOUT.required(),
        tuning::POOL_IDLE_TIMEOUT.required(),
        Field::object("health", &HEALTH, "What is known of its health.").required(),
        wire::MANAGED_BY,
        wire::VERSION,
        wire::CREATED_AT,
        wire::UPDATED_AT,
    ],
};

/// `POST /api/channels`.
pub(crate) static NEW_CHANNEL: Schema = Schema {
    name: "NewChannel",
    about: "A channel to make, with the models it serves.",
    fields: &[
        Field::text("name", "A unique name.").required(),
        Field::text("base_url", "http(s)://host[:port][/path]; an empty path becomes /v1.").required(),
        Field::text("api_key", "The upstream key; empty for a server that wants none.").required().or_empty(),
        Field::integer("weight", "Its share of traffic; absent, 0 or less is 10."),
        Field::flag("enabled", "Absent is true (the original gateway took false)."),
        Field::texts(
            "models",
            "Models it serves, each under its own name; made where they do not exist. \"*\" serves every name that \
             is not mapped otherwise.",
        ),
        Field::flag("serves_any_model", "The same as \"*\" in models."),
        Field::integer("max_concurrency", "Most calls at a time; null or absent: no limit.").nullable(),
        wire::PROBE,
        tuning::TIER,
        tuning::REQUESTS_PER_MINUTE,
        tuning::TOKENS_PER_MINUTE,
        tuning::ADD_CACHE_KEY,
        tuning::CONNECT_TIMEOUT,
        tuning::FIRST_BYTE_TIMEOUT,
        tuning::STREAM_GAP_TIMEOUT,
        tuning::POOL_IDLE_TIMEOUT,
    ],
};

/// `PUT` and `PATCH /api/channels/{id}`.
pub(crate) static CHANGED_CHANNEL: Schema = Schema {
    name: "ChangedChannel",
    about: "What to change on a channel; what is absent stays. With PUT also an empty text or a weight of 0 or less \
            stays, as in the original gateway; with PATCH every value means what it says (weight 0 drains).",
    fields: &[
        Field::text("name", "A unique name."),
        Field::text("base_url", "Where it answers."),
        Field::text("api_key", "The upstream key."),
        Field::integer("weight", "Its share of traffic."),
        Field::flag("enabled", "Whether it gets traffic."),
        Field::flag("serves_any_model", "Whether it serves every name that is not mapped otherwise."),
        Field::integer("max_concurrency", "Most calls at a time; null takes the limit away.").nullable(),
        wire::PROBE,
        tuning::TIER,
        tuning::REQUESTS_PER_MINUTE,
        tuning::TOKENS_PER_MINUTE,
        tuning::ADD_CACHE_KEY,
        tuning::CONNECT_TIMEOUT,
        tuning::FIRST_BYTE_TIMEOUT,
        tuning::STREAM_GAP_TIMEOUT,
        tuning::POOL_IDLE_TIMEOUT,
    ],
};

#[derive(Debug, Serialize)]
struct ChannelOut<'a> {
    id: i64,
    name: &'a str,
    base_url: &'a str,
    api_key: String,
    weight: u32,
    enabled: bool,
    models: Vec<&'a str>,
    serves_any_model: bool,
    max_concurrency: Option<u32>,
    probe: Value,
    #[serde(flatten)]
    tuning: ChannelTuningOut,
    health: HealthOut,
    managed_by: &'static str,
    version: i64,
    created_at: String,
    updated_at: String,
}

/// `GET /api/channels`.
pub(crate) fn list(parts: &Parts, call: &Call) -> Answered {
    let page = Page::read(call)?;
    let channels = parts.store.channels()?;
    let models = parts.store.models()?;
    let served = names_by_channel(&models);
    let served = |row: &Stored<Channel>| served.get(&row.value.id).cloned().unwrap_or_default();
    let wanted = |row: &Stored<Channel>| {
        let known = [&*row.value.name, row.value.base_url.as_str()];
        page.wants(&[&known[..], &served(row)].concat())
    };
    let cut = page.cut(&channels, |row| row.value.id.0, wanted)?;
    let shown: Vec<ChannelOut<'_>> =
        cut.rows.iter().map(|row| ChannelOut::of(parts, row, served(row))).collect();
    Ok(cut.tell(Answer::json(&shown)?))
}

/// `GET /api/channels/{id}`.
pub(crate) fn show(parts: &Parts, call: &Call) -> Answered {
    let row = parts.store.channel(id_of(call)?)?;
    answer(parts, &row)
}

/// `POST /api/channels`.
pub(crate) fn create(parts: &Parts, call: &Call) -> Answered {
    let new = read_new(parts, Form::read(&call.body, &NEW_CHANNEL)?)?;
    let row = parts.store.create_channel(&new)?;
    let mut made = answer(parts, &row)?;
    made.headers.push(wire::location(format!("/api/channels/{}", row.value.id)));
    Ok(made)
}

/// `PUT` and `PATCH /api/channels/{id}`.
pub(crate) fn update(parts: &Parts, call: &Call) -> Answered {
    let id = id_of(call)?;
    let form = Form::read(&call.body, &CHANGED_CHANNEL)?;
    let old = parts.store.channel(id)?.value.tuning;
    let patch = read_change(parts, form, &old, call.verb == Verb::Patch)?;
    let row = parts.store.update_channel(id, &patch, call.expected_version())?;
    let changed = answer(parts, &row)?;
    // A session never holds a user on a channel that gets no traffic.
    Ok(if row.value.enabled { changed } else { changed.forgetting(Forget::Channel(id)) })
}

/// `DELETE /api/channels/{id}`: with its mappings and sessions.
pub(crate) fn delete(parts: &Parts, call: &Call) -> Answered {
    let id = id_of(call)?;
    parts.store.delete_channel(id, call.expected_version())?;
    Ok(Answer::nothing().forgetting(Forget::Channel(id)))
}

/// The channel that a path names.
pub(crate) fn id_of(call: &Call) -> Result<ChannelId, ApiError> {
    call.id("id", "channel").map(ChannelId)
}

fn answer(parts: &Parts, row: &Stored<Channel>) -> Answered {
    let models = parts.store.models()?;
    let names = names_by_channel(&models).remove(&row.value.id).unwrap_or_default();
    Answer::versioned(&ChannelOut::of(parts, row, names), row.version)
}

fn names_by_channel(models: &[Stored<Model>]) -> HashMap<ChannelId, Vec<&str>> {
    let mut names: HashMap<ChannelId, Vec<&str>> = HashMap::new();
    for model in models {
        for mapping in &model.value.mappings {
            names.entry(mapping.channel).or_default().push(&model.value.name);
        }
    }
    names
}

fn read_new(parts: &Parts, mut form: Form) -> Result<NewChannel, ApiError> {
    let name = form.text("name").unwrap_or_default().to_owned();
    check_name(&mut form, "name", &name);
    let base_url = read_base_url(&mut form);
    let api_key = form.text("api_key").unwrap_or_default().to_owned();
    check_key(&mut form, "api_key", &api_key);
    let mut models = wire::model_names(&mut form, "models", true);
    if form.flag("serves_any_model") == Some(true) && !models.iter().any(|name| &**name == "*") {
        models.push("*".into());
    }
    let weight = wire::weight_of_new(&mut form);
    let enabled = form.flag("enabled").unwrap_or(true);
    let max_concurrency = form.in_range("max_concurrency", 1..=i64::from(u32::MAX));
    let probe = wire::probe_of(&mut form).unwrap_or_default();
    let tuning = tuning_of(parts, &mut form, &ChannelTuning::default());
    form.finish(base_url.map(|base_url| NewChannel {
        weight,
        enabled,
        max_concurrency,
        probe,
        tuning: tuning.applied_to(&ChannelTuning::default()),
        models,
        ..NewChannel::new(&name, base_url, Secret::new(api_key))
    }))
}

fn read_change(
    parts: &Parts,
    mut form: Form,
    old: &ChannelTuning,
    literal: bool,
) -> Result<ChannelPatch, ApiError> {
    let name = wire::text_of_change(&form, "name", literal);
    if let Some(name) = &name {
        check_name(&mut form, "name", name);
    }
    let base_url = match wire::text_of_change(&form, "base_url", literal) {
        Some(_) => read_base_url(&mut form),
        None => None,
    };
    let api_key = wire::text_of_change(&form, "api_key", literal);
    if let Some(key) = &api_key {
        check_key(&mut form, "api_key", key);
    }
    let weight = wire::weight_of_change(&mut form, literal);
    let max_concurrency = if form.value("max_concurrency").is_some() {
        form.in_range("max_concurrency", 1..=i64::from(u32::MAX)).map(Some)
    } else {
        form.has("max_concurrency").then_some(None)
    };
    let probe = wire::probe_of(&mut form);
    let tuning = tuning_of(parts, &mut form, old);
    let patch = ChannelPatch {
        name: name.map(Arc::from),
        base_url,
        api_key: api_key.map(Secret::new),
        weight,
        enabled: form.flag("enabled"),
        serves_any_model: form.flag("serves_any_model"),
        max_concurrency,
        probe,
        tuning,
    };
    form.finish(Some(patch))
}

fn tuning_of(parts: &Parts, form: &mut Form, old: &ChannelTuning) -> ChannelTuningPatch {
    let patch = tuning::of_channel(form);
    tuning::check_times(form, &parts.live.load().settings.proxy, &patch, old);
    patch
}

fn read_base_url(form: &mut Form) -> Option<BaseUrl> {
    match BaseUrl::parse(form.text("base_url")?) {
        Ok(url) => Some(url),
        Err(why) => {
            form.object_to("base_url", why.to_string());
            None
        }
    }
}

// === impl ChannelOut ===

impl<'a> ChannelOut<'a> {
    fn of(parts: &Parts, row: &'a Stored<Channel>, mut models: Vec<&'a str>) -> Self {
        let channel = &row.value;
        if channel.serves_any_model {
            models.push("*");
        }
        Self {
            id: channel.id.0,
            name: &channel.name,
            base_url: channel.base_url.as_str(),
            api_key: channel.api_key.masked(),
            weight: channel.weight,
            enabled: channel.enabled,
            models,
            serves_any_model: channel.serves_any_model,
            max_concurrency: channel.max_concurrency,
            probe: wire::probe_json(&channel.probe),
            tuning: ChannelTuningOut::from(&channel.tuning),
            health: HealthOut::of(parts, channel.id),
            managed_by: wire::managed_by(channel.managed_by),
            version: row.version,
            created_at: rfc3339(row.created_at),
            updated_at: rfc3339(row.updated_at),
        }
    }
}
