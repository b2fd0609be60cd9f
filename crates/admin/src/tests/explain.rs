//! What would happen to a call, told without its happening.

use std::sync::Arc;

use gateway_domain::{ChannelId, UserId};
use gateway_routing::{
    ChannelSet, ChannelView, Decision, Kind, Micros, Outcome, Pool, Request, SessionKey as RoutingKey,
};
use gateway_sessions::{Place, Session, SessionKey};
use serde_json::{Value, json};

use super::gateway::{Gateway, NOW, Reply};
use super::pools::pools_of;

/// The moment at which the test's gateway stands still.
const STILL: Micros = Micros::from_millis(5);

/// User `ann` (1), model `m` on channels `a` (1) and `b` (2).
async fn two_channels() -> Gateway {
    let gateway = Gateway::new();
    gateway.user("ann", "sk-canary-user-key-0001").await;
    gateway.model("m").await;
    for (id, name) in [(1, "a"), (2, "b")] {
        assert_eq!(gateway.channel(name).await, id);
        let body = json!({"channel_id": id, "backend_model_name": "x"});
        gateway.post("/api/models/1/channels", body).await.made();
    }
    gateway
}

async fn explain(gateway: &Gateway, query: &str) -> Value {
    gateway.get(&format!("/api/routing/explain?{query}")).await.ok()
}

async fn refused(gateway: &Gateway, query: &str) -> Reply {
    gateway.get(&format!("/api/routing/explain?{query}")).await
}

fn pool(gateway: &Gateway, name: &str) -> Arc<Pool> {
    Arc::clone(&gateway.pools.load()[name])
}

fn decide(gateway: &Gateway, session: Option<u64>, seed: u64) -> Decision {
    ask(gateway, session, seed, &ChannelSet::new())
}

fn ask(gateway: &Gateway, session: Option<u64>, seed: u64, excluded: &ChannelSet) -> Decision {
    let session = session.map(RoutingKey);
    let wish = Request {
        session,
        pinned: None,
        streaming: true,
        prompt_tokens: 0,
        attempt: 0,
        excluded,
        filter: None,
    };
    pool(gateway, "m").decide(&wish, STILL, seed).unwrap()
}

/// Has one of the two channels end so many attempts so.
fn harm(gateway: &Gateway, channel: i64, kind: Kind, times: u64) {
    let mut other = ChannelSet::new();
    other.insert(ChannelId(3 - channel));
    for seed in 0..times {
        let decision = ask(gateway, None, seed, &other);
        assert_eq!(decision.channel, ChannelId(channel));
        decision.ticket.finish(Outcome::of(kind), STILL);
    }
}

fn key(name: &str) -> SessionKey {
    SessionKey::of_user(UserId(1), name.into())
}

fn candidate(explanation: &Value, channel: &str) -> Value {
    let candidates = explanation["candidates"].as_array().unwrap();
    candidates.iter().find(|candidate| candidate["channel_name"] == channel).unwrap().clone()
}

fn sentence(explanation: &Value) -> &str {
    explanation["sentence"].as_str().unwrap()
}

fn state(gateway: &Gateway) -> (Vec<ChannelView>, Vec<Session>) {
    (pool(gateway, "m").views(STILL), gateway.sessions.list())
}

#[tokio::test]
async fn the_explained_channel_is_the_one_that_a_call_gets() {
    let gateway = two_channels().await;
    for chat in 0..40 {
        let told = explain(&gateway, &format!("model=m&user=ann&session=chat-{chat}&streaming=true")).await;
        let key = SessionKey::of_conversation(UserId(1), "m".into(), format!("chat-{chat}").as_bytes());
        let got = decide(&gateway, Some(key.hash64()), 0).channel;
        assert_eq!(told["chosen"]["channel_id"], got.0, "{told}");
        assert_eq!((&told["chosen"]["reason"], &told["home_id"]), (&json!("home"), &json!(got.0)));
        assert_eq!(told["session"]["key"], format!("{:016x}", key.hash64()));
        assert_eq!(
            (&told["session"]["source"], &told["session"]["place"]),
            (&json!("conversation"), &json!("unknown"))
        );
    }
}

#[tokio::test]
async fn a_call_without_a_session_gets_what_its_seed_says() {
    let gateway = two_channels().await;
    let id = gateway.sessions.remember(&key("m"), ChannelId(1), NOW);
    gateway.delete(&format!("/api/sessions/{id}")).await;
    let mut seen = std::collections::HashSet::new();
    for seed in 0..40 {
        let told = explain(&gateway, &format!("model=m&user=ann&seed={seed}")).await;
        assert_eq!(told["chosen"]["channel_id"], decide(&gateway, None, seed).channel.0, "seed {seed}");
        assert_eq!((&told["seed"], &told["keyed"]), (&json!(seed), &json!(false)));
        assert_eq!(
            (&told["session"]["place"], &told["chosen"]["reason"]),
            (&json!("redraw"), &json!("keyless"))
        );
        assert!(sentence(&told).ends_with("because an administrator ended the session."), "{told}");
        seen.insert(told["chosen"]["channel_id"].as_i64());
    }
    assert_eq!(seen.len(), 2, "an ended session may go anywhere");
}

#[tokio::test]
async fn explaining_changes_nothing() {
    let gateway = two_channels().await;
    gateway.sessions.remember(&key("m"), ChannelId(1), NOW);
    harm(&gateway, 2, Kind::ServerError(500), 6);
    gateway.sessions.take_changes();
    let before = state(&gateway);
    for seed in 0..50 {
        explain(&gateway, &format!("model=m&user=ann&seed={seed}")).await;
        explain(&gateway, &format!("model=m&user=ann&session=other-{seed}&streaming=true")).await;
    }
    assert_eq!(state(&gateway), before);
    assert_eq!(gateway.sessions.take_changes(), [], "nothing for storage either");
    let other = SessionKey::of_conversation(UserId(1), "m".into(), b"other-1");
    assert_eq!(gateway.sessions.place_of(&other, NOW), Place::Unknown);
}

#[tokio::test]
async fn a_known_session_is_explained_with_its_pin_and_its_home() {
    let gateway = two_channels().await;
    let home = explain(&gateway, "model=m&user=ann").await["home_id"].as_i64().unwrap();
    let (home_name, other, other_name) = if home == 1 { ("a", 2, "b") } else { ("b", 1, "a") };
    gateway.sessions.remember(&key("m"), ChannelId(other), NOW);
    let told = explain(&gateway, "model=m&user=ann").await;
    assert_eq!(
        told["session"],
        json!({
            "source": "key", "key": format!("{:016x}", key("m").hash64()), "place": "known",
            "channel_id": other, "channel_name": other_name,
        })
    );
    assert_eq!((&told["chosen"]["channel_id"], &told["chosen"]["reason"]), (&json!(other), &json!("pinned")));
    assert_eq!((&told["home_name"], &told["keyed"]), (&json!(home_name), &json!(true)));
    let said = sentence(&told);
    assert!(
        said.starts_with(&format!("ann's call for m goes to {other_name}: it served the session last")),
        "{said}"
    );
    assert!(said.ends_with(&format!("the session's home is {home_name}.")), "{said}");
}

#[tokio::test]
async fn every_candidate_comes_with_its_factors_in_the_calls_order() {
    let gateway = two_channels().await;
    let told = explain(&gateway, "model=m&user=ann").await;
    let candidates = told["candidates"].as_array().unwrap();
    let number = |candidate: &Value, name: &str| candidate[name].as_f64().unwrap();
    assert!(number(&candidates[0], "race") > number(&candidates[1], "race"));
    assert_eq!(candidates[0]["channel_id"], told["home_id"]);
    for candidate in candidates {
        let race = number(candidate, "weight") / -number(candidate, "u").ln();
        assert!((number(candidate, "race") - race).abs() < 1e-9 * race, "{candidate}");
        let product = ["latency_factor", "error_factor", "load_factor"]
            .map(|f| number(candidate, f))
            .iter()
            .product::<f64>();
        assert!((number(candidate, "health") - product).abs() < 1e-9, "{candidate}");
        assert_eq!((&candidate["verdict"], &candidate["state"]), (&json!("accepted"), &json!("closed")));
        assert!(candidate["why"].as_str().unwrap().starts_with("its health of 1.00 reaches"), "{candidate}");
    }
    assert_eq!((&told["policy"], &told["refused"]), (&json!("adaptive"), &Value::Null));
    assert_eq!(told["chosen"]["first_token_deadline_ms"], Value::Null, "it does not stream");
    let streaming = explain(&gateway, "model=m&user=ann&streaming=true").await;
    assert!(streaming["chosen"]["first_token_deadline_ms"].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn a_home_that_fails_is_named_with_the_reason_it_is_passed_over() {
    let gateway = two_channels().await;
    let healthy = explain(&gateway, "model=m&user=ann").await;
    let (home, name) = (healthy["home_id"].as_i64().unwrap(), healthy["home_name"].as_str().unwrap());
    harm(&gateway, home, Kind::ServerError(500), 6);
    let told = explain(&gateway, "model=m&user=ann").await;
    assert_eq!((&told["chosen"]["reason"], &told["home_id"]), (&json!("spill"), &json!(home)));
    let passed = candidate(&told, name);
    assert_eq!((&passed["verdict"], &passed["state"]), (&json!("open"), &json!("open")));
    let end = format!("not to the session's home {name}: it is out of use after failures or for slowness.");
    assert!(sentence(&told).ends_with(&end), "{told}");
}

#[tokio::test]
async fn a_call_that_no_channel_can_take_is_told_what_it_would_get() {
    let gateway = two_channels().await;
    harm(&gateway, 1, Kind::RateLimited, 1);
    let limited = explain(&gateway, "model=m&user=ann").await;
    assert_eq!(
        (&limited["chosen"]["channel_id"], &candidate(&limited, "a")["verdict"]),
        (&json!(2), &json!("limited"))
    );
    assert!(candidate(&limited, "a")["blocked_ms"].as_u64().unwrap() > 0);
    harm(&gateway, 2, Kind::RateLimited, 1);
    let told = explain(&gateway, "model=m&user=ann").await;
    assert_eq!((&told["chosen"], &told["no_route"]["reason"]), (&Value::Null, &json!("all_limited")));
    assert!(told["no_route"]["retry_after_ms"].as_u64().unwrap() > 0);
    assert!(
        sentence(&told).starts_with("ann's call for m gets 429: every channel waits for a rate limit"),
        "{told}"
    );

    for id in [1, 2] {
        gateway.patch(&format!("/api/channels/{id}"), json!({"weight": 0})).await.ok();
    }
    let drained = explain(&gateway, "model=m&user=ann").await;
    assert_eq!(
        (&drained["no_route"]["reason"], &drained["no_route"]["retry_after_ms"]),
        (&json!("empty"), &Value::Null)
    );
    assert_eq!(candidate(&drained, "a")["why"], "it is drained: its weight is 0");
}

#[tokio::test]
async fn the_size_of_the_prompt_counts_where_tokens_are_counted() {
    let gateway = two_channels().await;
    let mut spec = pools_of(&gateway.live.load()).remove(0);
    spec.channels.retain(|channel| channel.id == ChannelId(1));
    spec.channels[0].tokens_per_minute = Some(1000);
    gateway.pools.adopt(&[spec]).unwrap();
    let small = explain(&gateway, "model=m&user=ann&prompt_tokens=10").await;
    assert_eq!(
        (&small["chosen"]["channel_id"], &candidate(&small, "a")["limited_by"]),
        (&json!(1), &Value::Null)
    );
    decide(&gateway, None, 0).ticket.finish(Outcome { prompt_tokens: 900, ..Outcome::of(Kind::Ok) }, STILL);
    let large = explain(&gateway, "model=m&user=ann&prompt_tokens=500").await;
    assert_eq!(candidate(&large, "a")["limited_by"], "tokens_per_minute");
    let why = candidate(&large, "a")["why"].as_str().unwrap().to_owned();
    assert!(why.starts_with("its tokens_per_minute do not suffice for this call for "), "{why}");
}

#[tokio::test]
async fn shares_are_shown_against_weights() {
    let gateway = two_channels().await;
    gateway.patch("/api/channels/1", json!({"weight": 30})).await.ok();
    let shares = async || {
        let pools = gateway.get("/api/routing/pools").await.ok();
        let channels = pools[0]["channels"].as_array().unwrap();
        channels
            .iter()
            .map(|c| [&c["share"], &c["expected_share"]].map(|n| n.as_f64().unwrap()))
            .collect::<Vec<_>>()
    };
    assert_eq!(shares().await, [[0.0, 0.75], [0.0, 0.25]]);
    for chat in 0..400_u32 {
        let key = SessionKey::of_conversation(UserId(1), "m".into(), &chat.to_le_bytes());
        decide(&gateway, Some(key.hash64()), 0).ticket.finish(Outcome::of(Kind::Ok), STILL);
    }
    let seen = shares().await;
    assert!((seen[0][0] - 0.75).abs() < 0.1 && (seen[0][0] + seen[1][0] - 1.0).abs() < 1e-9, "{seen:?}");
}

#[tokio::test]
async fn models_without_mappings_and_calls_without_a_model_have_pools_of_their_own() {
    let gateway = two_channels().await;
    gateway.patch("/api/channels/2", json!({"serves_any_model": true})).await.ok();
    let any = explain(&gateway, "model=never-heard-of&user=1").await;
    assert_eq!(
        (&any["pool"], &any["model"], &any["chosen"]["channel_name"]),
        (&json!("*"), &json!("never-heard-of"), &json!("b"))
    );
    assert_eq!(any["session"]["key"], format!("{:016x}", key("*").hash64()));
    assert_eq!(sentence(&any), "ann's call for never-heard-of goes to b: no other channel serves it.");
    let none = explain(&gateway, "user=ann").await;
    assert_eq!(
        (&none["pool"], &none["model"], &none["chosen"]["reason"]),
        (&json!(""), &Value::Null, &json!("only_one"))
    );
    assert_eq!(none["session"]["key"], format!("{:016x}", key("").hash64()));
    assert!(sentence(&none).starts_with("ann's call without a model goes to b"), "{none}");
    let pools = gateway.get("/api/routing/pools").await.ok();
    let shown: Vec<_> = pools.as_array().unwrap().iter().map(|pool| (&pool["name"], &pool["kind"])).collect();
    let expected =
        [("", "default"), ("*", "any"), ("m", "model")].map(|(name, kind)| (json!(name), json!(kind)));
    assert!(shown.into_iter().eq(expected.iter().map(|(name, kind)| (name, kind))), "{pools}");
}

#[tokio::test]
async fn a_call_that_is_turned_away_at_the_door_is_explained_too() {
    let gateway = two_channels().await;
    gateway.patch("/api/channels/2", json!({"serves_any_model": true})).await.ok();
    gateway.patch("/api/users/1", json!({"allowed_models": ["other"]})).await.ok();
    let told = explain(&gateway, "model=m&user=ann").await;
    assert_eq!(told["refused"], "the user's allowed_models do not name this model, so it is not found");
    assert!(sentence(&told).contains(" is refused: the user's allowed_models"), "{told}");
    assert!(sentence(&told).contains("Were it let in, it would go to "), "{told}");
    assert!(explain(&gateway, "user=ann").await["refused"].as_str().unwrap().contains("must name one"));
    gateway.patch("/api/users/1", json!({"enabled": false})).await.ok();
    let told = explain(&gateway, "model=m&user=ann").await;
    assert_eq!(told["refused"], "the user is disabled, so its keys are refused");
}

#[tokio::test]
async fn what_does_not_exist_is_404_with_advice() {
    let gateway = two_channels().await;
    let model = refused(&gateway, "model=nope&user=ann").await;
    model.refused_for(404, "not_found", "model");
    assert!(model.message().ends_with("GET /api/models lists the models"), "{}", model.message());
    let none = refused(&gateway, "user=ann").await;
    none.refused_for(404, "not_found", "model");
    assert!(none.message().ends_with("set proxy.default_channel"), "{}", none.message());
    for query in ["model=m&user=bob", "model=m&user=77"] {
        let user = refused(&gateway, query).await;
        user.refused_for(404, "not_found", "user");
        assert!(user.message().ends_with("GET /api/users lists them"), "{}", user.message());
    }
    gateway.user("ann", "sk-canary-user-key-0002").await;
    refused(&gateway, "model=m&user=ann").await.refused_for(422, "invalid_value", "user");
    assert_eq!(explain(&gateway, "model=m&user=2").await["user_name"], "ann");
}

#[tokio::test]
async fn wrong_parameters_are_400_and_named() {
    let gateway = two_channels().await;
    for (query, code, param) in [
        ("model=m", "missing_field", "user"),
        ("model=m&user=ann&streaming=maybe", "invalid_type", "streaming"),
        ("model=m&user=ann&seed=-1", "invalid_type", "seed"),
        ("model=m&user=ann&seed=x", "invalid_type", "seed"),
        ("model=m&user=ann&page=2", "unknown_field", "page"),
    ] {
        refused(&gateway, query).await.refused_for(400, code, param);
    }
    for (body, code, param) in [
        (json!({"model": "m"}), "missing_field", "user"),
        (json!({"model": "m", "user": true}), "invalid_type", "user"),
        (json!({"model": 1, "user": 1}), "invalid_type", "model"),
        (json!({"model": "m", "user": 1, "streaming": "true"}), "invalid_type", "streaming"),
        (json!({"model": "m", "user": 1, "seed": 1.5}), "invalid_type", "seed"),
    ] {
        gateway.post("/api/routing/explain", body).await.refused_for(400, code, param);
    }
    let negative = gateway.post("/api/routing/explain", json!({"model": "m", "user": 1, "seed": -1})).await;
    negative.refused_for(422, "invalid_value", "seed");
}

#[tokio::test]
async fn the_same_question_gets_the_same_answer_by_either_method() {
    let gateway = two_channels().await;
    let got =
        explain(&gateway, "model=m&user=ann&session=chat%207&streaming=true&seed=18446744073709551615").await;
    let body = json!({"model": "m", "user": "ann", "session": "chat 7", "streaming": true, "seed": u64::MAX});
    assert_eq!(gateway.post("/api/routing/explain", body).await.ok(), got);
    let by_id = json!({"model": "m", "user": 1, "session": "chat 7", "streaming": true, "seed": u64::MAX});
    assert_eq!(gateway.post("/api/routing/explain", by_id).await.ok(), got);
    let drawn = explain(&gateway, "model=m&user=ann").await["seed"].as_u64().unwrap();
    assert!(drawn < 1 << 53, "readers of JSON keep it: {drawn}");
}
