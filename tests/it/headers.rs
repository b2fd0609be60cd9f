//! Which headers pass, in either direction.

use gateway_tests::{Gateway, Upstream, chat};
use serde_json::json;

// --- up ---

#[tokio::test]
async fn hop_by_hop_and_secret_headers_stay_behind_and_the_rest_goes_up() {
    let up = Upstream::scripted().reply(chat("ok")).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;
    let secret = gateway_tests::USER_KEY;

    gw.chat("m")
        .say("hi")
        .header("connection", "keep-alive, x-only-here")
        .header("x-only-here", "1")
        .header("keep-alive", "timeout=5")
        .header("proxy-authorization", "Basic eDp5")
        .header("te", "trailers")
        .header("cookie", "session=1")
        .header("x-forwarded-for", "10.0.0.1")
        .header("openai-beta", "assistants=v2")
        .header("idempotency-key", "idem-1")
        .header("x-stainless-lang", "rust")
        .header("x-unheard-of", "kept")
        .header("user-agent", "tester/1.0")
        .send()
        .await
        .assert_text("ok");

    let request = up.only_request();
    let absent = [
        "x-only-here",
        "keep-alive",
        "proxy-authorization",
        "te",
        "cookie",
        "x-api-key",
        "api-key",
        "x-forwarded-for",
    ];
    for name in absent {
        assert_eq!(request.header(name), None, "{name} went up");
    }
    let kept = [
        ("openai-beta", "assistants=v2"),
        ("idempotency-key", "idem-1"),
        ("x-stainless-lang", "rust"),
        ("x-unheard-of", "kept"),
        ("content-type", "application/json"),
    ];
    for (name, value) in kept {
        assert_eq!(request.header(name), Some(value), "{name}");
    }
    assert_eq!(request.header("authorization"), Some(format!("Bearer {}", up.key()).as_str()));
    assert_eq!(request.header("host"), Some(up.address().to_string().as_str()));
    assert_eq!(request.header("content-length"), Some(request.body.len().to_string().as_str()));
    assert!(request.headers().iter().all(|(_, value)| !value.contains(secret)));
    assert_eq!(
        request.headers().iter().filter(|(name, _)| name.eq_ignore_ascii_case("authorization")).count(),
        1
    );
}

#[tokio::test]
async fn the_key_is_taken_from_each_of_the_three_headers_and_never_goes_up() {
    let up = Upstream::scripted().times(3, chat("ok")).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;

    for (name, value) in [
        ("authorization", format!("bearer   {}", gateway_tests::USER_KEY)),
        ("x-api-key", gateway_tests::USER_KEY.to_owned()),
        ("api-key", gateway_tests::USER_KEY.to_owned()),
    ] {
        let call = gw.chat("m").say("hi").call().no_key().header(name, &value);
        let answer = call.send().await;
        assert_eq!(answer.status, 200, "{name}: {}", answer.body_text());
    }
    // The upstream itself complains on its drop when it was sent a user key.
}

#[tokio::test]
async fn an_upstream_without_a_key_is_sent_none() {
    let up = Upstream::scripted().reply(chat("ok")).for_anybody().start().await;
    let gw = Gateway::serving("m", [&up]).channel(&up, "api_key", "").start().await;

    gw.chat("m").say("hi").send().await.assert_text("ok");

    assert_eq!(up.only_request().header("authorization"), None);
}

#[tokio::test]
async fn headers_that_ask_for_another_host_change_nothing() {
    let trap = Upstream::scripted().start().await;
    let up = Upstream::scripted().reply(chat("ok")).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;
    let url = trap.base_url();

    gw.chat("m")
        .say("hi")
        .with("api_base", json!(url))
        .with("base_url", json!(url))
        .with("user_config", json!({"base_url": url}))
        .header("x-portkey-custom-host", &url)
        .header("x-base-url", &url)
        .header("forwarded", &format!("host={}", trap.address()))
        .header("x-forwarded-host", &trap.address().to_string())
        .send()
        .await
        .assert_text("ok");

    assert_eq!(trap.connections(), 0);
}

// --- the way back ---

#[tokio::test]
async fn useful_headers_come_back_and_those_of_the_connection_do_not() {
    let reply = chat("ok")
        .header("x-request-id", "req-of-the-upstream")
        .header("x-ratelimit-remaining-requests", "41")
        .header("x-ratelimit-reset-tokens", "6ms")
        .header("openai-processing-ms", "12")
        .header("openai-version", "2020-10-01")
        .header("set-cookie", "__cf=1")
        .header("server", "cloudflare")
        .header("alt-svc", "h3=\":443\"")
        .header("strict-transport-security", "max-age=1")
        .header("keep-alive", "timeout=5")
        .header("connection", "x-hop")
        .header("x-hop", "1")
        .header("x-accel-buffering", "no")
        .header("x-gateway-channel", "forged");
    let up = Upstream::scripted().reply(reply).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;

    let answer = gw.chat("m").say("hi").send().await;

    answer.assert_text("ok");
    for (name, value) in [
        ("x-upstream-request-id", "req-of-the-upstream"),
        ("x-ratelimit-remaining-requests", "41"),
        ("x-ratelimit-reset-tokens", "6ms"),
        ("openai-processing-ms", "12"),
        ("openai-version", "2020-10-01"),
        ("x-gateway-channel", up.name()),
        ("x-gateway-attempts", "1"),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    for name in [
        "set-cookie",
        "server",
        "alt-svc",
        "strict-transport-security",
        "keep-alive",
        "x-hop",
        "x-accel-buffering",
    ] {
        assert!(!answer.headers.contains_key(name), "{name} came back");
    }
    assert_ne!(answer.request_id(), "req-of-the-upstream");
}

#[tokio::test]
async fn a_well_formed_request_id_is_kept_and_any_other_is_replaced() {
    let up = Upstream::scripted().always(chat("ok")).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;

    for id in ["abc-123", "req_0123456789.ABC", "8c1f6e1e-2d0a-4b6e-9d1d-0a8f1c2b3d4e"] {
        assert_eq!(gw.chat("m").say("hi").header("x-request-id", id).send().await.request_id(), id);
    }
    let long = "x".repeat(300);
    for id in ["", "two words", "quote\"d", "<script>", "semi;colon\u{7f}x", "ümlaut", &long] {
        // A header value with a control character cannot be sent by this client at all.
        if http::HeaderValue::from_bytes(id.as_bytes()).is_err() {
            continue;
        }
        let made = gw.chat("m").say("hi").header("x-request-id", id).send().await.request_id().to_owned();
        assert!(made != id && made.len() >= 8 && made.is_ascii(), "{id:?} became {made:?}");
    }
    let one = gw.chat("m").say("hi").send().await;
    let other = gw.chat("m").say("hi").send().await;
    assert_ne!(one.request_id(), other.request_id());
}
