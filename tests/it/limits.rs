//! F21, F22: channels that ask for a pause. They get exactly that, and their neighbours get the calls.

use std::time::{Duration, SystemTime};

use gateway_tests::{Upstream, chat, in_good_time, status};

use crate::failover::{impatient, seen_alone};

#[tokio::test]
async fn a_throttled_channel_is_left_at_once_and_for_as_long_as_it_asked() {
    let limited = Upstream::scripted().reply(status(429).retry_after(60)).start().await;
    let good = Upstream::scripted().times(5, chat("good")).start().await;
    let gw = impatient(&[&limited, &good]).start().await;

    for _ in 0..5 {
        gw.chat("m").say("hi").send().await.assert_text("good");
    }

    assert_eq!(limited.count(), 1);
    let metrics = gw.metrics().await;
    assert!(metrics.count("gateway_errors_total", &[("type", "channel")]) == 0, "a limit is no failure");
}

#[tokio::test]
async fn a_throttled_channel_alone_is_429_with_its_own_retry_after() {
    let answer = seen_alone(status(429).retry_after(7)).await;
    assert_eq!((answer.status, answer.header("retry-after")), (429, "7"), "{}", answer.body_text());
}

#[tokio::test]
async fn when_all_are_throttled_the_soonest_counts() {
    let later = Upstream::scripted().reply(status(429).retry_after(50)).start().await;
    let sooner = Upstream::scripted().reply(status(429).retry_after(9)).start().await;
    let gw = impatient(&[&later, &sooner]).start().await;

    let first = gw.chat("m").say("hi").send().await;
    let second = gw.chat("m").say("hi").send().await;

    for answer in [first, second] {
        answer.assert_error(429, "rate_limit_exceeded");
        let wait: u64 = answer.header("retry-after").parse().expect("whole seconds");
        assert!((8..=9).contains(&wait), "retry-after: {wait}");
    }
    assert_eq!((later.count(), sooner.count()), (1, 1), "nobody is asked again before its time");
}

#[tokio::test]
async fn every_spelling_of_retry_after_is_understood() {
    let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(40));
    for (name, value) in [("retry-after", "40"), ("retry-after-ms", "40000"), ("retry-after", &date)] {
        let limited = Upstream::scripted().reply(status(429).header(name, value)).start().await;
        let good = Upstream::scripted().times(3, chat("good")).start().await;
        let gw = impatient(&[&limited, &good]).start().await;
        for _ in 0..3 {
            gw.chat("m").say("hi").send().await.assert_text("good");
        }
        assert_eq!(limited.count(), 1, "{name}: {value}");
    }
}

#[tokio::test]
async fn a_limit_without_a_time_passes_by_itself() {
    let limited = Upstream::scripted().reply(status(429)).then(chat("back")).start().await;
    let good = Upstream::scripted().always(chat("good")).start().await;
    let gw = impatient(&[&limited, &good]).start().await;

    gw.chat("m").say("hi").send().await.assert_text("good");

    in_good_time("the limited channel is asked again", async || {
        // A session stays where it is: only a call without one shows that the channel is back.
        gw.admin().forget_sessions().await;
        assert_eq!(gw.chat("m").say("hi").send().await.status, 200);
        (limited.count() > 1).then_some(())
    })
    .await;
}
