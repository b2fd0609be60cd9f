//! What is only shown: status, configuration, health, routing and past calls.

use std::time::Duration;

use gateway_domain::{
    Attempt, AttemptOutcome, ChannelId, Exchange, ExchangeOutcome, KeyId, UnixMillis, Usage, UsageSource,
    UserId,
};
use gateway_health::{Fault, Observation, Scope};
use serde_json::{Value, json};

use super::gateway::{Gateway, NOW};

#[tokio::test]
async fn the_status_counts_what_there_is() {
    let gateway = Gateway::new();
    gateway.channel("a").await;
    gateway.channel("b").await;
    gateway.put("/api/channels/2", json!({"enabled": false})).await.ok();
    gateway.model("m").await;
    gateway.user("ann", "sk-canary-user-key-0001").await;
    let status = gateway.get("/api/status").await.ok();
    assert_eq!((&status["version"], &status["uptime_seconds"]), (&json!("1.2.3"), &json!(90)));
    let counts = &status["counts"];
    assert_eq!((&counts["channels"], &counts["enabled_channels"]), (&json!(2), &json!(1)));
    assert_eq!((&counts["models"], &counts["users"], &counts["pools"]), (&json!(1), &json!(1), &json!(1)));
    assert_eq!(
        (&status["channels"][1]["name"], &status["channels"][1]["enabled"]),
        (&json!("b"), &json!(false))
    );
    assert_eq!((&status["active_sessions"], &status["storage"]["ok"]), (&json!(0), &json!(true)));
    assert_eq!(status["restart_needed"], json!(["database.path"]));
}

#[tokio::test]
async fn the_configuration_shows_where_each_value_comes_from() {
    let config = Gateway::new().get("/api/config").await.ok();
    assert_eq!((&config["version"], &config["file"]), (&json!(1), &json!("gateway.toml")));
    let settings = &config["settings"];
    assert_eq!(
        settings[0],
        json!({"key": "server.port", "value": "8080", "origin": "file", "line": 2, "variable": null})
    );
    assert_eq!(settings[1]["variable"], "GATEWAY_ADMIN_TOKEN");
    assert_eq!((&settings[1]["value"], &settings[2]["origin"]), (&json!("…"), &json!("default")));
}

#[tokio::test]
async fn health_is_shown_with_its_history() {
    let gateway = Gateway::new();
    gateway.channel("a").await;
    gateway.channel("b").await;
    for _ in 0..3 {
        let seen = Observation::ProbeFailed { why: "connection refused".to_owned() };
        gateway.board.observe(ChannelId(1), Scope::Channel, seen, NOW);
    }
    let health = gateway.get("/api/channels/1/health").await.ok();
    assert_eq!((&health["status"], &health["usable"]), (&json!("unhealthy"), &json!(false)));
    assert_eq!(
        (&health["last_error"], &health["consecutive_failures"]),
        (&json!("connection refused"), &json!(3))
    );
    assert_eq!(health["last_checked"], "2026-01-31T10:00:00Z");
    assert_eq!(health["history"].as_array().unwrap().len(), 3);
    let all = gateway.get("/api/health/channels").await.ok();
    assert_eq!((&all[0]["status"], &all[1]["status"]), (&json!("unhealthy"), &json!("unknown")));
    assert_eq!(gateway.get("/api/channels/1").await.ok()["health"]["status"], "unhealthy");
    gateway.get("/api/channels/9/health").await.refused(404, "not_found");
}

#[tokio::test]
async fn a_model_that_fails_alone_is_shown_on_a_channel_that_stays() {
    let gateway = Gateway::new();
    gateway.channel("a").await;
    gateway.board.set_several(&[ChannelId(1)].into());
    for _ in 0..6 {
        let seen = Observation::TrafficFailed { why: "answered 500".to_owned(), fault: Fault::Answer };
        gateway.board.observe(ChannelId(1), Scope::Model(&"m".into()), seen, NOW);
    }
    let health = gateway.get("/api/channels/1/health").await.ok();
    assert_eq!(health["usable"], true);
    let trouble = json!({
        "model": "m", "since": "2026-01-31T10:00:00Z", "failures": 6, "last_error": "answered 500",
    });
    assert_eq!(health["troubled_models"], json!([trouble]));
    let all = gateway.get("/api/health/channels").await.ok();
    assert_eq!(all[0]["troubled_models"], json!([trouble]));
}

#[tokio::test]
async fn routing_shows_each_pool_with_its_channels() {
    let gateway = Gateway::new();
    gateway.channel("a").await;
    for model in ["z", "m"] {
        let id = gateway.model(model).await;
        let body = json!({"channel_id": 1, "backend_model_name": "x", "weight": 2});
        gateway.post(&format!("/api/models/{id}/channels"), body).await.made();
    }
    let pools = gateway.get("/api/routing/pools").await.ok();
    assert_eq!((&pools[0]["name"], &pools[1]["name"]), (&json!("m"), &json!("z")));
    let channel = &pools[0]["channels"][0];
    assert_eq!((&channel["channel_name"], &channel["state"]), (&json!("a"), &json!("closed")));
    assert_eq!(channel["weight"], json!(20.0));
}

fn exchange(id: &str, outcome: ExchangeOutcome, status: u16) -> Exchange {
    let attempt = Attempt {
        channel: ChannelId(1),
        channel_name: "a".into(),
        reason: "home",
        status: Some(status),
        first_byte: Some(Duration::from_millis(12)),
        total: Duration::from_millis(34),
        outcome: AttemptOutcome::Ok,
        home: Some(ChannelId(2)),
        health: 0.9,
        hedge: true,
    };
    Exchange {
        request_id: id.into(),
        started_at: UnixMillis(NOW.0 + 5),
        user: Some(UserId(1)),
        key: Some(KeyId(1)),
        endpoint: "/v1/chat/completions",
        model: Some("m".into()),
        streamed: true,
        attempts: [attempt].into_iter().collect(),
        outcome,
        status,
        first_byte: None,
        total: Duration::from_millis(40),
        bytes_in: 10,
        bytes_out: 20,
        usage: Usage {
            prompt: Some(3),
            audio_in: Some(2),
            source: UsageSource::Upstream,
            ..Usage::default()
        },
        session_source: "header",
    }
}

/// A gateway that has seen these calls; waits until they are written.
async fn with_exchanges(calls: &[(&str, ExchangeOutcome, u16)]) -> Gateway {
    let gateway = Gateway::new();
    gateway.user("ann", "sk-canary-user-key-0001").await;
    gateway.channel("a").await;
    let recorder = gateway.store.recorder();
    for (id, outcome, status) in calls {
        assert!(recorder.exchange(&exchange(id, *outcome, *status)));
    }
    while recorder.written() < calls.len() as u64 {
        tokio::task::yield_now().await;
    }
    gateway
}

#[tokio::test]
async fn past_calls_are_listed_newest_first_and_found_by_their_id() {
    let calls = [("r1", ExchangeOutcome::Ok, 200), ("r2", ExchangeOutcome::UpstreamError, 502)];
    let gateway = with_exchanges(&calls).await;
    let list = gateway.get("/api/exchanges").await.ok();
    assert_eq!((&list[0]["request_id"], &list[1]["request_id"]), (&json!("r2"), &json!("r1")));
    let one = gateway.get("/api/exchanges/r1").await.ok();
    assert_eq!(one, list[1]);
    assert_eq!((&one["outcome"], &one["total_ms"]), (&json!("ok"), &json!(40)));
    assert_eq!((&one["usage"]["prompt_tokens"], &one["usage"]["cached_tokens"]), (&json!(3), &Value::Null));
    assert_eq!((&one["usage"]["source"], &one["usage"]["audio_in_tokens"]), (&json!("upstream"), &json!(2)));
    assert_eq!((&one["attempts"][0]["first_byte_ms"], &one["first_byte_ms"]), (&json!(12), &Value::Null));
    assert_eq!(one["session_source"], "header");
    let attempt = &one["attempts"][0];
    assert_eq!(
        (&attempt["home"], &attempt["health"], &attempt["hedge"]),
        (&json!(2), &json!(0.9), &json!(true))
    );
    gateway.get("/api/exchanges/r3").await.refused(404, "not_found");
}

#[tokio::test]
async fn past_calls_are_filtered_and_paged() {
    let calls = [
        ("r1", ExchangeOutcome::Ok, 200),
        ("r2", ExchangeOutcome::UpstreamError, 502),
        ("r3", ExchangeOutcome::Ok, 200),
    ];
    let gateway = with_exchanges(&calls).await;
    let ids = async |query: &str| -> Vec<String> {
        let list = gateway.get(&format!("/api/exchanges?{query}")).await.ok();
        list.as_array().unwrap().iter().map(|e| e["request_id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids("limit=1").await, ["r3"]);
    let first = gateway.get("/api/exchanges?status=200&limit=1").await;
    let link = first.header("link").unwrap();
    let next = link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\"")).unwrap();
    let second = gateway.get(next).await;
    assert_eq!(second.header("link"), None, "no page follows the last one");
    assert_eq!(second.ok()[0]["request_id"], "r1");
    let last = gateway.get("/api/exchanges?limit=1").await.ok()[0]["id"].clone();
    assert_eq!(ids(&format!("before={last}")).await, ["r2", "r1"]);
    assert_eq!(ids("outcome=upstream_error").await, ["r2"]);
    assert_eq!(ids("status=200&user_id=1&model=m&channel_id=1").await, ["r3", "r1"]);
    assert_eq!(ids("model=%6e").await, Vec::<String>::new());
    assert_eq!(ids("request_id=r2&streamed=true&key_id=1&endpoint=/v1/chat/completions").await, ["r2"]);
    assert_eq!(ids("streamed=false").await, Vec::<String>::new());
    let began = crate::clock::rfc3339(UnixMillis(NOW.0 + 5));
    assert_eq!(ids(&format!("since={began}&until={}", NOW.0 + 6)).await.len(), 3);
    assert_eq!(ids(&format!("until={began}")).await, Vec::<String>::new());
    for (query, param) in [
        ("limit=501", "limit"),
        ("limit=x", "limit"),
        ("outcome=bad", "outcome"),
        ("status=-1", "status"),
        ("before=x", "before"),
        ("streamed=1", "streamed"),
        ("since=yesterday", "since"),
        ("until=-1", "until"),
    ] {
        gateway.get(&format!("/api/exchanges?{query}")).await.refused_for(422, "invalid_value", param);
    }
    gateway.get("/api/exchanges?q=1").await.refused_for(400, "unknown_field", "q");
}

#[test]
fn admin_owns_its_paths_and_no_others() {
    for path in ["/", "/api", "/api/", "/api/channels", "/ui", "/ui/", "/ui/0/app.js"] {
        assert!(crate::Admin::owns(path), "{path}");
    }
    for path in ["", "/v1/models", "/apis", "/uix", "/index.html", "/health", "/metrics", "//", "/API/x"] {
        assert!(!crate::Admin::owns(path), "{path}");
    }
}

#[tokio::test]
async fn metrics_get_the_template_and_never_the_path() {
    let gateway = Gateway::new();
    assert_eq!(gateway.admin.endpoint("/api/channels/77"), "/api/channels/{id}");
    assert_eq!(gateway.admin.endpoint("/api/secret-typed-into-a-path"), "");
}
