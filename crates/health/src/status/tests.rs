use std::sync::Arc;
use std::time::Duration;

use gateway_domain::HealthStatus::{self, Healthy, Unhealthy, Unknown};

use super::*;

mod calls;
mod models;
mod refused_keys;

/// A channel's story on a clock of its own.
#[derive(Default)]
struct Story {
    status: Status,
    rules: Rules,
    now: UnixMillis,
}

impl Story {
    /// The story of a channel that serves more than one model.
    fn of_several() -> Self {
        let mut story = Self::default();
        story.status.set_serves_several(true);
        story
    }

    fn with(rules: Rules) -> Self {
        Self { rules, ..Self::default() }
    }

    fn see(&mut self, seen: Observation) -> HealthStatus {
        let model = Arc::from("the only one");
        self.see_of(Scope::Model(&model), seen)
    }

    fn see_of(&mut self, scope: Scope<'_>, seen: Observation) -> HealthStatus {
        self.status.observe(seen, scope, self.now, &self.rules);
        self.status.verdict()
    }

    fn probe_ok(&mut self) -> HealthStatus {
        self.see(Observation::ProbeOk { latency: Duration::from_millis(20), proves_key: false })
    }

    fn probe_paid(&mut self) -> HealthStatus {
        self.see(Observation::ProbeOk { latency: Duration::from_millis(20), proves_key: true })
    }

    fn probe_misasked(&mut self) -> HealthStatus {
        self.see(Observation::ProbeMisasked { why: "answered 404".to_owned() })
    }

    fn probe_failed(&mut self) -> HealthStatus {
        self.see(Observation::ProbeFailed { why: "connection refused".to_owned() })
    }

    fn probe_refused(&mut self) -> HealthStatus {
        self.see(Observation::ProbeRefused { why: "answered 401".to_owned() })
    }

    fn call_ok(&mut self) -> HealthStatus {
        self.see(Observation::TrafficOk)
    }

    fn call_failed(&mut self) -> HealthStatus {
        self.see(Observation::TrafficFailed { why: "answered 502".to_owned(), fault: Fault::Answer })
    }

    fn call_refused(&mut self) -> HealthStatus {
        self.see(Observation::TrafficFailed { why: "answered 401".to_owned(), fault: Fault::Key })
    }

    fn after(&mut self, seconds: i64) -> HealthStatus {
        self.now.0 += seconds * 1000;
        self.status.tick(self.now, &self.rules);
        self.status.verdict()
    }

    fn failed(&mut self, model: &str, fault: Fault) -> HealthStatus {
        let seen = Observation::TrafficFailed { why: format!("{model} failed"), fault };
        self.see_of(Scope::Model(&model.into()), seen)
    }

    fn served(&mut self, model: &str) -> HealthStatus {
        self.see_of(Scope::Model(&model.into()), Observation::TrafficOk)
    }

    /// The models in trouble and how often each failed.
    fn troubled(&self) -> Vec<(String, u32)> {
        let report = self.status.report(ChannelId(1));
        report.troubled_models.iter().map(|trouble| (trouble.model.to_string(), trouble.failures)).collect()
    }

    /// Fails calls until the channel is out.
    fn eject(&mut self) {
        for _ in 0..self.rules.ejected_after {
            self.call_failed();
        }
        assert_eq!(self.status.verdict(), Unhealthy);
    }

    /// How many whole seconds pass until it is back.
    fn seconds_out(&mut self) -> i64 {
        (0..1000).find(|second| self.after(i64::from(*second > 0)) != Unhealthy).expect("it returns")
    }

    fn error(&self) -> Option<String> {
        self.status.report(ChannelId(1)).last_error
    }
}

#[test]
fn a_new_channel_is_unknown_and_gets_traffic() {
    let story = Story::default();
    assert_eq!(story.status.verdict(), Unknown);
    assert!(story.status.is_usable());
}

#[test]
fn the_third_failed_probe_in_a_row_takes_a_channel_out_and_one_good_one_brings_it_back() {
    let mut story = Story::default();
    assert_eq!(story.probe_ok(), Healthy);
    assert_eq!(
        [story.probe_failed(), story.probe_failed(), story.probe_failed()],
        [Healthy, Healthy, Unhealthy]
    );
    assert_eq!(story.after(100_000), Unhealthy, "no time lifts what probes set");
    assert_eq!(story.probe_ok(), Healthy);
}

#[test]
fn a_good_probe_between_ends_the_row() {
    let mut story = Story::default();
    for _ in 0..10 {
        story.probe_failed();
        story.probe_failed();
        assert_eq!(story.probe_ok(), Healthy);
    }
}

#[test]
fn a_channel_returns_only_after_as_many_good_probes_as_the_rules_ask_for() {
    let mut story = Story::with(Rules { healthy_after: 3, ..Rules::default() });
    for _ in 0..3 {
        story.probe_failed();
    }
    assert_eq!([story.probe_ok(), story.probe_ok(), story.probe_failed()], [Unhealthy; 3]);
    assert_eq!([story.probe_ok(), story.probe_ok(), story.probe_ok()], [Unhealthy, Unhealthy, Healthy]);
}

#[test]
fn thresholds_of_zero_are_thresholds_of_one() {
    let rules = Rules { unhealthy_after: 0, healthy_after: 0, ejected_after: 0, ..Rules::default() };
    let mut story = Story::with(rules);
    assert_eq!([story.probe_ok(), story.probe_failed(), story.probe_ok()], [Healthy, Unhealthy, Healthy]);
    assert_eq!([story.call_ok(), story.call_failed()], [Healthy, Unhealthy]);
}

#[test]
fn an_outage_that_probes_saw_begin_and_end_is_over_when_they_say_so() {
    let mut story = Story::default();
    for _ in 0..6 {
        story.eject();
        story.seconds_out();
    }
    story.eject();
    for _ in 0..3 {
        story.probe_failed();
    }
    assert_eq!(story.probe_ok(), Unknown, "on trial, for the calls have not been heard yet");
    assert_eq!(story.call_failed(), Unhealthy);
}

#[test]
fn a_channel_that_is_probed_no_longer_returns_by_time() {
    let mut story = Story::default();
    for _ in 0..3 {
        story.probe_failed();
    }
    story.status.probing_ended(story.now, &story.rules);
    assert_eq!(story.status.verdict(), Unhealthy);
    assert_eq!(story.seconds_out(), 2);
}

#[test]
fn the_last_error_stays_until_its_own_witness_takes_it_back() {
    let mut story = Story::default();
    story.call_failed();
    story.after(1);
    story.probe_failed();
    assert_eq!(story.error().as_deref(), Some("connection refused"));
    story.probe_ok();
    assert_eq!(story.error().as_deref(), Some("answered 502"));
    story.call_ok();
    assert_eq!(story.error(), None);
}

#[test]
fn a_report_counts_failures_since_the_last_success_and_says_when_something_was_last_heard() {
    let mut story = Story::default();
    assert_eq!(story.status.report(ChannelId(1)).last_checked, None);
    story.probe_failed();
    story.after(30);
    story.probe_failed();
    story.after(30);
    let report = story.status.report(ChannelId(1));
    assert_eq!((report.consecutive_failures, report.last_checked), (2, Some(UnixMillis(30_000))));
}
