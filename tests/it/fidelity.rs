//! What the gateway does not have to change it does not change: bytes, headers, statuses. Random bodies are in the campaign
//! of the same name.

use gateway_tests::{Gateway, Upstream, body, chat, json_body, sse, status};
use http::Method;
use serde_json::json;

#[tokio::test]
async fn only_the_value_of_model_is_changed() {
    // `@` stands for the value of model, quotes included.
    let bodies = [
        r#"{"model":@,"messages":[]}"#,
        "{ \"messages\" : [ ] ,\r\n\t\"model\"\t:\n @ \r\n}",
        "  \n{\"model\":@}\n\n",
        r#"{"temperature":1.0,"top_p":1e0,"n":1E+0,"seed":9007199254740993,"x":-0.0,"y":1.50,"model":@}"#,
        r#"{"huge":123456789012345678901234567890123456789,"tiny":1e-400,"model":@,"z":0.1e-7}"#,
        r#"{"messages":[{"role":"user","content":"the \"model\":\"m\" is m"}],"model":@}"#,
        r#"{"metadata":{"model":"m","model":"again"},"model":@,"tools":[{"model":"m"}]}"#,
        r#"{"a":1,"a":2,"model":@,"A":3}"#,
        r#"{"unknown_field_of_tomorrow":{"deep":[[[[{"x":null}]]]]},"model":@,"b":true,"c":false}"#,
        r#"{"text":"Grüße 日本 👩‍👩‍👧 \u00e9 \ud83d\ude00 \/ \b\f\n\r\t","model":@}"#,
        r#"{"model" : @ , "logit_bias":{"50256":-100}, "stop":["\n\n"],"": "empty key"}"#,
        r#"{"mod\u0065":"not it","model":@}"#,
    ];
    let up = Upstream::scripted().times(bodies.len(), chat("ok")).start().await;
    let gw = Gateway::serving("m", [&up]).mapping("m", &up, "model", "backend \"quoted\"/名").start().await;

    for template in bodies {
        let answer = gw.post("/v1/chat/completions", template.replace('@', "\"m\"")).send().await;
        assert_eq!(answer.status, 200, "{template}: {}", answer.body_text());
    }

    for (request, template) in up.requests().iter().zip(bodies) {
        let expected = template.replace('@', r#""backend \"quoted\"/名""#);
        assert_eq!(String::from_utf8_lossy(&request.body), expected);
    }
}

#[tokio::test]
async fn a_model_under_the_same_name_changes_no_byte_at_all() {
    // An escaped spelling of the same name is the same name; what goes up is what came.
    let sent = "{\"model\":\"m\",\"messages\":[ ]  }";
    let up = Upstream::scripted().reply(chat("ok")).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;

    gw.post("/v1/chat/completions", sent).send().await.assert_text("ok");

    assert_eq!(up.only_request().body, sent);
}

#[tokio::test]
async fn an_escaped_model_name_is_understood() {
    let up = Upstream::scripted().times(2, chat("ok")).start().await;
    let gw = Gateway::serving("modèl/1", [&up]).mapping("modèl/1", &up, "model", "b").start().await;

    for spelling in [r#"{"model":"mod\u00e8l\/1","x":1}"#, r#"{"\u006dodel":"modèl/1","x":1}"#] {
        let answer = gw.post("/v1/chat/completions", spelling).send().await;
        assert_eq!(answer.status, 200, "{spelling}: {}", answer.body_text());
    }

    let seen: Vec<String> =
        up.requests().iter().map(|r| String::from_utf8_lossy(&r.body).into_owned()).collect();
    assert_eq!(seen, [r#"{"model":"b","x":1}"#, r#"{"\u006dodel":"b","x":1}"#]);
}

// --- the way back ---

#[tokio::test]
async fn status_and_body_come_back_as_they_are() {
    let odd = "{ \"choices\" : [ {\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"Grüße \\u00e9\",\n\t\"tool_calls\":[{\"id\":\"c\",\"function\":{\"arguments\":\"{}\"}}]},\"finish_reason\":\"tool_calls\",\"logprobs\":{\"x\":1.0e0}} ],\r\n\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2,\"total_tokens\":5},\"system_fingerprint\":\"fp\" }\n\n";
    let up = Upstream::scripted()
        .reply(body("application/json; charset=utf-8", odd))
        .then(body("application/json", odd).chunks_of(7))
        .then(body("application/json", odd).with_status(201))
        .start()
        .await;
    let gw = Gateway::serving("m", [&up]).start().await;

    for (status, content_type) in
        [(200, "application/json; charset=utf-8"), (200, "application/json"), (201, "application/json")]
    {
        let answer = gw.chat("m").say("hi").send().await;
        assert_eq!((answer.status, answer.body_text().as_str()), (status, odd));
        assert_eq!(answer.header("content-type"), content_type);
    }
}

#[tokio::test]
async fn array_content_tools_and_stream_options_reach_the_upstream() {
    let up = Upstream::scripted().reply(sse(["ok"]).usage(3, 2)).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;
    let messages = json!([
        {"role": "user", "content": [{"type": "text", "text": "what is this?"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]},
        {"role": "assistant", "content": null, "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "c1", "content": "42"},
    ]);

    let answer = gw
        .chat("m")
        .with("messages", messages.clone())
        .with("tools", json!([{"type": "function", "function": {"name": "f"}}]))
        .with("stream_options", json!({"include_usage": true}))
        .stream()
        .send()
        .await;

    assert_eq!(answer.usage(), Some((3, 2)));
    let sent = up.only_request().json();
    assert_eq!((&sent["messages"], &sent["stream_options"]["include_usage"]), (&messages, &json!(true)));
}

#[tokio::test]
async fn an_upstreams_error_body_comes_back_as_it_is_but_for_secrets() {
    let plain = json!({"error": {"message": "bad temperature", "type": "invalid_request_error", "param": "temperature", "code": "invalid_value"}});
    let up = Upstream::scripted()
        .reply(json_body(&plain).with_status(400).header("x-ratelimit-limit-requests", "60"))
        .start()
        .await;
    let gw = Gateway::serving("m", [&up]).start().await;

    let answer = gw.chat("m").say("hi").send().await;

    assert_eq!((answer.status, answer.json()), (400, plain));
    assert_eq!(answer.header("x-ratelimit-limit-requests"), "60");
}

#[tokio::test]
async fn an_upstream_error_that_is_no_json_becomes_an_error_object() {
    let up = Upstream::scripted().reply(body("text/plain", "no such thing").with_status(404)).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;

    let answer = gw.chat("m").say("hi").send().await;

    assert_eq!(answer.status, 404);
    answer.assert_error_shape();
}

#[tokio::test]
async fn the_query_goes_up_with_the_call() {
    let up = Upstream::scripted().reply(chat("ok")).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;

    let call = gw.call(Method::POST, "/v1/chat/completions?api-version=2024-06-01&x=a%2Fb");
    call.json(&json!({"model": "m", "messages": []})).send().await.assert_text("ok");

    assert_eq!(up.only_request().target(), "/v1/chat/completions?api-version=2024-06-01&x=a%2Fb");
}

#[tokio::test]
async fn binary_answers_pass_unchanged() {
    let sound: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let up = Upstream::scripted().reply(body("audio/mpeg", sound.clone())).start().await;
    let gw = Gateway::serving("tts", [&up]).start().await;

    let answer = gw.post("/v1/audio/speech", r#"{"model":"tts","input":"hi","voice":"alloy"}"#).send().await;

    assert_eq!((answer.status, answer.header("content-type")), (200, "audio/mpeg"));
    assert!(answer.body == sound, "{} bytes of {} came", answer.body.len(), sound.len());
}

#[tokio::test]
async fn a_large_answer_passes_whole() {
    let text = "x".repeat(3 << 20);
    let up = Upstream::scripted().reply(chat(&text)).then(status(200)).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;

    assert_eq!(gw.chat("m").say("hi").send().await.text().len(), text.len());
    up.forgive();
}
