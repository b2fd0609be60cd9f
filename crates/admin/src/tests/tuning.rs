//! Limits, times and routing of channels and models, through the API.

use serde_json::{Value, json};

use super::gateway::{CHANNEL_KEY, Gateway};

const CHANNEL: &str = "/api/channels/1";
const MODEL: &str = "/api/models/1";

const CHANNEL_FIELDS: [&str; 8] = [
    "tier",
    "requests_per_minute",
    "tokens_per_minute",
    "add_cache_key",
    "connect_timeout",
    "first_byte_timeout",
    "stream_gap_timeout",
    "pool_idle_timeout",
];

const MODEL_FIELDS: [&str; 5] = ["policy", "slack_percent", "sticky", "cut", "hedge"];

/// These fields of an answer.
fn of(answer: &Value, fields: &[&str]) -> Value {
    fields.iter().map(|field| ((*field).to_owned(), answer[*field].clone())).collect()
}

fn untuned_channel() -> Value {
    json!({"tier": 0, "requests_per_minute": null, "tokens_per_minute": null, "add_cache_key": false,
        "connect_timeout": null, "first_byte_timeout": null, "stream_gap_timeout": null,
        "pool_idle_timeout": null})
}

fn untuned_model() -> Value {
    json!({"policy": null, "slack_percent": null, "sticky": null, "cut": null, "hedge": null})
}

#[tokio::test]
async fn a_channel_is_untuned_until_somebody_says_more() {
    let gateway = Gateway::new();
    gateway.channel("plain").await;
    assert_eq!(of(&gateway.get(CHANNEL).await.ok(), &CHANNEL_FIELDS), untuned_channel());

    let tuning = json!({"tier": 1, "requests_per_minute": 500, "tokens_per_minute": 200_000, "add_cache_key": true,
        "connect_timeout": "250ms", "first_byte_timeout": "20s", "stream_gap_timeout": "1m30s",
        "pool_idle_timeout": "4s"});
    let mut body = json!({"name": "tuned", "base_url": "http://127.0.0.1:9", "api_key": CHANNEL_KEY});
    body.as_object_mut().unwrap().extend(tuning.as_object().unwrap().clone());
    let made = gateway.post("/api/channels", body).await.ok();
    assert_eq!(of(&made, &CHANNEL_FIELDS), tuning);
    let live = gateway.live.load().channels[&gateway_domain::ChannelId(2)].tuning.clone();
    assert_eq!((live.tier, live.tokens_per_minute), (1, Some(200_000)));
}

#[tokio::test]
async fn what_put_and_patch_leave_out_of_a_channels_tuning_stays_and_null_takes_it_away() {
    let gateway = Gateway::new();
    gateway.channel("a").await;
    gateway.put(CHANNEL, json!({"tier": 2, "requests_per_minute": 9, "connect_timeout": "1s"})).await.ok();
    let kept = gateway.patch(CHANNEL, json!({"weight": 3})).await.ok();
    assert_eq!((&kept["tier"], &kept["connect_timeout"]), (&json!(2), &json!("1s")));
    let bare = json!({"tier": 0, "requests_per_minute": null, "connect_timeout": null});
    for method in ["PUT", "PATCH"] {
        gateway
            .put(CHANNEL, json!({"tier": 2, "requests_per_minute": 9, "connect_timeout": "1s"}))
            .await
            .ok();
        let after = gateway.ask(method, CHANNEL).json(&bare).send().await.ok();
        assert_eq!(of(&after, &CHANNEL_FIELDS), untuned_channel(), "{method}");
    }
}

#[tokio::test]
async fn a_channels_tuning_out_of_bounds_is_refused_by_name() {
    let gateway = Gateway::new();
    gateway.channel("a").await;
    for (field, value) in [
        ("tier", json!(256)),
        ("tier", json!(-1)),
        ("requests_per_minute", json!(0)),
        ("tokens_per_minute", json!(1_000_000_001_u64)),
        ("connect_timeout", json!("soon")),
        ("first_byte_timeout", json!("0s")),
        ("stream_gap_timeout", json!("")),
        ("pool_idle_timeout", json!("0s")),
    ] {
        gateway.patch(CHANNEL, json!({field: value})).await.refused_for(422, "invalid_value", field);
    }
    for (field, value) in [("tier", json!("1")), ("add_cache_key", json!(1)), ("connect_timeout", json!(3))] {
        gateway.patch(CHANNEL, json!({field: value})).await.refused_for(400, "invalid_type", field);
    }
    assert_eq!(gateway.get(CHANNEL).await.ok()["version"], 1);
}

#[tokio::test]
async fn a_channels_times_lie_within_those_in_force() {
    let gateway = Gateway::new();
    gateway.channel("a").await;
    let reply = gateway.patch(CHANNEL, json!({"connect_timeout": "90s"})).await;
    reply.refused_for(422, "invalid_value", "connect_timeout");
    let expected = "1m30s is longer than proxy.first_byte_timeout, which is 1m";
    assert!(reply.message().contains(expected), "{}", reply.message());
    let both = json!({"connect_timeout": "90s", "first_byte_timeout": "2m"});
    assert_eq!(gateway.patch(CHANNEL, both).await.ok()["connect_timeout"], "1m30s");
    // The change is judged together with what stands there already.
    let shorter = gateway.patch(CHANNEL, json!({"first_byte_timeout": "30s"})).await;
    shorter.refused_for(422, "invalid_value", "connect_timeout");
    gateway.patch(CHANNEL, json!({"stream_gap_timeout": "1h"})).await.refused_for(
        422,
        "invalid_value",
        "stream_gap_timeout",
    );
    let mut body = json!({"name": "b", "base_url": "http://127.0.0.1:9", "api_key": ""});
    body["connect_timeout"] = json!("90s");
    gateway.post("/api/channels", body).await.refused_for(422, "invalid_value", "connect_timeout");
}

#[tokio::test]
async fn a_models_tuning_is_made_changed_and_taken_away() {
    let gateway = Gateway::new();
    let tuning = json!({"policy": "least_inflight", "slack_percent": 200, "sticky": false, "cut": false,
        "hedge": {"after": "2s", "max_percent": 10}});
    let mut body = tuning.clone();
    body["name"] = json!("m");
    let made = gateway.post("/api/models", body).await.ok();
    assert_eq!(of(&made, &MODEL_FIELDS), tuning);
    assert_eq!(gateway.live.load().models["m"].tuning.sticky, Some(false));

    let renamed = gateway.put(MODEL, json!({"name": "n"})).await.ok();
    assert_eq!(of(&renamed, &MODEL_FIELDS), tuning, "a rename changes nothing else");
    let learned = gateway.patch(MODEL, json!({"hedge": {}, "cut": null})).await.ok();
    assert_eq!(learned["hedge"], json!({"after": "learned", "max_percent": 5}));
    assert_eq!((&learned["cut"], &learned["policy"]), (&Value::Null, &json!("least_inflight")));
    let bare = gateway.patch(MODEL, untuned_model()).await.ok();
    assert_eq!(of(&bare, &MODEL_FIELDS), untuned_model());
    assert_eq!(bare["name"], "n");
}

#[tokio::test]
async fn a_models_tuning_out_of_bounds_is_refused_by_name() {
    let gateway = Gateway::new();
    gateway.model("m").await;
    for (field, value) in [
        ("slack_percent", json!(99)),
        ("slack_percent", json!(10_001)),
        ("hedge", json!({"after": "soon"})),
        ("hedge", json!({"after": "0s"})),
        ("hedge", json!({"after": 2})),
        ("hedge", json!({"max_percent": 0})),
        ("hedge", json!({"max_percent": 51})),
        ("hedge", json!({"max_percent": 300})),
        ("hedge", json!({"most": 5})),
    ] {
        gateway.patch(MODEL, json!({field: value})).await.refused_for(422, "invalid_value", field);
    }
    for (field, value) in [("policy", json!("random")), ("hedge", json!("2s")), ("sticky", json!("no"))] {
        gateway.patch(MODEL, json!({field: value})).await.refused_for(400, "invalid_type", field);
    }
    assert_eq!(of(&gateway.get(MODEL).await.ok(), &MODEL_FIELDS), untuned_model());
}

#[tokio::test]
async fn an_old_version_of_a_model_is_not_tuned() {
    let gateway = Gateway::new();
    gateway.model("m").await;
    let tag = gateway.get(MODEL).await.header("etag").unwrap().to_owned();
    gateway.patch(MODEL, json!({"sticky": false})).await.ok();
    let late = gateway.ask("PATCH", MODEL).header("if-match", &tag).json(&json!({"sticky": true}));
    late.send().await.refused(409, "version_mismatch");
    assert_eq!(gateway.get(MODEL).await.ok()["sticky"], false);
}
