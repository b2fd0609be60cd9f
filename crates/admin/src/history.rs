//! `/api/history`: what went through the gateway lately, step by step.

use gateway_domain::ChannelId;
use serde_json::{Map, Value, json};

use crate::Parts;
use crate::clock::rfc3339;
use crate::query::Query;
use crate::route::{Answer, Answered, Call};
use crate::schema::{Field, Schema};
use crate::traffic::{Bucket, FINE, Figures, LONGEST, Span, Traffic, UnderWay};

/// The parameters, and what they mean.
pub(crate) const PARAMETERS: [(&str, &str); 1] = [(
    "seconds",
    "How far back, from 1 to 3600; absent: 900. Up to 300 the steps are a second each, beyond it ten seconds.",
)];

/// The figures in answers.
pub(crate) static HISTORY: Schema = Schema {
    name: "History",
    about: "What went through the gateway lately: lists of equal length with one value for each step, the oldest first, \
            null where nothing was measured. Kept in memory: it begins with the gateway.",
    fields: &[
        Field::integer("step_ms", "How much time each value stands for.").required(),
        Field::moment("from", "When the first step began.").required(),
        Field::object("total", &TOTAL, "All calls.").required(),
        Field::any(
            "channels",
            "An object with the id of each channel that was tried as its keys, and its attempts as values: the lists of \
             `total` without `active_streams` and `in_flight`.",
        )
        .required(),
    ],
};

static TOTAL: Schema = Schema {
    name: "Figures",
    about: "Figures, one for each step.",
    fields: &[
        Field::numbers("requests", "Calls that ended.").required(),
        Field::numbers("errors", "Of these, those that failed through no fault of the client's.").required(),
        Field::numbers("p50_ms", "From the request to the end of a good answer: half took less.").required(),
        Field::numbers("p95_ms", "Likewise: 95 of 100 took less.").required(),
        Field::numbers("first_token_p50_ms", "From the request to the first token of a stream.").required(),
        Field::numbers("first_token_p95_ms", "Likewise.").required(),
        Field::numbers("prompt_tokens", "Tokens of the requests, where they are known.").required(),
        Field::numbers("completion_tokens", "Tokens of the answers, where they are known.").required(),
        Field::numbers("active_streams", "Streams under way; of longer steps, the most.").required(),
        Field::numbers("in_flight", "Requests under way; of longer steps, the most.").required(),
    ],
};

/// A line's name, and how its values are found.
type Line<T> = (&'static str, fn(&T) -> Value);

/// The lines of calls or attempts.
const OF_CALLS: [Line<Figures>; 8] = [
    ("requests", |figures| figures.requests.into()),
    ("errors", |figures| figures.errors.into()),
    ("p50_ms", |figures| tenths(figures.p50)),
    ("p95_ms", |figures| tenths(figures.p95)),
    ("first_token_p50_ms", |figures| tenths(figures.first_token_p50)),
    ("first_token_p95_ms", |figures| tenths(figures.first_token_p95)),
    ("prompt_tokens", |figures| figures.prompt.into()),
    ("completion_tokens", |figures| figures.completion.into()),
];

/// The lines of what is under way.
const UNDER_WAY: [Line<UnderWay>; 2] = [
    ("active_streams", |under_way| under_way.streams.into()),
    ("in_flight", |under_way| under_way.requests.into()),
];

/// `GET /api/history`.
pub(crate) fn show(parts: &Parts, call: &Call) -> Answered {
    let query = Query::read(call.query.as_deref(), &PARAMETERS.map(|(name, _)| name))?;
    let wanted = format!("a number from 1 to {LONGEST}");
    let seconds = query.parsed("seconds", &wanted, |text| {
        text.parse().ok().filter(|seconds| (1..=LONGEST).contains(seconds))
    })?;
    Answer::json(&span_json(&parts.traffic.last(seconds.unwrap_or(3 * FINE))))
}

/// The newest step alone, with values in place of lists.
pub(crate) fn newest_json(traffic: &Traffic) -> Value {
    let span = traffic.last(1);
    let Some(bucket) = span.buckets.first().and_then(Option::as_ref) else { return Value::Null };
    let mut total = values(&bucket.total);
    total.extend(UNDER_WAY.iter().map(|(name, show)| ((*name).to_owned(), show(&bucket.under_way))));
    let channels: Map<String, Value> =
        bucket.channels.iter().map(|(id, figures)| (id.0.to_string(), values(figures).into())).collect();
    json!({"step_ms": span.step_ms, "from": rfc3339(span.from), "total": total, "channels": channels})
}

fn values(figures: &Figures) -> Map<String, Value> {
    OF_CALLS.iter().map(|(name, show)| ((*name).to_owned(), show(figures))).collect()
}

/// A span as [`HISTORY`] says.
fn span_json(span: &Span) -> Value {
    let Span { step_ms, from, buckets } = span;
    let mut total = Map::new();
    for (name, show) in OF_CALLS {
        let line = buckets.iter().map(|bucket| bucket.as_ref().map(|bucket| show(&bucket.total)));
        total.insert(name.to_owned(), line.collect());
    }
    for (name, show) in UNDER_WAY {
        let line = buckets.iter().map(|bucket| bucket.as_ref().map(|bucket| show(&bucket.under_way)));
        total.insert(name.to_owned(), line.collect());
    }
    let channels: Map<String, Value> =
        tried(buckets).into_iter().map(|id| (id.0.to_string(), channel_lines(buckets, id))).collect();
    json!({"step_ms": step_ms, "from": rfc3339(*from), "total": total, "channels": channels})
}

/// All channels of some buckets, by id.
fn tried(buckets: &[Option<Bucket>]) -> Vec<ChannelId> {
    let all = buckets.iter().flatten().flat_map(|bucket| &bucket.channels);
    let mut ids: Vec<ChannelId> = all.map(|(id, _)| *id).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// In a step that was measured and in which nobody tried it, a channel has no attempts and no errors.
fn channel_lines(buckets: &[Option<Bucket>], id: ChannelId) -> Value {
    let line: Vec<Option<Figures>> =
        buckets.iter().map(|bucket| bucket.as_ref().map(|bucket| bucket.of_channel(id))).collect();
    let lines = OF_CALLS.iter().map(|(name, show)| {
        let line: Value = line.iter().map(|figures| figures.as_ref().map(show)).collect();
        ((*name).to_owned(), line)
    });
    Value::Object(lines.collect())
}

/// To a tenth: more is not known.
fn tenths(millis: Option<f32>) -> Value {
    millis.map(|millis| (f64::from(millis) * 10.0).round() / 10.0).into()
}
