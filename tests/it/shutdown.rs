//! The way out: what runs is finished, nothing new is begun, and the exit code is 0.

use gateway_tests::{
    Gate, Gateway, GatewayProcess, Opened, Raw, Upstream, chat, eventually, hang, ms, sse, until,
};
use http::Method;

/// A chat completion as bytes.
fn request() -> String {
    let (key, body) = (gateway_tests::USER_KEY, r#"{"model":"m","messages":[]}"#);
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: gw\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Opens this many streams and reads the first event of each.
async fn streams(gw: &GatewayProcess, count: usize) -> Vec<Opened> {
    let openings = (0..count).map(|_| async {
        let mut stream = gw.chat("m").say("hi").stream().open().await;
        stream.read_until("\"a\"").await;
        stream
    });
    gateway_tests::all(openings).await
}

#[tokio::test]
async fn running_streams_finish_and_the_exit_code_is_0() {
    let gate = Gate::shut();
    let held = gate.clone();
    let up = Upstream::answering(move |_| sse(["a", "b"]).hold_before(1, &held).into()).start().await;
    let Some(mut gw) = Gateway::serving("m", [&up]).set("server.shutdown_delay", "300ms").spawn().await
    else {
        return;
    };
    let open = streams(&gw, 60).await;

    gw.terminate();

    // First "not ready" while connections are still taken, then no more connections.
    until("the gateway says that it is not ready", async || {
        let ready = gw.call(Method::GET, "/readyz").try_send().await;
        ready.is_ok_and(|answer| answer.status == 503).then_some(())
    })
    .await;
    until("new connections are refused", async || {
        gw.call(Method::GET, "/livez").try_send().await.err().map(|_refused| ())
    })
    .await;
    gate.open();
    for stream in open {
        stream.rest().await.assert_text("ab");
    }
    assert_eq!(gw.wait().await.code(), Some(0), "{}", gw.output());
}

#[tokio::test]
async fn http2_streams_finish_too() {
    let gate = Gate::shut();
    let up = Upstream::scripted().reply(sse(["a", "b"]).hold_before(1, &gate)).start().await;
    let Some(mut gw) = Gateway::serving("m", [&up]).spawn().await else { return };
    let mut stream = gw.chat("m").say("hi").stream().h2().open().await;
    stream.read_until("\"a\"").await;

    gw.terminate();
    gw.says("drain").await;
    gate.open();

    stream.rest().await.assert_text("ab");
    assert_eq!(gw.wait().await.code(), Some(0));
}

#[tokio::test]
async fn after_the_grace_a_stream_ends_with_an_error_event_and_not_without_a_word() {
    let gate = Gate::shut();
    let up = Upstream::scripted().reply(sse(["a", "b"]).hold_before(1, &gate)).start().await;
    let Some(mut gw) = Gateway::serving("m", [&up]).set("server.shutdown_grace", "300ms").spawn().await
    else {
        return;
    };
    let mut open = streams(&gw, 1).await;

    gw.terminate();
    let answer = open.remove(0).rest().await;

    assert_eq!(answer.text(), "a");
    assert!(!answer.is_done() && answer.error().is_some(), "a bare cut: {}", answer.body_text());
    assert_eq!(gw.wait().await.code(), Some(0));
    eventually("the upstream was hung up on", || up.departures() == 1).await;
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let up = Upstream::scripted().reply(hang()).start().await;
    let Some(mut gw) = Gateway::serving("m", [&up]).set("server.shutdown_grace", "120s").spawn().await else {
        return;
    };
    let mut waiting = Raw::connect(gw.address()).await;
    waiting.send(request()).await;
    eventually("the call is under way", || up.in_flight() == 1).await;

    gw.terminate();
    gw.says("stopping").await;
    assert!(gw.is_running());
    gw.terminate();

    gw.wait().await;
    waiting.closed_after().await;
}

#[tokio::test]
async fn idle_connections_do_not_hold_it_up() {
    let up = Upstream::scripted().reply(chat("ok")).start().await;
    let Some(mut gw) = Gateway::serving("m", [&up]).set("server.shutdown_grace", "60s").spawn().await else {
        return;
    };
    let _silent = Raw::connect(gw.address()).await;
    let mut idle = Raw::connect(gw.address()).await;
    idle.send("GET /livez HTTP/1.1\r\nhost: gw\r\n\r\n").await;
    assert_eq!(idle.answer().await.map(|a| a.status), Some(200));
    gw.chat("m").say("hi").send().await.assert_text("ok");

    gw.terminate();

    assert_eq!(gw.wait().await.code(), Some(0));
}

#[tokio::test]
async fn a_running_answer_says_that_the_connection_ends() {
    let gate = Gate::shut();
    let up = Upstream::scripted().reply(chat("ok").behind(&gate)).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;
    let mut socket = Raw::connect(gw.address()).await;
    socket.send(request()).await;
    eventually("the call is under way", || up.in_flight() == 1).await;

    gw.begin_stop();
    until("new connections are refused", async || gw.get("/livez").try_send().await.err().map(|_refused| ()))
        .await;
    gate.open();

    let answer = socket.answer().await.expect("the running call is answered");
    assert_eq!((answer.status, answer.header("connection")), (200, "close"));
    socket.closed_after().await;
    tokio::time::sleep(ms(1)).await;
}

#[tokio::test]
async fn records_of_the_last_calls_are_kept() {
    let up = Upstream::scripted().times(30, chat("ok")).start().await;
    let mut gw = Gateway::serving("m", [&up]).start().await;
    let mut ids = Vec::new();
    for _ in 0..30 {
        ids.push(gw.chat("m").say("hi").send().await.request_id().to_owned());
    }

    gw.restart().await;

    for id in ids {
        assert_eq!(gw.admin().get(&format!("/api/exchanges/{id}")).await.status, 200, "{id}");
    }
}
