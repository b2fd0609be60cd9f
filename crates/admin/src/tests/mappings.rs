use serde_json::json;

use super::gateway::Gateway;

#[tokio::test]
async fn a_mapping_is_made_listed_changed_and_deleted() {
    let gateway = Gateway::new();
    let (model, channel) = (gateway.model("gpt-4").await, gateway.channel("a").await);
    assert_eq!(gateway.get("/api/models/1/channels").await.text(), "[]");
    let body = json!({"channel_id": channel, "backend_model_name": "gpt-4-0613", "weight": 3});
    let mapping = gateway.post("/api/models/1/channels", body).await;
    assert_eq!(mapping.status, 201);
    let mapping = mapping.json();
    assert_eq!((&mapping["model_id"], &mapping["channel_id"]), (&json!(model), &json!(channel)));
    assert_eq!((&mapping["backend_model_name"], &mapping["weight"]), (&json!("gpt-4-0613"), &json!(3)));
    assert_eq!(mapping["channel_name"], "a");
    assert_eq!(gateway.get("/api/models/1/channels").await.ok(), json!([mapping]));
    assert_eq!(gateway.get("/api/models/1").await.ok()["channels_count"], 1);
    assert_eq!(gateway.get("/api/channels/1").await.ok()["models"], json!(["gpt-4"]));

    let path = "/api/models/1/channels/1";
    assert_eq!(gateway.put(path, json!({"weight": 0})).await.ok()["weight"], 3);
    assert_eq!(gateway.put(path, json!({"weight": 8, "backend_model_name": ""})).await.ok()["weight"], 8);
    assert_eq!(gateway.patch(path, json!({"weight": 0})).await.ok()["weight"], 0);
    let renamed = gateway.patch(path, json!({"backend_model_name": "other"})).await.ok();
    assert_eq!((&renamed["backend_model_name"], &renamed["weight"]), (&json!("other"), &json!(0)));

    assert_eq!(gateway.delete(path).await.status, 204);
    gateway.delete(path).await.refused(404, "not_found");
    gateway.put(path, json!({"weight": 1})).await.refused(404, "not_found");
}

#[tokio::test]
async fn a_weight_that_is_absent_or_not_positive_is_ten() {
    let gateway = Gateway::new();
    gateway.model("m").await;
    for weight in [json!({}), json!({"weight": 0}), json!({"weight": -1})] {
        let channel = gateway.channel(&format!("c{weight}")).await;
        let mut body = json!({"channel_id": channel, "backend_model_name": "m"});
        body.as_object_mut().unwrap().extend(weight.as_object().unwrap().clone());
        assert_eq!(gateway.post("/api/models/1/channels", body).await.ok()["weight"], 10);
    }
}

#[tokio::test]
async fn what_does_not_fit_is_refused() {
    let gateway = Gateway::new();
    gateway.model("m").await;
    gateway.channel("a").await;
    let good = json!({"channel_id": 1, "backend_model_name": "m"});
    gateway.post("/api/models/9/channels", good.clone()).await.refused(404, "not_found");
    gateway.get("/api/models/9/channels").await.refused(404, "not_found");
    gateway.get("/api/models/x/channels").await.refused(400, "invalid_id");
    gateway.delete("/api/models/1/channels/x").await.refused(400, "invalid_id");
    let unknown = json!({"channel_id": 77, "backend_model_name": "m"});
    gateway.post("/api/models/1/channels", unknown).await.refused_for(422, "invalid_value", "channel_id");
    let missing = json!({"channel_id": 1});
    gateway.post("/api/models/1/channels", missing).await.refused_for(
        400,
        "missing_field",
        "backend_model_name",
    );
    let kind = json!({"channel_id": "1", "backend_model_name": "m"});
    gateway.post("/api/models/1/channels", kind).await.refused_for(400, "invalid_type", "channel_id");
    assert_eq!(gateway.post("/api/models/1/channels", good.clone()).await.status, 201);
    assert_eq!(gateway.post("/api/models/1/channels", good).await.refusal().0, 409);
}

#[tokio::test]
async fn an_old_version_is_not_changed_or_deleted() {
    let gateway = Gateway::new();
    gateway.model("m").await;
    gateway.channel("a").await;
    let body = json!({"channel_id": 1, "backend_model_name": "m"});
    let made = gateway.post("/api/models/1/channels", body).await;
    let tag = made.header("etag").unwrap().to_owned();
    let path = "/api/models/1/channels/1";
    gateway.put(path, json!({"weight": 5})).await.ok();
    for method in ["PUT", "PATCH", "DELETE"] {
        let ask = gateway.ask(method, path).header("if-match", &tag).json(&json!({"weight": 6}));
        ask.send().await.refused(409, "version_mismatch");
    }
}
