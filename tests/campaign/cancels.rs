//! Clients that leave: how soon their upstream is let go.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use gateway_tests::{Campaign, Durations, Gate, Gateway, Raw, Upstream, all, eventually, hang, sse};
use serde_json::json;

const AT_ONCE: usize = 8;

/// Makes calls that are left, and gives how long after each leaving its upstream saw it.
async fn leave(gw: &Gateway, up: &Upstream, count: usize, begun: bool) -> Durations {
    let lanes = (0..AT_ONCE).map(|lane| async move {
        let mut left = Vec::new();
        for number in (lane..count).step_by(AT_ONCE) {
            left.push((format!("{begun}-{number}"), leave_one(gw, up, begun, number).await));
        }
        left
    });
    let left: HashMap<String, Instant> = all(lanes).await.into_iter().flatten().collect();
    let of_these = |name: &str| left.get(name).copied();
    let seen = || {
        up.departed().into_iter().filter_map(|departure| {
            let body = departure.request.json();
            let left = of_these(body.get("user")?.as_str()?)?;
            Some(departure.at.saturating_duration_since(left))
        })
    };
    eventually("every upstream call is let go", || seen().count() == count).await;
    seen().collect()
}

async fn leave_one(gw: &Gateway, up: &Upstream, begun: bool, number: usize) -> Instant {
    let name = format!("{begun}-{number}");
    if begun {
        let call = gw.chat("m").with("user", json!(name)).say("hi").stream();
        let mut stream = call.open().await;
        stream.read_until("\"a\"").await;
        let at = Instant::now();
        stream.leave();
        return at;
    }
    let body = json!({"model": "silent", "user": name, "stream": number.is_multiple_of(2), "messages": []})
        .to_string();
    let mut socket = Raw::connect(gw.address()).await;
    let key = gateway_tests::USER_KEY;
    let length = body.len();
    socket
        .send(format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {key}\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        ))
        .await;
    eventually("the call is under way", || up.was_told(&format!("\"{name}\""))).await;
    let at = Instant::now();
    drop(socket);
    at
}

#[tokio::test]
async fn an_upstream_is_let_go_as_soon_as_its_client_has_left() {
    let campaign = Campaign::begin("clients leave").await;
    let gate = Gate::shut();
    let held = gate.clone();
    let up = Upstream::answering(move |request| {
        if request.model() == "silent" { hang() } else { sse(["a", "b"]).hold_before(1, &held).into() }
    });
    let up = up.start().await;
    let gw = Gateway::serving("m", [&up]).model("silent", gateway_tests::weighted([(&up, 10)])).start().await;
    let count = campaign.sized(100, 250);

    for (what, begun) in [("before the first token", false), ("in the middle of a stream", true)] {
        let took = leave(&gw, &up, count, begun).await;
        campaign.says(format_args!("{what}: {took}"));
        let limit = campaign.sized(Duration::from_secs(3), Duration::from_millis(100));
        assert!(took.percentile(99) <= limit, "{what}: {took}");
    }
}
