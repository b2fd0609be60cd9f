use std::sync::Arc;

use anyhow::Context as _;
use gateway_domain::{HealthStatus, UnixMillis};
use metrics::{Counter, Gauge, Key, KeyName, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

/// Upper bounds of `*_seconds` histograms: model calls take from milliseconds (a refusal) to minutes (a long answer).
const SECONDS: [f64; 16] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 90.0, 120.0];

/// One app's metrics: the recorder that everybody registers with, and the server's own numbers.
///
/// It is a value, never the process's global recorder, so two apps in one process count apart.
pub(crate) struct Meters {
    recorder: Arc<PrometheusRecorder>,
    handle: PrometheusHandle,
    /// Client connections that are open.
    pub(crate) connections: Gauge,
    /// Client connections that were refused because there were too many.
    pub(crate) refused_connections: Counter,
    /// Calls that were refused because there were too many.
    pub(crate) refused_calls: Counter,
    /// Requests that panicked.
    pub(crate) panics: Counter,
    reload_success: Gauge,
    reload_time: Gauge,
    dropped_records: Counter,
    dropped_lines: Counter,
    queued_records: Gauge,
    sessions: Gauge,
}

// === impl Meters ===

impl Meters {
    pub(crate) fn new(version: &'static str) -> anyhow::Result<Self> {
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
            .context("the buckets of histograms are wrong")?
            .build_recorder();
        let gauge = |name, help| {
            recorder.describe_gauge(KeyName::from_const_str(name), None, help);
            recorder.register_gauge(&Key::from_static_name(name), &METADATA)
        };
        let counter = |name, help| {
            recorder.describe_counter(KeyName::from_const_str(name), None, help);
            recorder.register_counter(&Key::from_static_name(name), &METADATA)
        };
        let meters = Self {
            connections: gauge("gateway_connections", "Client connections that are open.".into()),
            refused_connections: counter(
                "gateway_connections_refused_total",
                "Client connections beyond the limit: their calls were refused.".into(),
            ),
            refused_calls: counter(
                "gateway_calls_refused_total",
                "Calls answered 503 at once because there were too many under way.".into(),
            ),
            panics: counter("gateway_panics_total", "Requests that panicked and were answered 500.".into()),
            reload_success: gauge(
                "gateway_config_reload_success",
                "1 when the last attempt to apply the configuration succeeded, else 0.".into(),
            ),
            reload_time: gauge(
                "gateway_config_last_reload_timestamp_seconds",
                "When the configuration was last applied, in seconds since 1970.".into(),
            ),
            dropped_records: counter(
                "gateway_records_dropped_total",
                "Records that never reached the database because its queue was full.".into(),
            ),
            dropped_lines: counter(
                "gateway_log_lines_dropped_total",
                "Log lines lost because nobody read the output.".into(),
            ),
            queued_records: gauge("gateway_records_queued", "Records that wait for the database.".into()),
            sessions: gauge("gateway_sessions", "Sessions that are remembered.".into()),
            handle: recorder.handle(),
            recorder: Arc::new(recorder),
        };
        meters.tell_build(version);
        Ok(meters)
    }

    /// Where other crates register their numbers.
    pub(crate) fn recorder(&self) -> Arc<dyn Recorder + Send + Sync> {
        let recorder: Arc<PrometheusRecorder> = Arc::clone(&self.recorder);
        recorder
    }

    /// The text that Prometheus reads.
    pub(crate) fn render(&self) -> String {
        self.handle.render()
    }

    /// Must run every few seconds: folds histograms, so that memory stays bounded when nobody scrapes.
    pub(crate) fn upkeep(&self) {
        self.handle.run_upkeep();
    }

    /// An attempt to apply the configuration has ended.
    pub(crate) fn reloaded(&self, ok: bool, at: UnixMillis) {
        self.reload_success.set(if ok { 1.0 } else { 0.0 });
        if ok {
            #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 fit a double for ages")]
            self.reload_time.set(at.0 as f64 / 1000.0);
        }
    }

    /// What the queue behind storage counts.
    pub(crate) fn records(&self, dropped: u64, queued: usize) {
        self.dropped_records.absolute(dropped);
        self.queued_records.set(count(queued));
    }

    /// Log lines lost so far.
    pub(crate) fn lost_lines(&self, dropped: u64) {
        self.dropped_lines.absolute(dropped);
    }

    /// Sessions in memory.
    pub(crate) fn sessions(&self, remembered: usize) {
        self.sessions.set(count(remembered));
    }

    /// How many client connections a worker has.
    pub(crate) fn worker_connections(&self, index: usize) -> Gauge {
        let name = "gateway_worker_connections";
        let key = Key::from_parts(name, vec![Label::new("worker", index.to_string())]);
        self.recorder.register_gauge(&key, &METADATA)
    }

    /// A channel's health: 1 in rotation, 0 out of it, 0.5 when nothing is known yet.
    pub(crate) fn health(&self, channel: &str, status: Option<HealthStatus>) {
        let name = "gateway_channel_healthy";
        let key = Key::from_parts(name, vec![Label::new("channel", channel.to_owned())]);
        // A channel that is gone keeps its series until a restart: the exporter cannot take one back. NaN says it.
        self.recorder.register_gauge(&key, &METADATA).set(match status {
            Some(HealthStatus::Healthy) => 1.0,
            Some(HealthStatus::Unknown) => 0.5,
            Some(HealthStatus::Unhealthy) => 0.0,
            None => f64::NAN,
        });
    }

    /// A channel's verdict has become another one.
    pub(crate) fn transition(&self, channel: &str, to: HealthStatus) {
        let labels = vec![Label::new("channel", channel.to_owned()), Label::new("to", to.as_str())];
        let key = Key::from_parts("gateway_channel_transitions_total", labels);
        self.recorder.register_counter(&key, &METADATA).increment(1);
    }

    fn tell_build(&self, version: &'static str) {
        let name = "gateway_build_info";
        self.recorder.describe_gauge(
            KeyName::from_const_str(name),
            None,
            "Always 1; its label says the version.".into(),
        );
        let key = Key::from_parts(name, vec![Label::new("version", version)]);
        self.recorder.register_gauge(&key, &METADATA).set(1.0);
        self.recorder.describe_gauge(
            KeyName::from_const_str("gateway_channel_healthy"),
            None,
            "1: the channel is in rotation; 0: it is not; 0.5: nothing is known yet.".into(),
        );
        self.recorder.describe_gauge(
            KeyName::from_const_str("gateway_worker_connections"),
            None,
            "Client connections of one thread that carries calls.".into(),
        );
        self.recorder.describe_counter(
            KeyName::from_const_str("gateway_channel_transitions_total"),
            None,
            "Changes of a channel's verdict, by what it became.".into(),
        );
    }
}

impl std::fmt::Debug for Meters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Meters").finish_non_exhaustive()
    }
}

const METADATA: Metadata<'static> = Metadata::new("gateway_server", Level::INFO, None);

#[expect(clippy::cast_precision_loss, reason = "counts of things in memory are far below 2^52")]
fn count(number: usize) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_apps_count_apart() {
        let (one, other) = (Meters::new("1").unwrap(), Meters::new("1").unwrap());
        one.connections.increment(3.0);
        assert!(one.render().contains("gateway_connections 3"));
        assert!(!other.render().contains("gateway_connections 3"));
    }

    #[test]
    fn every_name_has_a_help_text() {
        let meters = Meters::new("1").unwrap();
        meters.health("a", Some(HealthStatus::Healthy));
        meters.transition("a", HealthStatus::Unhealthy);
        meters.reloaded(true, UnixMillis(1500));
        meters.records(1, 2);
        meters.lost_lines(1);
        meters.sessions(1);
        meters.panics.increment(1);
        meters.refused_connections.increment(1);
        meters.connections.increment(1.0);
        meters.refused_calls.increment(1);
        meters.worker_connections(0).increment(1.0);
        let text = meters.render();
        for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let name = line.split(['{', ' ']).next().unwrap();
            assert!(text.contains(&format!("# HELP {name} ")), "{name} has no help text in\n{text}");
        }
    }

    #[test]
    fn a_failed_reload_keeps_the_time_of_the_last_good_one() {
        let meters = Meters::new("1").unwrap();
        meters.reloaded(true, UnixMillis(2000));
        meters.reloaded(false, UnixMillis(9000));
        let text = meters.render();
        assert!(text.contains("gateway_config_last_reload_timestamp_seconds 2\n"), "{text}");
        assert!(text.contains("gateway_config_reload_success 0\n"), "{text}");
    }
}
