//! Before it is a socket it is a call: who may, where to, and whom else to ask.

use gateway_tests::{Frame, Gateway, Raw, Upstream, close, hang, html, in_order, json_body, status, switch};
use http::Method;
use serde_json::json;

use super::{ends, relayed};

const LIMITED_KEY: &str = "sk-canaryuser-some-models-only";

#[tokio::test]
async fn a_handshake_reaches_the_upstream_as_the_gateways_own() {
    let (up, gw) = relayed().await;
    let call = gw
        .get("/v1/realtime?model=m&a=%20b")
        .header("openai-beta", "realtime=v1")
        .header("sec-websocket-extensions", "permessage-deflate; client_max_window_bits")
        .header("origin", "https://app.test");
    let client = call.socket().await;
    let seen = up.only_request();
    assert_eq!((seen.method(), seen.target()), ("GET", "/v1/realtime?model=m&a=%20b"));
    for (name, value) in [
        ("connection", Some("upgrade")),
        ("upgrade", Some("websocket")),
        ("sec-websocket-version", Some("13")),
        ("sec-websocket-extensions", None),
        ("sec-websocket-protocol", None),
        ("openai-beta", Some("realtime=v1")),
        ("origin", Some("https://app.test")),
        ("host", Some(&*up.address().to_string())),
    ] {
        assert_eq!(seen.header(name), value, "{name}");
    }
    assert_ne!(seen.header("sec-websocket-key"), Some("dGhlIHNhbXBsZSBub25jZQ=="), "each hop has its own");
    let header =
        |name: &str| client.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    assert_eq!((header("x-gateway-channel"), header("x-gateway-attempts")), (up.name(), "1"));
    assert_ne!(header("x-request-id"), "");
}

#[tokio::test]
async fn the_model_in_the_query_is_renamed_and_decides_where_it_goes() {
    let (up, other) =
        (Upstream::scripted().reply(switch()).start().await, Upstream::scripted().start().await);
    let gw = Gateway::serving("gpt realtime", [&up])
        .model("other", gateway_tests::weighted([(&other, 10)]))
        .mapping("gpt realtime", &up, "model", "vendor/rt 1")
        .start()
        .await;
    gw.get("/v1/realtime?x=1&model=gpt%20realtime&y=2").socket().await;
    assert_eq!(up.only_request().target(), "/v1/realtime?x=1&model=vendor%2Frt%201&y=2");
}

#[tokio::test]
async fn a_browsers_key_comes_as_a_subprotocol_and_goes_no_further() {
    let (up, gw) = relayed().await;
    let offered = format!(
        "realtime, openai-insecure-api-key.{}, openai-organization.org-1, openai-beta.realtime-v1",
        gateway_tests::USER_KEY
    );
    let call = || gw.get("/v1/realtime?model=m").no_key();
    let client = call().header("sec-websocket-protocol", &offered).socket().await;
    assert_eq!(client.protocol, "realtime");
    let seen = up.only_request();
    assert_eq!(seen.header("sec-websocket-protocol"), Some("realtime, openai-beta.realtime-v1"));
    let wrong = call().header("sec-websocket-protocol", "realtime, openai-insecure-api-key.sk-wrong");
    assert_eq!(wrong.try_socket().await.unwrap_err().error_code(), "invalid_api_key");
    let two =
        gw.get("/v1/realtime?model=m").header("sec-websocket-protocol", "openai-insecure-api-key.sk-wrong");
    assert_eq!(two.try_socket().await.unwrap_err().status, 401, "keys that disagree are none");
    // For anything but a socket a subprotocol is no key.
    let chat = gw.chat("m").say("hi").call().no_key().header("sec-websocket-protocol", &offered);
    chat.send().await.assert_error(401, "invalid_api_key");
}

#[tokio::test]
async fn a_bad_handshake_is_told_what_is_wrong_with_it_and_goes_nowhere() {
    let up = Upstream::scripted().start().await;
    let gw = Gateway::serving("m", [&up]).start().await;
    let rows = [
        ("upgrade", "", 426, "websocket_required"),
        ("upgrade", "h2c", 426, "websocket_required"),
        ("sec-websocket-version", "8", 426, "websocket_required"),
        ("sec-websocket-version", "", 426, "websocket_required"),
        ("connection", "", 400, "invalid_websocket_handshake"),
        ("connection", "keep-alive", 400, "invalid_websocket_handshake"),
        ("sec-websocket-key", "", 400, "invalid_websocket_handshake"),
        ("sec-websocket-key", "c2hvcnQ=", 400, "invalid_websocket_handshake"),
        ("content-length", "5", 400, "invalid_websocket_handshake"),
    ];
    for (name, value, status, code) in rows {
        let call = gw.get("/v1/realtime?model=m").header(name, value);
        let answer = call.try_socket().await.unwrap_err();
        assert_eq!((answer.status, &*answer.error_code()), (status, code), "{name}: {value}");
        assert_eq!(answer.header("sec-websocket-version"), "13", "{name}: {value}");
        assert_eq!(answer.header("upgrade"), if status == 426 { "websocket" } else { "" });
    }
    let plain = gw.get("/v1/realtime?model=m").send().await;
    plain.assert_error(426, "websocket_required");
    assert!(plain.body_text().contains("upgrade: websocket"), "{}", plain.body_text());
    let h2 = gw.get("/v1/realtime?model=m").h2().send().await;
    h2.assert_error(426, "websocket_required");
    assert!(h2.body_text().contains("HTTP/1.1"), "{}", h2.body_text());
    let posted = gw.call(Method::POST, "/v1/realtime?model=m").try_socket().await.unwrap_err();
    assert_eq!((posted.status, posted.header("allow")), (405, "GET"));
    let listed = gw.get("/v1/responses").send().await;
    listed.assert_error(405, "method_not_allowed");
    assert_eq!(listed.header("allow"), "POST");
}

#[tokio::test]
async fn keys_and_models_are_looked_at_before_anything_is_asked() {
    let up = Upstream::scripted().start().await;
    let builder = Gateway::serving("m", [&up]).model("mine", gateway_tests::weighted([(&up, 10)]));
    let gw = builder
        .user("limited", LIMITED_KEY)
        .config(|table| {
            let users = table["users"].as_array_mut().unwrap();
            users[1]
                .as_table_mut()
                .unwrap()
                .insert("models".to_owned(), toml::Value::Array(vec!["mine".into()]));
        })
        .start()
        .await;
    for (path, key, status, code) in [
        ("/v1/realtime?model=m", "sk-nobody", 401, "invalid_api_key"),
        ("/v1/realtime?model=nobodys", gateway_tests::USER_KEY, 404, "model_not_found"),
        ("/v1/realtime?model=m", LIMITED_KEY, 404, "model_not_found"),
        ("/v1/realtime?intent=transcription", LIMITED_KEY, 400, "missing_model"),
        ("/v1/realtime?model=mine&model=m", LIMITED_KEY, 400, "invalid_query"),
        ("/v1/realtime?model=mine&mo%64el=m", LIMITED_KEY, 400, "invalid_query"),
        ("/v1/realtime?mod%65l=m", LIMITED_KEY, 400, "invalid_query"),
        ("/v1/realtime?call_id=a&call_id=b", gateway_tests::USER_KEY, 400, "invalid_query"),
        ("/v1/responses?model=mine", LIMITED_KEY, 403, "socket_not_allowed"),
    ] {
        let answer = gw.get(path).key(key).try_socket().await.unwrap_err();
        assert_eq!((answer.status, &*answer.error_code()), (status, code), "{path}");
    }
}

#[tokio::test]
async fn a_channel_that_opens_no_socket_is_left_for_one_that_does() {
    for reply in [
        status(401),
        status(403),
        status(429),
        status(500),
        status(503),
        close(),
        html(),
        switch().header("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        switch().header("sec-websocket-extensions", "permessage-deflate"),
        switch().header("sec-websocket-protocol", "unheard-of"),
    ] {
        let first = Upstream::scripted().reply(reply.clone()).start().await;
        let second = Upstream::scripted().reply(switch()).start().await;
        let gw = Gateway::serving_weighted("m", in_order([&first, &second])).start().await;
        let mut client = gw.get("/v1/realtime?model=m").socket().await;
        assert_eq!(client.headers.get("x-gateway-channel").unwrap(), second.name(), "{reply:?}");
        client.send(&Frame::text("hi")).await;
        assert_eq!(second.socket().await.next_text().await, "hi");
    }
}

#[tokio::test]
async fn a_channel_that_cannot_be_reached_or_does_not_answer_is_left_too() {
    let (nobody, silent) = (Upstream::refusing(), Upstream::scripted().reply(hang()).start().await);
    let last = Upstream::scripted().reply(switch()).start().await;
    let gw = Gateway::serving_weighted("m", in_order([&nobody, &silent, &last]))
        .set("proxy.first_byte_timeout", "200ms")
        .start()
        .await;
    let client = gw.get("/v1/realtime?model=m").socket().await;
    assert_eq!(client.headers.get("x-gateway-attempts").unwrap(), "3");
}

#[tokio::test]
async fn a_refusal_of_the_only_channel_reaches_the_client_as_for_any_call() {
    for (reply, status, code) in [
        (status(400), 400, "scripted_400"),
        (status(404), 404, "scripted_404"),
        (status(401), 502, "upstream_auth_error"),
        (status(429).retry_after(7), 429, "scripted_429"),
        (status(503), 503, "scripted_503"),
        (json_body(&json!({"not": "a socket"})), 502, "upstream_invalid_response"),
    ] {
        let up = Upstream::scripted().reply(reply).start().await;
        let gw = Gateway::serving("m", [&up]).start().await;
        let answer = gw.get("/v1/realtime?model=m").try_socket().await.unwrap_err();
        assert_eq!((answer.status, &*answer.error_code()), (status, code));
    }
}

#[tokio::test]
async fn a_transcription_without_a_model_goes_to_the_default_channel() {
    let (up, other) =
        (Upstream::scripted().reply(switch()).start().await, Upstream::scripted().start().await);
    let gw = Gateway::serving("m", [&up, &other]).set("proxy.default_channel", up.name()).start().await;
    gw.get("/v1/realtime?intent=transcription").socket().await;
    assert_eq!(up.only_request().target(), "/v1/realtime?intent=transcription");
}

#[tokio::test]
async fn what_the_client_says_before_it_is_answered_is_not_lost() {
    let (up, gw) = relayed().await;
    let mut raw = Raw::connect(gw.address()).await;
    let key = gateway_tests::USER_KEY;
    raw.send(format!(
        "GET /v1/realtime?model=m HTTP/1.1\r\nhost: gw\r\nauthorization: Bearer {key}\r\nconnection: upgrade\r\nupgrade: \
         websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\x01\u{0}"
    ))
    .await;
    drop(up.socket().await);
    drop(raw);
    let (mut client, mut upstream) = ends(&up, &gw).await;
    upstream.send(&Frame::text("first")).await;
    assert_eq!(client.next_text().await, "first");
}
