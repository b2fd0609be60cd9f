use gateway_domain::UnixMillis;
use serde_json::{Value, json};

use super::gateway::{Gateway, NOW};

/// Whether calls with this key are let in at a moment, as far as the snapshot in force knows.
fn works(gateway: &Gateway, key: &str, at: UnixMillis) -> bool {
    gateway.live.load().identify(&gateway_storage::key_digest(key), at).is_some()
}

#[tokio::test]
async fn a_user_may_have_several_keys() {
    let gateway = Gateway::new();
    gateway.user("ann", "sk-canary-user-key-0001").await;
    let made = gateway.post("/api/users/1/keys", json!({})).await;
    assert_eq!(made.status, 201);
    let key = made.json()["api_key"].as_str().unwrap().to_owned();
    assert!(key.starts_with("sk-") && key.len() == 46);
    let own = gateway.post("/api/users/1/keys", json!({"api_key": "sk-canary-user-key-0002"})).await;
    assert_eq!(own.ok()["api_key"], "sk-canary-user-key-0002");

    let keys = gateway.get("/api/users/1/keys").await.ok();
    assert_eq!(keys.as_array().unwrap().len(), 3);
    assert_eq!(keys[2]["api_key"], "sk-…0002");
    assert_eq!(gateway.get("/api/users/1").await.ok()["keys"], keys);
    assert_eq!(gateway.get("/api/users/1").await.ok()["api_key"], "sk-…0002");
    for key in ["sk-canary-user-key-0001", &key, "sk-canary-user-key-0002"] {
        assert!(works(&gateway, key, NOW), "{key}");
    }
}

#[tokio::test]
async fn a_key_may_expire() {
    let gateway = Gateway::new();
    gateway.user("ann", "sk-canary-user-key-0001").await;
    let body = json!({"api_key": "sk-canary-user-key-0002", "expires_at": "2026-01-31T11:00:00Z"});
    let made = gateway.post("/api/users/1/keys", body).await.ok();
    assert_eq!((&made["expires_at"], &made["expired"]), (&json!("2026-01-31T11:00:00Z"), &json!(false)));
    assert!(works(&gateway, "sk-canary-user-key-0002", NOW));
    assert!(!works(&gateway, "sk-canary-user-key-0002", UnixMillis(NOW.0 + 3_600_000)));
    for moment in ["2020-01-01T00:00:00Z", "tomorrow", ""] {
        let reply = gateway.post("/api/users/1/keys", json!({"expires_at": moment})).await;
        reply.refused_for(422, "invalid_value", "expires_at");
    }
    let never = gateway.post("/api/users/1/keys", json!({"expires_at": null})).await.ok();
    assert_eq!(never["expires_at"], Value::Null);
}

#[tokio::test]
async fn a_revoked_key_is_refused_at_once() {
    let gateway = Gateway::new();
    gateway.user("ann", "sk-canary-user-key-0001").await;
    assert_eq!(gateway.delete("/api/users/1/keys/1").await.status, 204);
    assert!(!works(&gateway, "sk-canary-user-key-0001", NOW));
    let gone = gateway.delete("/api/users/1/keys/1").await;
    gone.refused(404, "not_found");
    assert_eq!(gone.message(), "key not found");
    assert_eq!(gateway.get("/api/users/1").await.ok()["api_key"], "");
}

#[tokio::test]
async fn rotation_replaces_a_key_at_once_or_with_an_overlap() {
    let gateway = Gateway::new();
    gateway.user("ann", "sk-canary-user-key-0001").await;
    let rotated = gateway.ask("POST", "/api/users/1/keys/1/rotate").send().await;
    assert_eq!(rotated.status, 201);
    let second = rotated.json()["api_key"].as_str().unwrap().to_owned();
    assert!(!works(&gateway, "sk-canary-user-key-0001", NOW));
    assert!(works(&gateway, &second, NOW));

    let id = rotated.made();
    let body = json!({"api_key": "sk-canary-user-key-0003", "overlap_seconds": 60});
    gateway.post(&format!("/api/users/1/keys/{id}/rotate"), body).await.made();
    assert!(works(&gateway, &second, UnixMillis(NOW.0 + 59_999)));
    assert!(!works(&gateway, &second, UnixMillis(NOW.0 + 60_000)));
    assert!(works(&gateway, "sk-canary-user-key-0003", UnixMillis(NOW.0 + 60_000)));
    let keys = gateway.get("/api/users/1/keys").await.ok();
    let expired: Vec<bool> = keys.as_array().unwrap().iter().map(|key| key["expired"] == true).collect();
    assert_eq!(expired, [true, false, false]);
}

#[tokio::test]
async fn rotation_never_prolongs_an_old_key() {
    let gateway = Gateway::new();
    gateway.user("ann", "sk-canary-user-key-0001").await;
    let body = json!({"api_key": "sk-canary-user-key-0002", "expires_at": "2026-01-31T10:00:30Z"});
    gateway.post("/api/users/1/keys", body).await.made();
    gateway.post("/api/users/1/keys/2/rotate", json!({"overlap_seconds": 3600})).await.made();
    assert!(!works(&gateway, "sk-canary-user-key-0002", UnixMillis(NOW.0 + 30_000)));
}

#[tokio::test]
async fn nobody_touches_a_key_by_another_users_path() {
    let gateway = Gateway::new();
    gateway.user("ann", "sk-canary-user-key-0001").await;
    gateway.user("bob", "sk-canary-user-key-0002").await;
    gateway.delete("/api/users/2/keys/1").await.refused(404, "not_found");
    gateway.post("/api/users/2/keys/1/rotate", json!({})).await.refused(404, "not_found");
    assert!(works(&gateway, "sk-canary-user-key-0001", NOW));
    assert_eq!(gateway.get("/api/users/2/keys").await.ok().as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_does_not_fit_is_refused() {
    let gateway = Gateway::new();
    gateway.user("ann", "sk-canary-user-key-0001").await;
    gateway.get("/api/users/9/keys").await.refused(404, "not_found");
    gateway.post("/api/users/9/keys", json!({})).await.refused(404, "not_found");
    gateway.delete("/api/users/1/keys/x").await.refused(400, "invalid_id");
    let taken = json!({"api_key": "sk-canary-user-key-0001"});
    assert_eq!(gateway.post("/api/users/1/keys", taken).await.refusal().0, 409);
    let overlap = json!({"overlap_seconds": -1});
    gateway.post("/api/users/1/keys/1/rotate", overlap).await.refused_for(
        422,
        "invalid_value",
        "overlap_seconds",
    );
    for field in ["id", "user_id", "prefix", "last_four", "created_at", "expired"] {
        gateway.post("/api/users/1/keys", json!({field: 1})).await.refused_for(400, "unknown_field", field);
    }
    assert_eq!(gateway.get("/api/users/1/keys").await.ok().as_array().unwrap().len(), 1);
}
