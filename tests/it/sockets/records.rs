//! What is remembered of sockets: who spoke how long with whom, for how many tokens, and what was made.

use gateway_tests::{Frame, Gateway, Socket, Upstream, body, json_body, switch};
use http::Method;
use serde_json::{Value, json};

use super::{ends, relayed};

fn id_of(client: &Socket) -> String {
    client.headers.get("x-request-id").and_then(|id| id.to_str().ok()).expect("an id").to_owned()
}

fn event(value: &Value) -> Frame {
    Frame::text(value.to_string())
}

fn done(input: u64, output: u64) -> Frame {
    event(&json!({"type": "response.done", "response": {"id": "resp_1", "usage": {
        "total_tokens": input + output, "input_tokens": input, "output_tokens": output,
        "input_token_details": {"cached_tokens": 1}}}}))
}

#[tokio::test]
async fn a_socket_is_one_exchange_with_the_usage_of_all_its_answers() {
    let (up, gw) = relayed().await;
    let (mut client, mut upstream) = ends(&up, &gw).await;
    let id = id_of(&client);
    client.send(&Frame::text(r#"{"type":"response.create"}"#)).await;
    upstream.next_text().await;
    assert_eq!(gw.metrics().await.count("gateway_active_streams", &[]), 1);
    let cut = done(30, 4);
    let (head, tail) = cut.payload.split_at(41);
    let told = [
        done(10, 2),
        event(&json!({"type": "response.output_audio.delta", "delta": "usage".repeat(500_000)})),
        event(
            &json!({"type": "response.created", "response": {"id": "resp_2", "usage": {"input_tokens": 999}}}),
        ),
        Frame::text(head.to_vec()).unfinished(),
        Frame::ping(b"usage"),
        Frame::text(tail.to_vec()).continued(),
        Frame::binary(done(500, 500).payload),
    ];
    for frame in &told {
        upstream.send(frame).await;
        assert_eq!(client.next().await.as_ref(), Some(frame));
    }
    tokio::join!(client.close(1000, ""), upstream.closed());

    let record = gw.admin().exchange(&id).await.record;
    assert_eq!((&record["outcome"], &record["status"]), (&json!("ok"), &json!(101)), "{record}");
    assert_eq!((&record["endpoint"], &record["model"]), (&json!("/v1/realtime"), &json!("m")), "{record}");
    let usage = ["prompt_tokens", "completion_tokens", "cached_tokens"].map(|name| usage(&record, name));
    assert_eq!(usage, [Some(40), Some(6), Some(2)], "{record}");
    // 26 bytes of text and a code, each with a head of 2 and a mask of 4.
    assert_eq!(record["bytes_in"], json!(26 + 6 + 2 + 6), "{record}");
    assert!(record["bytes_out"].as_u64().unwrap() > 2_500_000, "{record}");
    assert_eq!(record["attempts"][0]["outcome"], json!("ok"), "{record}");
    assert_eq!(gw.metrics().await.count("gateway_active_streams", &[]), 0);
}

fn usage(record: &Value, name: &str) -> Option<u64> {
    record.get(name).or_else(|| record.get("usage")?.get(name))?.as_u64()
}

#[tokio::test]
async fn the_outcome_says_whose_doing_the_end_was() {
    let (up, gw) = relayed().await;

    let (client, upstream) = ends(&up, &gw).await;
    let left = id_of(&client);
    client.vanish();
    upstream.closed().await;
    let record = gw.admin().exchange(&left).await;
    assert_eq!((record.outcome(), record.attempts()[0].1.as_str()), ("client_gone", "cancelled"));

    let (client, upstream) = ends(&up, &gw).await;
    let broken = id_of(&client);
    upstream.vanish();
    client.closed().await;
    let record = gw.admin().exchange(&broken).await;
    assert_eq!((record.outcome(), record.attempts()[0].1.as_str()), ("interrupted", "broken"));

    let (client, upstream) = ends(&up, &gw).await;
    let closed = id_of(&client);
    tokio::join!(upstream.close(1001, "session expired"), client.closed());
    let record = gw.admin().exchange(&closed).await;
    assert_eq!((record.outcome(), record.attempts()[0].1.as_str()), ("ok", "ok"));
}

#[tokio::test]
async fn a_channel_that_hangs_up_on_its_sockets_loses_them_to_another() {
    let bad = Upstream::scripted().always(switch()).start().await;
    let good = Upstream::scripted().always(switch()).start().await;
    let gw = Gateway::serving_weighted("m", gateway_tests::in_order([&bad, &good])).start().await;
    let mut to_good = 0;
    for _ in 0..20 {
        let client = gw.get("/v1/realtime?model=m").socket().await;
        if client.headers.get("x-gateway-channel").unwrap() == good.name() {
            tokio::join!(client.close(1000, ""), async { good.socket().await.closed().await });
            to_good += 1;
        } else {
            bad.socket().await.vanish();
            client.closed().await;
        }
    }
    assert!(to_good >= 10, "{to_good} of 20 went to the channel that holds");
}

#[tokio::test]
async fn responses_made_over_a_socket_are_found_again_where_they_were_made() {
    let one = Upstream::scripted().reply(switch()).start().await;
    let other = Upstream::scripted()
        .reply(switch())
        .reply(json_body(&json!({"id": "resp_9", "object": "response"})))
        .start()
        .await;
    let mut gw = Gateway::serving("m", [&one, &other])
        .set("proxy.default_channel", one.name())
        .user("tenant", "sk-canaryuser-the-other-tenant")
        .start()
        .await;
    drop(gw.get("/v1/responses").socket().await);
    assert_eq!(one.only_request().target(), "/v1/responses", "what names no model is the default channel's");

    gw.set("proxy.default_channel", other.name());
    gateway_tests::until("the default channel is another one", async || {
        let config = gw.admin().get("/api/config").await.json().to_string();
        config.contains(other.name()).then_some(())
    })
    .await;
    let mut client = gw.get("/v1/responses").socket().await;
    let mut upstream = other.socket().await;
    let create = event(&json!({"type": "response.create", "model": "m", "input": "hi"}));
    client.send(&create).await;
    assert_eq!(upstream.next().await, Some(create));
    for told in [
        json!({"type": "response.created", "response": {"id": "resp_9", "object": "response", "usage": null}}),
        json!({"type": "response.completed", "response": {"id": "resp_9", "usage": {"input_tokens": 3, "output_tokens": 4}}}),
    ] {
        upstream.send(&event(&told)).await;
        client.next_text().await;
    }
    let id = id_of(&client);
    tokio::join!(client.close(1000, ""), upstream.closed());
    let record = gw.admin().exchange(&id).await.record;
    assert_eq!(usage(&record, "completion_tokens"), Some(4), "{record}");

    gw.set("proxy.default_channel", one.name());
    gw.restart().await;
    let foreign = gw.get("/v1/responses/resp_9").key("sk-canaryuser-the-other-tenant").send().await;
    foreign.assert_error(404, "object_not_found");
    let found = gw.get("/v1/responses/resp_9").send().await;
    assert_eq!((found.status, found.channel()), (200, other.name()), "{}", found.body_text());
}

#[tokio::test]
async fn a_socket_for_a_call_goes_to_the_channel_that_made_it_and_to_its_owner_only() {
    let call = body("application/sdp", "v=0").with_status(201).header("location", "/v1/realtime/calls/rtc_1");
    let one = Upstream::scripted().start().await;
    let other = Upstream::scripted().reply(call).reply(switch()).start().await;
    let mut gw = Gateway::serving("m", [&one])
        .model("n", gateway_tests::weighted([(&other, 10)]))
        .set("proxy.default_channel", one.name())
        .user("tenant", "sk-canaryuser-the-other-tenant")
        .start()
        .await;
    let made = gw
        .call(Method::POST, "/v1/realtime/calls?model=n")
        .header("content-type", "application/sdp")
        .body("v=0");
    assert_eq!(made.send().await.status, 201);
    gw.restart().await;
    let foreign = gw.get("/v1/realtime?call_id=rtc_1").key("sk-canaryuser-the-other-tenant");
    assert_eq!(foreign.try_socket().await.unwrap_err().error_code(), "object_not_found");
    let client = gw.get("/v1/realtime?call_id=rtc_1").socket().await;
    assert_eq!(client.headers.get("x-gateway-channel").unwrap(), other.name());
    assert_eq!(other.requests()[1].target(), "/v1/realtime?call_id=rtc_1");
}
