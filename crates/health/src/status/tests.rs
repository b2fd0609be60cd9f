use std::sync::Arc;
use std::time::Duration;

use gateway_domain::HealthStatus::{self, Healthy, Unhealthy, Unknown};

use super::*;

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
fn failed_calls_alone_take_a_channel_out_though_its_probes_succeed() {
    let mut story = Story::default();
    story.probe_ok();
    for _ in 0..4 {
        assert_eq!(story.call_failed(), Healthy);
        assert_eq!(story.probe_ok(), Healthy);
    }
    assert_eq!(story.call_failed(), Unhealthy);
    assert_eq!(story.probe_ok(), Unhealthy, "a probe that never saw the fault cannot acquit");
}

#[test]
fn what_calls_took_out_is_tried_again_after_two_seconds_and_one_served_call_makes_it_healthy() {
    let mut story = Story::default();
    story.eject();
    assert_eq!([story.after(1), story.after(1)], [Unhealthy, Unknown]);
    assert_eq!(story.probe_ok(), Unknown, "still on trial");
    assert_eq!(story.call_ok(), Healthy);
    assert_eq!(story.call_failed(), Healthy, "acquitted: one failure is one failure again");
}

#[test]
fn every_relapse_doubles_the_pause_up_to_two_minutes() {
    let mut story = Story::default();
    story.eject();
    let mut pauses = vec![story.seconds_out()];
    for _ in 0..8 {
        assert_eq!(story.call_failed(), Unhealthy, "one failed call is enough on trial");
        pauses.push(story.seconds_out());
    }
    assert_eq!(pauses, [2, 4, 8, 16, 32, 64, 120, 120, 120]);
}

#[test]
fn flapping_is_not_forgiven_by_a_moment_of_success() {
    let mut story = Story::default();
    story.eject();
    assert_eq!(story.seconds_out(), 2);
    story.call_ok();
    story.eject();
    assert_eq!(story.seconds_out(), 4);
}

#[test]
fn two_calm_minutes_forgive_the_past() {
    let mut story = Story::default();
    for pause in [2, 4] {
        story.eject();
        assert_eq!(story.seconds_out(), pause);
    }
    story.after(120);
    assert_eq!(story.probe_ok(), Healthy, "the trial is over without a call");
    assert_eq!((story.error(), story.status.report(ChannelId(1)).consecutive_failures), (None, 0));
    story.eject();
    assert_eq!(story.seconds_out(), 2);
}

#[test]
fn failures_of_calls_that_were_under_way_do_not_prolong_the_pause() {
    let mut story = Story::default();
    story.eject();
    for _ in 0..100 {
        story.call_failed();
    }
    assert_eq!(story.seconds_out(), 2);
}

#[test]
fn every_other_call_failing_takes_a_channel_out_within_twenty_calls() {
    let mut story = Story::default();
    let calls = (1..=100).find(|call| {
        let verdict = if call % 2 == 0 { story.call_ok() } else { story.call_failed() };
        verdict == Unhealthy
    });
    assert!(calls.is_some_and(|calls| (20..=21).contains(&calls)), "{calls:?}");
}

#[test]
fn one_failed_call_in_four_is_borne() {
    let mut story = Story::default();
    for call in 0..1000 {
        if call % 4 == 0 {
            story.call_failed()
        } else {
            story.call_ok()
        };
        story.after(i64::from(call % 10 == 0));
        assert!(story.status.is_usable());
    }
}

#[test]
fn a_burst_of_failures_is_forgotten_by_the_rate_after_half_a_minute() {
    let mut story = Story::with(Rules { ejected_after: 1000, ..Rules::default() });
    for _ in 0..19 {
        story.call_failed();
    }
    story.after(35);
    assert!(story.call_failed() != Unhealthy);
}

#[test]
fn a_refused_key_takes_a_channel_out_at_once_and_for_long() {
    let mut story = Story::default();
    story.probe_ok();
    assert_eq!(story.call_refused(), Unhealthy);
    assert_eq!([story.after(60), story.probe_ok()], [Unhealthy; 2], "listing models proves no money");
    assert_eq!([story.after(239), story.after(1)], [Unhealthy, Unknown]);
    assert_eq!(story.call_refused(), Unhealthy);
    assert_eq!(story.seconds_out(), 300);
}

#[test]
fn a_probe_whose_key_is_refused_takes_a_channel_out_at_once_until_a_probe_is_taken() {
    let mut story = Story::default();
    assert_eq!(story.probe_refused(), Unhealthy);
    assert_eq!([story.after(30), story.probe_refused()], [Unhealthy; 2]);
    assert_eq!(story.probe_ok(), Healthy);
}

#[test]
fn a_key_that_may_chat_but_not_list_models_serves_after_one_pause() {
    let mut story = Story::default();
    story.probe_refused();
    for _ in 0..9 {
        story.after(30);
        assert_eq!(story.probe_refused(), Unhealthy, "a refusal that repeats does not begin the pause anew");
    }
    assert_eq!(story.after(30), Unknown);
    assert_eq!(story.call_ok(), Healthy);
    assert_eq!(story.probe_refused(), Healthy, "traffic has proved that this refusal means nothing");
    assert_eq!(story.call_refused(), Unhealthy, "but a refused call does");
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
fn a_wall_clock_set_back_an_hour_does_not_prolong_a_pause_by_an_hour() {
    let mut story = Story { now: UnixMillis(10_000_000), ..Story::default() };
    story.eject();
    story.after(-3600);
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

#[test]
fn one_model_that_fails_for_an_hour_leaves_the_channel_to_the_others() {
    for other in [false, true] {
        let mut story = Story::of_several();
        for second in 0..3600 {
            story.failed("ill", Fault::Answer);
            if other && second % 60 == 0 {
                story.served("well");
            }
            story.after(1);
            assert!(story.status.is_usable(), "out after {second} s");
        }
        assert_eq!(story.troubled(), [("ill".to_owned(), 3600)]);
    }
}

#[test]
fn when_two_models_fail_and_none_is_served_it_is_the_channel() {
    let mut story = Story::of_several();
    story.served("third");
    story.after(10);
    for call in 0..2 {
        assert_eq!(
            [story.failed("a", Fault::Answer), story.failed("b", Fault::Answer)],
            [Healthy; 2],
            "{call}"
        );
    }
    assert_eq!([story.failed("a", Fault::Answer), story.failed("b", Fault::Answer)], [Healthy, Unhealthy]);
    assert_eq!(story.seconds_out(), 2);
    assert_eq!(story.failed("a", Fault::Answer), Unhealthy, "on trial, and both still fail");
    assert_eq!(story.seconds_out(), 4);
    assert_eq!(story.served("b"), Healthy);
    assert_eq!(story.failed("a", Fault::Answer), Healthy, "the other was served");
}

#[test]
fn a_third_model_that_is_served_meanwhile_speaks_for_the_channel() {
    let mut story = Story::of_several();
    for second in 0..600 {
        story.failed("a", Fault::Answer);
        story.failed("b", Fault::Answer);
        if second % 9 == 0 {
            story.served("well");
        }
        story.after(1);
        assert!(story.status.is_usable(), "out after {second} s");
    }
}

#[test]
fn what_two_models_failed_at_different_times_is_no_common_fault() {
    let mut story = Story::of_several();
    for model in ["a", "b", "c"] {
        for _ in 0..20 {
            story.failed(model, Fault::Answer);
        }
        story.after(30);
    }
    assert!(story.status.is_usable());
    assert_eq!(story.troubled().len(), 3);
}

#[test]
fn connections_that_fail_are_the_channels_fault_whatever_was_asked() {
    let mut story = Story::of_several();
    for _ in 0..4 {
        assert_eq!(story.failed("a", Fault::Connection), Unknown);
    }
    assert_eq!(story.failed("a", Fault::Connection), Unhealthy);
    assert_eq!(story.troubled(), []);
}

#[test]
fn a_key_refused_for_one_model_while_it_serves_another_is_that_models_trouble() {
    let mut story = Story::of_several();
    story.served("allowed");
    assert_eq!(story.failed("forbidden", Fault::Key), Healthy);
    assert_eq!(story.failed("allowed", Fault::Key), Unhealthy, "now it is refused where it was taken");
    assert_eq!(story.seconds_out(), 300);
    let mut story = Story::of_several();
    story.served("allowed");
    story.after(10);
    assert_eq!(story.failed("forbidden", Fault::Key), Unhealthy, "that was too long ago");
}

#[test]
fn money_that_is_gone_is_gone_for_every_model() {
    let mut story = Story::of_several();
    story.served("a");
    assert_eq!(story.failed("b", Fault::Quota), Unhealthy);
    assert_eq!(story.seconds_out(), 300);
}

#[test]
fn trouble_ends_with_the_first_served_call_or_when_nobody_has_asked_for_ten_minutes() {
    let mut story = Story::of_several();
    for model in ["a", "b"] {
        story.after(60);
        for _ in 0..5 {
            story.failed(model, Fault::Answer);
        }
    }
    let troubled = story.status.report(ChannelId(1)).troubled_models;
    let shown: Vec<_> = troubled.iter().map(|trouble| (trouble.since, &*trouble.last_error)).collect();
    assert_eq!(shown, [(UnixMillis(60_000), "a failed"), (UnixMillis(120_000), "b failed")]);
    story.served("a");
    assert_eq!(story.troubled(), [("b".to_owned(), 5)]);
    story.after(600);
    assert_eq!(story.troubled(), []);
}

#[test]
fn of_a_thousand_failing_models_the_32_worst_are_kept() {
    let mut story = Story::of_several();
    for _ in 0..9 {
        story.failed("worst", Fault::Answer);
    }
    for model in 0..1000 {
        for _ in 0..5 {
            story.failed(&format!("model-{model}"), Fault::Answer);
        }
        story.served("well");
    }
    let troubled = story.troubled();
    assert_eq!((troubled.len(), troubled[0].clone()), (32, ("worst".to_owned(), 9)));
}

#[test]
fn a_probe_that_was_paid_for_ends_the_hold_of_a_refused_key_at_once() {
    let mut story = Story::default();
    assert_eq!(story.call_refused(), Unhealthy);
    story.after(30);
    assert_eq!([story.probe_ok(), story.probe_paid()], [Unhealthy, Unknown]);
    assert_eq!(story.call_ok(), Healthy);
    assert_eq!([story.call_refused(), story.probe_paid()], [Unhealthy, Unknown], "and so the next time");
}

#[test]
fn a_probe_whose_proof_a_call_disproved_ends_no_hold_until_a_call_is_served() {
    let mut story = Story::default();
    story.call_refused();
    assert_eq!(
        [story.probe_paid(), story.call_refused(), story.probe_paid()],
        [Unknown, Unhealthy, Unhealthy]
    );
    assert_eq!(story.seconds_out(), 300);
    story.call_ok();
    assert_eq!([story.call_refused(), story.probe_paid()], [Unhealthy, Unknown]);
}

#[test]
fn every_refusal_costs_the_same_five_minutes() {
    let mut story = Story::default();
    for _ in 0..10 {
        assert_eq!(story.call_refused(), Unhealthy);
        assert_eq!(story.seconds_out(), 300);
    }
    assert_eq!(story.call_ok(), Healthy);
}

#[test]
fn a_probe_that_asks_wrongly_takes_a_channel_out_for_five_minutes_and_not_for_good() {
    let mut story = Story::default();
    assert_eq!(
        [story.probe_misasked(), story.probe_misasked(), story.probe_misasked()],
        [Unknown, Unknown, Unhealthy]
    );
    assert_eq!(story.seconds_out(), 300);
    assert_eq!(story.call_ok(), Healthy);
    for _ in 0..10 {
        assert_eq!(story.probe_misasked(), Healthy, "traffic has proved that the probe is wrong");
    }
}

#[test]
fn the_probe_that_comes_as_the_pause_ends_does_not_keep_the_channel_out_for_good() {
    let mut story = Story::default();
    assert_eq!([story.probe_refused(), story.after(300)], [Unhealthy, Unknown]);
    assert_eq!(
        [story.probe_refused(), story.after(30), story.probe_refused()],
        [Unknown; 3],
        "a call must say"
    );
    assert_eq!(story.call_refused(), Unhealthy);
    assert_eq!(
        [story.after(300), story.probe_refused()],
        [Unknown, Unhealthy],
        "it said that the probes are right"
    );
}

#[test]
fn where_refusals_prove_nothing_they_end_an_outage() {
    let mut story = Story::default();
    story.probe_refused();
    assert_eq!(story.call_ok(), Healthy);
    for _ in 0..3 {
        story.probe_failed();
    }
    assert_eq!([story.after(1), story.probe_refused()], [Unhealthy, Unknown]);
}

#[test]
fn a_channel_that_fails_every_other_call_leaves_ever_longer_and_does_not_flap() {
    let mut story = Story::default();
    let (mut left, mut failed, mut out) = (0, 0, 0);
    for tenth in 0..12_000_i64 {
        story.now.0 += 100;
        story.after(0);
        if !story.status.is_usable() {
            out += 1;
        } else if tenth % 2 == 0 {
            story.call_ok();
        } else {
            failed += 1;
            left += i32::from(story.call_failed() == Unhealthy);
        }
    }
    assert!((8..=16).contains(&left), "left {left} times in twenty minutes");
    assert!(out > 11_000, "in rotation for {} of 12000 tenths", 12_000 - out);
    assert!(failed < 400, "{failed} calls failed");
}
