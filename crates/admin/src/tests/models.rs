use serde_json::{Value, json};

use super::gateway::Gateway;

#[tokio::test]
async fn a_model_is_made_shown_renamed_and_deleted() {
    let gateway = Gateway::new();
    assert_eq!(gateway.get("/api/models").await.text(), "[]");
    let made = gateway.post("/api/models", json!({"name": "gpt-4"})).await;
    assert_eq!((made.status.as_u16(), made.header("location")), (201, Some("/api/models/1")));
    assert_eq!((&made.json()["name"], &made.json()["channels_count"]), (&json!("gpt-4"), &json!(0)));
    assert_eq!(gateway.get("/api/models/1").await.ok(), made.json());

    assert_eq!(gateway.put("/api/models/1", json!({"name": "gpt-4o"})).await.ok()["name"], "gpt-4o");
    assert_eq!(gateway.patch("/api/models/1", json!({})).await.ok()["name"], "gpt-4o");
    assert_eq!(gateway.delete("/api/models/1").await.status, 204);
    let gone = gateway.delete("/api/models/1").await;
    gone.refused(404, "not_found");
    assert_eq!(gone.message(), "model not found");
}

#[tokio::test]
async fn names_are_required_unique_and_readable() {
    let gateway = Gateway::new();
    gateway.model("a").await;
    gateway.model("b").await;
    gateway.post("/api/models", json!({"name": "a"})).await.refused_for(409, "conflict", "name");
    gateway.put("/api/models/2", json!({"name": "a"})).await.refused_for(409, "conflict", "name");
    gateway.post("/api/models", json!({})).await.refused_for(400, "missing_field", "name");
    gateway.put("/api/models/1", json!({})).await.refused_for(400, "missing_field", "name");
    gateway.put("/api/models/9", json!({"name": "x"})).await.refused(404, "not_found");
    for name in ["*", " ", " a", "a\r\nx: y", &"x".repeat(201)] {
        gateway.post("/api/models", json!({"name": name})).await.refused_for(422, "invalid_value", "name");
    }
    for name in [json!(5), json!(["a"]), json!(true)] {
        gateway.post("/api/models", json!({"name": name})).await.refused_for(400, "invalid_type", "name");
    }
}

#[tokio::test]
async fn fields_that_only_answers_have_are_refused() {
    let gateway = Gateway::new();
    for field in ["id", "channels_count", "managed_by", "version", "created_at", "updated_at"] {
        let body = json!({"name": "m", field: Value::Null});
        gateway.post("/api/models", body).await.refused_for(400, "unknown_field", field);
    }
}

#[tokio::test]
async fn an_old_version_is_not_renamed_or_deleted() {
    let gateway = Gateway::new();
    gateway.model("a").await;
    let tag = gateway.get("/api/models/1").await.header("etag").unwrap().to_owned();
    gateway.put("/api/models/1", json!({"name": "b"})).await.ok();
    for (method, body) in [("PUT", json!({"name": "c"})), ("PATCH", json!({})), ("DELETE", json!({}))] {
        let ask = gateway.ask(method, "/api/models/1").header("if-match", &tag).json(&body);
        ask.send().await.refused(409, "version_mismatch");
    }
    assert_eq!(gateway.get("/api/models/1").await.ok()["name"], "b");
}
