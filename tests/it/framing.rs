//! One request is one request: connections that carry many of them, and tricks that make two of one.

use gateway_tests::{Gateway, Line, Raw, Upstream, chat, ms, sse};

use crate::manners::{BODY, head, quick, request};

// --- connections that carry much ---

#[tokio::test]
async fn one_connection_carries_thousands_of_calls() {
    let up = Upstream::answering(|_| chat("ok")).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;
    let mut socket = Raw::connect(gw.address()).await;
    for number in 0..2_000 {
        socket.send(request()).await;
        assert_eq!(socket.answer().await.map(|a| a.status), Some(200), "call {number}");
    }
    assert_eq!(up.connections(), 1, "the upstream's connection is reused as well");
}

#[tokio::test]
async fn pipelined_calls_are_answered_in_order() {
    let up = Upstream::answering(|request| chat(&request.json()["n"].to_string())).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;
    let mut socket = Raw::connect(gw.address()).await;
    let mut all = String::new();
    for number in 0..100 {
        let body = format!(r#"{{"model":"m","n":{number}}}"#);
        all.push_str(&head(&format!("content-length: {}\r\n", body.len())));
        all.push_str(&body);
    }

    socket.send(all).await;

    for number in 0..100 {
        let answer = socket.answer().await.expect("an answer to each call");
        let body: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
        assert_eq!(body["choices"][0]["message"]["content"], number.to_string());
    }
}

#[tokio::test]
async fn http_1_0_is_answered_and_closed() {
    let up = Upstream::scripted().reply(chat("ok")).then(sse(["ok"])).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;
    for stream in [false, true] {
        let body = format!(r#"{{"model":"m","stream":{stream},"messages":[]}}"#);
        let mut socket = Raw::connect(gw.address()).await;
        socket
            .send(
                head(&format!("content-length: {}\r\n", body.len())).replace("HTTP/1.1", "HTTP/1.0") + &body,
            )
            .await;
        let all = String::from_utf8_lossy(&socket.until_closed().await).into_owned();
        assert!(all.contains(" 200 ") && all.contains("ok"), "{all}");
        assert!(!all.to_ascii_lowercase().contains("transfer-encoding"), "{all}");
    }
}

#[tokio::test]
async fn http2_without_tls_carries_many_calls_at_once() {
    let up = Upstream::answering(|_| chat("ok").after(ms(10))).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;
    let calls = (0..50).map(|_| gw.chat("m").say("hi").h2().send());
    for answer in gateway_tests::all(calls).await {
        answer.assert_text("ok");
        assert_eq!(answer.version, http::Version::HTTP_2);
    }
}

// --- S15, F48: one request is one request ---

#[tokio::test]
async fn no_framing_trick_makes_two_requests_of_one() {
    let inner = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: gw\r\ncontent-length: {}\r\n\r\n{BODY}",
        BODY.len()
    );
    let long = BODY.len();
    let tricks = [
        head(&format!("content-length: {long}\r\ntransfer-encoding: chunked\r\n")) + "0\r\n\r\n" + &inner,
        head("transfer-encoding: xchunked\r\n") + BODY + &inner,
        head("transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n") + "0\r\n\r\n" + &inner,
        head(&format!("content-length: {long}\r\ncontent-length: 0\r\n")) + BODY + &inner,
        head("content-length: +27\r\n") + BODY + &inner,
        head("content-length: 27, 28\r\n") + BODY + &inner,
        head("content-length : 27\r\n") + BODY + &inner,
        head("transfer-encoding:\x0bchunked\r\n") + "0\r\n\r\n" + &inner,
        head("transfer-encoding: chunked\r\n") + "1b;\n\r\n" + BODY + "\r\nzz\r\n" + &inner,
        head("transfer-encoding: chunked\r\n") + "ffffffffffffffffff\r\n" + BODY + &inner,
        head("transfer-encoding: chunked\r\n") + "-1\r\n" + BODY + &inner,
    ];
    for trick in tricks {
        let up = Upstream::scripted().always(chat("ok")).start().await;
        let gw = quick(&up).start().await;
        let mut socket = Raw::connect(gw.address()).await;
        let _refused = socket.try_send(&trick).await;
        socket.until_closed().await;
        // The inner request has no key, so it can never be a second one that counts.
        assert!(up.count() <= 1, "{} requests came out of one: {trick:?}", up.count());
        assert!(up.requests().iter().all(|r| r.body == BODY || r.json()["model"] == "m"), "{trick:?}");
    }
}

#[tokio::test]
async fn trailers_bring_no_headers() {
    let up = Upstream::scripted().always(chat("ok")).start().await;
    let gw = quick(&up).start().await;
    let mut socket = Raw::connect(gw.address()).await;
    let chunked =
        format!("{:x}\r\n{BODY}\r\n0\r\nauthorization: Bearer sk-other\r\nx-trailer: 1\r\n\r\n", BODY.len());

    socket.send(head("transfer-encoding: chunked\r\n") + &chunked).await;

    assert_eq!(socket.answer().await.map(|a| a.status), Some(200));
    assert_eq!(up.only_request().header("x-trailer"), None);
}

#[tokio::test]
async fn an_expected_body_is_asked_for() {
    let up = Upstream::scripted().reply(chat("ok")).start().await;
    let gw = quick(&up).start().await;
    let mut socket = Raw::connect(gw.address()).await;

    socket.send(head(&format!("content-length: {}\r\nexpect: 100-continue\r\n", BODY.len()))).await;
    tokio::time::sleep(ms(20)).await;
    socket.send(BODY).await;

    assert_eq!(socket.answer().await.map(|a| a.status), Some(200));
    assert_eq!(up.only_request().header("expect"), None);
}

#[tokio::test]
async fn who_was_asked_for_the_body_and_then_sends_no_more_still_gets_the_answer() {
    let up = Upstream::scripted().reply(chat("ok").after(ms(100))).start().await;
    let gw = quick(&up).start().await;
    let mut socket = Raw::connect(gw.address()).await;

    socket.send(head(&format!("content-length: {}\r\nexpect: 100-continue\r\n", BODY.len()))).await;
    tokio::time::sleep(ms(20)).await;
    socket.send(BODY).await;
    socket.half_close().await;

    assert_eq!(socket.answer().await.map(|a| a.status), Some(200));
}

#[tokio::test]
async fn an_upgrade_is_not_granted() {
    let up = Upstream::scripted().always(chat("ok")).start().await;
    let gw = quick(&up).start().await;
    let mut line = Line::new();
    let call = gw.chat("m").say("hi").header("connection", "upgrade").header("upgrade", "websocket").call();
    let answer = line.send(call).await.expect("an answer");
    assert_ne!(answer.status, 101);
    assert!(up.requests().iter().all(|r| r.header("upgrade").is_none()));
}
