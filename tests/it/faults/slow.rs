//! Slow upstreams and slow readers: nothing is kept for either, and neither is taken for dead while it moves.

use std::time::Duration;

use gateway_tests::{Gateway, Raw, USER_KEY, Upstream, chat, flood, hang, in_good_time, ms, sse};

use super::{impatient, nothing_is_left, seen_alone};

/// An event of 16 KiB.
fn large_event() -> String {
    let text = "a".repeat(16 << 10);
    format!(
        "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":null}}]}}\n\n"
    )
}

/// A connection on which a stream is asked for and nothing is ever read.
async fn stalled(gw: &Gateway) -> Raw {
    let body = r#"{"model":"m","stream":true,"messages":[]}"#;
    let mut socket = Raw::connect_narrow(gw.address()).await;
    let head =
        format!("POST /v1/chat/completions HTTP/1.1\r\nhost: gw\r\nauthorization: Bearer {USER_KEY}\r\n");
    let rest = format!("content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    socket.send(head + &rest).await;
    socket
}

/// How much the upstream has sent, once it sends no more.
async fn settled(up: &Upstream) -> u64 {
    let mut before = 0;
    in_good_time("the upstream is held back", async || {
        tokio::time::sleep(ms(200)).await;
        let now = up.sent();
        let held = now > 0 && now == before;
        before = now;
        held.then_some(now)
    })
    .await
}

// --- F28: a slow upstream ---

#[tokio::test]
async fn a_stream_that_drips_byte_for_byte_passes_as_it_comes() {
    let stream = sse(["one", "two", "three"]).chunks_of(1).pause(ms(2));
    let whole = sse(["one", "two", "three"]).text();
    let up = Upstream::scripted().reply(stream).start().await;
    let gw = impatient(&[&up])
        .set("proxy.stream_gap_timeout", "2s")
        .set("proxy.first_byte_timeout", "2s")
        .set("proxy.total_timeout", "2s")
        .start()
        .await;

    let mut answer = gw.chat("m").say("hi").stream().open().await;
    answer.read_until("one").await;
    let sent = up.sent();
    let answer = answer.rest().await;

    assert!(sent < whole.len() as u64, "the first event came with the last");
    assert_eq!((answer.text().as_str(), answer.body, answer.cut), ("onetwothree", whole, false));
    nothing_is_left(&gw, &[&up]).await;
}

#[tokio::test]
async fn a_document_that_drips_past_the_deadline_is_504() {
    let slow = chat("a text of some length").chunks_of(1).paced(ms(20));
    seen_alone(slow).await.assert_error(504, "upstream_timeout");
}

// --- F6, F8: a channel's own patience ---

#[tokio::test]
async fn a_channel_may_be_silent_for_as_long_as_it_was_given_itself() {
    let quick = Upstream::scripted().reply(sse(["a", "b"]).hang_after(1)).start().await;
    let patient = Upstream::scripted().reply(sse(["a", "b"]).pause(ms(600))).start().await;
    let gw = Gateway::serving("quick", [&quick])
        .model("patient", gateway_tests::weighted([(&patient, 10)]))
        .set("proxy.stream_gap_timeout", "300ms")
        .channel(&quick, "stream_gap_timeout", "100ms")
        .channel(&patient, "stream_gap_timeout", "20s")
        .set("proxy.pool_idle_timeout", "50ms")
        .start()
        .await;

    gw.chat("quick").say("hi").stream().send().await.assert_interrupted("stream_idle_timeout");
    gw.chat("patient").say("hi").stream().send().await.assert_text("ab");

    nothing_is_left(&gw, &[&quick, &patient]).await;
}

#[tokio::test]
async fn a_channel_may_take_as_long_to_begin_as_it_was_given_itself() {
    let quick = Upstream::scripted().reply(hang()).start().await;
    let patient = Upstream::scripted().reply(chat("late").after(ms(600))).start().await;
    let gw = impatient(&[&quick, &patient])
        .set("proxy.first_byte_timeout", "300ms")
        .set("proxy.total_timeout", "20s")
        .channel(&quick, "first_byte_timeout", "250ms")
        .channel(&patient, "first_byte_timeout", "20s")
        .start()
        .await;

    let answer = gw.chat("m").say("hi").stream().send().await;

    assert_eq!((answer.status, answer.text().as_str(), answer.attempts()), (200, "late", 2));
    nothing_is_left(&gw, &[&quick, &patient]).await;
}

// --- F39: a client that does not read ---

#[tokio::test]
async fn a_client_that_does_not_read_holds_its_upstream_back_and_is_closed_in_time() {
    let total = 256 << 20;
    let event = large_event();
    let times = total / event.len();
    let up = Upstream::scripted().reply(flood("text/event-stream", event, times)).start().await;
    let gw = impatient(&[&up])
        .set("server.write_timeout", "2s")
        .set("proxy.stream_gap_timeout", "60s")
        .start()
        .await;

    let socket = stalled(&gw).await;
    let sent = settled(&up).await;

    // The system's own buffers, two sockets' worth, are most of it.
    assert!(sent < 32 << 20, "{sent} bytes were taken from the upstream for nobody");
    in_good_time("the upstream is left", async || (up.departures() == 1).then_some(())).await;
    drop(socket);
    nothing_is_left(&gw, &[&up]).await;
    let metrics = gw.metrics().await;
    assert_eq!(metrics.count("gateway_errors_total", &[("type", "channel")]), 0, "the channel was blamed");
}

#[tokio::test]
async fn a_client_that_reads_slowly_gets_everything() {
    let event = large_event();
    let end =
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    let length = event.len() * 512 + end.len();
    let fault = flood("text/event-stream", event, 512).followed_by(end);
    let up = Upstream::scripted().reply(fault).start().await;
    let gw = impatient(&[&up])
        .set("server.write_timeout", "1s")
        .set("proxy.first_byte_timeout", "5s")
        .set("proxy.total_timeout", "5s")
        .start()
        .await;

    let mut answer = gw.chat("m").say("hi").stream().open().await;
    let mut read = 0;
    while let Some(frame) = answer.frame().await {
        read += frame.len();
        tokio::time::sleep(Duration::from_micros(500)).await;
    }

    assert_eq!(read, length);
    nothing_is_left(&gw, &[&up]).await;
}
