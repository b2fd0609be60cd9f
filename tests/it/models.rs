//! `GET /v1/models`: what this key may use and what can be served.

use gateway_tests::{Answer, Gateway, Upstream, until, weighted};

fn ids(answer: &Answer) -> Vec<String> {
    assert_eq!(
        (answer.status, answer.json()["object"].as_str()),
        (200, Some("list")),
        "{}",
        answer.body_text()
    );
    let data = answer.json()["data"].as_array().cloned().expect("a list, empty or not");
    data.iter().map(|model| model["id"].as_str().expect("an id").to_owned()).collect()
}

#[tokio::test]
async fn models_are_listed_by_name_as_openai_does() {
    let up = Upstream::scripted().start().await;
    let channel = || weighted([(&up, 10)]);
    let gw =
        Gateway::serving("zeta", [&up]).model("alpha", channel()).model("mid/dle:1", channel()).start().await;

    let list = gw.get("/v1/models").send().await;

    assert_eq!(ids(&list), ["alpha", "mid/dle:1", "zeta"]);
    let first = &list.json()["data"][0];
    assert_eq!(
        (first["object"].as_str(), first["owned_by"].as_str()),
        (Some("model"), Some("openai-gateway"))
    );
    assert!(first["created"].as_i64().is_some_and(|at| at > 1_600_000_000), "{first}");
    let one = gw.get("/v1/models/mid%2Fdle:1").send().await;
    assert_eq!((one.status, one.json()["id"].as_str()), (200, Some("mid/dle:1")));
    assert_eq!(gw.get("/v1/models/mid/dle:1").send().await.json()["id"], "mid/dle:1");
    gw.get("/v1/models/none").send().await.assert_error(404, "model_not_found");
}

#[tokio::test]
async fn models_ask_for_a_key_unless_they_are_public() {
    let up = Upstream::scripted().start().await;
    let private = Gateway::serving("m", [&up]).start().await;
    private.get("/v1/models").no_key().send().await.assert_error(401, "invalid_api_key");
    private.get("/v1/models/m").no_key().send().await.assert_error(401, "invalid_api_key");

    let public = Gateway::serving("m", [&up]).set("proxy.public_models", true).start().await;
    assert_eq!(ids(&public.get("/v1/models").no_key().send().await), ["m"]);
}

#[tokio::test]
async fn without_models_the_list_is_empty_and_not_null() {
    let gw = Gateway::empty().start().await;
    assert!(ids(&gw.get("/v1/models").send().await).is_empty());
}

#[tokio::test]
async fn only_what_the_key_may_use_and_a_channel_can_serve_is_listed() {
    let up = Upstream::scripted().start().await;
    let off = Upstream::scripted().start().await;
    let gw = Gateway::serving("mine", [&up])
        .model("others", weighted([(&up, 10)]))
        .model("dark", weighted([(&off, 10)]))
        .channel(&off, "enabled", false)
        .config(|toml| {
            let user = toml["users"][0].as_table_mut().expect("a table");
            user.insert("models".to_owned(), toml::Value::Array(vec!["mine".into(), "dark".into()]));
        })
        .user("free", "sk-canaryuser-models-0001")
        .start()
        .await;

    assert_eq!(ids(&gw.get("/v1/models").send().await), ["mine"]);
    let free = gw.get("/v1/models").key("sk-canaryuser-models-0001").send().await;
    assert_eq!(ids(&free), ["mine", "others"]);
    gw.get("/v1/models/others").send().await.assert_error(404, "model_not_found");
}

#[tokio::test]
async fn a_model_whose_only_channel_is_ill_is_not_listed() {
    let up = Upstream::scripted().start().await;
    let gw = Gateway::serving("m", [&up])
        .channel(&up, "probe", "models")
        .set("health_check.interval", "1s")
        .set("health_check.timeout", "500ms")
        .set("health_check.unhealthy_after", 1)
        .start()
        .await;
    up.set_well(false);
    until("the model disappears", async || ids(&gw.get("/v1/models").send().await).is_empty().then_some(()))
        .await;
    up.set_well(true);
    until("the model is back", async || (ids(&gw.get("/v1/models").send().await) == ["m"]).then_some(()))
        .await;
}
