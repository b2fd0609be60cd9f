//! `/api/channels/{id}/health` and `/api/health/channels`: the verdicts and what led to them.

use gateway_domain::{ChannelId, HealthReport, ModelTrouble};
use gateway_health::Tick;
use serde::Serialize;

use crate::Parts;
use crate::channels::id_of;
use crate::clock::rfc3339;
use crate::error::ApiError;
use crate::route::{Answer, Answered, Call};
use crate::schema::{Field, Schema};
use crate::wire::millis;

const CHANNEL_ID: Field = Field::integer("channel_id", "Whose health.").required();
const STATUS: Field = Field::word(
    "status",
    &["healthy", "unhealthy", "unknown"],
    "The verdict. An unknown channel is in rotation, an unhealthy one is not.",
)
.required();
const USABLE: Field =
    Field::flag("usable", "Whether it may get traffic as far as health is concerned.").required();
const LAST_CHECKED: Field =
    Field::moment("last_checked", "When a probe or a call last told something.").required().nullable();
const LAST_ERROR: Field =
    Field::text("last_error", "Why the last failure was one; kept until the next success.")
        .required()
        .nullable();
const FAILURES: Field = Field::integer("consecutive_failures", "Failures since the last success.").required();
const TROUBLED: Field = Field::objects(
    "troubled_models",
    &TROUBLE,
    "The models whose calls fail here again and again, whatever the others do; the worst first, at most 32.",
)
.required();

/// A channel's health inside other answers and in lists.
pub(crate) static HEALTH: Schema = Schema {
    name: "ChannelHealth",
    about: "What is known of a channel's health.",
    fields: &[CHANNEL_ID, STATUS, USABLE, LAST_CHECKED, LAST_ERROR, FAILURES, TROUBLED],
};

/// A channel's health with what led to it.
pub(crate) static HEALTH_HISTORY: Schema = Schema {
    name: "ChannelHealthHistory",
    about: "What is known of a channel's health, and the last 60 things that were told of it.",
    fields: &[
        CHANNEL_ID,
        STATUS,
        USABLE,
        LAST_CHECKED,
        LAST_ERROR,
        FAILURES,
        TROUBLED,
        Field::objects("history", &TICK, "The oldest first.").required(),
    ],
};

static TROUBLE: Schema = Schema {
    name: "ModelTrouble",
    about: "A model whose calls fail on one channel. The channel stays in rotation for its other models.",
    fields: &[
        Field::text("model", "Which model, by the name that clients give.").required(),
        Field::moment("since", "When the first call failed after the last that was served.").required(),
        Field::integer("failures", "Calls that failed since then.").required(),
        Field::text("last_error", "Why the last of them did.").required(),
    ],
};

static TICK: Schema = Schema {
    name: "HealthTick",
    about: "One thing that was told of a channel.",
    fields: &[
        Field::moment("at", "When.").required(),
        Field::word(
            "witness",
            &["probe", "traffic", "time", "settings"],
            "Who spoke; time: a pause was over; settings: the channel was changed.",
        )
        .required(),
        Field::flag("ok", "Whether it spoke well of the channel.").required(),
        Field::word("status", &["healthy", "unhealthy", "unknown"], "The verdict from then on.").required(),
        Field::integer("latency_ms", "How long a good probe took.").required().nullable(),
    ],
};

#[derive(Debug, Serialize)]
pub(crate) struct HealthOut {
    channel_id: i64,
    status: &'static str,
    usable: bool,
    last_checked: Option<String>,
    last_error: Option<String>,
    consecutive_failures: u32,
    troubled_models: Vec<TroubleOut>,
}

#[derive(Debug, Serialize)]
struct TroubleOut {
    model: String,
    since: String,
    failures: u32,
    last_error: String,
}

#[derive(Debug, Serialize)]
struct HistoryOut {
    #[serde(flatten)]
    health: HealthOut,
    history: Vec<TickOut>,
}

#[derive(Debug, Serialize)]
struct TickOut {
    at: String,
    witness: &'static str,
    ok: bool,
    status: &'static str,
    latency_ms: Option<u64>,
}

/// `GET /api/channels/{id}/health`.
pub(crate) fn show(parts: &Parts, call: &Call) -> Answered {
    let id = id_of(call)?;
    if !parts.live.load().channels.contains_key(&id) {
        return Err(ApiError::NotFound { what: "channel" });
    }
    let history = parts.board.history(id).iter().map(TickOut::of).collect();
    Answer::json(&HistoryOut { health: HealthOut::of(parts, id), history })
}

/// `GET /api/health/channels`.
pub(crate) fn list(parts: &Parts, _call: &Call) -> Answered {
    let snapshot = parts.live.load();
    let mut ids: Vec<ChannelId> = snapshot.channels.keys().copied().collect();
    ids.sort_unstable();
    let shown: Vec<HealthOut> = ids.into_iter().map(|id| HealthOut::of(parts, id)).collect();
    Answer::json(&shown)
}

// === impl HealthOut ===

impl HealthOut {
    /// A channel of which nothing was told is shown as unknown.
    pub(crate) fn of(parts: &Parts, id: ChannelId) -> Self {
        let report = parts.board.report(id);
        let HealthReport { channel, status, last_checked, last_error, consecutive_failures, troubled_models } =
            report;
        Self {
            channel_id: channel.0,
            status: status.as_str(),
            usable: parts.board.is_usable(id),
            last_checked: last_checked.map(rfc3339),
            last_error,
            consecutive_failures,
            troubled_models: troubled_models.into_iter().map(TroubleOut::of).collect(),
        }
    }
}

// === impl TroubleOut ===

impl TroubleOut {
    fn of(trouble: ModelTrouble) -> Self {
        let ModelTrouble { model, since, failures, last_error } = trouble;
        Self { model: model.to_string(), since: rfc3339(since), failures, last_error }
    }
}

// === impl TickOut ===

impl TickOut {
    fn of(tick: &Tick) -> Self {
        Self {
            at: rfc3339(tick.at),
            witness: tick.witness.as_str(),
            ok: tick.ok,
            status: tick.status.as_str(),
            latency_ms: tick.latency.map(millis),
        }
    }
}
