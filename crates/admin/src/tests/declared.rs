//! What the configuration file declares is shown here and changed there.

use gateway_config::Cause;
use gateway_domain::{BaseUrl, Declaration, ModelTuning, NewChannel, NewMapping, NewModel, NewUser, Secret};
use serde_json::json;

use super::gateway::{CHANNEL_KEY, Gateway};

/// A gateway whose file declares channel `a`, model `m` on it, and user `ann`; all have the row 1.
async fn declared() -> Gateway {
    let gateway = Gateway::new();
    let base_url = BaseUrl::parse("http://127.0.0.1:9").unwrap();
    let channel = NewChannel::new("a", base_url, Secret::new(CHANNEL_KEY.to_owned()));
    let mapping = NewMapping { channel: "a".into(), backend_model: "x".into(), weight: 10 };
    let keys = vec![Secret::new("sk-canary-user-key-0001".to_owned())];
    let user = NewUser { name: "ann".into(), keys, enabled: true, allowed_models: None, may_explain: false };
    let declaration = Declaration {
        channels: vec![channel],
        models: vec![NewModel { name: "m".into(), mappings: vec![mapping], tuning: ModelTuning::default() }],
        users: vec![user],
    };
    assert!(gateway.store.apply(&declaration).unwrap());
    gateway.publish(Cause::FileChanged).await;
    gateway
}

#[tokio::test]
async fn declared_rows_are_shown_as_such() {
    let gateway = declared().await;
    for path in ["/api/channels/1", "/api/models/1", "/api/users/1"] {
        assert_eq!(gateway.get(path).await.ok()["managed_by"], "file", "{path}");
    }
    assert_eq!(gateway.get("/api/users/1").await.ok()["api_key"], "sk-…0001");
    gateway.channel("b").await;
    assert_eq!(gateway.get("/api/channels/2").await.ok()["managed_by"], "api");
}

#[tokio::test]
async fn declared_rows_refuse_every_change_and_stay_as_they_are() {
    let gateway = declared().await;
    gateway.channel("b").await;
    let shown = async || {
        let mut all = Vec::new();
        for path in ["/api/channels", "/api/models", "/api/models/1/channels", "/api/users"] {
            all.push(gateway.get(path).await.ok());
        }
        all
    };
    let before = shown().await;
    let changes = [
        ("PUT", "/api/channels/1", json!({"weight": 3})),
        ("PATCH", "/api/channels/1", json!({"enabled": false})),
        ("DELETE", "/api/channels/1", json!({})),
        ("PUT", "/api/models/1", json!({"name": "n"})),
        ("DELETE", "/api/models/1", json!({})),
        ("POST", "/api/models/1/channels", json!({"channel_id": 2, "backend_model_name": "x"})),
        ("PUT", "/api/models/1/channels/1", json!({"weight": 3})),
        ("DELETE", "/api/models/1/channels/1", json!({})),
        ("PUT", "/api/users/1", json!({"enabled": false})),
        ("DELETE", "/api/users/1", json!({})),
        ("DELETE", "/api/users/1/keys/1", json!({})),
        ("POST", "/api/users/1/keys/1/rotate", json!({})),
    ];
    for (method, path, body) in changes {
        let reply = gateway.ask(method, path).json(&body).send().await;
        assert_eq!(reply.refusal().1, "managed_by_file", "{method} {path}: {reply:?}");
        assert_eq!(reply.status, 409, "{method} {path}");
        assert!(reply.message().contains("configuration file"), "{}", reply.message());
    }
    assert_eq!(shown().await, before);
}
