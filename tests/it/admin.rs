//! The admin API through the running server: the original's contract, and what was changed on purpose.

use gateway_tests::{Answer, Gateway, Upstream, chat, status};
use http::Method;
use serde_json::{Value, json};

fn fields(value: &Value) -> Vec<&str> {
    value.as_object().map(|object| object.keys().map(String::as_str).collect()).unwrap_or_default()
}

/// The row has all of these fields.
#[track_caller]
pub(crate) fn has(value: &Value, wanted: &[&str]) {
    let there = fields(value);
    assert!(wanted.iter().all(|field| there.contains(field)), "{wanted:?} of {value}");
}

// --- the original's contract ---

#[tokio::test]
async fn channels_keep_the_originals_fields_and_codes() {
    let gw = Gateway::empty().start().await;
    let admin = gw.admin();
    assert_eq!(admin.read("/api/channels").await, json!([]), "an empty list and not null");
    let new =
        json!({"name": "c", "base_url": "https://api.openai.com", "api_key": "sk-canarychannel-abcd1234"});

    let made = admin.post("/api/channels", &new).await;

    assert_eq!(made.status, 201, "{}", made.body_text());
    let made = made.json();
    has(&made, &["id", "name", "base_url", "api_key", "weight", "enabled", "created_at", "updated_at"]);
    assert_eq!((&made["weight"], &made["enabled"]), (&json!(10), &json!(true)));
    assert!(
        made["created_at"].as_str().is_some_and(|at| at.starts_with("20") && at.ends_with('Z')),
        "{made}"
    );
    assert!(
        !made.to_string().contains("canarychannel")
            && made["api_key"].as_str().is_some_and(|key| key.ends_with("1234"))
    );
    let path = format!("/api/channels/{}", made["id"]);
    assert_eq!(admin.read(&path).await["name"], "c");
    let changed = admin.put(&path, &json!({"weight": 25, "name": "", "enabled": false})).await;
    assert_eq!(changed.status, 200);
    let changed = changed.json();
    assert_eq!(
        (&changed["weight"], &changed["name"], &changed["enabled"]),
        (&json!(25), &json!("c"), &json!(false))
    );
    assert_eq!(
        admin.put(&path, &json!({"weight": 0})).await.json()["weight"],
        25,
        "0 changes nothing, as it did"
    );
    assert_eq!(admin.delete(&path).await.status, 204);
    assert_eq!(admin.get(&path).await.status, 404);
}

#[tokio::test]
async fn a_masked_key_that_is_sent_back_does_not_become_the_key() {
    let up = Upstream::scripted().times(2, chat("ok")).start().await;
    let gw = Gateway::empty().start().await;
    let admin = gw.admin();
    let id = admin.add_channel(&up, &["m"]).await;
    gw.chat("m").say("hi").send().await.assert_text("ok");
    let path = format!("/api/channels/{id}");
    let shown = admin.read(&path).await;

    // What a form does that shows a channel and saves it: either it is refused, or the key stays.
    let saved = admin.put(&path, &json!({"api_key": shown["api_key"], "weight": 11})).await;

    assert!(matches!(saved.status, 200 | 422), "{}", saved.body_text());
    gw.chat("m").say("hi").send().await.assert_text("ok");
}

#[tokio::test]
async fn users_keep_the_originals_fields_and_codes_and_gain_put() {
    let up = Upstream::scripted().times(2, chat("ok")).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;
    let admin = gw.admin();

    let made =
        admin.post("/api/users", &json!({"api_key": "sk-canaryuser-made-by-admin", "name": "n"})).await;

    assert_eq!(made.status, 201, "{}", made.body_text());
    let made = made.json();
    has(&made, &["id", "api_key", "name", "created_at", "updated_at"]);
    let path = format!("/api/users/{}", made["id"]);
    gw.chat("m").say("hi").key("sk-canaryuser-made-by-admin").send().await.assert_text("ok");
    assert!(!admin.get(&path).await.body_text().contains("canaryuser"), "a key is shown once at most");
    assert_eq!(admin.put(&path, &json!({"name": "renamed"})).await.json()["name"], "renamed");
    assert_eq!(admin.patch(&path, &json!({"enabled": false})).await.status, 200);
    gw.chat("m")
        .say("hi")
        .key("sk-canaryuser-made-by-admin")
        .send()
        .await
        .assert_error(401, "invalid_api_key");
    assert_eq!(admin.delete(&path).await.status, 204);
    assert_eq!(admin.get(&path).await.status, 404);

    let generated = admin.post("/api/users", &json!({"name": "g"})).await.json();
    let key = generated["api_key"].as_str().expect("a new key is shown once").to_owned();
    assert!(key.starts_with("sk-") && key.len() >= 30, "{} characters", key.len());
    // The upstream complains when a marked key reaches it; this one has no mark, so it is compared here.
    gw.chat("m").say("hi").key(&key).send().await.assert_text("ok");
    assert!(
        up.requests().iter().all(|request| request.headers().iter().all(|(_, value)| !value.contains(&key)))
    );
    assert!(!admin.get("/api/users").await.body_text().contains(&key));
}

#[tokio::test]
async fn keys_are_added_rotated_and_revoked() {
    let up = Upstream::answering(|_| chat("ok")).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;
    let admin = gw.admin();
    let user = admin.create("/api/users", &json!({"name": "k", "api_key": "sk-canaryuser-first-key"})).await;
    let keys = format!("/api/users/{user}/keys");
    let works = async |key: &str| gw.chat("m").say("hi").key(key).send().await.status == 200;

    let second = admin.post(&keys, &json!({})).await;
    assert_eq!(second.status, 201, "{}", second.body_text());
    let second = second.json()["api_key"].as_str().expect("shown once").to_owned();
    assert!(works("sk-canaryuser-first-key").await && works(&second).await);

    let rows = admin.list(&keys).await;
    assert_eq!(rows.len(), 2);
    let rotated = admin.post(&format!("{keys}/{}/rotate", rows[0]["id"]), &json!({})).await;
    assert_eq!(rotated.status, 201, "{}", rotated.body_text());
    let third = rotated.json()["api_key"].as_str().expect("shown once").to_owned();
    assert!(!works("sk-canaryuser-first-key").await && works(&second).await && works(&third).await);

    assert_eq!(admin.delete(&format!("{keys}/{}", rows[1]["id"])).await.status, 204);
    assert!(!works(&second).await && works(&third).await);
}

#[tokio::test]
async fn models_and_mappings_keep_the_originals_fields_and_codes() {
    let up = Upstream::scripted().reply(chat("ok")).start().await;
    let gw = Gateway::empty().start().await;
    let admin = gw.admin();
    let channel = admin.add_channel(&up, &[]).await;
    let made = admin.post("/api/models", &json!({"name": "gpt-x"})).await;
    assert_eq!(made.status, 201, "{}", made.body_text());
    has(&made.json(), &["id", "name", "channels_count", "created_at", "updated_at"]);
    let model = format!("/api/models/{}", made.json()["id"]);
    let mappings = format!("{model}/channels");
    assert_eq!(admin.read(&mappings).await, json!([]));

    let mapped = admin.post(&mappings, &json!({"channel_id": channel, "backend_model_name": "b"})).await;

    assert_eq!(mapped.status, 201, "{}", mapped.body_text());
    has(&mapped.json(), &["id", "model_id", "channel_id", "backend_model_name", "weight", "created_at"]);
    assert_eq!(mapped.json()["weight"], 10);
    assert_eq!(admin.named("/api/models", "gpt-x").await["channels_count"], 1);
    gw.chat("gpt-x").say("hi").send().await.assert_text("ok");
    assert_eq!(up.only_request().model(), "b");
    assert_eq!(admin.put(&model, &json!({"name": "gpt-y"})).await.json()["name"], "gpt-y");
    gw.chat("gpt-x").say("hi").send().await.assert_error(404, "model_not_found");
    assert_eq!(admin.delete(&format!("{mappings}/{channel}")).await.status, 204);
    assert_eq!(admin.read(&mappings).await, json!([]));
    assert_eq!(admin.delete(&model).await.status, 204);
    assert_eq!(admin.get(&model).await.status, 404);
    assert_eq!(admin.get(&mappings).await.status, 404, "an unknown model has no list");
}

#[tokio::test]
async fn deleting_a_channel_or_a_model_takes_its_mappings_along() {
    let up = Upstream::scripted().start().await;
    let gw = Gateway::empty().start().await;
    let admin = gw.admin();
    let channel = admin.add_channel(&up, &["a", "b"]).await;
    let (a, b) = (admin.id_of("/api/models", "a").await, admin.id_of("/api/models", "b").await);

    assert_eq!(admin.delete(&format!("/api/models/{a}")).await.status, 204);
    assert_eq!(admin.read(&format!("/api/channels/{channel}")).await["models"], json!(["b"]));
    assert_eq!(admin.delete(&format!("/api/channels/{channel}")).await.status, 204);
    assert_eq!(admin.read(&format!("/api/models/{b}/channels")).await, json!([]));
    gw.chat("b").say("hi").send().await.assert_error(503, "no_channel_available");
}

// --- what was changed on purpose ---

#[tokio::test]
async fn what_was_a_500_is_now_404_409_or_422() {
    let gw = Gateway::empty().start().await;
    let admin = gw.admin();
    let channel = json!({"name": "c", "base_url": "http://127.0.0.1:9", "api_key": "sk-canarychannel-x", "probe": "off"});
    let id = admin.create("/api/channels", &channel).await;
    let model = admin.create("/api/models", &json!({"name": "m"})).await;
    admin.create("/api/users", &json!({"name": "u", "api_key": "sk-canaryuser-taken-0001"})).await;
    let mapping = json!({"channel_id": id, "backend_model_name": "b"});
    let mappings = format!("/api/models/{model}/channels");
    assert_eq!(admin.post(&mappings, &mapping).await.status, 201);

    let check = |answer: Answer, codes: &[u16], what: &str| {
        assert!(codes.contains(&answer.status), "{what}: {} {}", answer.status, answer.body_text());
        answer.assert_error_shape();
    };
    check(admin.post("/api/channels", &channel).await, &[409], "a name that is taken");
    check(admin.post("/api/models", &json!({"name": "m"})).await, &[409], "a model that is there");
    check(
        admin.post("/api/users", &json!({"name": "v", "api_key": "sk-canaryuser-taken-0001"})).await,
        &[409],
        "a key that is taken",
    );
    check(admin.post(&mappings, &mapping).await, &[409], "a mapping that is there");
    check(
        admin.post(&mappings, &json!({"channel_id": 999, "backend_model_name": "b"})).await,
        &[404, 409, 422],
        "a channel that is not there",
    );
    check(admin.post("/api/models/999/channels", &mapping).await, &[404], "a model that is not there");
    for path in ["/api/channels/999", "/api/users/999", "/api/models/999", "/api/sessions/999"] {
        check(admin.get(path).await, &[404], path);
        check(admin.delete(path).await, &[404], path);
    }
    check(admin.put("/api/channels/999", &json!({"weight": 1})).await, &[404], "an unknown channel");
    for path in ["/api/channels/x", "/api/users/-1", "/api/models/1.5", "/api/sessions/99999999999999999999"]
    {
        check(admin.get(path).await, &[400, 404], path);
    }
    for (path, body) in [
        ("/api/channels", json!({})),
        ("/api/channels", json!({"name": "d"})),
        ("/api/channels", json!({"name": "d", "base_url": "ftp://x", "api_key": "k"})),
        ("/api/channels", json!({"name": "", "base_url": "http://x", "api_key": "k"})),
        ("/api/channels", json!({"name": 7, "base_url": "http://x", "api_key": "k"})),
        ("/api/models", json!({})),
        ("/api/models", json!({"name": ""})),
        ("/api/models", json!([])),
        ("/api/users", json!({"name": "x", "role": "admin"})),
        (&mappings, json!({"channel_id": id})),
    ] {
        check(admin.post(path, &body).await, &[400, 422], &format!("{path} {body}"));
    }
    let broken = admin
        .call(Method::POST, "/api/models")
        .header("content-type", "application/json")
        .body("{\"name\":")
        .send()
        .await;
    check(broken, &[400], "half a body");
    check(admin.get("/api/nothing").await, &[404], "an unknown path");
    let wrong = admin.call(Method::PATCH, "/api/channels").json(&json!({})).send().await;
    assert!(wrong.header("allow").contains("POST"), "{:?}", wrong.headers);
    check(wrong, &[405], "a method that is not there");
}

#[tokio::test]
async fn hostile_names_are_only_names() {
    let gw = Gateway::empty().start().await;
    let admin = gw.admin();
    for name in
        ["'; DROP TABLE channels; --", "<script>alert(1)</script>", "%_%", "\"quoted\"", "名前", "a\\b"]
    {
        let made = admin.post("/api/users", &json!({"name": name})).await;
        assert!(matches!(made.status, 201 | 422), "{name}: {}", made.body_text());
        if made.status == 201 {
            assert_eq!(made.json()["name"], name);
        }
    }
    assert_eq!(admin.read("/api/channels").await, json!([]));
}

#[tokio::test]
async fn a_write_is_in_force_when_it_is_acknowledged() {
    let up = Upstream::answering(|request| chat(&request.model())).start().await;
    let gw = Gateway::empty().set("server.workers", 2).start().await;
    let admin = gw.admin();
    let id = admin.add_channel(&up, &["m"]).await;
    let model = admin.id_of("/api/models", "m").await;

    for round in 0..30 {
        let mapping = json!({"backend_model_name": format!("name-{round}")});
        let changed = admin.put(&format!("/api/models/{model}/channels/{id}"), &mapping).await;
        assert_eq!(changed.status, 200, "{}", changed.body_text());
        gw.chat("m").say("hi").send().await.assert_text(&format!("name-{round}"));
    }
}

#[tokio::test]
async fn two_who_edit_one_row_do_not_overwrite_each_other() {
    let up = Upstream::scripted().start().await;
    let gw = Gateway::empty().start().await;
    let path = format!("/api/channels/{}", gw.admin().add_channel(&up, &[]).await);
    let seen = gw.admin().get(&path).await.header("etag").to_owned();
    assert!(!seen.is_empty());
    let edit = |weight: u32| {
        gw.admin().call(Method::PUT, &path).header("if-match", &seen).json(&json!({"weight": weight})).send()
    };

    assert_eq!(edit(20).await.status, 200);
    let late = edit(30).await;

    assert!(matches!(late.status, 409 | 412), "{}", late.body_text());
    assert_eq!(gw.admin().read(&path).await["weight"], 20);
}

#[tokio::test]
async fn past_calls_can_be_looked_up_and_hold_no_prompt() {
    let bad = Upstream::scripted().reply(status(503)).start().await;
    let good = Upstream::scripted().reply(chat("a-secret-answer")).start().await;
    let gw = Gateway::serving_weighted("m", gateway_tests::in_order([&bad, &good])).start().await;
    let answer = gw.chat("m").say("a-secret-question").send().await;

    let record = gw.admin().exchange(answer.request_id()).await;

    record.assert_tried([&bad, &good]);
    let outcomes: Vec<String> = record.attempts().into_iter().map(|(_, outcome)| outcome).collect();
    assert_eq!((outcomes, record.outcome()), (vec!["server_error".to_owned(), "ok".to_owned()], "ok"));
    assert_eq!((&record.record["status"], &record.record["model"]), (&json!(200), &json!("m")));
    assert_eq!(record.record["usage"]["prompt_tokens"], 3);
    assert!(!record.record.to_string().contains("secret"), "{}", record.record);
}
