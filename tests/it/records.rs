//! What is kept of finished calls, for how long, and whose word their tokens are.

use gateway_tests::{Gateway, Upstream, chat, json_body, sse, status, until};
use serde_json::{Value, json};

#[tokio::test]
async fn records_go_when_they_are_older_than_the_setting_allows() {
    let up = Upstream::answering(|_| chat("ok")).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;
    let call = async |id: &str| {
        gw.chat("m").say("hi").header("x-request-id", id).send().await.assert_text("ok");
        gw.admin().exchange(id).await
    };
    let old = call("old").await.record;
    assert_eq!(gw.admin().exchanges().await.len(), 1, "nothing goes by itself");

    gw.set("records.retention", "1s");

    let mut number = 0;
    let newest = until("the old record goes", async || {
        number += 1;
        let newest = call(&format!("new-{number}")).await.record;
        let gone = gw.admin().get("/api/exchanges/old").await.status == 404;
        gone.then_some(newest)
    })
    .await;
    let age = |record: &Value| record["started_at"].as_str().expect("a moment").parse::<jiff::Timestamp>();
    let apart = age(&newest).expect("RFC 3339").duration_since(age(&old).expect("RFC 3339"));
    assert!(apart.as_millis() > 500, "it went {apart} after its call, which is too soon");
}

#[tokio::test]
async fn a_record_says_who_counted_the_tokens() {
    let silent = json!({"choices": [{"index": 0, "message": {"role": "assistant", "content": "ok"}}]});
    let up = Upstream::scripted()
        .reply(sse(["a", "b", "c"]).usage(11, 7))
        .then(sse(["a", "b", "c"]))
        .then(sse(["a", "b"]).close_after(2))
        .then(json_body(&silent))
        .then(status(400))
        .start()
        .await;
    let gw = Gateway::serving("m", [&up]).start().await;
    let usage_of = async |stream: bool| {
        let call = gw.chat("m").say("a question").with("stream", json!(stream));
        let answer = call.send().await;
        let record = gw.admin().exchange(answer.request_id()).await.record;
        let usage = &record["usage"];
        let prompt = usage["prompt_tokens"].as_u64();
        (usage["source"].as_str().unwrap_or_default().to_owned(), prompt, usage["completion_tokens"].as_u64())
    };
    assert_eq!(usage_of(true).await, ("upstream".to_owned(), Some(11), Some(7)));
    let (source, prompt, completion) = usage_of(true).await;
    assert_eq!((source.as_str(), completion), ("counted", Some(3)), "one for each event");
    assert!(prompt.is_some_and(|prompt| (5..50).contains(&prompt)), "{prompt:?} tokens for few bytes");
    assert_eq!(
        usage_of(true).await,
        ("counted".to_owned(), prompt, Some(2)),
        "what came before it broke off"
    );
    let (source, _, completion) = usage_of(false).await;
    assert_eq!((source.as_str(), completion), ("counted", None), "a document has no events");
    assert_eq!(usage_of(false).await, ("none".to_owned(), None, None), "a refusal uses nothing");
    let metrics = gw.metrics().await;
    let counted = [("kind", "completion"), ("source", "counted")];
    assert_eq!(metrics.count("gateway_tokens_total", &counted), 5);
}

#[tokio::test]
async fn the_log_line_tells_tokens_and_who_counted_them() {
    let usage = json!({"prompt_tokens": 11, "completion_tokens": 7,
                       "prompt_tokens_details": {"audio_tokens": 5},
                       "completion_tokens_details": {"reasoning_tokens": 3, "audio_tokens": 2}});
    let up = Upstream::scripted().reply(json_body(&json!({"choices": [], "usage": usage}))).start().await;
    let gw = Gateway::serving("m", [&up]).set("log.format", "json").spawn().await;
    let Some(gw) = gw else { return };
    gw.chat("m").say("hi").send().await;
    gw.says("\"audio_out_tokens\":2").await;
    let output = gw.output();
    let line = output.lines().find(|line| line.contains("\"audio_out_tokens\":2")).unwrap_or_default();
    for part in
        ["\"usage\":\"upstream\"", "\"prompt_tokens\":11", "\"audio_in_tokens\":5", "\"reasoning_tokens\":3"]
    {
        assert!(line.contains(part), "{part} is missing: {line}");
    }
}

#[tokio::test]
async fn a_record_is_found_by_an_id_that_is_written_with_escapes() {
    let up = Upstream::scripted().always(chat("ok")).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;
    gw.chat("m").say("hi").header("x-request-id", "trace:1").send().await.assert_text("ok");
    gw.admin().exchange("trace:1").await;
    assert_eq!(gw.admin().read("/api/exchanges/trace%3A1").await["request_id"], "trace:1");
}
