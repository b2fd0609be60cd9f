//! What names a session, and what a channel is told of it.

use gateway_tests::{Gateway, Upstream, chat, user_keys};
use serde_json::{Value, json};

async fn one() -> (Upstream, Gateway) {
    let upstream = Upstream::answering(|_| chat("ok")).start().await;
    let gw = Gateway::serving("m", [&upstream]).start().await;
    (upstream, gw)
}

async fn source(gw: &Gateway, id: &str) -> String {
    gw.admin().exchange(id).await;
    let record = gw.admin().read(&format!("/api/exchanges/{id}")).await;
    record["session_source"].as_str().expect("the source is told").to_owned()
}

#[tokio::test]
async fn a_session_is_named_by_the_first_of_five_that_a_call_has() {
    let (_upstream, gw) = one().await;
    let everything = || {
        gw.chat("m")
            .say("hi")
            .with("prompt_cache_key", json!("p"))
            .header("x-session-id", "h")
            .with("metadata", json!({"session": "s"}))
            .with("user", json!("u"))
    };
    let without = |names: &[&str]| {
        let mut call = everything();
        for name in names {
            call = if *name == "x-session-id" { call.header(name, "") } else { call.with(name, Value::Null) };
        }
        call
    };
    let names = ["prompt_cache_key", "x-session-id", "metadata", "user"];
    let words = ["prompt_cache_key", "header", "metadata", "user", "key"];
    for (missing, word) in words.iter().enumerate() {
        let answer = without(&names[..missing]).send().await;
        assert_eq!(source(&gw, answer.request_id()).await, *word);
    }
    assert_eq!(gw.admin().list("/api/sessions").await.len(), 5);
}

#[tokio::test]
async fn the_header_that_names_a_session_can_be_another_one_or_none() {
    let upstream = Upstream::answering(|_| chat("ok")).start().await;
    let gw = Gateway::serving("m", [&upstream]).set("proxy.session_header", "x-thread").start().await;
    let asked = |name: &'static str| gw.chat("m").say("hi").header(name, "7").send();
    assert_eq!(source(&gw, asked("x-thread").await.request_id()).await, "header");
    assert_eq!(source(&gw, asked("x-session-id").await.request_id()).await, "key");
    gw.set("proxy.session_header", "");
    gateway_tests::until("the change is in force", async || {
        let answer = gw.chat("m").say("hi").header("x-thread", "7").send().await;
        (source(&gw, answer.request_id()).await == "key").then_some(())
    })
    .await;
}

#[tokio::test]
async fn conversations_of_one_user_spread_over_the_channels_and_each_stays() {
    let ups = [
        Upstream::answering(|_| chat("ok")).start().await,
        Upstream::answering(|_| chat("ok")).start().await,
    ];
    let gw = Gateway::serving("m", &ups).start().await;
    let ask = async |conversation: usize| {
        let answer =
            gw.chat("m").say("hi").with("prompt_cache_key", json!(format!("c{conversation}"))).send().await;
        answer.assert_text("ok");
        answer.channel().to_owned()
    };
    let mut homes = Vec::new();
    for conversation in 0..40 {
        homes.push(ask(conversation).await);
    }
    for (conversation, home) in homes.iter().enumerate() {
        assert_eq!(ask(conversation).await, *home);
    }
    for upstream in &ups {
        let share = homes.iter().filter(|home| **home == upstream.name()).count();
        assert!((8..=32).contains(&share), "{share} of 40 at {}", upstream.name());
    }
}

#[tokio::test]
async fn another_users_conversation_of_the_same_name_is_another_session() {
    let upstream = Upstream::answering(|_| chat("ok")).start().await;
    let keys = user_keys("tenant", 2);
    let gw = Gateway::serving("m", [&upstream]).users(&keys).start().await;
    for key in &keys {
        gw.chat("m").say("hi").key(key).header("x-session-id", "same").send().await.assert_text("ok");
    }
    assert_eq!(gw.admin().list("/api/sessions").await.len(), 2);
}

#[tokio::test]
async fn a_channel_that_wants_one_gets_a_cache_key_where_the_caller_gave_none() {
    let upstream = Upstream::answering(|_| chat("ok")).start().await;
    let gw = Gateway::serving("m", [&upstream]).channel(&upstream, "add_cache_key", true).start().await;
    let ask = async |conversation: &str| {
        gw.chat("m").say("hi").header("x-session-id", conversation).send().await.assert_text("ok");
        let body = upstream.requests().last().expect("it was asked").json();
        body["prompt_cache_key"].as_str().expect("a key was added").to_owned()
    };
    let first = ask("one").await;
    assert!(first.starts_with("gw-"), "{first}");
    assert_eq!(ask("one").await, first);
    assert_ne!(ask("other").await, first);

    gw.chat("m").say("hi").with("prompt_cache_key", json!("mine")).send().await;
    assert_eq!(upstream.requests().last().unwrap().json()["prompt_cache_key"], "mine");
    gw.chat("m").say("hi").with("prompt_cache_key", Value::Null).send().await;
    assert_eq!(upstream.requests().last().unwrap().json()["prompt_cache_key"], Value::Null);

    let body = r#"  { "model" : "m", "input" : "x" }"#;
    gw.post("/v1/embeddings", body).send().await;
    let sent = upstream.requests().last().unwrap().body.clone();
    assert_eq!(String::from_utf8_lossy(&sent), body, "embeddings have no such field");
}

#[tokio::test]
async fn a_cache_key_changes_nothing_else() {
    let upstream = Upstream::answering(|_| chat("ok")).start().await;
    let gw = Gateway::serving("m", [&upstream])
        .channel(&upstream, "add_cache_key", true)
        .mapping("m", &upstream, "model", "backend")
        .start()
        .await;
    gw.post("/v1/chat/completions", " {\n \"messages\" : [ ] ,\"model\":\"m\", \"x\":1e400}").send().await;
    let sent = String::from_utf8(upstream.only_request().body.to_vec()).unwrap();
    let (head, rest) = sent.split_once("\"prompt_cache_key\":\"gw-").expect("a key was added");
    let (_, rest) = rest.split_once("\",").expect("the key ends");
    assert_eq!(format!("{head}{rest}"), " {\n \"messages\" : [ ] ,\"model\":\"backend\", \"x\":1e400}");
}
