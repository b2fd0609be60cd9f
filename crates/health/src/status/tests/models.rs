//! Whose trouble it is: one model's, or the channel's.

use super::*;

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
