//! What clients get wrong, or send on purpose. Nothing of it reaches an upstream, and nothing of it is a 500.

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

// --- F43: JSON that is none ---

#[tokio::test]
async fn what_is_no_json_is_400_invalid_json() {
    let (_up, gw) = guarded().await;
    let deep = format!("{{\"model\":\"m\",\"x\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    let utf16: Vec<u8> = "{\"model\":\"m\"}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", b"".to_vec()),
        ("white space", b"  \n".to_vec()),
        ("half an object", br#"{"model":"m","#.to_vec()),
        ("trailing comma", br#"{"model":"m",}"#.to_vec()),
        ("two documents", br#"{"model":"m"}{"model":"m"}"#.to_vec()),
        ("trailing text", br#"{"model":"m"} x"#.to_vec()),
        ("single quotes", br"{'model':'m'}".to_vec()),
        ("a bare key", br#"{model:"m"}"#.to_vec()),
        ("a comment", br#"{"model":"m"/*x*/}"#.to_vec()),
        ("NaN", br#"{"model":"m","x":NaN}"#.to_vec()),
        ("a leading zero", br#"{"model":"m","x":01}"#.to_vec()),
        ("a plus sign", br#"{"model":"m","x":+1}"#.to_vec()),
        ("half a number", br#"{"model":"m","x":1.}"#.to_vec()),
        ("a raw line break in a string", b"{\"model\":\"m\",\"x\":\"a\nb\"}".to_vec()),
        ("a raw NUL in a string", b"{\"model\":\"m\",\"x\":\"a\0b\"}".to_vec()),
        ("a NUL after the end", b"{\"model\":\"m\"}\0".to_vec()),
        ("an unknown escape", br#"{"model":"m","x":"\q"}"#.to_vec()),
        ("half an escape", br#"{"model":"m","x":"\u12"}"#.to_vec()),
        ("invalid UTF-8", b"{\"model\":\"m\",\"x\":\"\xff\xfe\"}".to_vec()),
        ("a surrogate in UTF-8", b"{\"model\":\"m\",\"x\":\"\xed\xa0\x80\"}".to_vec()),
        ("an overlong character", b"{\"model\":\"m\",\"x\":\"\xc0\xaf\"}".to_vec()),
        ("a byte order mark", b"\xef\xbb\xbf{\"model\":\"m\"}".to_vec()),
        ("UTF-16", utf16),
        ("nesting of 10,000", deep.into_bytes()),
        ("a form", b"model=m&messages=x".to_vec()),
    ];
    for (what, body) in cases {
        let answer = post(&gw, body).await;
        answer.assert_error(400, "invalid_json");
        // Where it is wrong, so that the sender can find it.
        let message = answer.error().expect("an error").message;
        let place = message.contains(|c: char| c.is_ascii_digit());
        assert!(place || message.contains("empty"), "{what}: {message}");
    }
}

#[tokio::test]
async fn json_that_is_no_object_and_doubled_models_are_400() {
    let (_up, gw) = guarded().await;
    for body in ["[]", "null", "\"m\"", "17", r#"["model","m"]"#, "true"] {
        let answer = post(&gw, body).await;
        answer.assert_error_shape();
        assert_eq!(answer.status, 400, "{body}");
    }
    for body in [
        r#"{"model":"m","model":"m"}"#,
        r#"{"model":"m","x":1,"model":"other"}"#,
        r#"{"model":"m","\u006dodel":"other"}"#,
        r#"{"model":"m","stream":false,"stream":true}"#,
    ] {
        let answer = post(&gw, body).await;
        answer.assert_error_shape();
        assert_eq!(answer.status, 400, "{body}");
    }
}

#[tokio::test]
async fn odd_but_valid_json_passes() {
    let digits = "7".repeat(10_000);
    let bodies = [
        r#"{"model":"m","x":"\ud83d\ude00 \u0000 \uffff"}"#.to_owned(),
        r#"{"model":"m","x":1e400,"y":-1E-400,"z":0e0}"#.to_owned(),
        format!(r#"{{"model":"m","x":{digits}}}"#),
        format!(r#"{{"model":"m","x":[{}0]}}"#, "0,".repeat(20_000)),
        format!(r#"{{"model":"m","x":{}{}}}"#, "[".repeat(40), "]".repeat(40)),
        "{\"model\":\"m\",\"x\":\"\u{202e}\u{200b}\u{feff}é\u{301}\"}".to_owned(),
    ];
    let up = Upstream::scripted().times(bodies.len(), chat("ok")).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;

    for body in &bodies {
        let answer = post(&gw, body.clone()).await;
        assert_eq!(answer.status, 200, "{body:.60}: {}", answer.body_text());
    }

    for (request, body) in up.requests().iter().zip(&bodies) {
        assert!(request.body == body, "{body:.60}");
    }
}

#[tokio::test]
async fn a_lone_surrogate_is_refused_or_passed_on_but_never_changed() {
    let sent = r#"{"model":"m","x":"\ud800"}"#;
    let up = Upstream::scripted().always(chat("ok")).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;

    let answer = post(&gw, sent).await;

    match answer.status {
        400 => answer.assert_error(400, "invalid_json"),
        status => {
            assert_eq!(status, 200, "{}", answer.body_text());
            assert_eq!(up.only_request().body, sent);
        }
    }
}

// --- F44: models that are none ---

#[tokio::test]
async fn a_model_that_cannot_be_one_is_400_with_the_param() {
    let (_up, gw) = guarded().await;
    for body in [
        r"{}",
        r#"{"messages":[]}"#,
        r#"{"model":""}"#,
        r#"{"model":null}"#,
        r#"{"model":17}"#,
        r#"{"model":["m"]}"#,
        r#"{"model":{"name":"m"}}"#,
        r#"{"model":true}"#,
        r#"{"Model":"m"}"#,
    ] {
        let answer = post(&gw, body).await;
        answer.assert_error_shape();
        assert_eq!(answer.status, 400, "{body}: {}", answer.body_text());
        assert_eq!(answer.error().and_then(|e| e.param).as_deref(), Some("model"), "{body}");
    }
}

#[tokio::test]
async fn a_stream_flag_that_is_no_boolean_is_400_with_the_param() {
    let (_up, gw) = guarded().await;
    for body in
        [r#"{"model":"m","stream":"true"}"#, r#"{"model":"m","stream":1}"#, r#"{"model":"m","stream":{}}"#]
    {
        let answer = post(&gw, body).await;
        answer.assert_error_shape();
        assert_eq!(answer.status, 400, "{body}: {}", answer.body_text());
        assert_eq!(answer.error().and_then(|e| e.param).as_deref(), Some("stream"), "{body}");
    }
}

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
