//! What a reviewer thought of: the corners between two rules that hold each by itself.

use gateway_tests::{Gate, Gateway, Upstream, body, chat, hang, in_order, json_body, ms, raw, sse, status};
use serde_json::json;

const PIECE: &str = r#"{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}"#;
const FINISH: &str = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
const FAILURE: &str =
    r#"{"error":{"message":"out of memory","type":"server_error","param":null,"code":"oom"}}"#;

// --- the end of a stream ---

#[tokio::test]
async fn a_malformed_event_never_passes_even_beside_the_first_good_one() {
    let first = format!("data: {PIECE}\n\ndata: {{half\n\n");
    let stream = format!("{first}data: {PIECE}\n\ndata: {FINISH}\n\ndata: [DONE]\n\n");
    let up =
        Upstream::scripted().reply(body("text/event-stream", stream).chunks_of(first.len())).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;

    let answer = gw.chat("m").say("hi").stream().send().await;

    assert!(!answer.body_text().contains("{half"), "{}", answer.body_text());
    assert!(!answer.is_done(), "{}", answer.body_text());
    assert!(answer.error().is_some(), "{}", answer.body_text());
}

#[tokio::test]
async fn nothing_follows_the_upstreams_own_error_event() {
    let gate = Gate::shut();
    for at_once in [true, false] {
        let stream = sse(["a"]).event(FAILURE);
        let stream = if at_once { stream } else { stream.hold_before(1, &gate) };
        let up = Upstream::scripted().reply(stream).start().await;
        let gw = Gateway::serving("m", [&up]).start().await;

        let mut open = gw.chat("m").say("hi").stream().open().await;
        open.read_until("\"a\"").await;
        gate.open();
        let answer = open.rest().await;

        answer.assert_interrupted("oom");
        assert_eq!(answer.data().len(), 2, "{}", answer.body_text());
        let record = gw.admin().exchange(answer.request_id()).await;
        assert_eq!(record.outcome(), "interrupted");
        up.forgive();
    }
}

#[tokio::test]
async fn an_upstream_that_hangs_after_its_error_event_is_left_at_once() {
    let up = Upstream::scripted().reply(sse(["a"]).event(FAILURE).hang_after(2)).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;

    gw.chat("m").say("hi").stream().send().await.assert_interrupted("oom");

    gateway_tests::eventually("the upstream was hung up on", || up.departures() == 1).await;
}

#[tokio::test]
async fn an_error_event_without_its_blank_line_is_one_all_the_same_and_keeps_no_key() {
    let up = Upstream::scripted().start().await;
    let failure = FAILURE.replace("out of memory", &format!("bad key {}", up.key()));
    up.set_always(body("text/event-stream", format!("data: {FINISH}\n\ndata: {failure}")));
    let gw = Gateway::serving("m", [&up]).start().await;

    let answer = gw.chat("m").say("hi").stream().send().await;

    assert!(!answer.body_text().contains(up.key()), "{}", answer.body_text());
    answer.assert_interrupted("oom");
    assert_eq!(gw.admin().exchange(answer.request_id()).await.outcome(), "interrupted");
}

#[tokio::test]
async fn an_upstream_that_breaks_off_after_done_has_answered() {
    for stream in [
        sse(["a", "b"]).reset_after(4),
        sse(["a", "b"]).close_after(4),
        sse(["a", "b"]).break_after(4),
        sse(["a", "b"]).hang_after(4),
    ] {
        let up = Upstream::scripted().reply(stream).start().await;
        let gw = Gateway::serving("m", [&up]).set("proxy.stream_gap_timeout", "60s").start().await;

        let answer = gw.chat("m").say("hi").stream().send().await;

        answer.assert_text("ab");
        assert_eq!(answer.error(), None, "{}", answer.body_text());
        assert_eq!(gw.admin().exchange(answer.request_id()).await.outcome(), "ok");
        let failures = gw.metrics().await.count("gateway_errors_total", &[("type", "channel")]);
        assert_eq!(failures, 0);
    }
}

#[tokio::test]
async fn a_client_that_leaves_after_done_got_its_answer() {
    let gate = Gate::shut();
    let up = Upstream::scripted().reply(sse(["a", "b"]).hold_before(4, &gate)).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;

    let mut open = gw.chat("m").say("hi").stream().open().await;
    open.read_until("[DONE]").await;
    let id = open.header("x-request-id").to_owned();
    open.leave();

    let record = gw.admin().exchange(&id).await;
    assert_eq!((record.outcome(), record.attempts()), ("ok", vec![(up.name().to_owned(), "ok".to_owned())]));
}

// --- limits ---

#[tokio::test]
async fn the_shortest_wait_of_all_limited_channels_is_told_whoever_was_asked() {
    let first = Upstream::scripted().reply(status(429).retry_after(3)).start().await;
    let second = Upstream::scripted().reply(chat("ok")).then(status(429).retry_after(60)).start().await;
    let gw = Gateway::serving_weighted("m", in_order([&first, &second])).start().await;

    gw.chat("m").say("hi").send().await.assert_text("ok");
    let answer = gw.chat("m").say("hi").send().await;

    assert_eq!(answer.status, 429);
    let wait: u64 = answer.header("retry-after").parse().expect("seconds");
    assert!(wait <= 3, "one channel is free in 3 s, the client was told {wait}");
}

#[tokio::test]
async fn a_limit_that_only_tells_when_its_bucket_is_full_again_is_heeded() {
    let limited = status(429)
        .header("x-ratelimit-remaining-requests", "0")
        .header("x-ratelimit-reset-requests", "1m30.5s")
        .header("x-ratelimit-remaining-tokens", "900")
        .header("x-ratelimit-reset-tokens", "6ms");
    let up = Upstream::scripted().reply(limited).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;

    for _ in 0..2 {
        let answer = gw.chat("m").say("hi").send().await;
        assert_eq!(answer.status, 429);
        let wait: u64 = answer.header("retry-after").parse().expect("seconds");
        assert!((85..=91).contains(&wait), "{wait}");
    }
}

// --- errors in the clothes of an answer ---

#[tokio::test]
async fn an_error_inside_an_answer_of_200_reaches_the_client_as_one_it_can_read() {
    let error = json!({"message": "too long", "type": "invalid_request_error", "param": "messages",
                       "code": "context_length_exceeded"});
    let up = Upstream::scripted()
        .reply(json_body(&json!({"id": "x", "error": error})))
        .then(json_body(&json!({"error": "something is wrong"})))
        .start()
        .await;
    let gw = Gateway::serving("m", [&up]).start().await;

    gw.chat("m").say("hi").send().await.assert_error(400, "context_length_exceeded");
    gw.chat("m").say("hi").send().await.assert_error(502, "upstream_error");
}

#[tokio::test]
async fn an_error_in_place_of_speech_is_mended_elsewhere() {
    let bad =
        Upstream::scripted().reply(json_body(&serde_json::from_str(FAILURE).expect("JSON"))).start().await;
    let good = Upstream::scripted().reply(body("audio/mpeg", vec![0xff, 0xfb, 0x90])).start().await;
    let gw = Gateway::serving_weighted("m", in_order([&bad, &good])).start().await;

    let answer = gw.post("/v1/audio/speech", r#"{"model":"m","input":"hi","voice":"alloy"}"#).send().await;

    assert_eq!((answer.status, answer.channel()), (200, good.name()));
    assert_eq!(&answer.body[..], [0xff, 0xfb, 0x90]);
}

#[tokio::test]
async fn what_is_no_final_answer_is_none_and_leaves_nothing_behind() {
    let chat_after = |interim: &str| {
        let body = r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"ok"}}]}"#;
        let length = body.len();
        raw(format!(
            "{interim}HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        ))
    };
    let hints = "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n";
    let up = Upstream::scripted()
        .reply(chat_after(hints))
        .then(chat_after(&hints.repeat(1_000)))
        .then(raw("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"))
        .then(status(204))
        .then(raw("HTTP/1.1 999 Odd\r\ncontent-length: 0\r\n\r\n"))
        .then(chat("good"))
        .start()
        .await;
    let gw = Gateway::serving("m", [&up]).set("server.workers", 1).start().await;
    let ask = async || gw.chat("m").say("hi").send().await;

    ask().await.assert_text("ok");
    ask().await.assert_text("ok");
    ask().await.assert_error(502, "upstream_protocol_error");
    ask().await.assert_error(502, "upstream_invalid_response");
    ask().await.assert_error(502, "upstream_error");
    ask().await.assert_text("good");
}

#[tokio::test]
async fn who_refused_a_call_is_told() {
    let up = Upstream::scripted().reply(status(422)).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;

    let answer = gw.chat("m").say("hi").send().await;

    answer.assert_error(422, "scripted_422");
    assert_eq!((answer.channel(), answer.attempts()), (up.name(), 1));
}

// --- secrets ---

#[tokio::test]
async fn a_user_key_in_another_place_too_stays_behind_all_the_same() {
    let up = Upstream::scripted().reply(chat("ok")).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;

    let path = format!("/v1/chat/completions?api-version=7&key={}", gateway_tests::USER_KEY);
    let call =
        gw.post(&path, r#"{"model":"m","messages":[]}"#).header("x-goog-api-key", gateway_tests::USER_KEY);
    call.send().await.assert_text("ok");

    // That the key did not come is the upstream's own check; the rest of the query did.
    assert_eq!(up.only_request().target(), "/v1/chat/completions?api-version=7");
}

// --- the end of the gateway ---

#[tokio::test]
async fn a_call_without_an_answer_yet_is_told_when_the_grace_is_over() {
    for streamed in [false, true] {
        let up = Upstream::scripted().reply(hang()).start().await;
        let gw = Gateway::serving("m", [&up]).set("server.shutdown_grace", "200ms").start().await;
        let chat = gw.chat("m").say("hi");
        let chat = if streamed { chat.stream() } else { chat };

        let stop = async {
            gateway_tests::eventually("the call is at the upstream", || up.count() == 1).await;
            gw.begin_stop();
        };
        let (answer, ()) = tokio::join!(chat.send(), stop);

        answer.assert_error(503, "gateway_stopping");
    }
}

// --- time ---

#[tokio::test]
async fn a_document_too_long_to_be_kept_has_no_more_time_than_any_other() {
    let gate = Gate::shut();
    let long = json_body(&json!({"data": "x".repeat(3 << 20)})).chunks_of(1 << 20).end_behind(&gate);
    let up = Upstream::scripted().reply(long).start().await;
    let gw = Gateway::serving("m", [&up])
        .set("proxy.total_timeout", "800ms")
        .set("proxy.first_byte_timeout", "500ms")
        .start()
        .await;

    let answer = gw.post("/v1/embeddings", r#"{"model":"m","input":"x"}"#).send().await;

    assert!(answer.status == 200 && answer.cut, "{}", answer.status);
    gateway_tests::eventually("the upstream was hung up on", || up.departures() == 1).await;
    let record = gw.admin().exchange(answer.request_id()).await;
    assert_eq!(record.attempts(), [(up.name().to_owned(), "timeout".to_owned())]);
}

#[tokio::test]
async fn the_first_byte_of_an_attempt_that_failed_is_none_of_the_answer() {
    let up = Upstream::scripted().reply(chat("half of it").half()).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;

    let answer = gw.chat("m").say("hi").send().await;

    answer.assert_error(502, "upstream_protocol_error");
    let path = format!("/api/exchanges/{}", answer.request_id());
    gw.admin().exchange(answer.request_id()).await;
    let record = gw.admin().read(&path).await;
    assert!(record["first_byte_ms"].is_null(), "{record}");
}

// --- kept connections ---

#[tokio::test]
async fn many_stale_connections_in_a_row_fail_nobody() {
    let up =
        Upstream::answering(|_| sse(["a"]).pause(ms(20)).into()).drops_reused_connections().start().await;
    let gw = Gateway::serving("m", [&up]).set("server.workers", 1).start().await;
    gateway_tests::all((0..8).map(|_| gw.chat("m").say("hi").stream().send())).await;

    for _ in 0..8 {
        let answer = gw.chat("m").say("hi").stream().send().await;
        answer.assert_text("a");
        assert_eq!(answer.attempts(), 1);
    }

    assert!(up.stale_drops() >= 8, "{} connections were stale", up.stale_drops());
    assert_eq!(gw.metrics().await.count("gateway_errors_total", &[("type", "channel")]), 0);
}
