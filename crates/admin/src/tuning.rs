//! What is rarely set on channels and models, on the wire.

use std::ops::RangeInclusive;
use std::time::Duration;

use gateway_config::{ProxySettings, text_of_time, time_of_text};
use gateway_domain::{ChannelTuning, Hedge, HedgeAfter, ModelTuning, Policy};
use gateway_storage::{ChannelTuningPatch, ModelTuningPatch};
use serde::Serialize;
use serde_json::Value;

use crate::form::Form;
use crate::schema::{Field, Schema};

/// The shortest time that can be set.
const SHORTEST: Duration = Duration::from_millis(1);

pub(crate) const TIER: Field =
    Field::integer("tier", "0 is asked first; the next tier only when nobody in those before it will do.");

pub(crate) const REQUESTS_PER_MINUTE: Field = Field::integer(
    "requests_per_minute",
    "Calls that the account takes in a minute, counted by this process; null: no limit.",
)
.nullable();

pub(crate) const TOKENS_PER_MINUTE: Field = Field::integer(
    "tokens_per_minute",
    "Tokens that the account takes in a minute, counted by this process; null: no limit.",
)
.nullable();

pub(crate) const ADD_CACHE_KEY: Field =
    Field::flag("add_cache_key", "Sends prompt_cache_key upstream where the caller gave none.");

pub(crate) const CONNECT_TIMEOUT: Field =
    Field::text("connect_timeout", "Longest time for a connection, such as \"3s\"; null: the gateway's own.")
        .nullable();

pub(crate) const FIRST_BYTE_TIMEOUT: Field = Field::text(
    "first_byte_timeout",
    "Longest wait for the first byte of a streamed answer, such as \"1m\"; null: the gateway's own.",
)
.nullable();

pub(crate) const STREAM_GAP_TIMEOUT: Field = Field::text(
    "stream_gap_timeout",
    "Longest silence inside a streamed answer, such as \"2m\"; null: the gateway's own.",
)
.nullable();

pub(crate) const POOL_IDLE_TIMEOUT: Field = Field::text(
    "pool_idle_timeout",
    "How long an idle connection to it is kept, such as \"30s\"; null: the gateway's own.",
)
.nullable();

pub(crate) const POLICY: Field =
    Field::word("policy", &Policy::WORDS, "How a channel is chosen; null: as proxy.policy says.").nullable();

pub(crate) const SLACK_PERCENT: Field = Field::integer(
    "slack_percent",
    "How much of its share a session's channel may carry before its calls go elsewhere, from 100 to 10000 percent; \
     null: as proxy.slack_percent says.",
)
.nullable();

pub(crate) const STICKY: Field =
    Field::flag("sticky", "Whether a session stays with its channel; null: as proxy.sticky says.").nullable();

pub(crate) const CUT: Field = Field::flag(
    "cut",
    "Whether a slow first token is given up when another channel is much faster; false for models that think; null: \
     as proxy.cut says.",
)
.nullable();

pub(crate) const HEDGE: Field =
    Field::object("hedge", &HEDGE_OBJECT, "A second attempt beside a slow first one; null: none.").nullable();

static HEDGE_OBJECT: Schema = Schema {
    name: "Hedge",
    about: "When a late call is sent to a second channel too; the first answer wins.",
    fields: &[
        Field::text(
            "after",
            "\"learned\" (later than nearly all recent answers of its kind) or a time such as \"2s\"; absent: learned.",
        ),
        Field::integer("max_percent", "For how many in a hundred calls at most, from 1 to 50; absent: 5."),
    ],
};

/// A channel's tuning in answers.
#[derive(Debug, Serialize)]
pub(crate) struct ChannelTuningOut {
    tier: u8,
    requests_per_minute: Option<u32>,
    tokens_per_minute: Option<u32>,
    add_cache_key: bool,
    connect_timeout: Option<String>,
    first_byte_timeout: Option<String>,
    stream_gap_timeout: Option<String>,
    pool_idle_timeout: Option<String>,
}

/// A model's tuning in answers.
#[derive(Debug, Serialize)]
pub(crate) struct ModelTuningOut {
    policy: Option<&'static str>,
    slack_percent: Option<u32>,
    sticky: Option<bool>,
    cut: Option<bool>,
    hedge: Option<HedgeOut>,
}

#[derive(Debug, Serialize)]
struct HedgeOut {
    after: String,
    max_percent: u8,
}

/// What a body changes on a channel's tuning.
pub(crate) fn of_channel(form: &mut Form) -> ChannelTuningPatch {
    let per_minute = 1..=i64::from(ChannelTuning::MOST_PER_MINUTE);
    let tier = form.in_range("tier", 0..=i64::from(u8::MAX));
    ChannelTuningPatch {
        tier: tier.and_then(|tier| u8::try_from(tier).ok()),
        requests_per_minute: number(form, "requests_per_minute", per_minute.clone()),
        tokens_per_minute: number(form, "tokens_per_minute", per_minute),
        add_cache_key: form.flag("add_cache_key"),
        connect_timeout: time(form, "connect_timeout"),
        first_byte_timeout: time(form, "first_byte_timeout"),
        stream_gap_timeout: time(form, "stream_gap_timeout"),
        pool_idle_timeout: time(form, "pool_idle_timeout"),
    }
}

/// Objects to a channel's times that do not fit into those in force. `old` is the tuning that is changed; a body that
/// names none of the times is not blamed for what stood there before.
pub(crate) fn check_times(
    form: &mut Form,
    proxy: &ProxySettings,
    patch: &ChannelTuningPatch,
    old: &ChannelTuning,
) {
    let touched = [patch.connect_timeout, patch.first_byte_timeout, patch.stream_gap_timeout];
    if touched.iter().all(Option::is_none) {
        return;
    }
    for misfit in proxy.misfits(&patch.applied_to(old)) {
        form.object_to(misfit.key, format!("{}: {}", misfit.message, misfit.advice));
    }
}

/// What a body changes on a model's tuning.
pub(crate) fn of_model(form: &mut Form) -> ModelTuningPatch {
    let (least, most) = ModelTuning::SLACK_PERCENT.into_inner();
    ModelTuningPatch {
        policy: change(form, "policy", |form| form.text("policy").and_then(Policy::from_word)),
        slack_percent: number(form, "slack_percent", i64::from(least)..=i64::from(most)),
        sticky: change(form, "sticky", |form| form.flag("sticky")),
        cut: change(form, "cut", |form| form.flag("cut")),
        hedge: change(form, "hedge", hedge),
    }
}

/// `None`: absent, or objected to. `Some(None)`: taken away.
#[expect(clippy::option_option, reason = "the field of the patch that it fills is one")]
fn change<T>(
    form: &mut Form,
    field: &'static str,
    read: impl FnOnce(&mut Form) -> Option<T>,
) -> Option<Option<T>> {
    if form.value(field).is_some() { read(form).map(Some) } else { form.has(field).then_some(None) }
}

#[expect(clippy::option_option, reason = "the field of the patch that it fills is one")]
fn number(form: &mut Form, field: &'static str, range: RangeInclusive<i64>) -> Option<Option<u32>> {
    change(form, field, |form| form.in_range(field, range))
}

#[expect(clippy::option_option, reason = "the field of the patch that it fills is one")]
fn time(form: &mut Form, field: &'static str) -> Option<Option<Duration>> {
    change(form, field, |form| {
        let read = read_time(form.text(field)?);
        read.map_err(|why| form.object_to(field, why)).ok()
    })
}

fn read_time(text: &str) -> Result<Duration, String> {
    let time = time_of_text(text)?;
    if time < SHORTEST {
        return Err(format!("must be at least {}", text_of_time(SHORTEST)));
    }
    Ok(time)
}

fn hedge(form: &mut Form) -> Option<Hedge> {
    let read = form.value("hedge").and_then(Value::as_object).map(|object| {
        let mut hedge = Hedge::default();
        for (name, value) in object {
            match (name.as_str(), value.as_str(), value.as_u64().and_then(|number| u8::try_from(number).ok()))
            {
                ("after", Some("learned"), _) => hedge.after = HedgeAfter::Learned,
                ("after", Some(text), _) => {
                    hedge.after = HedgeAfter::Fixed(read_time(text).map_err(|why| format!("after {why}"))?);
                }
                ("max_percent", _, Some(percent)) if Hedge::MAX_PERCENT.contains(&percent) => {
                    hedge.max_percent = percent;
                }
                _ => {
                    return Err(
                        r#"must be {"after": "learned" or a time, "max_percent": 1 to 50}"#.to_owned()
                    );
                }
            }
        }
        Ok(hedge)
    })?;
    read.map_err(|why| form.object_to("hedge", why)).ok()
}

// === impl ChannelTuningOut ===

impl From<&ChannelTuning> for ChannelTuningOut {
    fn from(tuning: &ChannelTuning) -> Self {
        Self {
            tier: tuning.tier,
            requests_per_minute: tuning.requests_per_minute,
            tokens_per_minute: tuning.tokens_per_minute,
            add_cache_key: tuning.add_cache_key,
            connect_timeout: tuning.connect_timeout.map(text_of_time),
            first_byte_timeout: tuning.first_byte_timeout.map(text_of_time),
            stream_gap_timeout: tuning.stream_gap_timeout.map(text_of_time),
            pool_idle_timeout: tuning.pool_idle_timeout.map(text_of_time),
        }
    }
}

// === impl ModelTuningOut ===

impl From<&ModelTuning> for ModelTuningOut {
    fn from(tuning: &ModelTuning) -> Self {
        Self {
            policy: tuning.policy.map(Policy::as_str),
            slack_percent: tuning.slack_percent,
            sticky: tuning.sticky,
            cut: tuning.cut,
            hedge: tuning.hedge.map(HedgeOut::from),
        }
    }
}

// === impl HedgeOut ===

impl From<Hedge> for HedgeOut {
    fn from(hedge: Hedge) -> Self {
        let after = match hedge.after {
            HedgeAfter::Learned => "learned".to_owned(),
            HedgeAfter::Fixed(time) => text_of_time(time),
        };
        Self { after, max_percent: hedge.max_percent }
    }
}
