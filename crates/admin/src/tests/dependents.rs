//! What is told before a delete is what the delete takes along.

use gateway_domain::{ChannelId, UserId};
use gateway_sessions::SessionKey;
use serde_json::{Value, json};

use super::gateway::{Gateway, NOW};

/// Channels 1 and 2; model `m` on both, `n` on the first alone; ann with two keys and a session of each model on the first.
async fn furnished() -> Gateway {
    let gateway = Gateway::new();
    for (name, models) in [("a", json!(["m", "n"])), ("b", json!(["m"]))] {
        let body = json!({"name": name, "base_url": "http://127.0.0.1:9", "api_key": "", "models": models});
        gateway.post("/api/channels", body).await.made();
    }
    gateway.user("ann", "sk-canary-user-key-0001").await;
    gateway.post("/api/users/1/keys", json!({})).await.made();
    for model in ["m", "n"] {
        let key = SessionKey::of_user(UserId(1), model.into());
        gateway.sessions.remember(&key, ChannelId(1), NOW);
    }
    gateway
}

#[tokio::test]
async fn the_counts_are_those_of_what_goes() {
    let gateway = furnished().await;
    let told = async |path: &str| gateway.get(&format!("{path}/dependents")).await.ok();
    let expected = |mappings: u32, keys: u32, sessions: u32, unserved: Value| json!({"mappings": mappings, "keys": keys, "sessions": sessions, "unserved": unserved, "exchanges": 0});
    assert_eq!(told("/api/channels/1").await, expected(2, 0, 2, json!(["n"])));
    assert_eq!(told("/api/channels/2").await, expected(1, 0, 0, json!([])));
    assert_eq!(told("/api/models/1").await, expected(2, 0, 1, json!([])));
    assert_eq!(told("/api/users/1").await, expected(0, 2, 2, json!([])));
    for path in ["/api/channels/9", "/api/models/9", "/api/users/9"] {
        gateway.get(&format!("{path}/dependents")).await.refused(404, "not_found");
    }

    assert_eq!(gateway.delete("/api/channels/1").await.status, 204);
    assert_eq!(gateway.get("/api/sessions").await.text(), "[]");
    assert_eq!(gateway.get("/api/models/1/channels").await.ok().as_array().unwrap().len(), 1);
    assert_eq!(gateway.get("/api/models/2/channels").await.text(), "[]");
}

#[tokio::test]
async fn whoever_was_not_fast_enough_is_shown_what_there_is_now() {
    let gateway = furnished().await;
    for (path, change) in [
        ("/api/models/1/channels/1", json!({"weight": 77})),
        ("/api/models/1", json!({"name": "k"})),
        ("/api/channels/1", json!({"weight": 77})),
        ("/api/users/1", json!({"name": "Ann"})),
    ] {
        let seen = gateway.get(path).await.header("etag").unwrap().to_owned();
        gateway.patch(path, change.clone()).await.ok();
        let now = gateway.get(path).await;
        assert_ne!(now.header("etag"), Some(&*seen), "{path}");
        for method in ["PATCH", "PUT", "DELETE"] {
            let late = gateway.ask(method, path).header("if-match", &seen).json(&change).send().await;
            late.refused(409, "version_mismatch");
            assert_eq!(late.json()["error"]["current"], now.ok(), "{method} {path}");
            assert_eq!(late.header("etag"), now.header("etag"), "{method} {path}");
            assert!(late.message().contains("somebody else changed this"), "{}", late.message());
        }
        let fresh = now.header("etag").unwrap();
        assert_eq!(gateway.ask("DELETE", path).header("if-match", fresh).send().await.status, 204, "{path}");
        gateway.get(path).await.refused(404, "not_found");
    }
}
