//! `/api/routing/explain`: what would happen to a call now, and why.
//!
//! The pool decides on a copy of itself with the very code that decides for calls, so the answer cannot differ from
//! what a call would meet; the rest of this file is finding the user, the pool and the session as the data plane does.

use std::sync::Arc;

use gateway_config::Snapshot;
use gateway_domain::{ChannelId, User, UserId};
use gateway_routing::{ChannelSet, Request, SessionKey as RoutingKey};
use gateway_sessions::{Naming, Place, SessionKey};
use serde_json::{Map, Value, json};

use crate::Parts;
use crate::error::{ApiError, Problem};
use crate::form::Form;
use crate::query::Query;
use crate::route::{Answer, Answered, Call};
use crate::routing::{self, PoolKind};
use crate::wire::float;

mod wire;
mod words;

pub(crate) use wire::{EXPLANATION, PARAMETERS, QUESTION};
use wire::{candidates, chosen_json, no_route_json, session_json};

/// Seeds that are drawn stay below this: any reader of JSON keeps them exactly.
const DRAWN: u64 = 1 << 53;

/// A call that has not been made.
struct Question {
    model: Option<String>,
    user: String,
    session: Option<String>,
    streaming: bool,
    prompt_tokens: u32,
    seed: Option<u64>,
}

/// `GET /api/routing/explain`.
pub(crate) fn get(parts: &Parts, call: &Call) -> Answered {
    let query = Query::read(call.query.as_deref(), &PARAMETERS.map(|(name, _)| name))?;
    let mut fields = Map::new();
    for (name, _) in PARAMETERS {
        let Some(text) = query.text(name) else { continue };
        let number = || text.parse::<u64>().ok().map(Value::from);
        // What is of the wrong kind stays a text, and the schema refuses it as it would in a body.
        let value = match (name, text) {
            ("streaming", "true") => Some(true.into()),
            ("streaming", "false") => Some(false.into()),
            ("prompt_tokens" | "seed", _) => number(),
            _ => None,
        };
        fields.insert(name.to_owned(), value.unwrap_or_else(|| text.into()));
    }
    let question = Question::read(Value::Object(fields).to_string().as_bytes())?;
    explain(parts, call, &question)
}

/// `POST /api/routing/explain`.
pub(crate) fn post(parts: &Parts, call: &Call) -> Answered {
    explain(parts, call, &Question::read(&call.body)?)
}

fn explain(parts: &Parts, call: &Call, question: &Question) -> Answered {
    let (snapshot, pools) = (parts.live.load(), parts.pools.load());
    let user = user_of(&snapshot, &question.user)?;
    let wanted = question.model.as_deref();
    let (pool_name, pool) = pools
        .get_key_value(wanted.unwrap_or(routing::DEFAULT))
        .or_else(|| wanted.and_then(|_| pools.get_key_value(routing::ANY)))
        .ok_or_else(|| no_such_model(wanted))?;
    let naming = Naming { prompt_cache_key: question.session.as_deref(), ..Naming::default() };
    let (key, source) = SessionKey::named(user.id, Arc::clone(pool_name), &naming);
    let place = parts.sessions.place_of(&key, call.now);
    let (session, pinned) = match place {
        Place::Known(channel) => (Some(RoutingKey(key.hash64())), Some(channel)),
        Place::Redraw => (None, None),
        Place::Unknown => (Some(RoutingKey(key.hash64())), None),
    };
    let wish = Request {
        session,
        pinned,
        streaming: question.streaming,
        prompt_tokens: question.prompt_tokens,
        attempt: 0,
        excluded: &ChannelSet::new(),
        filter: None,
    };
    let seed = question.seed.map_or_else(draw, Ok)?;
    let account = pool.explain(&wish, (parts.monotonic)(), seed);
    let refused = refusal_of(user, wanted);
    let setting = words::Setting {
        snapshot: &snapshot,
        user: &user.name,
        pool: PoolKind::of(pool_name),
        model: wanted,
        place,
        refused,
    };
    let home = account.home.map(|home| (home, name_of(&snapshot, home)));
    Answer::json(&json!({
        "sentence": words::sentence(&setting, &account),
        "refused": refused,
        "model": wanted,
        "pool": &**pool_name,
        "user_id": user.id.0,
        "user_name": &*user.name,
        "streaming": question.streaming,
        "session": session_json(&key, source, place, &snapshot),
        "policy": account.policy.as_str(),
        "seed": seed,
        "keyed": account.keyed,
        "home_id": home.map(|(id, _)| id.0),
        "home_name": home.map(|(_, name)| name),
        "chosen": account.chosen.as_ref().ok().map(|chosen| chosen_json(chosen, &snapshot)),
        "no_route": account.chosen.as_ref().err().map(no_route_json),
        "reference_ms": float(account.reference_ms),
        "candidates": candidates(&account, &snapshot),
    }))
}

/// The user of this id, or else of this name.
fn user_of<'s>(snapshot: &'s Snapshot, text: &str) -> Result<&'s User, ApiError> {
    let by_id = text.parse().ok().and_then(|id| snapshot.users.get(&UserId(id)));
    if let Some(user) = by_id {
        return Ok(user);
    }
    let mut named = snapshot.users.values().filter(|user| &*user.name == text);
    match (named.next(), named.next()) {
        (Some(user), None) => Ok(user),
        (Some(_), Some(_)) => {
            Err(ApiError::value("user", "is the name of several users; give the id instead"))
        }
        (None, _) => Err(ApiError::Unknown {
            param: "user",
            message: "no user has this id or name; GET /api/users lists them",
        }),
    }
}

fn no_such_model(wanted: Option<&str>) -> ApiError {
    let message = if wanted.is_some() {
        "there is no model of this name, and no enabled channel serves every model; GET /api/models lists the models"
    } else {
        "no channel takes calls that name no model; give a model, or set proxy.default_channel"
    };
    ApiError::Unknown { param: "model", message }
}

/// Why the data plane turns the call away before it looks for a channel.
fn refusal_of(user: &User, model: Option<&str>) -> Option<&'static str> {
    match model {
        _ if !user.enabled => Some("the user is disabled, so its keys are refused"),
        Some(model) if !user.may_use(model) => {
            Some("the user's allowed_models do not name this model, so it is not found")
        }
        None if user.allowed_models.is_some() => {
            Some("the user may use some models only, so its calls must name one")
        }
        Some(_) | None => None,
    }
}

pub(crate) fn name_of(snapshot: &Snapshot, id: ChannelId) -> Option<&str> {
    snapshot.channels.get(&id).map(|channel| &*channel.name)
}

fn draw() -> Result<u64, ApiError> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|_| ApiError::Internal("the system gave no random numbers"))?;
    Ok(u64::from_le_bytes(bytes) % DRAWN)
}

// === impl Question ===

impl Question {
    fn read(body: &[u8]) -> Result<Self, ApiError> {
        let mut form = Form::read(body, &QUESTION)?;
        let user = match form.value("user") {
            Some(Value::String(text)) => Some(text.clone()),
            Some(Value::Number(number)) => Some(number.to_string()),
            Some(_) | None => None,
        };
        if user.is_none() {
            return Err(ApiError::Invalid(vec![Problem::of_kind("user", "must be an id or a name")]));
        }
        let seed = form.value("seed").and_then(Value::as_u64);
        if form.value("seed").is_some() && seed.is_none() {
            form.object_to("seed", "must be a whole number from 0");
        }
        let prompt_tokens = form.in_range("prompt_tokens", 0..=i64::from(u32::MAX)).unwrap_or(0);
        let text = |name: &str| form.text(name).filter(|text| !text.is_empty()).map(str::to_owned);
        let (model, session) = (text("model"), text("session"));
        let streaming = form.flag("streaming").unwrap_or(false);
        form.finish(user.map(|user| Self { model, user, session, streaming, prompt_tokens, seed }))
    }
}
