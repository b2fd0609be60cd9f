//! What question and explanation look like on the wire.

use gateway_config::Snapshot;
use gateway_routing::{Candidate, Chosen, Explain, Limited, Micros, NoRoute};
use gateway_sessions::{Place, SessionKey, Source};
use serde::Serialize;
use serde_json::{Value, json};

use super::{name_of, words};
use crate::routing::LIMITED_BY;
use crate::schema::{Field, Schema};
use crate::wire::float;

/// The parameters of the question, and what they mean.
pub(crate) const PARAMETERS: [(&str, &str); 6] = [
    ("model", MODEL),
    ("user", USER),
    ("session", SESSION),
    ("streaming", "true: the answer is a stream; absent or false: it is not."),
    ("prompt_tokens", PROMPT_TOKENS),
    ("seed", SEED),
];

const MODEL: &str = "The public model name; absent: a call that names no model.";
const USER: &str = "Who calls: the user's id, or its name.";
const SESSION: &str =
    "The conversation id that the client would send, by whichever of the ways; absent: it sends none.";
const PROMPT_TOKENS: &str =
    "About how many tokens the prompt has, which matters to channels with tokens_per_minute; absent: 0.";
const SEED: &str =
    "The chance in the decision, a whole number from 0; absent: one is drawn. The answer repeats it.";

/// `POST /api/routing/explain`.
pub(crate) static QUESTION: Schema = Schema {
    name: "RoutingQuestion",
    about: "A call that has not been made.",
    fields: &[
        Field::text("model", MODEL),
        Field::any("user", USER).required(),
        Field::text("session", SESSION),
        Field::flag("streaming", "Whether the answer is a stream; absent: it is not."),
        Field::integer("prompt_tokens", PROMPT_TOKENS),
        Field::integer("seed", SEED),
    ],
};

/// The answer.
pub(crate) static EXPLANATION: Schema = Schema {
    name: "RoutingExplanation",
    about: "What would happen to a call now, and why. Nothing was sent and nothing changed.",
    fields: &[
        Field::text("sentence", "The decision in one line, for people.").required(),
        Field::text(
            "refused",
            "Why the call is refused before a channel is chosen; null: it is not. The rest then tells \
            what would happen if it were let in.",
        )
        .required()
        .nullable(),
        Field::text("model", "The model that was asked for; null: none.").required().nullable(),
        Field::text("pool", "The pool that decides, as in GET /api/routing/pools.").required(),
        Field::integer("user_id", "Who calls.").required(),
        Field::text("user_name", "The user's name.").required(),
        Field::flag("streaming", "Whether the answer is a stream.").required(),
        Field::object("session", &SESSION_STATE, "The call's session.").required(),
        Field::text("policy", "How the pool chooses.").required(),
        Field::integer(
            "seed",
            "The chance in the decision: the same seed at the same state decides the same.",
        )
        .required(),
        Field::flag(
            "keyed",
            "Whether the session decides on the order of the channels; if not, the seed does.",
        )
        .required(),
        Field::integer("home_id", "The first channel in that order, were all of them well.")
            .required()
            .nullable(),
        Field::text("home_name", "Its name.").required().nullable(),
        Field::object("chosen", &CHOSEN, "The channel that would get the first attempt; null: none can.")
            .required()
            .nullable(),
        Field::object("no_route", &NO_ROUTE, "Why no channel can be chosen; null: one can.")
            .required()
            .nullable(),
        Field::number(
            "reference_ms",
            "The pool's time until the first token, with which each channel's is compared.",
        )
        .required()
        .nullable(),
        Field::objects(
            "candidates",
            &CANDIDATE,
            "Every channel of the pool: by tier, and in the order of this call.",
        )
        .required(),
    ],
};

static SESSION_STATE: Schema = Schema {
    name: "RoutingSession",
    about: "What is known of a call's session.",
    fields: &[
        Field::word(
            "source",
            &["conversation", "key"],
            "What names it: the conversation id, or else the key's user.",
        )
        .required(),
        Field::text("key", "The number that the channels' order is made from, in hexadecimal.").required(),
        Field::word(
            "place",
            &["known", "unknown", "redraw"],
            "known: a channel served it lately. unknown: none did. \
            redraw: an administrator ended it, and its next call draws a channel by chance.",
        )
        .required(),
        Field::integer("channel_id", "The channel that served it last.").required().nullable(),
        Field::text("channel_name", "Its name.").required().nullable(),
    ],
};

static CHOSEN: Schema = Schema {
    name: "RoutingChoice",
    about: "The choice itself.",
    fields: &[
        Field::integer("channel_id", "The channel.").required(),
        Field::text("channel_name", "Its name.").required().nullable(),
        Field::text("reason", "Why it: home, pinned, spill, keyless, probe, panic or only_one.").required(),
        Field::number("health", "The channel's health.").required().nullable(),
        Field::flag("probe", "The call would be the trial of a channel that failed before.").required(),
        Field::flag("panic", "No channel is fit; this is the least unfit one.").required(),
        Field::integer(
            "first_token_deadline_ms",
            "When a late first token is given up if another channel looks much \
            better; null: never.",
        )
        .required()
        .nullable(),
        Field::integer(
            "hedge_after_ms",
            "How late the answer, or its first token, must be for a second attempt to be worth it; null: too little \
             is known.",
        )
        .required()
        .nullable(),
    ],
};

static NO_ROUTE: Schema = Schema {
    name: "RoutingRefusal",
    about: "Why no channel can be chosen.",
    fields: &[
        Field::word(
            "reason",
            &["empty", "all_limited", "unavailable"],
            "empty: no channel with weight serves this. \
            all_limited: every one waits for a rate limit. unavailable: every one is full or limited.",
        )
        .required(),
        Field::integer("retry_after_ms", "How long until the first of them may be asked again.")
            .required()
            .nullable(),
    ],
};

static CANDIDATE: Schema = Schema {
    name: "RoutingCandidate",
    about: "One channel as the decision sees it.",
    fields: &[
        Field::integer("channel_id", "The channel.").required(),
        Field::text("channel_name", "Its name.").required().nullable(),
        Field::number("weight", "Channel weight × mapping weight.").required().nullable(),
        Field::integer("tier", "Higher tiers get traffic only when no lower one accepts.").required(),
        Field::number("u", "This call's draw for the channel, in (0, 1).").required().nullable(),
        Field::number("race", "weight / −ln u: the greatest comes first.").required().nullable(),
        Field::number("latency_ms", "Estimated time until the first token.").required().nullable(),
        Field::number("error_rate", "Estimated share of failed answers.").required().nullable(),
        Field::integer("inflight", "Attempts in flight.").required(),
        Field::number("limit", "How many it may have in flight; null: no limit is known.")
            .required()
            .nullable(),
        Field::number("latency_factor", "In (0, 1].").required().nullable(),
        Field::number("error_factor", "In (0, 1].").required().nullable(),
        Field::number("load_factor", "In (0, 1].").required().nullable(),
        Field::number("health", "The product of the factors.").required().nullable(),
        Field::number("threshold", "What health this call asks of the channel.").required().nullable(),
        Field::text("state", "Its breaker: closed, open or half_open.").required(),
        Field::integer("blocked_ms", "How long it is rate limited for this call.").required(),
        LIMITED_BY,
        Field::text(
            "verdict",
            "accepted, below_threshold, open, limited, full, not_admitted or zero_weight.",
        )
        .required(),
        Field::text("why", "The verdict with its figures, for people.").required(),
    ],
};

#[derive(Debug, Serialize)]
pub(super) struct CandidateOut<'a> {
    channel_id: i64,
    channel_name: Option<&'a str>,
    weight: Value,
    tier: u8,
    u: Value,
    race: Value,
    latency_ms: Value,
    error_rate: Value,
    inflight: u32,
    limit: Value,
    latency_factor: Value,
    error_factor: Value,
    load_factor: Value,
    health: Value,
    threshold: Value,
    state: &'static str,
    blocked_ms: u64,
    limited_by: Option<&'static str>,
    verdict: &'static str,
    why: String,
}

/// The candidates as the call would go through them.
pub(super) fn candidates<'a>(account: &Explain, snapshot: &'a Snapshot) -> Vec<CandidateOut<'a>> {
    let mut ordered: Vec<&Candidate> = account.candidates.iter().collect();
    ordered.sort_by(|a, b| a.tier.cmp(&b.tier).then(b.race.total_cmp(&a.race)).then(a.id.cmp(&b.id)));
    ordered.into_iter().map(|candidate| CandidateOut::of(candidate, account, snapshot)).collect()
}

pub(super) fn session_json(key: &SessionKey, source: Source, place: Place, snapshot: &Snapshot) -> Value {
    let (place, channel) = match place {
        Place::Known(channel) => ("known", Some(channel)),
        Place::Unknown => ("unknown", None),
        Place::Redraw => ("redraw", None),
    };
    json!({
        "source": if source == Source::Key { "key" } else { "conversation" },
        "key": format!("{:016x}", key.hash64()),
        "place": place,
        "channel_id": channel.map(|id| id.0),
        "channel_name": channel.and_then(|id| name_of(snapshot, id)),
    })
}

pub(super) fn chosen_json(chosen: &Chosen, snapshot: &Snapshot) -> Value {
    let Chosen { channel, reason, first_token_deadline, probe, panic, home: _, health, hedge_after } =
        *chosen;
    json!({
        "channel_id": channel.0,
        "channel_name": name_of(snapshot, channel),
        "reason": reason.as_str(),
        "health": float(health),
        "probe": probe,
        "panic": panic,
        "first_token_deadline_ms": first_token_deadline.map(Micros::millis_up),
        "hedge_after_ms": hedge_after.map(Micros::millis_up),
    })
}

pub(super) fn no_route_json(no_route: &NoRoute) -> Value {
    let (reason, retry_after) = match no_route {
        NoRoute::AllLimited { retry_after } => ("all_limited", Some(retry_after.millis_up())),
        // A first attempt excludes nothing, so that all are excluded cannot be.
        NoRoute::Empty | NoRoute::AllExcluded => ("empty", None),
        NoRoute::Unavailable { .. } => ("unavailable", None),
    };
    json!({"reason": reason, "retry_after_ms": retry_after})
}

// === impl CandidateOut ===

impl<'a> CandidateOut<'a> {
    fn of(candidate: &Candidate, account: &Explain, snapshot: &'a Snapshot) -> Self {
        Self {
            channel_id: candidate.id.0,
            channel_name: name_of(snapshot, candidate.id),
            weight: float(candidate.weight),
            tier: candidate.tier,
            u: float(candidate.u),
            race: float(candidate.race),
            latency_ms: float(candidate.latency_ms),
            error_rate: float(1.0 - candidate.p),
            inflight: candidate.inflight,
            limit: candidate.limit.map_or(Value::Null, float),
            latency_factor: float(candidate.f_lat),
            error_factor: float(candidate.f_err),
            load_factor: float(candidate.f_load),
            health: float(candidate.h),
            threshold: float(candidate.threshold),
            state: candidate.state.as_str(),
            blocked_ms: candidate.blocked_ms,
            limited_by: candidate.limited_by.map(Limited::as_str),
            verdict: candidate.verdict.as_str(),
            why: words::why(candidate, account.policy),
        }
    }
}
