//! What the operator may have changed in answers: the model's name, and usage that nobody asked for. Off by default.

use std::time::Duration;

use gateway_tests::{Gateway, Upstream, body, chat_as, json_body, sse, until};
use serde_json::{Value, json};

const STREAM: &str = "data: {\"id\":\"c\",\"model\":\"m-2024\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"}}],\"usage\":null}\n\n\
    data: {\"id\":\"c\",\"model\":\"m-2024\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":null}\n\n\
    data: {\"id\":\"c\",\"model\":\"m-2024\",\"choices\":[],\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":7}}\n\n\
    data: [DONE]\n\n";

fn stream() -> gateway_tests::Reply {
    body("text/event-stream", STREAM)
}

#[tokio::test]
async fn answers_name_the_model_as_the_client_did_where_the_operator_wants_it() {
    let up = Upstream::scripted()
        .reply(chat_as("m-2024", "hi"))
        .then(sse(["hi"]).model("m-2024"))
        .always(chat_as("m-2024", "hi"))
        .start()
        .await;
    let gw = Gateway::serving("m", [&up])
        .mapping("m", &up, "model", "m-2024")
        .set("proxy.rewrite_response_model", true)
        .start()
        .await;

    let whole = gw.chat("m").say("hi").send().await;
    let streamed = gw.chat("m").say("hi").stream().send().await;

    whole.assert_text("hi");
    assert_eq!(whole.json()["model"], "m");
    streamed.assert_text("hi");
    for event in streamed.events() {
        assert_eq!(event["model"], "m", "{event}");
    }

    gw.set("proxy.rewrite_response_model", false);
    until("answers name the upstream's model again", async || {
        (gw.chat("m").say("hi").send().await.json()["model"] == "m-2024").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_response_is_renamed_inside_its_events_and_nothing_else_is_changed() {
    let upstreams = "event: response.created\r\ndata: {\"type\":\"response.created\", \"response\":{\"id\":\"resp_1\",\
        \"model\":\"m-2024\",\"temperature\":1.0}}\r\n\r\n: model\r\n\r\nevent: response.output_text.delta\r\n\
        data: {\"type\":\"response.output_text.delta\",\"delta\":\"\\\"model\\\":\\\"m-2024\\\"\"}\r\n\r\n\
        event: response.completed\r\ndata: {\"type\":\"response.completed\",\"response\":{\"id\":\"resp_1\",\
        \"tools\":[{\"model\":\"m-2024\"}],\"model\":\"m-2024\"}}\r\n\r\n";
    let up = Upstream::scripted().reply(body("text/event-stream", upstreams)).start().await;
    let gw = Gateway::serving("m", [&up]).set("proxy.rewrite_response_model", true).start().await;

    let sent = json!({ "model": "m", "input": "hi", "stream": true });
    let answer = gw.post("/v1/responses", sent.to_string()).send().await;

    let expected = upstreams
        .replace("\"resp_1\",\"model\":\"m-2024\"", "\"resp_1\",\"model\":\"m\"")
        .replace("],\"model\":\"m-2024\"", "],\"model\":\"m\"");
    assert_eq!(answer.body_text(), expected);
}

#[tokio::test]
async fn by_default_no_byte_of_an_answer_is_changed() {
    let up = Upstream::scripted().reply(stream()).then(chat_as("m-2024", "hi")).start().await;
    let gw = Gateway::serving("m", [&up]).mapping("m", &up, "model", "m-2024").start().await;

    assert_eq!(gw.chat("m").say("hi").stream().send().await.body_text(), STREAM);
    assert_eq!(gw.chat("m").say("hi").send().await.json()["model"], "m-2024");
    assert!(!String::from_utf8_lossy(&up.requests()[0].body).contains("stream_options"));
}

#[tokio::test]
async fn usage_that_is_forced_is_counted_and_hidden_from_whoever_did_not_ask() {
    let up = Upstream::scripted().times(3, stream()).start().await;
    let gw = Gateway::serving("m", [&up]).set("proxy.force_include_usage", true).start().await;
    let send = async |options: &str| {
        let sent = format!(r#"{{"model":"m","messages":[],{options}"stream":true}}"#);
        gw.post("/v1/chat/completions", sent).send().await
    };

    let silent = send("").await;
    let refused = send(r#""stream_options":{"include_usage":false},"#).await;
    let asking = send(r#""stream_options":{"include_usage":true},"#).await;

    for answer in [&silent, &refused] {
        answer.assert_text("hi");
        assert!(answer.is_done());
        assert!(!answer.body_text().contains("usage"), "{}", answer.body_text());
    }
    assert_eq!(asking.body_text(), STREAM);
    for (request, answer) in up.requests().iter().zip([&silent, &refused, &asking]) {
        let went_up: Value = serde_json::from_slice(&request.body).expect("JSON went up");
        assert_eq!(went_up["stream_options"]["include_usage"], true);
        let told = gw.admin().exchange(answer.request_id()).await;
        assert_eq!(told.record["usage"]["prompt_tokens"], 11, "{}", told.record);
    }
}

#[tokio::test]
async fn usage_is_not_forced_where_it_is_not_for_the_asking() {
    let up = Upstream::scripted()
        .reply(chat_as("m", "hi"))
        .then(body(
            "text/event-stream",
            "data: {\"type\":\"response.completed\",\"response\":{\"usage\":{\"input_tokens\":1}}}\n\n",
        ))
        .start()
        .await;
    let gw = Gateway::serving("m", [&up]).set("proxy.force_include_usage", true).start().await;

    gw.chat("m").say("hi").send().await.assert_text("hi");
    let sent = json!({ "model": "m", "input": "hi", "stream": true });
    let response = gw.post("/v1/responses", sent.to_string()).send().await;

    assert!(response.body_text().contains("\"input_tokens\":1"), "{}", response.body_text());
    for request in up.requests() {
        assert!(!String::from_utf8_lossy(&request.body).contains("stream_options"));
    }
}

#[tokio::test]
async fn edited_streams_are_the_same_wherever_their_bytes_are_cut() {
    let up = Upstream::scripted();
    let sizes = [1, 2, 3, 7, 61];
    let up =
        sizes.iter().fold(up, |up, size| up.then(stream().chunks_of(*size).paced(Duration::from_micros(50))));
    let up = up.start().await;
    let gw = Gateway::serving("m", [&up])
        .set("proxy.force_include_usage", true)
        .set("proxy.rewrite_response_model", true)
        .start()
        .await;
    let expected = "data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"}}]}\n\n\
        data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n\
        data: [DONE]\n\n";

    for size in sizes {
        let answer = gw.chat("m").say("hi").stream().send().await;
        assert_eq!(answer.body_text(), expected, "{size}");
    }
}

#[tokio::test]
async fn an_answer_without_a_model_passes_as_it_is() {
    let up = Upstream::scripted().reply(json_body(&json!({ "data": [], "object": "list" }))).start().await;
    let gw = Gateway::serving("m", [&up]).set("proxy.rewrite_response_model", true).start().await;

    let answer = gw.post("/v1/embeddings", r#"{"model":"m","input":"x"}"#).send().await;

    assert_eq!(answer.json(), json!({ "data": [], "object": "list" }));
}
