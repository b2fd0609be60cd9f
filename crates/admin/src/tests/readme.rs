//! The admin lines of the original's README, top to bottom, as they stand there.

use serde_json::json;

use super::gateway::Gateway;

#[tokio::test]
async fn the_originals_readme_runs_from_top_to_bottom() {
    let gateway = Gateway::with(None, gateway_config::Settings::default());
    let curl = |method: &'static str, path: &'static str, body: &'static str| {
        let ask = gateway.ask(method, path).host(Some("localhost:8080")).token(None);
        let ask = ask.header("user-agent", "curl/8").header("accept", "*/*");
        if body.is_empty() {
            ask.send()
        } else {
            ask.header("content-type", "application/json").body(body).send()
        }
    };

    let channel = curl(
        "POST",
        "/api/channels",
        r#"{
    "name": "openai-channel",
    "base_url": "https://api.openai.com",
    "api_key": "sk-your-key",
    "weight": 10,
    "enabled": true,
    "models": ["gpt-3.5-turbo", "gpt-4"]
  }"#,
    )
    .await;
    assert_eq!(channel.status, 201, "{channel:?}");
    assert_eq!(channel.json()["base_url"], "https://api.openai.com/v1");

    let user = curl("POST", "/api/users", r#"{ "api_key": "user-api-key", "name": "Test User" }"#).await;
    assert_eq!((user.status.as_u16(), &user.json()["api_key"]), (201, &json!("user-api-key")));

    // The channel's `models` have made gpt-4 already, which is not in the way of who asks for it.
    let model = curl("POST", "/api/models", r#"{ "name": "gpt-4" }"#).await;
    assert_eq!((model.status.as_u16(), &model.json()["name"]), (201, &json!("gpt-4")), "{model:?}");

    let mapping = curl(
        "POST",
        "/api/models/1/channels",
        r#"{ "channel_id": 1, "backend_model_name": "gpt-4", "weight": 10 }"#,
    )
    .await;
    assert_eq!(mapping.status, 201, "{mapping:?}");

    let mappings = curl("GET", "/api/models/1/channels", "").await.ok();
    let mapping = &mappings[0];
    assert_eq!(
        (&mapping["id"], &mapping["model_id"], &mapping["channel_id"]),
        (&json!(1), &json!(1), &json!(1))
    );
    assert_eq!((&mapping["backend_model_name"], &mapping["weight"]), (&json!("gpt-4"), &json!(10)));
    assert_eq!(curl("DELETE", "/api/models/1/channels/1", "").await.status, 204);
    assert_eq!(curl("GET", "/", "").await.status, 200);
}
