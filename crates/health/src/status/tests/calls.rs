//! What failing calls do to a channel, and how it returns.

use super::*;

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
fn a_wall_clock_set_back_an_hour_does_not_prolong_a_pause_by_an_hour() {
    let mut story = Story { now: UnixMillis(10_000_000), ..Story::default() };
    story.eject();
    story.after(-3600);
    assert_eq!(story.seconds_out(), 2);
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
