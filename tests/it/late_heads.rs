//! When a stream's client gets its status line: late enough to mend what breaks, early enough not to give up.

use gateway_tests::{Gateway, GatewayBuilder, Upstream, chat, hang, in_order, ms, sse, status};

const ROLE: &str =
    r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#;

fn soon(upstreams: &[&Upstream]) -> GatewayBuilder {
    Gateway::serving_weighted("m", in_order(upstreams.iter().copied()))
        .set("proxy.commit_after", "50ms")
        .set("proxy.keep_alive_comment", "100ms")
        .set("proxy.first_byte_timeout", "500ms")
        .set("proxy.connect_timeout", "500ms")
}

#[tokio::test]
async fn an_upstream_that_only_announced_its_answer_is_still_left_for_another() {
    let dies = Upstream::scripted().reply(sse([""; 0]).event(ROLE).reset_after(1)).start().await;
    let good = Upstream::scripted().reply(sse(["good"])).start().await;
    let gw = Gateway::serving_weighted("m", in_order([&dies, &good])).start().await;

    let answer = gw.chat("m").say("hi").stream().send().await;

    answer.assert_text("good");
    assert_eq!(answer.attempts(), 2);
    assert!(!answer.body_text().contains("\"content\":\"\""), "nothing of the first try is seen");
}

#[tokio::test]
async fn what_was_announced_is_shown_when_the_client_has_waited_long_enough() {
    let slow = Upstream::scripted()
        .reply(
            sse(["good"])
                .prefix(b"data: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\n")
                .pause(ms(200)),
        )
        .start()
        .await;
    let gw = soon(&[&slow]).start().await;
    let answer = gw.chat("m").say("hi").stream().send().await;
    answer.assert_text("good");
    assert_eq!(answer.channel(), slow.name());
}

#[tokio::test]
async fn a_promised_stream_keeps_its_client_awake_and_then_comes() {
    let gate = gateway_tests::Gate::shut();
    let slow = Upstream::scripted().reply(sse(["good"]).hold_before(0, &gate)).start().await;
    let gw = soon(&[&slow]).set("proxy.first_byte_timeout", "30s").start().await;

    let mut opened = gw.chat("m").say("hi").stream().open().await;
    assert_eq!(opened.status, 200);
    assert!(opened.header("content-type").starts_with("text/event-stream"));
    opened.read_until(": keep-alive\n\n: keep-alive\n\n").await;
    gate.open();

    let answer = opened.rest().await;
    answer.assert_text("good");
    let record = gw.admin().exchange(answer.request_id()).await;
    assert_eq!(record.outcome(), "ok");
}

#[tokio::test]
async fn behind_a_begun_answer_the_search_goes_on() {
    let dies = Upstream::scripted().reply(sse(["never"]).hang_after(0)).start().await;
    let good = Upstream::scripted().reply(sse(["good"])).start().await;
    let gw = soon(&[&dies, &good]).start().await;

    let answer = gw.chat("m").say("hi").stream().send().await;

    assert!(answer.body_text().starts_with(": keep-alive\n\n"), "{}", answer.body_text());
    answer.assert_text("good");
    gw.admin().exchange(answer.request_id()).await.assert_tried([&dies, &good]);
}

#[tokio::test]
async fn a_begun_answer_that_never_comes_ends_with_one_error_event() {
    let dies = Upstream::answering(|_| sse(["never"]).hang_after(0).into()).start().await;
    let gw = soon(&[&dies]).start().await;
    let answer = gw.chat("m").say("hi").stream().send().await;
    answer.assert_interrupted("upstream_timeout");
    assert!(answer.cut, "the connection says that it is not whole, too");
    assert_eq!(gw.admin().exchange(answer.request_id()).await.outcome(), "interrupted");
}

#[tokio::test]
async fn behind_a_begun_answer_json_is_no_stream() {
    let dies = Upstream::answering(|_| sse(["never"]).hang_after(0).into()).start().await;
    let odd = Upstream::answering(|_| chat("in one piece")).start().await;
    let gw = soon(&[&dies, &odd]).start().await;
    gw.chat("m").say("hi").stream().send().await.assert_interrupted("upstream_invalid_response");
}

#[tokio::test]
async fn without_a_promise_the_status_waits_for_the_answer() {
    let silent = Upstream::answering(|_| hang()).start().await;
    let refusing = Upstream::answering(|_| status(404)).start().await;
    let gw = soon(&[&silent, &refusing]).start().await;
    let answer = gw.chat("m").say("hi").stream().send().await;
    assert_eq!(answer.status, 404, "{}", answer.body_text());
}

#[tokio::test]
async fn a_client_that_leaves_a_begun_answer_ends_the_search() {
    let silent = Upstream::answering(|_| sse(["never"]).hang_after(0).into()).start().await;
    let gw = soon(&[&silent]).set("proxy.first_byte_timeout", "30s").start().await;
    let mut opened = gw.chat("m").say("hi").stream().open().await;
    opened.read_until(": keep-alive").await;
    let id = opened.header("x-request-id").to_owned();
    opened.leave();
    gateway_tests::eventually("the upstream is left", || silent.departures() == 1).await;
    let record = gw.admin().exchange(&id).await;
    assert_eq!(record.outcome(), "client_gone");
    let record = gw.admin().read(&format!("/api/exchanges/{id}")).await;
    assert_eq!((&record["status"], &record["streamed"]), (&200.into(), &true.into()), "as the client saw it");
}

#[tokio::test]
async fn silence_inside_a_stream_is_bridged_with_comments() {
    let gate = gateway_tests::Gate::shut();
    let slow = Upstream::scripted().reply(sse(["a", "b"]).hold_before(1, &gate)).start().await;
    let gw = soon(&[&slow]).start().await;
    let mut opened = gw.chat("m").say("hi").stream().open().await;
    opened.read_until(": keep-alive\n\n: keep-alive\n\n").await;
    gate.open();
    opened.rest().await.assert_text("ab");
}

#[tokio::test]
async fn in_a_numbered_stream_a_comment_is_no_event() {
    let gate = gateway_tests::Gate::shut();
    let slow =
        Upstream::scripted().reply(sse(["a", "b"]).prefix(b"id: 1\n").hold_before(1, &gate)).start().await;
    let gw = soon(&[&slow]).start().await;
    let mut opened = gw.chat("m").say("hi").stream().open().await;
    opened.read_until(": keep-alive\n: keep-alive\n").await;
    gate.open();
    opened.rest().await.assert_text("ab");
}

#[tokio::test]
async fn comments_can_be_switched_off() {
    let slow = Upstream::scripted().reply(sse(["a", "b"]).pause(ms(150))).start().await;
    let gw = soon(&[&slow]).set("proxy.keep_alive_comment", "0s").start().await;
    let answer = gw.chat("m").say("hi").stream().send().await;
    answer.assert_text("ab");
    assert!(!answer.body_text().contains(": keep-alive"), "{}", answer.body_text());
}

#[tokio::test]
async fn behind_a_begun_answer_the_last_upstreams_words_are_passed_on() {
    let dies = Upstream::answering(|_| sse(["never"]).hang_after(0).into()).start().await;
    let refuses = Upstream::answering(|_| status(400)).start().await;
    let gw = soon(&[&dies, &refuses]).start().await;
    gw.chat("m").say("hi").stream().send().await.assert_interrupted("scripted_400");
}

#[tokio::test]
async fn a_byte_order_mark_does_not_come_to_stand_behind_a_comment() {
    let gate = gateway_tests::Gate::shut();
    let slow =
        Upstream::scripted().reply(sse(["good"]).prefix(b"\xEF\xBB\xBF").hold_before(0, &gate)).start().await;
    let gw = soon(&[&slow]).set("proxy.first_byte_timeout", "30s").start().await;
    let mut opened = gw.chat("m").say("hi").stream().open().await;
    opened.read_until(": keep-alive\n\n").await;
    gate.open();
    opened.rest().await.assert_text("good");
}
