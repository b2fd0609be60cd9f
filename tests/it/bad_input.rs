//! What clients get wrong, or send on purpose. Nothing of it reaches an upstream, and nothing of it is a 500. Bodies that are malformed (F43)
//! have a table of their own, `bodies`.

mod bodies;

use gateway_tests::{Answer, Gateway, Raw, Upstream, chat};
use http::Method;

/// A gateway over an upstream that nobody may ask.
async fn guarded() -> (Upstream, Gateway) {
    let up = Upstream::scripted().start().await;
    let gw = Gateway::serving("m", [&up]).set("server.max_body_bytes", 65_536).start().await;
    (up, gw)
}

async fn post(gw: &Gateway, body: impl Into<bytes::Bytes>) -> Answer {
    gw.post("/v1/chat/completions", body).send().await
}

// --- F42: bodies that are too large ---

#[tokio::test]
async fn a_body_that_announces_too_much_is_refused_before_it_is_sent() {
    let (up, gw) = guarded().await;
    let mut socket = Raw::connect(gw.address()).await;

    socket
        .send(format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: gw\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: 104857600\r\n\r\n",
            gateway_tests::USER_KEY
        ))
        .await;

    let answer = socket.answer().await.expect("an answer before the body");
    assert_eq!((answer.status, answer.error_code().as_str()), (413, "request_too_large"));
    socket.closed_after().await;
    assert_eq!(up.connections(), 0);
}

#[tokio::test]
async fn a_chunked_body_is_refused_at_the_limit() {
    let (up, gw) = guarded().await;
    let mut socket = Raw::connect(gw.address()).await;
    socket
        .send(format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: gw\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
            gateway_tests::USER_KEY
        ))
        .await;
    let chunk = format!("1000\r\n{}\r\n", "x".repeat(4096));
    for _ in 0..17 {
        // The gateway may close while we send: that is the refusal.
        if socket.try_send(&chunk).await.is_err() {
            break;
        }
    }

    let answer = socket.answer().await.expect("an answer at the limit");

    assert_eq!((answer.status, answer.error_code().as_str()), (413, "request_too_large"));
    socket.closed_after().await;
    assert_eq!(up.connections(), 0);
}

#[tokio::test]
async fn an_expected_body_that_is_too_large_is_not_asked_for() {
    let (up, gw) = guarded().await;
    let mut socket = Raw::connect(gw.address()).await;

    socket
        .send(format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: gw\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: 104857600\r\nexpect: 100-continue\r\n\r\n",
            gateway_tests::USER_KEY
        ))
        .await;

    let all = String::from_utf8_lossy(&socket.until_closed().await).into_owned();
    assert!(all.starts_with("HTTP/1.1 413"), "{all}");
    assert_eq!(up.connections(), 0);
}

#[tokio::test]
async fn a_body_at_the_limit_is_taken() {
    let up = Upstream::scripted().reply(chat("ok")).start().await;
    let gw = Gateway::serving("m", [&up]).set("server.max_body_bytes", 65_536).start().await;
    let (head, tail) = (r#"{"model":"m","messages":[],"x":""#, r#""}"#);
    let filler = "x".repeat(65_536 - head.len() - tail.len());

    post(&gw, format!("{head}{filler}{tail}")).await.assert_text("ok");

    assert_eq!(up.only_request().body.len(), 65_536);
}

// --- F44: models that are none ---

#[tokio::test]
async fn an_unknown_model_is_404_as_openai_words_it() {
    let (_up, gw) = guarded().await;
    let long = "m".repeat(10_000);
    for model in [
        "gpt-9",
        "M",
        "m ",
        " m",
        "mm",
        "../m",
        "a\r\nX-Evil: 1",
        "ｍ",
        "m\u{200b}",
        "m\0",
        "<b>m</b>",
        &long,
    ] {
        let answer = gw.chat(model).say("hi").send().await;
        assert!(matches!(answer.status, 404 | 400), "{model:?}: {}", answer.body_text());
        answer.assert_error_shape();
        assert_eq!(answer.error().and_then(|e| e.param).as_deref(), Some("model"), "{model:?}");
        assert!(!answer.headers.contains_key("x-evil"));
        assert!(answer.body.len() < 2_000, "a long name is not thrown back");
    }
    gw.chat("gpt-9").say("hi").send().await.assert_error(404, "model_not_found");
}

// --- F45: keys that are none ---

#[tokio::test]
async fn whatever_is_no_key_is_401_with_one_text() {
    let (_up, gw) = guarded().await;
    let good = gateway_tests::USER_KEY;
    let long = format!("Bearer {}", "k".repeat(8_192));
    let chat = || gw.chat("m").say("hi").call().no_key();
    let calls = [
        ("none", chat()),
        ("basic", chat().header("authorization", "Basic eDp5")),
        ("no scheme", chat().header("authorization", good)),
        ("another scheme", chat().header("authorization", &format!("Token {good}"))),
        ("empty", chat().header("authorization", "")),
        ("empty bearer", chat().header("authorization", "Bearer ")),
        ("only bearer", chat().header("authorization", "Bearer")),
        ("unknown", chat().key("sk-unknown")),
        ("nearly", chat().key(&format!("{good}x"))),
        ("shortened", chat().key(&good[..good.len() - 1])),
        ("another case", chat().key(&good.to_uppercase())),
        ("8 KB", chat().header("authorization", &long)),
        ("not ASCII", chat().key("sk-schlüssel-☃")),
        ("injection", chat().key("' OR 1=1 --")),
        ("two headers", chat().key(good).also_header("authorization", "Bearer sk-other")),
        ("two different headers", chat().key(good).header("x-api-key", "sk-other")),
        ("the admin token", chat().key(gateway_tests::ADMIN_TOKEN)),
        ("empty x-api-key", chat().header("x-api-key", "")),
    ];
    let mut texts = std::collections::BTreeSet::new();
    for (what, call) in calls {
        let answer = call.send().await;
        assert_eq!(answer.status, 401, "{what}: {}", answer.body_text());
        answer.assert_error(401, "invalid_api_key");
        texts.insert(answer.error().expect("an error").message);
    }
    let in_query = gw.call(Method::POST, &format!("/v1/chat/completions?key={good}&api_key={good}")).no_key();
    let answer = in_query.json(&serde_json::json!({"model": "m", "messages": []})).send().await;
    answer.assert_error(401, "invalid_api_key");
    texts.insert(answer.error().expect("an error").message);
    assert_eq!(texts.len(), 1, "{texts:?}");
}

#[tokio::test]
async fn the_key_is_asked_for_before_the_body_is_judged() {
    let (_up, gw) = guarded().await;
    gw.post("/v1/chat/completions", "not json").no_key().send().await.assert_error(401, "invalid_api_key");
}

// --- F46, F47: methods, paths, content types ---

#[tokio::test]
async fn a_wrong_method_is_405_with_the_right_ones() {
    let (_up, gw) = guarded().await;
    for method in [Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
        let answer = gw.call(method.clone(), "/v1/chat/completions").send().await;
        answer.assert_error_shape();
        assert_eq!((answer.status, answer.header("allow")), (405, "GET, POST"), "{method}");
    }
    let head = gw.call(Method::HEAD, "/v1/chat/completions").send().await;
    assert_eq!((head.status, head.body.len()), (405, 0));
    let models = gw.call(Method::POST, "/v1/models").send().await;
    assert_eq!(models.status, 405);
    assert!(models.header("allow").contains("GET"), "{:?}", models.headers);
}

#[tokio::test]
async fn an_unknown_path_is_404_in_the_same_shape() {
    let (_up, gw) = guarded().await;
    for path in [
        "/v1/nothing",
        "/v2/chat/completions",
        "/v1/chat/completions/",
        "/v1//chat/completions",
        "/v1/chat%2Fcompletions",
        "/v1/../v1/models",
        "/nothing",
    ] {
        let answer = gw.call(Method::POST, path).json(&serde_json::json!({"model": "m"})).send().await;
        assert_eq!(answer.status, 404, "{path}: {}", answer.body_text());
        answer.assert_error_shape();
    }
}

#[tokio::test]
async fn a_body_that_is_not_declared_as_plain_json_is_415() {
    let (_up, gw) = guarded().await;
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
    ] {
        let call = gw.post("/v1/chat/completions", r#"{"model":"m"}"#).header("content-type", content_type);
        let answer = call.send().await;
        answer.assert_error_shape();
        assert_eq!(answer.status, 415, "{content_type}");
    }
    for coding in ["gzip", "deflate", "br", "zstd"] {
        let call = gw.post("/v1/chat/completions", r#"{"model":"m"}"#).header("content-encoding", coding);
        let answer = call.send().await;
        answer.assert_error_shape();
        assert_eq!(answer.status, 415, "{coding}");
    }
}

#[tokio::test]
async fn json_content_types_are_taken_in_every_spelling() {
    let types = ["application/json", "Application/JSON; charset=utf-8", "application/json;charset=UTF-8"];
    let up = Upstream::scripted().times(types.len(), chat("ok")).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;
    for content_type in types {
        let call = gw.post("/v1/chat/completions", r#"{"model":"m"}"#).header("content-type", content_type);
        call.send().await.assert_text("ok");
    }
}
