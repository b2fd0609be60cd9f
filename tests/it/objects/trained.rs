//! Models that were trained are where they were trained, and belong to whoever had them trained.

use gateway_tests::{Gateway, USER_KEY, Upstream, weighted};
use http::Method;
use serde_json::json;

use super::account::account;
use super::{OTHER_KEY, made, make};

/// A job at the channel that is not the usual one, and the models that came of it.
async fn trained(gw: &Gateway) -> [String; 2] {
    let asked = json!({"model": "other-m", "training_file": null}).to_string();
    let job = made(&gw.post("/v1/fine_tuning/jobs", asked).send().await);
    let told = gw.get(&format!("/v1/fine_tuning/jobs/{job}")).send().await.json();
    let checkpoints = gw.get(&format!("/v1/fine_tuning/jobs/{job}/checkpoints")).send().await.json();
    [&told["fine_tuned_model"], &checkpoints["data"][0]["fine_tuned_model_checkpoint"]]
        .map(|name| name.as_str().expect("a job names its model").to_owned())
}

async fn two_channels(wildcard: Option<&Upstream>) -> (Gateway, [Upstream; 2]) {
    let (one, other) = (account("one").await, account("other").await);
    let mut builder = Gateway::serving("m", [&one])
        .model("other-m", weighted([(&other, 10)]))
        .user("tenant", OTHER_KEY)
        .set("proxy.default_channel", one.name());
    if let Some(wildcard) = wildcard {
        builder = builder.wildcard(wildcard);
    }
    (builder.start().await, [one, other])
}

#[tokio::test]
async fn a_trained_model_is_asked_where_it_was_trained_also_after_a_restart_and_by_nobody_else() {
    let anything = Upstream::answering(|_| gateway_tests::chat("anything")).start().await;
    for wildcard in [None, Some(&anything)] {
        let (mut gw, [_, other]) = two_channels(wildcard).await;
        let models = trained(&gw).await;
        for _ in 0..2 {
            for model in &models {
                let answer = gw.chat(model).say("hi").send().await;
                assert_eq!((answer.status, answer.channel()), (200, other.name()), "{model}");
                let foreign = gw.chat(model).key(OTHER_KEY).say("hi").send().await;
                foreign.assert_error(404, "model_not_found");
                let shown = gw.get(&format!("/v1/models/{model}")).send().await.json();
                assert_eq!((&shown["id"], &shown["object"]), (&json!(model), &json!("model")));
                let foreign = gw.get(&format!("/v1/models/{model}")).key(OTHER_KEY).send().await;
                foreign.assert_error(404, "model_not_found");
            }
            gw.restart().await;
        }
        assert_eq!(anything.count(), 0);
    }
}

#[tokio::test]
async fn a_trained_model_is_deleted_and_shared_where_it_is() {
    let (gw, [_, other]) = two_channels(None).await;
    let [model, checkpoint] = trained(&gw).await;
    let permissions = format!("/v1/fine_tuning/checkpoints/{checkpoint}/permissions");
    other.set_always(gateway_tests::json_body(&json!({"deleted": true})));
    for (method, path) in [
        (Method::GET, permissions.clone()),
        (Method::DELETE, format!("{permissions}/cp_1")),
        (Method::GET, permissions.clone()),
        (Method::DELETE, format!("/v1/models/{model}")),
    ] {
        let foreign = gw.call(method.clone(), &path).key(OTHER_KEY).send().await;
        foreign.assert_error(404, "model_not_found");
        let answer = gw.call(method, &path).send().await;
        assert_eq!((answer.status, answer.channel()), (200, other.name()), "{path}");
    }
    // It is gone, and the gateway knows no channel for its name any more.
    gw.chat(&model).say("hi").send().await.assert_error(404, "model_not_found");
}

#[tokio::test]
async fn a_list_of_jobs_tells_each_user_its_own_models() {
    let (gw, [_, other]) = two_channels(None).await;
    let job = async |key: &str| {
        let asked = json!({"model": "other-m"}).to_string();
        made(&gw.post("/v1/fine_tuning/jobs", asked).key(key).send().await)
    };
    let (own, theirs) = (job(USER_KEY).await, job(OTHER_KEY).await);
    let list = gw.get("/v1/fine_tuning/jobs").send().await.json();
    assert_eq!(list["data"].as_array().unwrap().len(), 1, "{list}");
    let answer = gw.chat(&format!("ft:other-m:{own}")).say("hi").send().await;
    assert_eq!((answer.status, answer.channel()), (200, other.name()));
    let foreign = gw.chat(&format!("ft:other-m:{theirs}")).say("hi").send().await;
    foreign.assert_error(404, "model_not_found");
}

#[tokio::test]
async fn a_trained_model_that_has_mappings_is_for_everybody() {
    let (one, other) = (account("one").await, account("other").await);
    let gw = Gateway::serving("other-m", [&other]).user("tenant", OTHER_KEY).start().await;
    let [model, _] = trained(&gw).await;
    drop(gw);
    let gw = Gateway::serving("other-m", [&other])
        .model(&model, weighted([(&one, 10)]))
        .user("tenant", OTHER_KEY)
        .start()
        .await;
    let asked = json!({"model": "other-m"});
    make(&gw, "/v1/fine_tuning/jobs", &asked).await;
    for key in [USER_KEY, OTHER_KEY] {
        let answer = gw.chat(&model).key(key).say("hi").send().await;
        assert_eq!((answer.status, answer.channel()), (200, one.name()));
    }
}
