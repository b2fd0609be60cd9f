//! What Prometheus reads of the data plane. A value handed down, not a global: two gateways in one process do not
//! share counters. Handles are registered when a snapshot is adopted, those of endpoints with their first request, and
//! kept, so that counting is one atomic step and waits for nobody.
//!
//! Label values are bounded: endpoints of the table, configured channels, configured models (`*` for names that only
//! a wildcard channel serves), never a raw string of a client.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use gateway_domain::{AttemptOutcome, Known, Usage, UsageSource};
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Label, Level, Metadata, Recorder};

/// How much the newest attempt weighs in `gateway_channel_error_rate`.
const ERROR_RATE_STEP: f64 = 0.05;

/// What is less is none: some two hundred good attempts after a bad one.
const LEAST_ERROR_RATE: f64 = 1e-6;

static METADATA: Metadata<'static> = Metadata::new("gateway_proxy", Level::INFO, Some("gateway_proxy"));

type MethodAndEndpoint = (&'static str, &'static str);
type ChannelAndModel = (Arc<str>, Arc<str>);

/// The data plane's metrics.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    recorder: Arc<dyn Recorder + Send + Sync>,
    endpoints: ArcSwap<Known<MethodAndEndpoint, Arc<EndpointMetrics>>>,
    channels: Mutex<HashMap<Arc<str>, Arc<ChannelMetrics>>>,
    routes: Mutex<HashMap<ChannelAndModel, Arc<RouteMetrics>>>,
    /// Requests and streams under way: counted here, where they can be read, and shown by the gauges when asked for.
    requests: AtomicI64,
    streams: AtomicI64,
    in_flight: Gauge,
    active_streams: Gauge,
    http_errors: Counter,
}

/// Counted once per request, by endpoint and method.
pub(crate) struct EndpointMetrics {
    recorder: Arc<dyn Recorder + Send + Sync>,
    method: &'static str,
    endpoint: &'static str,
    duration: Histogram,
    /// One counter per status from 100 to 599, made when it is first needed.
    statuses: Vec<OnceLock<Counter>>,
}

/// Counted once per attempt, by channel.
pub(crate) struct ChannelMetrics {
    failures: Counter,
    error_rate: Gauge,
    /// The bits of the moving error rate behind the gauge.
    rate: AtomicU64,
}

/// Counted once per attempt, by channel and model.
pub(crate) struct RouteMetrics {
    recorder: Arc<dyn Recorder + Send + Sync>,
    channel: Arc<str>,
    model: Arc<str>,
    /// One counter per outcome, made when it is first needed: most never are.
    outcomes: [OnceLock<Counter>; AttemptOutcome::ALL.len()],
    latency: Histogram,
    first_token: Histogram,
    tokens: [TokenCounters; UsageSource::ALL.len()],
}

/// The tokens of one source by kind, each counter made when it is first needed: most routes never see sound, and most
/// upstreams say themselves what was used.
#[derive(Default)]
struct TokenCounters([OnceLock<Counter>; TOKEN_KINDS.len()]);

/// What `kind` may be in `gateway_tokens_total`: some of the prompt's tokens are cached, some are sound, and so on.
const TOKEN_KINDS: [&str; 6] = ["prompt", "completion", "cached", "reasoning", "audio_in", "audio_out"];

/// Counted by model: what its calls cost beyond their first attempts.
pub(crate) struct ModelMetrics {
    retries: Counter,
    hedges: Counter,
    denied: Counter,
}

// === impl Metrics ===

impl Metrics {
    /// Registers and describes the data plane's metrics with a recorder.
    pub fn new(recorder: Arc<dyn Recorder + Send + Sync>) -> Self {
        describe(&*recorder);
        let gauge = |name| recorder.register_gauge(&Key::from_static_name(name), &METADATA);
        Self(Arc::new(Inner {
            requests: AtomicI64::new(0),
            streams: AtomicI64::new(0),
            in_flight: gauge("gateway_requests_in_flight"),
            active_streams: gauge("gateway_active_streams"),
            http_errors: counter(&*recorder, "gateway_errors_total", &[("type", "http"), ("channel", "")]),
            endpoints: ArcSwap::default(),
            channels: Mutex::default(),
            routes: Mutex::default(),
            recorder,
        }))
    }

    /// Calls whose bodies found no room.
    pub(crate) fn no_room(&self) -> Counter {
        counter(&*self.0.recorder, "gateway_bodies_refused_total", &[])
    }

    pub(crate) fn endpoint(&self, method: &'static str, endpoint: &'static str) -> Arc<EndpointMetrics> {
        if let Some(found) = self.0.endpoints.load().get(&(method, endpoint)) {
            return Arc::clone(found);
        }
        let labels = [("method", method), ("endpoint", endpoint)];
        let made = Arc::new(EndpointMetrics {
            recorder: Arc::clone(&self.0.recorder),
            method,
            endpoint,
            duration: histogram(&*self.0.recorder, "gateway_request_duration_seconds", &labels),
            statuses: (100..600).map(|_| OnceLock::new()).collect(),
        });
        // Of two workers at the same first request one counts with what is not kept; the series are the same.
        self.0.endpoints.rcu(|known| {
            let mut more = Known::clone(known);
            more.entry((method, endpoint)).or_insert_with(|| Arc::clone(&made));
            more
        });
        made
    }

    pub(crate) fn channel(&self, name: &Arc<str>) -> Arc<ChannelMetrics> {
        let mut known = self.0.channels.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(name) {
            return Arc::clone(found);
        }
        let recorder = &*self.0.recorder;
        let made = Arc::new(ChannelMetrics {
            failures: counter(recorder, "gateway_errors_total", &[("type", "channel"), ("channel", name)]),
            error_rate: recorder
                .register_gauge(&key("gateway_channel_error_rate", &[("channel", name)]), &METADATA),
            rate: AtomicU64::new(0),
        });
        made.error_rate.set(0.0);
        known.insert(Arc::clone(name), Arc::clone(&made));
        made
    }

    pub(crate) fn route(&self, channel: &Arc<str>, model: &Arc<str>) -> Arc<RouteMetrics> {
        let mut known = self.0.routes.lock().unwrap_or_else(PoisonError::into_inner);
        let place = (Arc::clone(channel), Arc::clone(model));
        Arc::clone(known.entry(place).or_insert_with(|| {
            let recorder = &*self.0.recorder;
            let labels: [(&'static str, &str); 2] = [("channel", channel), ("model", model)];
            Arc::new(RouteMetrics {
                recorder: Arc::clone(&self.0.recorder),
                channel: Arc::clone(channel),
                model: Arc::clone(model),
                outcomes: Default::default(),
                latency: histogram(recorder, "gateway_channel_latency_seconds", &labels),
                first_token: histogram(recorder, "gateway_time_to_first_token_seconds", &labels),
                tokens: Default::default(),
            })
        }))
    }

    /// The same handles for the same name: registering is idempotent.
    pub(crate) fn model(&self, name: &str) -> Arc<ModelMetrics> {
        let recorder = &*self.0.recorder;
        let extra = |kind: &str| {
            counter(recorder, "gateway_extra_attempts_total", &[("model", name), ("kind", kind)])
        };
        Arc::new(ModelMetrics {
            retries: extra("retry"),
            hedges: extra("hedge"),
            denied: counter(recorder, "gateway_retries_denied_total", &[("model", name)]),
        })
    }

    /// One counter for each of these outcomes of name lookups.
    pub(crate) fn name_lookups<const N: usize>(&self, outcomes: [&str; N]) -> [Counter; N] {
        outcomes
            .map(|outcome| counter(&*self.0.recorder, "gateway_dns_lookups_total", &[("outcome", outcome)]))
    }

    pub(crate) fn entered(&self) {
        self.0.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn left(&self) {
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn stream_began(&self) {
        self.0.streams.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn stream_ended(&self) {
        self.0.streams.fetch_sub(1, Ordering::Relaxed);
    }

    /// Requests, and of these streamed answers and WebSockets, that are under way.
    pub(crate) fn under_way(&self) -> (u64, u64) {
        let read = |count: &AtomicI64| u64::try_from(count.load(Ordering::Relaxed)).unwrap_or(0);
        (read(&self.0.requests), read(&self.0.streams))
    }

    /// Brings the gauges of what is under way up to date.
    pub(crate) fn show_under_way(&self) {
        let (requests, streams) = self.under_way();
        #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 are under way")]
        let count = |number: u64| number as f64;
        self.0.in_flight.set(count(requests));
        self.0.active_streams.set(count(streams));
    }

    pub(crate) fn http_error(&self) {
        self.0.http_errors.increment(1);
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl fmt::Debug for ChannelMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChannelMetrics")
    }
}

impl fmt::Debug for ModelMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ModelMetrics")
    }
}

impl fmt::Debug for RouteMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RouteMetrics")
    }
}

// === impl EndpointMetrics ===

impl EndpointMetrics {
    pub(crate) fn finished(&self, status: u16, total: Duration) {
        self.duration.record(total.as_secs_f64());
        let place = usize::from(status.clamp(100, 599) - 100);
        if let Some(slot) = self.statuses.get(place) {
            let made = || {
                let status = status.to_string();
                let labels = [("method", self.method), ("endpoint", self.endpoint), ("status", &*status)];
                counter(&*self.recorder, "gateway_requests_total", &labels)
            };
            slot.get_or_init(made).increment(1);
        }
    }
}

// === impl ChannelMetrics ===

impl ChannelMetrics {
    pub(crate) fn attempted(&self, outcome: AttemptOutcome) {
        let failed = outcome.blames_channel();
        if failed {
            self.failures.increment(1);
        }
        if failed || outcome == AttemptOutcome::Ok {
            self.moves(if failed { 1.0 } else { 0.0 });
        }
    }

    /// Two workers at once may lose one step of the two: the gauge is a picture, not an account.
    fn moves(&self, newest: f64) {
        let before = f64::from_bits(self.rate.load(Ordering::Relaxed));
        let after = before + (newest - before) * ERROR_RATE_STEP;
        let after = if after < LEAST_ERROR_RATE { 0.0 } else { after };
        // A channel that is well stays where it is.
        if after.to_bits() != before.to_bits() {
            self.rate.store(after.to_bits(), Ordering::Relaxed);
            self.error_rate.set(after);
        }
    }
}

// === impl RouteMetrics ===

impl RouteMetrics {
    pub(crate) fn attempted(&self, outcome: AttemptOutcome, total: Duration, first_byte: Option<Duration>) {
        if let Some(slot) = self.outcomes.get(outcome as usize) {
            let made = || {
                let labels =
                    [("channel", &*self.channel), ("model", &*self.model), ("outcome", outcome.as_str())];
                counter(&*self.recorder, "gateway_attempts_total", &labels)
            };
            slot.get_or_init(made).increment(1);
        }
        self.latency.record(total.as_secs_f64());
        if let Some(first) = first_byte {
            self.first_token.record(first.as_secs_f64());
        }
    }

    pub(crate) fn used(&self, usage: &Usage) {
        let Usage { prompt, completion, cached, reasoning, audio_in, audio_out, source } = *usage;
        let counts = [prompt, completion, cached, reasoning, audio_in, audio_out];
        let Some(TokenCounters(counters)) = self.tokens.get(source as usize) else { return };
        for ((slot, kind), count) in counters.iter().zip(TOKEN_KINDS).zip(counts) {
            let made = || {
                let (channel, model) = (&*self.channel, &*self.model);
                let labels =
                    [("channel", channel), ("model", model), ("kind", kind), ("source", source.as_str())];
                counter(&*self.recorder, "gateway_tokens_total", &labels)
            };
            if let Some(count) = count {
                let counter = slot.get_or_init(made);
                if count > 0 {
                    counter.increment(count);
                }
            }
        }
    }
}

// === impl ModelMetrics ===

impl ModelMetrics {
    pub(crate) fn retried(&self) {
        self.retries.increment(1);
    }

    pub(crate) fn hedged(&self) {
        self.hedges.increment(1);
    }

    /// A retry that the budget did not allow.
    pub(crate) fn denied(&self) {
        self.denied.increment(1);
    }
}

fn key(name: &'static str, labels: &[(&'static str, &str)]) -> Key {
    let labels: Vec<Label> = labels.iter().map(|(n, v)| Label::new(*n, (*v).to_owned())).collect();
    Key::from_parts(name, labels)
}

fn counter(recorder: &dyn Recorder, name: &'static str, labels: &[(&'static str, &str)]) -> Counter {
    recorder.register_counter(&key(name, labels), &METADATA)
}

fn histogram(recorder: &dyn Recorder, name: &'static str, labels: &[(&'static str, &str)]) -> Histogram {
    recorder.register_histogram(&key(name, labels), &METADATA)
}

fn describe(recorder: &dyn Recorder) {
    let counters = [
        ("gateway_requests_total", "Requests answered, by method, endpoint and status."),
        ("gateway_errors_total", "Answers of 400 and above (type http) and failed attempts (type channel)."),
        ("gateway_attempts_total", "Attempts, by channel, model and outcome."),
        ("gateway_extra_attempts_total", "Attempts beyond a call's first, by model and kind (retry, hedge)."),
        ("gateway_retries_denied_total", "Retries that the model's budget did not allow."),
        (
            "gateway_bodies_refused_total",
            "Calls answered 503 because their bodies found no room in memory (`server.max_body_memory`).",
        ),
        (
            "gateway_dns_lookups_total",
            "Lookups of upstreams' names, by outcome; answers that are kept do not count.",
        ),
        (
            "gateway_tokens_total",
            "Tokens by kind, and by who counted them: the upstream, or the gateway where the upstream did not.",
        ),
    ];
    for (name, text) in counters {
        recorder.describe_counter(KeyName::from_const_str(name), None, text.into());
    }
    let histograms = [
        ("gateway_request_duration_seconds", "From a request's head to the end of its answer."),
        ("gateway_channel_latency_seconds", "From sending to the end of an attempt, failures included."),
        ("gateway_time_to_first_token_seconds", "From sending to the first byte of an attempt's answer."),
    ];
    for (name, text) in histograms {
        recorder.describe_histogram(KeyName::from_const_str(name), None, text.into());
    }
    let gauges = [
        ("gateway_channel_error_rate", "Share of a channel's recent attempts that failed (moving average)."),
        ("gateway_active_streams", "Streamed answers and WebSockets under way."),
        ("gateway_requests_in_flight", "Requests under way."),
    ];
    for (name, text) in gauges {
        recorder.describe_gauge(KeyName::from_const_str(name), None, text.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_that_has_been_well_for_long_has_no_error_rate() {
        let channel =
            ChannelMetrics { failures: Counter::noop(), error_rate: Gauge::noop(), rate: AtomicU64::new(0) };
        let rate = || f64::from_bits(channel.rate.load(Ordering::Relaxed));
        let tell = |outcome, times| (0..times).for_each(|_| channel.attempted(outcome));
        tell(AttemptOutcome::Ok, 3);
        assert!(rate() == 0.0);
        tell(AttemptOutcome::Timeout, 1);
        assert!((rate() - ERROR_RATE_STEP).abs() < 1e-9);
        tell(AttemptOutcome::Ok, 200);
        assert!(rate() > 0.0);
        tell(AttemptOutcome::Ok, 20);
        assert!(rate() == 0.0);
        tell(AttemptOutcome::Timeout, 1_000);
        assert!(rate() > 0.999);
    }
}
