//! Keys that are refused, and probes that say so.

use super::*;

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
