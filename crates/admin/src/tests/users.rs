use serde_json::{Value, json};

use super::gateway::Gateway;

#[tokio::test]
async fn the_clients_own_key_is_echoed_once_and_masked_ever_after() {
    let gateway = Gateway::new();
    assert_eq!(gateway.get("/api/users").await.text(), "[]");
    let key = "sk-canary-user-key-0001";
    let made = gateway.post("/api/users", json!({"api_key": key, "name": "Test User"})).await;
    assert_eq!((made.status.as_u16(), made.header("location")), (201, Some("/api/users/1")));
    let made = made.json();
    assert_eq!((&made["api_key"], &made["name"]), (&json!(key), &json!("Test User")));
    assert_eq!((&made["enabled"], &made["allowed_models"]), (&json!(true), &Value::Null));
    assert_eq!(made["keys"][0]["api_key"], "sk-…0001");

    let shown = gateway.get("/api/users/1").await.ok();
    assert_eq!(shown["api_key"], "sk-…0001");
    assert_eq!(gateway.get("/api/users").await.ok(), json!([shown]));
    assert_eq!(gateway.put("/api/users/1", json!({"name": "Ann"})).await.ok()["api_key"], "sk-…0001");
}

#[tokio::test]
async fn a_key_that_is_left_out_is_made_and_works() {
    let gateway = Gateway::new();
    let made = gateway.post("/api/users", json!({"name": "ann"})).await.ok();
    let key = made["api_key"].as_str().unwrap();
    assert!(key.starts_with("sk-") && key.len() == 46, "{key}");
    let digest = gateway_storage::key_digest(key);
    let (_, user) =
        gateway.live.load().identify(&digest, super::gateway::NOW).map(|(k, u)| (k.id, u.id)).unwrap();
    assert_eq!(Some(user.0), made["id"].as_i64());
    let shown = gateway.get("/api/users/1").await;
    assert!(!shown.text().contains(key));
}

#[tokio::test]
async fn a_user_needs_nothing_not_even_a_body() {
    let gateway = Gateway::new();
    let made = gateway.ask("POST", "/api/users").send().await.ok();
    assert_eq!((&made["name"], &made["may_explain"]), (&json!(""), &json!(false)));
    let curious = gateway.post("/api/users", json!({"may_explain": true})).await.ok();
    assert_eq!(curious["may_explain"], true);
}

#[tokio::test]
async fn put_and_patch_change_name_state_and_models() {
    let gateway = Gateway::new();
    gateway.user("ann", "sk-canary-user-key-0001").await;
    let changes = json!({"name": "Ann", "enabled": false, "allowed_models": ["a", "b", "a"]});
    let user = gateway.put("/api/users/1", changes).await.ok();
    assert_eq!((&user["name"], &user["enabled"]), (&json!("Ann"), &json!(false)));
    assert_eq!(user["allowed_models"], json!(["a", "b"]));
    assert_eq!(user["may_explain"], false);
    let curious = gateway.patch("/api/users/1", json!({"may_explain": true})).await.ok();
    assert_eq!((&curious["may_explain"], &curious["name"]), (&json!(true), &json!("Ann")));
    assert_eq!(gateway.put("/api/users/1", json!({"name": ""})).await.ok()["name"], "Ann");
    assert_eq!(
        gateway.put("/api/users/1", json!({"enabled": true})).await.ok()["allowed_models"],
        json!(["a", "b"])
    );
    assert_eq!(
        gateway.patch("/api/users/1", json!({"allowed_models": ["a", "*"]})).await.ok()["allowed_models"],
        Value::Null
    );
    assert_eq!(
        gateway.patch("/api/users/1", json!({"allowed_models": []})).await.ok()["allowed_models"],
        json!([])
    );
    assert_eq!(
        gateway.patch("/api/users/1", json!({"allowed_models": null})).await.ok()["allowed_models"],
        Value::Null
    );
    gateway.put("/api/users/9", json!({"name": "x"})).await.refused(404, "not_found");
}

#[tokio::test]
async fn what_does_not_fit_is_refused() {
    let gateway = Gateway::new();
    gateway.user("ann", "sk-canary-user-key-0001").await;
    let taken = gateway.post("/api/users", json!({"api_key": "sk-canary-user-key-0001"})).await;
    assert_eq!(taken.refusal().0, 409);
    for key in ["", "with space", "sk-…0001", "tab\t", "ü"] {
        gateway.post("/api/users", json!({"api_key": key})).await.refused_for(
            422,
            "invalid_value",
            "api_key",
        );
    }
    gateway.post("/api/users", json!({"name": 5})).await.refused_for(400, "invalid_type", "name");
    gateway.post("/api/users", json!({"allowed_models": [1]})).await.refused_for(
        400,
        "invalid_type",
        "allowed_models",
    );
    gateway.post("/api/users", json!({"allowed_models": [""]})).await.refused_for(
        422,
        "invalid_value",
        "allowed_models",
    );
    let bad = gateway.get("/api/users/x").await;
    bad.refused(400, "invalid_id");
    assert_eq!(bad.message(), "invalid user ID");
}

#[tokio::test]
async fn fields_that_only_answers_have_are_refused() {
    let gateway = Gateway::new();
    gateway.user("ann", "sk-canary-user-key-0001").await;
    for field in ["id", "keys", "managed_by", "version", "created_at", "updated_at", "role", "is_admin"] {
        gateway.post("/api/users", json!({field: 1})).await.refused_for(400, "unknown_field", field);
        gateway.put("/api/users/1", json!({field: 1})).await.refused_for(400, "unknown_field", field);
    }
    gateway.put("/api/users/1", json!({"api_key": "x"})).await.refused_for(400, "unknown_field", "api_key");
}

#[tokio::test]
async fn a_deleted_user_is_gone_with_its_keys() {
    let gateway = Gateway::new();
    gateway.user("ann", "sk-canary-user-key-0001").await;
    let digest = gateway_storage::key_digest("sk-canary-user-key-0001");
    assert!(gateway.live.load().identify(&digest, super::gateway::NOW).is_some());
    assert_eq!(gateway.delete("/api/users/1").await.status, 204);
    assert!(gateway.live.load().identify(&digest, super::gateway::NOW).is_none());
    let gone = gateway.delete("/api/users/1").await;
    gone.refused(404, "not_found");
    assert_eq!(gone.message(), "user not found");
}

#[tokio::test]
async fn an_old_version_is_not_changed_or_deleted() {
    let gateway = Gateway::new();
    gateway.user("ann", "sk-canary-user-key-0001").await;
    let tag = gateway.get("/api/users/1").await.header("etag").unwrap().to_owned();
    gateway.put("/api/users/1", json!({"name": "Ann"})).await.ok();
    for method in ["PUT", "PATCH", "DELETE"] {
        let ask = gateway.ask(method, "/api/users/1").header("if-match", &tag).json(&json!({"name": "B"}));
        ask.send().await.refused(409, "version_mismatch");
    }
}
