//! What may be tried again, how often, and when to stop: rules about the nature of a call and of its failure, and a
//! budget for all calls of a model together.

use gateway_tests::{
    Gate, Gateway, GatewayBuilder, Reply, Upstream, all, chat, close, eventually, hang, in_order, json_body,
    ms, reset, sse, status,
};
use serde_json::{Value, json};

/// Three channels of which each is asked only when those before it failed.
async fn three(faults: [Reply; 3]) -> ([Upstream; 3], GatewayBuilder) {
    let mut upstreams = Vec::new();
    for fault in faults {
        upstreams.push(Upstream::answering(move |_| fault.clone()).start().await);
    }
    let gateway =
        Gateway::serving_weighted("m", in_order(&upstreams)).set("proxy.first_byte_timeout", "300ms");
    (upstreams.try_into().expect("there are three"), gateway)
}

fn counts(upstreams: &[Upstream; 3]) -> [usize; 3] {
    [upstreams[0].count(), upstreams[1].count(), upstreams[2].count()]
}

#[tokio::test]
async fn what_was_not_executed_is_tried_as_often_as_attempts_allow() {
    for fault in [status(503), status(529), status(429), status(401), status(501)] {
        let (upstreams, gw) = three([fault.clone(), fault, chat("good")]).await;
        gw.start().await.chat("m").say("hi").send().await.assert_text("good");
        assert_eq!(counts(&upstreams), [1, 1, 1]);
    }
}

#[tokio::test]
async fn what_may_have_been_executed_is_tried_once_more_and_not_twice() {
    for fault in [status(500), status(502), status(504), reset(), close(), json_body(&Value::Null)] {
        let (upstreams, gw) = three([fault.clone(), fault, chat("never asked")]).await;
        let answer = gw.start().await.chat("m").say("hi").send().await;
        assert!(answer.status >= 500, "{answer:?}");
        assert_eq!(counts(&upstreams), [1, 1, 0]);
    }
}

#[tokio::test]
async fn a_call_that_leaves_something_behind_is_not_made_twice() {
    for (field, value) in [
        ("store", json!(true)),
        ("previous_response_id", json!("resp_1")),
        ("background", json!(true)),
        ("conversation", json!("conv_1")),
    ] {
        let (upstreams, gw) = three([status(500), chat("never asked"), chat("nor this")]).await;
        let gw = gw.start().await;
        gw.chat("m").say("hi").with(field, value.clone()).send().await.assert_error(502, "scripted_500");
        assert_eq!(counts(&upstreams), [1, 0, 0], "{field}");
    }
    let (upstreams, gw) = three([status(500), chat("never asked"), chat("nor this")]).await;
    let answer = gw.start().await.chat("m").say("hi").header("idempotency-key", "k").send().await;
    answer.assert_error(502, "scripted_500");
    assert_eq!(counts(&upstreams), [1, 0, 0]);
}

#[tokio::test]
async fn a_kept_connection_that_is_closed_over_a_call_is_no_leave_to_make_it_twice() {
    for (store, status) in [(true, 502), (false, 200)] {
        let scripted = Upstream::scripted().reply(chat("warm")).then(close().after(ms(1_000)));
        let up = scripted.always(chat("again")).start().await;
        let gw = Gateway::serving("m", [&up]).start().await;
        gw.chat("m").say("hi").send().await.assert_text("warm");

        let answer = gw.chat("m").say("hi").with("store", json!(store)).send().await;

        assert_eq!(answer.status, status, "{}", answer.body_text());
        assert_eq!(up.count(), if store { 2 } else { 3 });
    }
}

#[tokio::test]
async fn a_call_that_leaves_something_behind_is_tried_elsewhere_while_nobody_has_executed_it() {
    let (upstreams, gw) = three([status(503), status(429), chat("good")]).await;
    let answer = gw.start().await.chat("m").say("hi").with("store", json!(true)).send().await;
    answer.assert_text("good");
    assert_eq!(counts(&upstreams), [1, 1, 1]);
}

#[tokio::test]
async fn repeating_what_may_have_been_executed_can_be_switched_off() {
    let (upstreams, gw) = three([status(500), chat("never asked"), chat("nor this")]).await;
    let gw = gw.set("proxy.retry_executed", false).start().await;
    gw.chat("m").say("hi").send().await.assert_error(502, "scripted_500");
    assert_eq!(counts(&upstreams), [1, 0, 0]);
}

#[tokio::test]
async fn without_a_budget_the_first_failure_is_the_answer() {
    let (upstreams, gw) = three([status(503), chat("never asked"), chat("nor this")]).await;
    let gw = gw.set("proxy.retry_percent", 0).set("proxy.retry_floor", 0).start().await;
    gw.chat("m").say("hi").send().await.assert_error(503, "scripted_503");
    assert_eq!(counts(&upstreams), [1, 0, 0]);
    assert_eq!(gw.metrics().await.count("gateway_retries_denied_total", &[("model", "m")]), 1);
}

#[tokio::test]
async fn retries_are_a_share_of_the_requests() {
    // So that all have made their first attempt before one of them speaks against the channel.
    let gate = Gate::shut();
    let bad = Upstream::scripted().always(status(500).behind(&gate)).start().await;
    let good = Upstream::scripted().always(chat("good")).start().await;
    let gw = Gateway::serving_weighted("m", in_order([&bad, &good]))
        .set("proxy.policy", "weighted")
        .set("proxy.retry_percent", 20)
        .set("proxy.retry_floor", 0)
        .start()
        .await;

    let all_asked = async {
        eventually("all have been tried once", || bad.in_flight() == 100).await;
        gate.open();
    };
    let calls = all((0..100).map(|_| gw.chat("m").say("hi").send()));
    let (answers, ()) = tokio::join!(calls, all_asked);

    let mended = answers.iter().filter(|answer| answer.status == 200).count();
    // The requests of ten seconds are counted; a slow machine may need more than ten for the hundred.
    assert!((10..=20).contains(&mended), "{mended} of 100 were mended");
    let extra =
        gw.metrics().await.count("gateway_extra_attempts_total", &[("model", "m"), ("kind", "retry")]);
    assert_eq!(usize::try_from(extra).unwrap(), mended);
}

#[tokio::test]
async fn a_client_is_told_not_to_repeat_what_the_gateway_has_repeated_in_vain() {
    let (_upstreams, gw) = three([status(500), status(500), chat("never asked")]).await;
    let answer = gw.start().await.chat("m").say("hi").send().await;
    assert_eq!((answer.attempts(), answer.header("x-should-retry")), (2, "false"));

    let once = Upstream::scripted().reply(status(500)).start().await;
    let gw = Gateway::serving("m", [&once]).start().await;
    let answer = gw.chat("m").say("hi").send().await;
    assert_eq!((answer.attempts(), answer.header("x-should-retry")), (1, ""));
}

#[tokio::test]
async fn a_model_that_a_channel_does_not_have_is_looked_for_elsewhere() {
    let missing = || {
        json_body(&json!({"error": {"message": "no such model", "type": "invalid_request_error",
                                    "param": "model", "code": "model_not_found"}}))
    };
    let (upstreams, gw) = three([missing().with_status(404), missing().with_status(400), chat("good")]).await;
    let gw = gw.start().await;
    let answer = gw.chat("m").say("hi").send().await;
    answer.assert_text("good");
    let tried = gw.admin().exchange(answer.request_id()).await.attempts();
    assert_eq!(
        tried.iter().map(|(_, outcome)| &**outcome).collect::<Vec<_>>(),
        ["unserved", "unserved", "ok"]
    );
    // From now on they are not even asked.
    gw.chat("m").say("hi").send().await.assert_text("good");
    assert_eq!(counts(&upstreams), [1, 1, 2]);
}

#[tokio::test]
async fn a_budget_that_an_answer_says_is_used_up_is_not_asked_for_more() {
    let last = || {
        chat("the last")
            .header("x-ratelimit-remaining-requests", "0")
            .header("x-ratelimit-reset-requests", "1m")
    };
    let (upstreams, gw) = three([last(), chat("good"), chat("never asked")]).await;
    let gw = gw.start().await;
    gw.chat("m").say("hi").send().await.assert_text("the last");
    gw.chat("m").say("hi").send().await.assert_text("good");
    assert_eq!(counts(&upstreams), [1, 1, 0]);
}

#[tokio::test]
async fn an_impatient_client_gets_its_answer_in_time_and_blames_nobody() {
    let silent = Upstream::answering(|_| hang()).start().await;
    let gw = Gateway::serving("m", [&silent]).start().await;
    for _ in 0..6 {
        let answer = gw.chat("m").say("hi").header("x-request-timeout", "0.05").send().await;
        answer.assert_error(504, "upstream_timeout");
    }
    assert_eq!(silent.count(), 6);
    let metrics = gw.metrics().await;
    let outcome = |word| metrics.count("gateway_attempts_total", &[("model", "m"), ("outcome", word)]);
    assert_eq!((outcome("cancelled"), outcome("timeout")), (6, 0));
}

#[tokio::test]
async fn a_channel_may_have_times_of_its_own() {
    let silent = Upstream::answering(|_| hang()).start().await;
    let good = Upstream::answering(|_| sse(["good"]).into()).start().await;
    let gw = Gateway::serving_weighted("m", in_order([&silent, &good]))
        .set("proxy.first_byte_timeout", "30s")
        .channel(&silent, "first_byte_timeout", "50ms")
        .channel(&silent, "connect_timeout", "50ms")
        .start()
        .await;
    gw.chat("m").say("hi").stream().send().await.assert_text("good");

    let stuck = Upstream::scripted().reply(sse(["a", "b"]).hang_after(1)).start().await;
    let gw = Gateway::serving("m", [&stuck]).channel(&stuck, "stream_gap_timeout", "100ms").start().await;
    gw.chat("m").say("hi").stream().send().await.assert_interrupted("stream_idle_timeout");
}

#[tokio::test]
async fn a_stream_has_an_end_even_if_it_never_falls_silent() {
    let words: Vec<String> = (0..1_000).map(|word| format!("{word} ")).collect();
    let endless = Upstream::answering(move |_| sse(&words).pause(ms(10)).into()).start().await;
    let gw = Gateway::serving("m", [&endless])
        .set("proxy.first_byte_timeout", "400ms")
        .set("proxy.connect_timeout", "400ms")
        .set("proxy.stream_gap_timeout", "400ms")
        .set("proxy.stream_timeout", "500ms")
        .start()
        .await;
    gw.chat("m").say("hi").stream().send().await.assert_interrupted("stream_timeout");
    endless.forgive();
}

#[tokio::test]
async fn a_channel_of_a_later_tier_is_asked_when_nobody_before_it_will_do() {
    let first = Upstream::answering(|_| chat("first")).start().await;
    let spare = Upstream::answering(|_| chat("spare")).start().await;
    let gw = Gateway::serving("m", [&first, &spare]).channel(&spare, "tier", 1).start().await;
    for key in 0..20 {
        let chat = gw.chat("m").say("hi").header("x-session-id", &key.to_string());
        chat.send().await.assert_text("first");
    }
    first.set_always(status(503));
    gw.chat("m").say("hi").send().await.assert_text("spare");
}

#[tokio::test]
async fn a_retry_that_had_nowhere_to_go_is_none() {
    let only = Upstream::answering(|_| status(503)).start().await;
    let gw = Gateway::serving("m", [&only]).start().await;
    for _ in 0..3 {
        assert_eq!(gw.chat("m").say("hi").send().await.attempts(), 1);
    }
    let retries = [("model", "m"), ("kind", "retry")];
    assert_eq!(gw.metrics().await.count("gateway_extra_attempts_total", &retries), 0);
}
