//! F21, F22: channels that ask for a pause. They get exactly that, and their neighbours get the calls.

use std::time::{Duration, Instant, SystemTime};

use gateway_tests::{Upstream, chat, in_good_time, ms, status};

use super::{impatient, nothing_is_left, seen_alone};

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
async fn every_spelling_of_a_wait_is_understood_and_told_to_the_client() {
    let end = SystemTime::now() + Duration::from_secs(40);
    let date = httpdate::fmt_http_date(end);
    let moment = jiff::Timestamp::try_from(end).expect("a moment of this age").to_string();
    for (name, value) in [
        ("retry-after", "40"),
        ("retry-after", &date),
        ("retry-after-ms", "40000"),
        ("anthropic-ratelimit-requests-reset", &moment),
        ("anthropic-ratelimit-tokens-reset", &moment),
        ("anthropic-ratelimit-input-tokens-reset", &moment),
        ("anthropic-ratelimit-output-tokens-reset", &moment),
        ("x-ratelimit-reset-requests", "40s"),
        ("x-ratelimit-reset-requests", "0m40s"),
        ("x-ratelimit-reset-tokens", "40000ms"),
        ("x-ratelimit-reset-tokens", "40"),
    ] {
        let limited = Upstream::scripted().reply(status(429).header(name, value)).start().await;
        let gw = impatient(&[&limited]).start().await;

        gw.chat("m").say("hi").send().await.assert_error(429, "scripted_429");
        let answer = gw.chat("m").say("hi").send().await;

        answer.assert_error(429, "rate_limit_exceeded");
        let wait: u64 = answer.header("retry-after").parse().expect("whole seconds");
        assert!((30..=40).contains(&wait), "{name}: {value} became {wait}");
        assert_eq!(limited.count(), 1, "{name}: {value}");
        nothing_is_left(&gw, &[&limited]).await;
    }
}

#[tokio::test]
async fn the_channel_is_asked_again_when_its_wait_is_over_and_not_before() {
    for (name, value, wait) in [("retry-after-ms", "1200", ms(1_200)), ("retry-after", "1", ms(1_000))] {
        let limited = status(429).header(name, value);
        let limited = Upstream::scripted().reply(limited).then(chat("back")).start().await;
        let gw = impatient(&[&limited]).set("proxy.total_timeout", "5s").start().await;

        in_good_time("the channel is back", async || {
            let answer = gw.chat("m").say("hi").send().await;
            (answer.status == 200).then_some(())
        })
        .await;

        let asked: Vec<Instant> = limited.requests().iter().map(|request| request.at).collect();
        assert_eq!(asked.len(), 2, "it was asked while it was to be left alone");
        assert!(asked[1] - asked[0] >= wait, "{name}: {value} was {:?}", asked[1] - asked[0]);
        nothing_is_left(&gw, &[&limited]).await;
    }
}

#[tokio::test]
async fn no_wait_is_believed_that_would_take_a_channel_out_for_hours() {
    for (name, value) in [("retry-after", "86400"), ("x-ratelimit-reset-requests", "6h0m0s")] {
        let limited = Upstream::scripted().reply(status(429).header(name, value)).start().await;
        let gw = impatient(&[&limited]).start().await;
        gw.chat("m").say("hi").send().await.assert_error(429, "scripted_429");
        let answer = gw.chat("m").say("hi").send().await;
        let wait: u64 = answer.header("retry-after").parse().expect("whole seconds");
        assert!((100..=120).contains(&wait), "{name}: {value} became {wait}");
    }
}

#[tokio::test]
async fn without_a_time_the_pauses_grow_from_limit_to_limit_and_blame_nobody() {
    let limited = Upstream::scripted().times(5, status(429)).then(chat("back")).start().await;
    // A call waits for a pause that is short.
    let gw = impatient(&[&limited]).set("proxy.total_timeout", "5s").start().await;

    in_good_time("the channel is back", async || {
        let answer = gw.chat("m").say("hi").send().await;
        assert!(matches!(answer.status, 200 | 429), "{}", answer.body_text());
        (answer.status == 200).then_some(())
    })
    .await;

    let asked: Vec<Instant> = limited.requests().iter().map(|request| request.at).collect();
    let pauses: Vec<Duration> = asked.windows(2).map(|pair| pair[1] - pair[0]).collect();
    // A machine that stalls makes pauses longer, never shorter.
    let least = [ms(400), ms(700), ms(1_200), ms(2_000), ms(3_500)];
    assert!(pauses.iter().zip(least).all(|(pause, least)| *pause >= least), "{pauses:?}");
    let metrics = gw.metrics().await;
    assert!(metrics.count("gateway_errors_total", &[("type", "channel")]) == 0, "a limit is no failure");
    nothing_is_left(&gw, &[&limited]).await;
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
