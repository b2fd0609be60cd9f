//! What was made at one channel is used there, and by whoever made it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use gateway_tests::{Answer, Gateway, Reply, Upstream, body, json_body, status, until};
use serde_json::{Value, json};

const OTHER_KEY: &str = "sk-canaryuser-the-other-tenant";

/// An account that keeps responses: it answers to ids of its own, and knows no others.
async fn account(tag: &'static str) -> Upstream {
    let made = Arc::new(AtomicU32::new(0));
    let answering = Upstream::answering(move |request| {
        let named = request.json()["previous_response_id"].as_str().map(str::to_owned);
        if named.is_some_and(|id| !id.starts_with(&format!("resp_{tag}_"))) {
            return status(404);
        }
        let id = format!("resp_{tag}_{}", made.fetch_add(1, Ordering::Relaxed));
        let response = json!({"id": id, "object": "response", "status": "completed", "output": []});
        if request.wants_stream() { streamed(&response) } else { json_body(&response) }
    });
    answering.start().await
}

fn streamed(response: &Value) -> Reply {
    let events = [
        json!({"type": "response.created", "response": response}),
        json!({"type": "response.output_text.delta", "delta": "hi", "item_id": "msg_1"}),
        json!({"type": "response.completed", "response": response}),
    ];
    let event = |event: &Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or(""));
    body("text/event-stream", events.iter().map(event).collect::<String>())
}

/// The id of the response in an answer, streamed or not.
fn made(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.body_text());
    let found = match answer.events().first() {
        Some(event) => event["response"]["id"].clone(),
        None => answer.json()["id"].clone(),
    };
    found.as_str().expect("an answer names what it made").to_owned()
}

/// Makes a response in a conversation of its own.
async fn respond(gw: &Gateway, conversation: u32, stream: bool) -> String {
    let cache_key = format!("conversation-{conversation}");
    let asked = json!({"model": "m", "input": "hi", "prompt_cache_key": cache_key, "stream": stream});
    made(&gw.post("/v1/responses", asked.to_string()).send().await)
}

async fn go_on(gw: &Gateway, from: &str, key: &str) -> Answer {
    // Another conversation by its name, so that nothing but the id says where it belongs.
    let asked =
        json!({"model": "m", "input": "and?", "previous_response_id": from, "prompt_cache_key": "other"});
    gw.post("/v1/responses", asked.to_string()).key(key).send().await
}

fn account_of(id: &str) -> &str {
    id.split('_').nth(1).unwrap_or_default()
}

#[tokio::test]
async fn a_response_is_continued_where_it_was_made_also_after_a_restart() {
    let (one, other) = (account("one").await, account("other").await);
    let mut gw = Gateway::serving("m", [&one, &other]).start().await;
    let mut responses = Vec::new();
    for conversation in 0..24 {
        responses.push(respond(&gw, conversation, conversation % 2 == 0).await);
    }
    for tag in ["one", "other"] {
        assert!(responses.iter().any(|id| account_of(id) == tag), "{responses:?}: both accounts made some");
    }
    for round in 0..2 {
        let mut continued = Vec::new();
        for id in &responses {
            let next = made(&go_on(&gw, id, gateway_tests::USER_KEY).await);
            assert_eq!(account_of(&next), account_of(id), "round {round}: {id} was continued as {next}");
            continued.push(next);
        }
        responses = continued;
        gw.restart().await;
    }
}

#[tokio::test]
async fn another_users_response_looks_like_one_that_never_was() {
    let one = account("one").await;
    let gw = Gateway::serving("m", [&one])
        .user("tenant", OTHER_KEY)
        .set("objects.unknown_ids", "refuse")
        .start()
        .await;
    let id = respond(&gw, 0, false).await;
    let foreign = go_on(&gw, &id, OTHER_KEY).await;
    let nobodys = go_on(&gw, "resp_one_99", OTHER_KEY).await;
    foreign.assert_error(404, "object_not_found");
    assert_eq!(foreign.body_text().replace(&id, "resp_one_99"), nobodys.body_text());
    assert_eq!(one.requests().len(), 1, "nothing was asked of the upstream");
    made(&go_on(&gw, &id, gateway_tests::USER_KEY).await);

    gw.set("objects.isolation", "off");
    let open = async || (go_on(&gw, &id, OTHER_KEY).await.status == 200).then_some(());
    until("isolation is off", open).await;
}

#[tokio::test]
async fn objects_of_two_channels_in_one_call_are_refused_before_anything_is_sent() {
    let (one, other) = (account("one").await, account("other").await);
    let gw = Gateway::serving("a", [&one]).model("b", gateway_tests::weighted([(&other, 10)])).start().await;
    let make = async |model: &str| {
        let asked = json!({"model": model, "input": "hi"}).to_string();
        made(&gw.post("/v1/responses", asked).send().await)
    };
    let (at_one, at_other) = (make("a").await, make("b").await);
    let asked = json!({"model": "a", "previous_response_id": at_one, "conversation": {"id": at_other}});
    let answer = gw.post("/v1/responses", asked.to_string()).send().await;
    answer.assert_error(409, "objects_on_different_channels");
    assert_eq!([one.requests().len(), other.requests().len()], [1, 1]);

    // The model's own channels do not count where an object says better.
    let asked = json!({"model": "a", "previous_response_id": at_other, "input": "hi"});
    let answer = gw.post("/v1/responses", asked.to_string()).send().await;
    assert_eq!(account_of(&made(&answer)), "other");
}

#[tokio::test]
async fn what_is_not_to_be_kept_is_not_remembered_and_what_nobody_knows_goes_to_the_models_channel() {
    let one = account("one").await;
    let gw = Gateway::serving("m", [&one]).user("tenant", OTHER_KEY).start().await;
    let asked = json!({"model": "m", "input": "hi", "store": false}).to_string();
    let id = made(&gw.post("/v1/responses", asked).send().await);
    // It is nobody's, so it passes, and the upstream says what it thinks of it.
    made(&go_on(&gw, &id, OTHER_KEY).await);
    assert_eq!(go_on(&gw, "resp_elsewhere_1", OTHER_KEY).await.status, 404);
}

#[tokio::test]
async fn objects_of_a_disabled_channel_are_refused_in_so_many_words() {
    let (one, other) = (account("one").await, account("other").await);
    let gw = Gateway::empty().start().await;
    let admin = gw.admin();
    let first = admin.add_channel(&one, &["m"]).await;
    let id = respond(&gw, 0, false).await;
    admin.add_channel(&other, &["m"]).await;
    let disabled = admin.put(&format!("/api/channels/{first}"), &json!({"enabled": false})).await;
    assert_eq!(disabled.status, 200);
    go_on(&gw, &id, gateway_tests::USER_KEY).await.assert_error(409, "object_channel_disabled");
    assert_eq!(other.requests().len(), 0);
}
