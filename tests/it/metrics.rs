//! What Prometheus is told: the original's names, and labels that no client can make grow.

use gateway_tests::{Gateway, Upstream, chat, sse, status};

#[tokio::test]
async fn the_originals_metrics_are_there_with_their_labels() {
    let up =
        Upstream::scripted().reply(chat("ok")).then(sse(["ok"]).usage(3, 2)).then(status(500)).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;
    gw.chat("m").say("hi").send().await.assert_text("ok");
    gw.chat("m").say("hi").stream().send().await.assert_text("ok");
    assert_eq!(gw.chat("m").say("hi").send().await.status / 100, 5);

    let metrics = gw.metrics().await;

    for (name, labels) in [
        ("gateway_requests_total", ["endpoint", "method", "status"].as_slice()),
        ("gateway_request_duration_seconds_count", &["endpoint", "method"]),
        ("gateway_channel_latency_seconds_count", &["channel", "model"]),
        ("gateway_channel_error_rate", &["channel"]),
        ("gateway_errors_total", &["channel", "type"]),
    ] {
        assert_eq!(metrics.labels(name).into_iter().collect::<Vec<_>>(), labels, "{name}");
    }
    let chat = [("method", "POST"), ("endpoint", "/v1/chat/completions"), ("status", "200")];
    assert_eq!(metrics.count("gateway_requests_total", &chat), 2);
    assert_eq!(
        metrics.count("gateway_channel_latency_seconds_count", &[("channel", up.name()), ("model", "m")]),
        3
    );
    assert_eq!(metrics.count("gateway_errors_total", &[("type", "channel"), ("channel", up.name())]), 1);
    assert!(metrics.sum("gateway_channel_error_rate", &[("channel", up.name())]) > 0.0);
}

#[tokio::test]
async fn what_the_original_lacked_is_there_too() {
    let up = Upstream::scripted().reply(sse(["ok"]).usage(11, 7)).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;
    gw.chat("m").say("hi").stream().send().await.assert_text("ok");

    let metrics = gw.metrics().await;

    for name in [
        "gateway_attempts_total",
        "gateway_time_to_first_token_seconds_count",
        "gateway_tokens_total",
        "gateway_active_streams",
        "gateway_requests_in_flight",
        "gateway_channel_healthy",
        "gateway_config_reload_success",
        "gateway_records_dropped_total",
        "gateway_sessions",
    ] {
        assert!(metrics.names().contains(name), "{name} is missing:\n{}", metrics.text);
    }
    assert_eq!(metrics.count("gateway_tokens_total", &[("kind", "prompt")]), 11);
    assert_eq!(metrics.count("gateway_tokens_total", &[("kind", "completion")]), 7);
}

#[tokio::test]
async fn nothing_a_client_sends_becomes_a_label() {
    let up = Upstream::answering(|_| chat("ok")).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;
    // Everything that has a series by right has one before the count.
    for call in [
        gw.chat("m").call(),
        gw.chat("none").call(),
        gw.get("/nothing"),
        gw.get("/v1/models/none"),
        gw.call(http::Method::PUT, "/v1/models"),
    ] {
        call.send().await;
    }
    let before = gw.metrics().await;

    let mut line = gateway_tests::Line::new();
    for n in 0..1_000 {
        let call = gw.chat(&format!("zzrandom-{n}")).header("x-request-id", &format!("zzrandom-{n}")).call();
        assert_eq!(line.send(call).await.expect("an answer").status, 404);
    }
    for n in 0..50 {
        gw.get(&format!("/zzrandom/{n}")).send().await;
        gw.get(&format!("/v1/models/zzrandom-{n}")).send().await;
        gw.call(http::Method::from_bytes(format!("ZZ{n}").as_bytes()).expect("a method"), "/v1/models")
            .send()
            .await;
    }

    let after = gw.metrics().await;
    assert!(
        !after.text.contains("zzrandom") && !after.text.contains("ZZ1"),
        "a client's text became a label"
    );
    assert!(after.series() <= before.series() + 40, "{} series became {}", before.series(), after.series());
}

#[tokio::test]
async fn a_wildcard_channel_does_not_make_labels_of_model_names() {
    let up = Upstream::answering(|_| chat("ok")).start().await;
    let gw = Gateway::empty().wildcard(&up).start().await;
    gw.chat("zzrandom-first").say("hi").send().await.assert_text("ok");
    let before = gw.metrics().await.series();

    let mut line = gateway_tests::Line::new();
    for n in 0..1_000 {
        let answer = line.send(gw.chat(&format!("zzrandom-{n}")).call()).await.expect("an answer");
        assert_eq!(answer.status, 200);
    }

    let after = gw.metrics().await;
    assert!(!after.text.contains("zzrandom"), "a client's text became a label");
    assert!(after.series() <= before + 5, "{before} series became {}", after.series());
}

#[tokio::test]
async fn metrics_can_be_switched_off_and_moved() {
    let gw = Gateway::empty().set("metrics.enabled", false).start().await;
    assert_eq!(gw.get("/metrics").no_key().send().await.status, 404);

    let moved = Gateway::empty().set("admin.listen", "127.0.0.1:0").start().await;
    assert_eq!(moved.get("/metrics").no_key().send().await.status, 404, "the public address tells nothing");
    assert!(moved.metrics().await.names().contains("gateway_connections"));
    assert_eq!(moved.admin().get("/api/status").await.status, 200);
    assert_eq!(moved.get("/api/status").key(gateway_tests::ADMIN_TOKEN).send().await.status, 404);
}
