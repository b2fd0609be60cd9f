//! Channels that fall ill leave rotation and come back by themselves.

use gateway_tests::{
    Gateway, GatewayBuilder, Upstream, chat, in_good_time, in_order, json_body, reset, sse, status, until,
    user_keys,
};
use serde_json::{Value, json};

/// Probes every second, judges at the first word.
fn watchful(upstreams: &[&Upstream]) -> GatewayBuilder {
    let mut builder = Gateway::serving_weighted("m", in_order(upstreams.iter().copied()))
        .set("health_check.interval", "1s")
        .set("health_check.timeout", "500ms")
        .set("health_check.unhealthy_after", 1)
        .set("health_check.healthy_after", 1);
    for upstream in upstreams {
        builder = builder.channel(upstream, "probe", "models");
    }
    builder
}

async fn health(gw: &Gateway, upstream: &Upstream) -> Value {
    let id = gw.admin().id_of("/api/channels", upstream.name()).await;
    gw.admin().read(&format!("/api/channels/{id}/health")).await
}

async fn becomes(gw: &Gateway, upstream: &Upstream, status: &str) -> Value {
    until(&format!("{} becomes {status}", upstream.name()), async || {
        Some(health(gw, upstream).await).filter(|health| health["status"] == status)
    })
    .await
}

#[tokio::test]
async fn a_channel_that_fails_its_probes_leaves_rotation_and_returns() {
    let ill = Upstream::answering(|_| chat("ill")).start().await;
    let well = Upstream::answering(|_| chat("well")).start().await;
    let gw = watchful(&[&ill, &well]).user("second", "sk-canaryuser-health-0001").start().await;
    becomes(&gw, &ill, "healthy").await;
    gw.chat("m").say("hi").send().await.assert_text("ill");

    ill.set_well(false);
    let shown = becomes(&gw, &ill, "unhealthy").await;

    assert!(shown["last_error"].as_str().is_some_and(|why| why.contains("503")), "{shown}");
    assert!(shown["consecutive_failures"].as_i64().is_some_and(|n| n >= 1), "{shown}");
    gw.chat("m").say("hi").send().await.assert_text("well");
    assert_eq!(ill.count(), 1);

    ill.set_well(true);
    becomes(&gw, &ill, "healthy").await;
    gw.chat("m").say("hi").key("sk-canaryuser-health-0001").send().await.assert_text("ill");
}

#[tokio::test]
async fn a_probe_brings_the_channels_own_key_and_asks_for_models() {
    let up = Upstream::scripted().models(["m"]).start().await;
    let gw = watchful(&[&up]).start().await;
    becomes(&gw, &up, "healthy").await;
    assert!(up.probes() >= 1);
    // The upstream complains on its drop about probes without its key.
}

#[tokio::test]
async fn a_channel_may_be_asked_another_path_a_chat_or_nothing() {
    let path = Upstream::scripted().always(status(200)).start().await;
    let asked = Upstream::scripted().always(chat("ok")).start().await;
    let silent = Upstream::scripted().start().await;
    let mut asking = toml::Table::new();
    asking.insert("chat".to_owned(), "tiny".into());
    let gw = watchful(&[&path, &asked, &silent])
        .channel(&path, "probe", "/status/ping")
        .channel(&asked, "probe", asking)
        .channel(&silent, "probe", "off")
        .start()
        .await;

    becomes(&gw, &path, "healthy").await;
    becomes(&gw, &asked, "healthy").await;

    assert_eq!(path.requests()[0].target(), "/v1/status/ping");
    assert_eq!(
        (asked.requests()[0].target(), asked.requests()[0].model()),
        ("/v1/chat/completions", "tiny".to_owned())
    );
    assert_eq!(health(&gw, &silent).await["status"], "unknown");
    assert_eq!((silent.count(), silent.probes()), (0, 0));
}

#[tokio::test]
async fn traffic_alone_takes_a_channel_out_and_time_brings_it_back() {
    let ill = Upstream::scripted().always(reset()).start().await;
    let well = Upstream::answering(|_| chat("well")).start().await;
    let keys = user_keys("traffic", 40);
    let gw = Gateway::serving_weighted("m", in_order([&ill, &well])).users(&keys).start().await;

    for key in &keys {
        gw.chat("m").say("hi").key(key).send().await.assert_text("well");
    }
    assert!(ill.count() <= 10, "{} of 40 calls still went to a channel that fails", ill.count());
    ill.set_always(chat("better"));

    // A session stays where it is: only calls without one show that the channel is back.
    in_good_time("the channel is tried again and returns", async || {
        gw.admin().forget_sessions().await;
        let mut better = 0;
        for key in &keys {
            let answer = gw.chat("m").say("hi").key(key).send().await;
            assert_eq!(answer.status, 200);
            better += usize::from(answer.text() == "better");
        }
        (better > 2).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_clients_own_errors_never_make_a_channel_ill() {
    let up = Upstream::answering(|request| if request.wants_stream() { status(422) } else { chat("ok") })
        .start()
        .await;
    let other = Upstream::scripted().start().await;
    let gw = Gateway::serving_weighted("m", in_order([&up, &other])).start().await;

    for _ in 0..50 {
        assert_eq!(gw.chat("m").say("hi").stream().send().await.status, 422);
    }

    gw.chat("m").say("hi").send().await.assert_text("ok");
    assert_ne!(health(&gw, &up).await["status"], "unhealthy");
}

#[tokio::test]
async fn the_admin_can_test_a_channel_now() {
    let up = Upstream::scripted().models(["x"]).start().await;
    let gw = Gateway::empty().start().await;
    let id = gw.admin().add_channel(&up, &["x"]).await;
    let test = format!("/api/channels/{id}/test");

    // Its own probe is off; asking for the models is what a bare test falls back to, or the chat that is named.
    up.set_always(chat("pong"));
    let good = gw.admin().post(&test, &serde_json::json!({"model": "x"})).await;
    assert_eq!((good.status, &good.json()["ok"]), (200, &Value::Bool(true)), "{}", good.body_text());

    up.set_always(status(401));
    let bad = gw.admin().post(&test, &serde_json::json!({"model": "x"})).await;
    assert_eq!((bad.status, &bad.json()["ok"]), (200, &Value::Bool(false)), "{}", bad.body_text());
    assert_eq!(bad.json()["status"], 401);
}

#[tokio::test]
async fn health_is_a_metric() {
    let up = Upstream::scripted().start().await;
    let gw = watchful(&[&up]).start().await;
    becomes(&gw, &up, "healthy").await;
    let value = async || gw.metrics().await.count("gateway_channel_healthy", &[("channel", up.name())]);
    until("the metric says healthy", async || (value().await == 1).then_some(())).await;
    up.set_well(false);
    until("the metric says unhealthy", async || (value().await == 0).then_some(())).await;
}

#[tokio::test]
async fn all_channels_ill_is_503_or_a_last_try_but_never_a_wait() {
    let up = Upstream::answering(|_| chat("ok")).start().await;
    let gw = watchful(&[&up]).start().await;
    up.set_well(false);
    becomes(&gw, &up, "unhealthy").await;

    let answer = gw.chat("m").say("hi").send().await;

    if answer.status != 200 {
        answer.assert_error(503, "no_channel_available");
        assert!(!answer.header("retry-after").is_empty());
    }
}

#[tokio::test]
async fn a_model_that_fails_alone_leaves_its_channel_to_the_other_models() {
    let first = Upstream::answering(|request| match request.model().as_str() {
        "ill" => status(500),
        _ => chat("first"),
    });
    let (first, second) = (first.start().await, Upstream::answering(|_| chat("second")).start().await);
    let keys = user_keys("scope", 40);
    let gw = Gateway::serving_weighted("ill", in_order([&first, &second]))
        .model("well", in_order([&first, &second]))
        .users(&keys)
        .start()
        .await;

    // Routing leaves the channel alone for this model soon: only sessions without a home try it again.
    let shown = in_good_time("the model is in trouble", async || {
        gw.admin().forget_sessions().await;
        for key in &keys {
            gw.chat("ill").say("hi").key(key).send().await.assert_text("second");
        }
        Some(health(&gw, &first).await).filter(|health| health["troubled_models"] != json!([]))
    })
    .await;

    assert_eq!((&shown["usable"], &shown["troubled_models"][0]["model"]), (&json!(true), &json!("ill")));
    assert_eq!(shown["troubled_models"][0]["last_error"], "answered 500 Internal Server Error");
    for key in &keys {
        gw.chat("well").say("hi").key(key).send().await.assert_text("first");
    }
}

#[tokio::test]
async fn channels_are_probed_for_what_they_serve() {
    let vector = json!({"data": [{"embedding": [0.5, 0.25]}]});
    let output = json!({"status": "completed", "error": null, "output": [{"type": "message"}]});
    let embeds = Upstream::scripted().always(json_body(&vector)).start().await;
    let responds = Upstream::scripted().always(json_body(&output)).start().await;
    let streams = Upstream::scripted().always(sse(["p"])).start().await;
    // A chat completion is no embedding.
    let chats = Upstream::scripted().always(chat("p")).start().await;
    let plan = |shape: &str| toml::Table::from_iter([(shape.to_owned(), "tiny".into())]);
    let gw = watchful(&[&embeds, &responds, &streams, &chats])
        .channel(&embeds, "probe", plan("embeddings"))
        .channel(&responds, "probe", plan("responses"))
        .channel(&streams, "probe", plan("chat_stream"))
        .channel(&chats, "probe", plan("embeddings"))
        .start()
        .await;

    for (upstream, path) in
        [(&embeds, "/v1/embeddings"), (&responds, "/v1/responses"), (&streams, "/v1/chat/completions")]
    {
        becomes(&gw, upstream, "healthy").await;
        let asked = &upstream.requests()[0];
        assert_eq!((asked.target(), asked.model()), (path, "tiny".to_owned()));
    }
    assert!(streams.requests()[0].wants_stream());
    let shown = becomes(&gw, &chats, "unhealthy").await;
    assert_eq!(shown["last_error"], "answered 200 OK without an embedding");
}

#[tokio::test]
async fn a_channel_whose_key_was_refused_is_back_as_soon_as_a_paid_probe_is_answered() {
    let up = Upstream::scripted().always(status(401)).start().await;
    let other = Upstream::answering(|_| chat("other")).start().await;
    let gw = watchful(&[&up, &other])
        .channel(&up, "probe", toml::Table::from_iter([("chat".to_owned(), "tiny".into())]))
        .start()
        .await;
    becomes(&gw, &up, "unhealthy").await;
    gw.chat("m").say("hi").send().await.assert_text("other");

    up.set_always(chat("paid again"));

    // Minutes before its pause would end.
    becomes(&gw, &up, "healthy").await;
    let labels = |to| [("channel", up.name()), ("to", to)];
    let counted = async |to| gw.metrics().await.count("gateway_channel_transitions_total", &labels(to));
    until("both transitions are counted", async || (counted("healthy").await == 1).then_some(())).await;
    assert_eq!(counted("unhealthy").await, 1);
    let shown = health(&gw, &up).await;
    let history: Vec<_> = shown["history"].as_array().expect("a history").iter().collect();
    let verdicts: Vec<_> = history.iter().map(|tick| tick["status"].as_str().expect("a word")).collect();
    let turn = verdicts.iter().position(|status| *status == "healthy").expect("it became healthy");
    assert!(turn > 0 && verdicts[..turn].iter().all(|status| *status == "unhealthy"), "{verdicts:?}");
}

#[tokio::test]
async fn a_test_says_what_was_asked_and_what_came_back() {
    let up = Upstream::scripted().always(sse(["p"])).start().await;
    let gw = Gateway::empty().start().await;
    let id = gw.admin().add_channel(&up, &["x"]).await;
    let ask = json!({"model": "x", "shape": "chat_stream"});

    let shown = gw.admin().post(&format!("/api/channels/{id}/test"), &ask).await.json();

    assert_eq!((&shown["shape"], &shown["model"]), (&json!("chat_stream"), &json!("x")));
    assert_eq!((&shown["ok"], &shown["outcome"]), (&json!(true), &json!("ok")));
    assert!(
        shown["latency_ms"].is_u64() && shown["reply"].as_str().is_some_and(|reply| reply.contains("data:"))
    );
}
