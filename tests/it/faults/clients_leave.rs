//! Clients that leave: the upstream call ends with them, nobody is blamed, nothing is tried again.

use gateway_tests::{Gate, Gateway, Raw, Upstream, chat, eventually, hang, in_order, ms, sse, status, until};

fn head_and_body(gw: &Gateway, body: &str) -> String {
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        gw.address(),
        gateway_tests::USER_KEY,
        body.len()
    )
}

async fn nobody_is_blamed(gw: &Gateway) {
    until("the call is counted out", async || {
        (gw.metrics().await.count("gateway_requests_in_flight", &[]) == 0).then_some(())
    })
    .await;
    let metrics = gw.metrics().await;
    assert_eq!(metrics.count("gateway_errors_total", &[("type", "channel")]), 0, "the channel was blamed");
    assert_eq!(metrics.count("gateway_attempts_total", &[("outcome", "cancelled")]), 1, "{}", metrics.text);
}

// --- F36: in the middle of a stream ---

#[tokio::test]
async fn a_client_that_leaves_a_stream_cancels_the_upstream_call() {
    let gate = Gate::shut();
    let up = Upstream::scripted().reply(sse(["a", "b"]).hold_before(1, &gate)).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;

    let mut stream = gw.chat("m").say("hi").stream().open().await;
    stream.read_until("\"a\"").await;
    let request_id = stream.header("x-request-id").to_owned();
    stream.leave();

    eventually("the upstream sees the leaving", || up.departures() == 1).await;
    nobody_is_blamed(&gw).await;
    let record = gw.admin().exchange(&request_id).await;
    assert_eq!(record.outcome(), "client_gone");
    record.assert_tried([&up]);
}

#[tokio::test]
async fn a_client_that_resets_its_connection_cancels_the_upstream_call() {
    let gate = Gate::shut();
    let up = Upstream::scripted().reply(sse(["a", "b"]).hold_before(1, &gate)).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;

    let mut socket = Raw::connect(gw.address()).await;
    socket.send(head_and_body(&gw, r#"{"model":"m","stream":true,"messages":[]}"#)).await;
    eventually("the call is under way", || up.in_flight() == 1).await;
    socket.reset();

    eventually("the upstream sees the leaving", || up.departures() == 1).await;
    nobody_is_blamed(&gw).await;
}

#[tokio::test]
async fn a_client_that_cancels_its_http2_stream_cancels_the_upstream_call() {
    let gate = Gate::shut();
    let up = Upstream::scripted().reply(sse(["a", "b"]).hold_before(1, &gate)).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;

    let mut stream = gw.chat("m").say("hi").stream().h2().open().await;
    stream.read_until("\"a\"").await;
    stream.leave();

    eventually("the upstream sees the leaving", || up.departures() == 1).await;
    nobody_is_blamed(&gw).await;
}

#[tokio::test]
async fn what_was_used_before_the_leaving_is_counted() {
    let usage = r#"{"id":"x","object":"chat.completion.chunk","choices":[],"usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18}}"#;
    let gate = Gate::shut();
    let up = Upstream::scripted().reply(sse(["a"]).event(usage).hold_before(2, &gate)).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;

    let mut stream = gw.chat("m").say("hi").stream().open().await;
    stream.read_until("usage").await;
    stream.leave();

    eventually("the upstream sees the leaving", || up.departures() == 1).await;
    until("the tokens are counted", async || {
        let metrics = gw.metrics().await;
        let tokens = |kind| metrics.count("gateway_tokens_total", &[("kind", kind)]);
        (tokens("prompt") == 11 && tokens("completion") == 7).then_some(())
    })
    .await;
}

// --- F37: before the first token ---

#[tokio::test]
async fn a_client_that_leaves_before_the_first_token_cancels_the_upstream_call() {
    for streamed in [true, false] {
        let up = Upstream::scripted().reply(hang()).start().await;
        let other = Upstream::scripted().start().await;
        let gw = Gateway::serving_weighted("m", in_order([&up, &other])).start().await;

        let mut socket = Raw::connect(gw.address()).await;
        socket
            .send(head_and_body(&gw, &format!(r#"{{"model":"m","stream":{streamed},"messages":[]}}"#)))
            .await;
        eventually("the call is under way", || up.in_flight() == 1).await;
        drop(socket);

        eventually("the upstream sees the leaving", || up.departures() == 1).await;
        nobody_is_blamed(&gw).await;
        assert_eq!(other.count(), 0, "nothing is tried for a client that has left");
    }
}

#[tokio::test]
async fn a_client_that_leaves_after_a_failover_ends_the_second_try_and_there_is_no_third() {
    let first = Upstream::scripted().reply(status(503)).start().await;
    let second = Upstream::scripted().reply(hang()).start().await;
    let third = Upstream::scripted().start().await;
    let gw = Gateway::serving_weighted("m", in_order([&first, &second, &third])).start().await;

    let mut socket = Raw::connect(gw.address()).await;
    socket.send(head_and_body(&gw, r#"{"model":"m","messages":[]}"#)).await;
    eventually("the second try is under way", || second.in_flight() == 1).await;
    drop(socket);

    eventually("the upstream sees the leaving", || second.departures() == 1).await;
    assert_eq!((first.count(), third.count()), (1, 0));
}

#[tokio::test]
async fn a_client_that_leaves_while_it_sends_never_reaches_an_upstream() {
    let up = Upstream::scripted().start().await;
    let gw = Gateway::serving("m", [&up]).start().await;

    let mut socket = Raw::connect(gw.address()).await;
    let whole = head_and_body(&gw, r#"{"model":"m","messages":[]}"#);
    socket.send(&whole[..whole.len() - 5]).await;
    until("the request is under way", async || {
        (gw.metrics().await.count("gateway_requests_in_flight", &[]) >= 1).then_some(())
    })
    .await;
    drop(socket);

    until("the call is counted out", async || {
        (gw.metrics().await.count("gateway_requests_in_flight", &[]) == 0).then_some(())
    })
    .await;
    assert_eq!(up.connections(), 0);
}

#[tokio::test]
async fn the_channel_is_free_again_after_its_client_has_left() {
    let up = Upstream::scripted().reply(hang()).then(chat("ok")).start().await;
    let gw = Gateway::serving("m", [&up]).channel(&up, "max_concurrency", 1).start().await;

    let mut socket = Raw::connect(gw.address()).await;
    socket.send(head_and_body(&gw, r#"{"model":"m","messages":[]}"#)).await;
    eventually("the call is under way", || up.in_flight() == 1).await;
    drop(socket);
    eventually("the upstream sees the leaving", || up.departures() == 1).await;

    gw.chat("m").say("hi").send().await.assert_text("ok");
}

// --- F38: half a close is no leaving ---

#[tokio::test]
async fn a_client_that_only_stops_sending_gets_its_answer() {
    for streamed in [false, true] {
        let reply = if streamed { sse(["ok"]).pause(ms(30)).into() } else { chat("ok").after(ms(30)) };
        let up = Upstream::scripted().reply(reply).start().await;
        let gw = Gateway::serving("m", [&up]).start().await;

        let mut socket = Raw::connect(gw.address()).await;
        socket
            .send(head_and_body(&gw, &format!(r#"{{"model":"m","stream":{streamed},"messages":[]}}"#)))
            .await;
        socket.half_close().await;

        let answer = socket.answer().await.expect("an answer after the half close");
        assert_eq!(answer.status, 200);
        assert!(String::from_utf8_lossy(&answer.body).contains("ok"));
    }
}
