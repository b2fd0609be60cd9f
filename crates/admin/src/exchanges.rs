//! `/api/exchanges`: the story of past calls. Holds no prompt, no answer and no key.

mod filter;

use gateway_domain::{ExchangeOutcome, Usage, UsageSource};
use gateway_storage::{StoredAttempt, StoredExchange};
use http::header::LINK;
use serde::Serialize;
use serde_json::Value;

use crate::Parts;
use crate::clock::rfc3339;
use crate::error::ApiError;
use crate::page::link;
use crate::query::decode;
use crate::route::{Answer, Answered, Call};
use crate::schema::{Field, Schema};
use crate::surface::EXCHANGES;
use crate::wire::{float, millis};

pub(crate) use filter::PARAMETERS;

/// An exchange in answers.
pub(crate) static EXCHANGE: Schema = Schema {
    name: "Exchange",
    about: "The finished story of one call.",
    fields: &[
        Field::integer("id", "Its row; later ones have higher numbers.").required(),
        Field::text("request_id", "x-request-id; clients may choose it, so it need not be unique.")
            .required(),
        Field::moment("started_at", "When the request's head had arrived.").required(),
        Field::integer("user_id", "Who asked; null: an unknown key.").required().nullable(),
        Field::integer("key_id", "With which key.").required().nullable(),
        Field::text("endpoint", "The endpoint's template.").required(),
        Field::text("model", "The public model name.").required().nullable(),
        Field::flag("streamed", "Whether the answer was a stream.").required(),
        Field::word("outcome", &ExchangeOutcome::WORDS, "How it ended, as the client saw it.").required(),
        Field::integer("status", "The status the client got; 499: it left first.").required(),
        Field::integer("first_byte_ms", "To the first byte of the answer's body.").required().nullable(),
        Field::integer("total_ms", "To the end.").required(),
        Field::integer("bytes_in", "Bytes of the request's body.").required(),
        Field::integer("bytes_out", "Bytes of the answer's body that went to the client.").required(),
        Field::object("usage", &USAGE, "Its tokens.").required(),
        Field::text(
            "session_source",
            "What named the session: prompt_cache_key, header, metadata, user or key; null: there was none.",
        )
        .required()
        .nullable(),
        Field::objects("attempts", &ATTEMPT, "The tries, in order.").required(),
    ],
};

static USAGE: Schema = Schema {
    name: "Usage",
    about: "Tokens of the attempt that answered, and who counted them; null: not known.",
    fields: &[
        Field::word(
            "source",
            &UsageSource::WORDS,
            "upstream: it said so itself; counted: it did not, so the gateway estimated the prompt by its bytes and \
             counted the events of the answer; none: nothing is known.",
        )
        .required(),
        Field::integer("prompt_tokens", "Of the request.").required().nullable(),
        Field::integer("completion_tokens", "Of the answer.").required().nullable(),
        Field::integer("cached_tokens", "Of the request, from the upstream's cache.").required().nullable(),
        Field::integer("reasoning_tokens", "Of the answer, spent on reasoning.").required().nullable(),
        Field::integer("audio_in_tokens", "Of the request, sound.").required().nullable(),
        Field::integer("audio_out_tokens", "Of the answer, sound.").required().nullable(),
    ],
};

static ATTEMPT: Schema = Schema {
    name: "Attempt",
    about: "One try at one channel.",
    fields: &[
        Field::integer("channel_id", "The channel; it may have been deleted since.").required(),
        Field::text("channel_name", "Its name at that time.").required(),
        Field::text("reason", "Why routing chose it, in one word.").required(),
        Field::integer("status", "The status it gave.").required().nullable(),
        Field::integer("first_byte_ms", "To the first byte of the answer's body.").required().nullable(),
        Field::integer("total_ms", "To its end.").required(),
        Field::text("outcome", "How it ended, in one word.").required(),
        Field::integer("home", "The session's home, when it was another channel; its row.")
            .required()
            .nullable(),
        Field::number("health", "How well the channel was held to be, from 0 to 1; null: not kept.")
            .required()
            .nullable(),
        Field::flag("hedge", "Whether it ran beside another, slow attempt of the same call.").required(),
    ],
};

#[derive(Debug, Serialize)]
pub(crate) struct ExchangeOut<'a> {
    id: i64,
    request_id: &'a str,
    started_at: String,
    user_id: Option<i64>,
    key_id: Option<i64>,
    endpoint: &'a str,
    model: Option<&'a str>,
    streamed: bool,
    outcome: &'static str,
    status: u16,
    first_byte_ms: Option<u64>,
    total_ms: u64,
    bytes_in: u64,
    bytes_out: u64,
    usage: UsageOut,
    session_source: Option<&'a str>,
    attempts: Vec<AttemptOut<'a>>,
}

#[derive(Debug, Serialize)]
struct UsageOut {
    source: &'static str,
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    cached_tokens: Option<u64>,
    reasoning_tokens: Option<u64>,
    audio_in_tokens: Option<u64>,
    audio_out_tokens: Option<u64>,
}

#[derive(Debug, Serialize)]
struct AttemptOut<'a> {
    channel_id: i64,
    channel_name: &'a str,
    reason: &'a str,
    status: Option<u16>,
    first_byte_ms: Option<u64>,
    total_ms: u64,
    outcome: &'static str,
    home: Option<i64>,
    health: Value,
    hedge: bool,
}

/// `GET /api/exchanges`: newest first. Where more follow, the `Link` header leads to them.
pub(crate) fn list(parts: &Parts, call: &Call) -> Answered {
    let query = call.query.as_deref();
    let page = parts.store.exchanges(&filter::read(query)?)?;
    let shown: Vec<ExchangeOut<'_>> = page.exchanges.iter().map(ExchangeOut::of).collect();
    let mut answer = Answer::json(&shown)?;
    answer.headers.extend(page.next.map(|next| (LINK, link(EXCHANGES, query, "before", &next.to_string()))));
    Ok(answer)
}

/// `GET /api/exchanges/{request_id}`: the newest one with this id.
pub(crate) fn show(parts: &Parts, call: &Call) -> Answered {
    // An id may have a colon, which many write as an escape.
    let row = parts.store.exchange(&decode(call.param("request_id")))?;
    Answer::json(&ExchangeOut::of(&row.ok_or(ApiError::NotFound { what: "exchange" })?))
}

/// Without the digits that a short float gains by becoming a long one.
fn thousandths(share: f32) -> Value {
    float((f64::from(share) * 1000.0).round() / 1000.0)
}

// === impl ExchangeOut ===

impl<'a> ExchangeOut<'a> {
    pub(crate) fn of(row: &'a StoredExchange) -> Self {
        Self {
            id: row.id,
            request_id: &row.request_id,
            started_at: rfc3339(row.started_at),
            user_id: row.user.map(|id| id.0),
            key_id: row.key.map(|id| id.0),
            endpoint: &row.endpoint,
            model: row.model.as_deref(),
            streamed: row.streamed,
            outcome: row.outcome.as_str(),
            status: row.status,
            first_byte_ms: row.first_byte.map(millis),
            total_ms: millis(row.total),
            bytes_in: row.bytes_in,
            bytes_out: row.bytes_out,
            usage: UsageOut::of(&row.usage),
            session_source: Some(&*row.session_source).filter(|source| !source.is_empty()),
            attempts: row.attempts.iter().map(AttemptOut::of).collect(),
        }
    }
}

// === impl UsageOut ===

impl UsageOut {
    fn of(usage: &Usage) -> Self {
        let Usage { prompt, completion, cached, reasoning, audio_in, audio_out, source } = *usage;
        Self {
            source: source.as_str(),
            prompt_tokens: prompt,
            completion_tokens: completion,
            cached_tokens: cached,
            reasoning_tokens: reasoning,
            audio_in_tokens: audio_in,
            audio_out_tokens: audio_out,
        }
    }
}

// === impl AttemptOut ===

impl<'a> AttemptOut<'a> {
    fn of(attempt: &'a StoredAttempt) -> Self {
        Self {
            channel_id: attempt.channel.0,
            channel_name: &attempt.channel_name,
            reason: &attempt.reason,
            status: attempt.status,
            first_byte_ms: attempt.first_byte.map(millis),
            total_ms: millis(attempt.total),
            outcome: attempt.outcome.as_str(),
            home: attempt.home.map(|home| home.0),
            health: attempt.health.map_or(Value::Null, thousandths),
            hedge: attempt.hedge,
        }
    }
}
