//! Channels that fall ill leave rotation and come back by themselves.

use gateway_tests::{
    Gateway, GatewayBuilder, Upstream, chat, in_good_time, in_order, reset, status, until, user_keys,
};
use serde_json::Value;

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
