//! Asking an upstream now. The upstream is a script on a socket that fails the test if it is asked too little.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;

use serde_json::{Value, json};

use super::gateway::{CHANNEL_KEY, Gateway};

/// Answers one request per given answer, on one connection each, and gives back what was asked.
struct Upstream {
    base_url: String,
    script: Option<JoinHandle<Vec<String>>>,
}

impl Upstream {
    fn answering(answers: Vec<(u16, String)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
        let script = std::thread::spawn(move || {
            answers.into_iter().map(|(status, body)| {
                let (mut socket, _) = listener.accept().unwrap();
                let mut request = Vec::new();
                while !is_whole(&request) {
                    let mut chunk = [0_u8; 4096];
                    let count = socket.read(&mut chunk).unwrap();
                    assert!(count > 0, "the request broke off");
                    request.extend_from_slice(&chunk[..count]);
                }
                let head = format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
                socket.write_all(head.as_bytes()).unwrap();
                socket.write_all(body.as_bytes()).unwrap();
                String::from_utf8(request).unwrap()
            }).collect()
        });
        Self { base_url, script: Some(script) }
    }

    /// What was asked; waits until the whole script was played.
    fn asked(mut self) -> Vec<String> {
        self.script.take().unwrap().join().unwrap()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        assert!(self.script.is_none() || std::thread::panicking(), "nobody looked at what was asked");
    }
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.to_ascii_lowercase().lines().find_map(|line| {
        line.strip_prefix("content-length:").map(|length| length.trim().parse::<usize>().unwrap())
    });
    body.len() >= length.unwrap_or(0)
}

async fn with_channel(base_url: &str) -> Gateway {
    let gateway = Gateway::new();
    let body = json!({"name": "a", "base_url": base_url, "api_key": CHANNEL_KEY, "enabled": false});
    gateway.post("/api/channels", body).await.made();
    gateway
}

#[tokio::test]
async fn a_test_asks_what_the_probe_asks_even_of_a_disabled_channel() {
    let upstream = Upstream::answering(vec![(200, r#"{"object":"list","data":[]}"#.to_owned())]);
    let gateway = with_channel(&upstream.base_url).await;
    let result = gateway.ask("POST", "/api/channels/1/test").send().await.ok();
    assert_eq!(
        (&result["ok"], &result["status"], &result["error"]),
        (&json!(true), &json!(200), &Value::Null)
    );
    assert!(result["reply"].as_str().unwrap().contains("list"));
    let asked = upstream.asked();
    assert!(asked[0].starts_with("GET /v1/models "), "{asked:?}");
    assert!(asked[0].contains(CHANNEL_KEY));
    assert_eq!(gateway.get("/api/channels/1").await.ok()["health"]["status"], "unknown");
}

#[tokio::test]
async fn a_test_with_a_model_is_a_chat_of_one_token() {
    let upstream = Upstream::answering(vec![(200, r#"{"choices":[{}]}"#.to_owned())]);
    let gateway = with_channel(&upstream.base_url).await;
    let result = gateway.post("/api/channels/1/test", json!({"model": "gpt-4o-mini"})).await.ok();
    assert_eq!((&result["shape"], &result["model"]), (&json!("chat"), &json!("gpt-4o-mini")));
    assert_eq!((&result["ok"], &result["outcome"]), (&json!(true), &json!("ok")));
    let asked = upstream.asked();
    assert!(asked[0].starts_with("POST /v1/chat/completions "), "{asked:?}");
    assert!(asked[0].contains("gpt-4o-mini"));
}

#[tokio::test]
async fn a_test_may_ask_in_another_shape_and_says_in_which() {
    let vector = r#"{"data":[{"embedding":[0.5]}]}"#.to_owned();
    let upstream =
        Upstream::answering(vec![(200, vector), (404, r#"{"error":{"message":"no"}}"#.to_owned())]);
    let gateway = with_channel(&upstream.base_url).await;
    let body = json!({"model": "e", "shape": "embeddings"});
    let result = gateway.post("/api/channels/1/test", body).await.ok();
    assert_eq!(
        (&result["shape"], &result["model"], &result["ok"]),
        (&json!("embeddings"), &json!("e"), &json!(true))
    );
    let body = json!({"model": "r", "shape": "responses"});
    let result = gateway.post("/api/channels/1/test", body).await.ok();
    assert_eq!(
        (&result["outcome"], &result["error"]),
        (&json!("caller_error"), &json!("answered 404 Not Found: no"))
    );
    let asked = upstream.asked();
    assert!(asked[0].starts_with("POST /v1/embeddings ") && asked[1].starts_with("POST /v1/responses "));
    let reply = gateway.post("/api/channels/1/test", json!({"shape": "responses"})).await;
    reply.refused_for(422, "invalid_value", "model");
}

#[tokio::test]
async fn a_test_without_a_wish_asks_what_the_probe_asks_and_says_what_that_was() {
    let upstream = Upstream::answering(vec![(200, r#"{"choices":[{}]}"#.to_owned())]);
    let gateway = with_channel(&upstream.base_url).await;
    gateway.patch("/api/channels/1", json!({"probe": {"chat": "tiny"}})).await.ok();
    let result = gateway.ask("POST", "/api/channels/1/test").send().await.ok();
    assert_eq!((&result["shape"], &result["model"]), (&json!("chat"), &json!("tiny")));
    assert!(result["latency_ms"].is_u64() && result["reply"] == r#"{"choices":[{}]}"#);
    upstream.asked();
}

#[tokio::test]
async fn what_an_upstream_says_of_keys_is_not_passed_on() {
    let echo = format!(
        r#"{{"error":{{"message":"Incorrect API key provided: {CHANNEL_KEY} or sk-proj-someoneelses"}}}}"#
    );
    let upstream = Upstream::answering(vec![(401, echo.clone()), (401, echo)]);
    let gateway = with_channel(&upstream.base_url).await;
    let result = gateway.ask("POST", "/api/channels/1/test").send().await;
    let shown = result.ok();
    assert_eq!((&shown["ok"], &shown["status"]), (&json!(false), &json!(401)));
    assert!(!result.text().contains("someoneelses"), "{result:?}");
    let models = gateway.get("/api/channels/1/models").await;
    assert_eq!((&models.ok()["ok"], &models.ok()["models"]), (&json!(false), &json!([])));
    assert!(!models.text().contains("someoneelses"), "{models:?}");
    upstream.asked();
}

#[tokio::test]
async fn an_upstreams_models_are_listed() {
    let list = r#"{"object":"list","data":[{"id":"gpt-4o"},{"id":"o3"}]}"#.to_owned();
    let upstream = Upstream::answering(vec![(200, list)]);
    let gateway = with_channel(&upstream.base_url).await;
    let models = gateway.get("/api/channels/1/models").await.ok();
    assert_eq!((&models["ok"], &models["models"]), (&json!(true), &json!(["gpt-4o", "o3"])));
    upstream.asked();
}

#[tokio::test]
async fn a_dead_upstream_is_an_answer_and_no_error() {
    let gateway = with_channel("http://127.0.0.1:9").await;
    let result = gateway.ask("POST", "/api/channels/1/test").send().await.ok();
    assert_eq!(
        (&result["ok"], &result["status"], &result["reply"]),
        (&json!(false), &Value::Null, &Value::Null)
    );
    assert!(!result["error"].as_str().unwrap().is_empty());
    assert!(!gateway.get("/api/channels/1/models").await.ok()["error"].is_null());
}

#[tokio::test]
async fn only_channels_that_exist_can_be_asked_and_only_for_models() {
    let gateway = with_channel("http://127.0.0.1:9").await;
    gateway.ask("POST", "/api/channels/9/test").send().await.refused(404, "not_found");
    gateway.get("/api/channels/9/models").await.refused(404, "not_found");
    gateway.get("/api/channels/x/models").await.refused(400, "invalid_id");
    for field in ["base_url", "api_base", "url", "headers"] {
        let reply = gateway.post("/api/channels/1/test", json!({field: "http://127.0.0.1:6666"})).await;
        reply.refused_for(400, "unknown_field", field);
    }
    let reply = gateway.post("/api/channels/1/test", json!({"model": "a\r\nb"})).await;
    reply.refused_for(422, "invalid_value", "model");
}
