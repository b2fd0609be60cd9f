//! The original's README: its lines, top to bottom, as they are.

use gateway_tests::{Gateway, Upstream, chat};
use http::Method;
use serde_json::json;

use crate::admin::has;

#[tokio::test]
async fn the_lines_of_the_original_readme_work_as_they_are() {
    let up = Upstream::answering(|request| chat(&format!("I am {}", request.model()))).start().await;
    let gw = Gateway::empty().set("admin.auth", "none").set("proxy.public_models", true).start().await;
    let admin = gw.admin().without_token();
    let ask = |key: &str| {
        let call = gw.call(Method::POST, "/v1/chat/completions").key(key);
        call.json(&json!({"model": "gpt-3.5-turbo", "messages": [{"role": "user", "content": "Hello!"}]}))
            .send()
    };

    // Chat completions and list models, on an empty gateway: nobody is known yet, and nothing is served.
    ask("your-api-key").await.assert_error(401, "invalid_api_key");
    assert_eq!(gw.get("/v1/models").no_key().send().await.json(), json!({"object": "list", "data": []}));

    // Create channel; the address has no path, as in the README.
    let channel = admin
        .post(
            "/api/channels",
            &json!({"name": "openai-channel", "base_url": format!("http://{}", up.address()), "api_key": up.key(),
                    "weight": 10, "enabled": true, "models": ["gpt-3.5-turbo", "gpt-4"]}),
        )
        .await;
    assert_eq!((channel.status, &channel.json()["id"]), (201, &json!(1)), "{}", channel.body_text());

    // Create user.
    let user = admin.post("/api/users", &json!({"api_key": "user-api-key", "name": "Test User"})).await;
    assert_eq!(user.status, 201, "{}", user.body_text());
    ask("user-api-key").await.assert_text("I am gpt-3.5-turbo");

    // Create model. The channel's list has made it already, which is not in the way of who asks for it.
    let model = admin.post("/api/models", &json!({"name": "gpt-4"})).await;
    assert_eq!(model.status, 201, "{}", model.body_text());

    // Create a mapping, list the mappings, remove it. The list has made this one, too.
    let mapping = json!({"channel_id": 1, "backend_model_name": "gpt-4", "weight": 10});
    let mapped = admin.post("/api/models/1/channels", &mapping).await;
    assert_eq!(mapped.status, 201, "{}", mapped.body_text());
    let listed = admin.list("/api/models/1/channels").await;
    has(&listed[0], &["id", "model_id", "channel_id", "backend_model_name", "weight", "created_at"]);
    assert_eq!(listed.len(), 1);
    let shown = (
        &listed[0]["model_id"],
        &listed[0]["channel_id"],
        &listed[0]["backend_model_name"],
        &listed[0]["weight"],
    );
    assert_eq!(shown, (&json!(1), &json!(1), &json!("gpt-4"), &json!(10)));
    ask("user-api-key").await.assert_text("I am gpt-4");
    assert_eq!(admin.delete("/api/models/1/channels/1").await.status, 204);

    // Web interface and monitoring.
    assert_eq!(gw.get("/").no_key().send().await.status, 200);
    let metrics = gw.metrics().await;
    for name in [
        "gateway_requests_total",
        "gateway_request_duration_seconds_count",
        "gateway_channel_latency_seconds_count",
        "gateway_channel_error_rate",
    ] {
        assert!(metrics.names().contains(name), "{name}");
    }
}
