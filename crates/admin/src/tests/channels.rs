use serde_json::{Value, json};

use super::gateway::{CHANNEL_KEY, Gateway};

fn new_channel(more: &Value) -> Value {
    let mut body = json!({"name": "a", "base_url": "https://api.openai.com", "api_key": CHANNEL_KEY});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn no_channels_are_an_empty_list() {
    assert_eq!(Gateway::new().get("/api/channels").await.text(), "[]");
}

#[tokio::test]
async fn a_channel_is_made_shown_listed_and_deleted() {
    let gateway = Gateway::new();
    let made = gateway.post("/api/channels", new_channel(&json!({}))).await;
    assert_eq!((made.status.as_u16(), made.header("location")), (201, Some("/api/channels/1")));
    let channel = made.json();
    assert_eq!(channel["base_url"], "https://api.openai.com/v1");
    assert_eq!(channel["api_key"], "sk-…0001");
    assert_eq!(channel["managed_by"], "api");
    assert_eq!(channel["probe"], "models");
    assert_eq!(channel["max_concurrency"], Value::Null);
    assert_eq!(channel["health"]["status"], "unknown");
    assert_ne!(channel["created_at"], "0001-01-01T00:00:00Z");

    assert_eq!(gateway.get("/api/channels/1").await.ok(), channel);
    assert_eq!(gateway.get("/api/channels").await.ok(), json!([channel]));
    let deleted = gateway.delete("/api/channels/1").await;
    assert_eq!((deleted.status.as_u16(), deleted.text()), (204, ""));
    gateway.get("/api/channels/1").await.refused(404, "not_found");
    gateway.delete("/api/channels/1").await.refused(404, "not_found");
}

#[tokio::test]
async fn what_is_left_out_gets_its_default() {
    let gateway = Gateway::new();
    for (number, weight) in [json!({}), json!({"weight": 0}), json!({"weight": -3}), json!({"weight": null})]
        .into_iter()
        .enumerate()
    {
        let mut body = new_channel(&weight);
        body["name"] = json!(format!("c{number}"));
        let channel = gateway.post("/api/channels", body).await.ok();
        assert_eq!((&channel["weight"], &channel["enabled"]), (&json!(10), &json!(true)));
    }
    let off = gateway.post("/api/channels", new_channel(&json!({"enabled": false}))).await.ok();
    assert_eq!(off["enabled"], false);
}

#[tokio::test]
async fn models_on_create_make_the_models_and_the_mappings() {
    let gateway = Gateway::new();
    let body = new_channel(&json!({"models": ["gpt-4", "gpt-3.5-turbo", "gpt-4", "*"]}));
    let channel = gateway.post("/api/channels", body).await.ok();
    let mut models: Vec<&str> =
        channel["models"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    models.sort_unstable();
    assert_eq!(models, ["*", "gpt-3.5-turbo", "gpt-4"]);
    assert_eq!(channel["serves_any_model"], true);
    let listed = gateway.get("/api/models").await.ok();
    assert_eq!(listed.as_array().unwrap().len(), 2);
    assert!(listed.as_array().unwrap().iter().all(|model| model["channels_count"] == 1), "{listed}");
    assert_eq!(gateway.get("/api/channels").await.ok()[0]["models"], channel["models"]);
}

#[tokio::test]
async fn put_changes_what_is_given_and_leaves_the_rest_as_the_original_did() {
    let gateway = Gateway::new();
    let before = gateway.post("/api/channels", new_channel(&json!({"weight": 7}))).await.ok();
    let none = json!({"name": "", "base_url": "", "api_key": "", "weight": 0});
    let after = gateway.put("/api/channels/1", none).await.ok();
    for field in ["name", "base_url", "api_key", "weight", "enabled", "models", "probe"] {
        assert_eq!(after[field], before[field], "{field}");
    }
    let changes = json!({"name": "b", "base_url": "http://127.0.0.1:1/v2/", "api_key": "sk-canary-channel-key-0002",
        "weight": 30, "enabled": false, "serves_any_model": true, "max_concurrency": 4, "probe": "/up"});
    let after = gateway.put("/api/channels/1", changes).await.ok();
    assert_eq!((&after["name"], &after["base_url"]), (&json!("b"), &json!("http://127.0.0.1:1/v2")));
    assert_eq!((&after["api_key"], &after["weight"]), (&json!("sk-…0002"), &json!(30)));
    assert_eq!((&after["enabled"], &after["models"]), (&json!(false), &json!(["*"])));
    assert_eq!((&after["max_concurrency"], &after["probe"]), (&json!(4), &json!("/up")));
    let key = gateway.store.channel(gateway_domain::ChannelId(1)).unwrap().value.api_key;
    assert_eq!(key.expose(), "sk-canary-channel-key-0002");
    assert_eq!(
        gateway.put("/api/channels/1", json!({"max_concurrency": null})).await.ok()["max_concurrency"],
        json!(null)
    );
}

#[tokio::test]
async fn patch_means_what_it_says() {
    let gateway = Gateway::new();
    gateway.channel("a").await;
    let drained = gateway.patch("/api/channels/1", json!({"weight": 0})).await.ok();
    assert_eq!((&drained["weight"], &drained["name"]), (&json!(0), &json!("a")));
    assert_eq!(gateway.patch("/api/channels/1", json!({"api_key": ""})).await.ok()["api_key"], "");
    gateway.patch("/api/channels/1", json!({"name": ""})).await.refused_for(422, "invalid_value", "name");
    gateway.patch("/api/channels/1", json!({"weight": -1})).await.refused_for(422, "invalid_value", "weight");
    assert_eq!(gateway.patch("/api/channels/1", json!({})).await.ok()["name"], "a");
}

#[tokio::test]
async fn a_probe_is_said_in_the_words_of_the_file() {
    let gateway = Gateway::new();
    gateway.channel("a").await;
    let calls = ["chat", "chat_stream", "embeddings", "responses"].map(|call| json!({call: "small"}));
    for probe in [json!("off"), json!("/healthz"), json!("models")].into_iter().chain(calls) {
        assert_eq!(gateway.put("/api/channels/1", json!({"probe": probe})).await.ok()["probe"], probe);
    }
    let wrong = [
        json!("on"),
        json!("up"),
        json!({"chat": ""}),
        json!({"audio": "m"}),
        json!({"embeddings": 7}),
        json!({"chat": "m", "x": 1}),
        json!(7),
        json!("/a b"),
        json!([]),
    ];
    for probe in wrong {
        gateway.put("/api/channels/1", json!({"probe": probe})).await.refused_for(
            422,
            "invalid_value",
            "probe",
        );
    }
}

#[tokio::test]
async fn every_wrong_value_is_named_at_once() {
    let gateway = Gateway::new();
    let body = json!({"name": "a\u{7}", "base_url": "ftp://x", "api_key": "with space", "weight": 9_999_999_999_u64,
        "max_concurrency": 0, "models": ["ok", ""], "probe": "no"});
    let reply = gateway.post("/api/channels", body).await;
    assert_eq!(reply.refusal().0, 422);
    let problems = reply.json()["error"]["problems"].clone();
    let mut params: Vec<&str> =
        problems.as_array().unwrap().iter().map(|problem| problem["param"].as_str().unwrap()).collect();
    params.sort_unstable();
    assert_eq!(params, ["api_key", "base_url", "max_concurrency", "models", "name", "probe", "weight"]);
    assert!(reply.message().contains("base_url must begin with http:// or https://"), "{}", reply.message());
    assert_eq!(gateway.get("/api/channels").await.text(), "[]");
}

#[tokio::test]
async fn what_is_missing_is_400_as_in_the_original() {
    let gateway = Gateway::new();
    for field in ["name", "base_url", "api_key"] {
        let mut body = new_channel(&json!({}));
        body.as_object_mut().unwrap().remove(field);
        gateway.post("/api/channels", body.clone()).await.refused_for(400, "missing_field", field);
        body[field] = Value::Null;
        gateway.post("/api/channels", body).await.refused_for(400, "missing_field", field);
    }
    gateway.post("/api/channels", new_channel(&json!({"name": ""}))).await.refused_for(
        400,
        "missing_field",
        "name",
    );
}

#[tokio::test]
async fn a_server_that_wants_no_key_is_given_an_empty_one() {
    let gateway = Gateway::new();
    let channel = gateway.post("/api/channels", new_channel(&json!({"api_key": ""}))).await.ok();
    assert_eq!(channel["api_key"], "");
}

#[tokio::test]
async fn fields_that_only_answers_have_are_refused_with_the_names_of_those_there_are() {
    let gateway = Gateway::new();
    gateway.channel("old").await;
    let only_shown = ["id", "health", "managed_by", "version", "created_at", "updated_at", "is_admin"];
    for field in only_shown {
        let reply = gateway.post("/api/channels", new_channel(&json!({field: 1}))).await;
        reply.refused_for(400, "unknown_field", field);
        assert!(reply.message().contains("max_concurrency"), "{}", reply.message());
        gateway.put("/api/channels/1", json!({field: 1})).await.refused_for(400, "unknown_field", field);
    }
    assert_eq!(gateway.get("/api/channels").await.ok().as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_masked_key_is_never_taken_for_a_key() {
    let gateway = Gateway::new();
    let shown = gateway.post("/api/channels", new_channel(&json!({}))).await.ok();
    let reply = gateway.put("/api/channels/1", json!({"api_key": shown["api_key"]})).await;
    reply.refused_for(422, "invalid_value", "api_key");
    assert!(reply.message().contains("masked"), "{}", reply.message());
}

#[tokio::test]
async fn names_are_unique_and_ids_are_numbers() {
    let gateway = Gateway::new();
    gateway.channel("a").await;
    let second = gateway.channel("b").await;
    gateway.post("/api/channels", new_channel(&json!({}))).await.refused_for(409, "conflict", "name");
    gateway
        .put(&format!("/api/channels/{second}"), json!({"name": "a"}))
        .await
        .refused_for(409, "conflict", "name");
    for id in ["x", "-1", "1.0", "+1", "99999999999999999999", "1%20"] {
        let reply = gateway.get(&format!("/api/channels/{id}")).await;
        reply.refused(400, "invalid_id");
        assert_eq!(reply.message(), "invalid channel ID");
    }
    let reply = gateway.put("/api/channels/77", json!({"weight": 3})).await;
    reply.refused(404, "not_found");
    assert_eq!(reply.message(), "channel not found");
}

#[tokio::test]
async fn two_who_change_one_channel_do_not_overwrite_each_other() {
    let gateway = Gateway::new();
    gateway.channel("a").await;
    let tag = gateway.get("/api/channels/1").await.header("etag").unwrap().to_owned();
    let change = |tag: &str, weight: u32| {
        let ask = gateway.ask("PUT", "/api/channels/1").header("if-match", tag);
        ask.json(&json!({"weight": weight})).send()
    };
    let first = change(&tag, 20).await;
    assert_eq!(first.status, 200);
    change(&tag, 30).await.refused(409, "version_mismatch");
    change("\"nonsense\"", 30).await.refused(409, "version_mismatch");
    gateway
        .ask("DELETE", "/api/channels/1")
        .header("if-match", &tag)
        .send()
        .await
        .refused(409, "version_mismatch");
    assert_eq!(gateway.get("/api/channels/1").await.ok()["weight"], 20);
    assert_eq!(change("*", 40).await.ok()["weight"], 40);
    let tag = gateway.get("/api/channels/1").await.header("etag").unwrap().to_owned();
    let deleted = gateway.ask("DELETE", "/api/channels/1").header("if-match", &tag).send().await;
    assert_eq!(deleted.status, 204);
}

#[tokio::test]
async fn a_deleted_channel_takes_its_mappings_along() {
    let gateway = Gateway::new();
    gateway.post("/api/channels", new_channel(&json!({"models": ["m"]}))).await.made();
    assert_eq!(gateway.get("/api/models").await.ok()[0]["channels_count"], 1);
    gateway.delete("/api/channels/1").await;
    assert_eq!(gateway.get("/api/models").await.ok()[0]["channels_count"], 0);
    assert_eq!(gateway.get("/api/models/1/channels").await.text(), "[]");
}
