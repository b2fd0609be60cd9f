//! No file may be opened any more: what nobody uses is closed, and no channel is to blame.

use gateway_tests::{
    ADMIN_TOKEN, Gate, Gateway, GatewayBuilder, GatewayProcess, NameServer, Raw, RawAnswer, USER_KEY,
    Upstream, chat, eventually, in_good_time, ms, sse, weighted,
};

use crate::hedging::{hedged, streaming};

/// As many connections to an upstream are left idle.
const IDLE: usize = 10;

/// Two models, `m` and `other`, of two upstreams.
async fn serving(up: &Upstream, other: &Upstream) -> Option<GatewayProcess> {
    Gateway::serving("m", [up]).model("other", weighted([(other, 10)])).spawn().await
}

/// What is sent for a call.
fn call(model: &str) -> String {
    request(&format!("\"model\":\"{model}\""))
}

fn request(members: &str) -> String {
    let body = format!("{{{members},\"messages\":[]}}");
    let length = body.len();
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: gw\r\nauthorization: Bearer {USER_KEY}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

/// What is sent to have the first channel probed.
fn probe() -> String {
    format!(
        "POST /api/channels/1/test HTTP/1.1\r\nhost: gw\r\nauthorization: Bearer {ADMIN_TOKEN}\r\n\
         content-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}"
    )
}

async fn answer(client: &mut Raw) -> RawAnswer {
    client.answer().await.expect("an answer")
}

/// A client whose connection is accepted.
async fn accepted(gw: &GatewayProcess) -> Raw {
    let mut client = Raw::connect(gw.address()).await;
    client.send("GET /livez HTTP/1.1\r\nhost: gw\r\n\r\n").await;
    assert_eq!(answer(&mut client).await.status, 200);
    client
}

/// Leaves idle connections to the upstream behind. The clients keep theirs as long as they live.
async fn leave_idle(gw: &GatewayProcess, up: &Upstream, gate: &Gate) -> Vec<Raw> {
    let mut clients = Vec::new();
    for _ in 0..IDLE {
        let mut client = Raw::connect(gw.address()).await;
        client.send(call("m")).await;
        clients.push(client);
    }
    eventually("all calls are with the upstream", || up.in_flight() == IDLE).await;
    gate.open();
    for client in &mut clients {
        assert_eq!(answer(client).await.status, 200);
    }
    assert!(up.open_connections() >= IDLE);
    clients
}

/// Fills the gaps between open files, and lets none be opened beyond the last of them.
async fn use_up_files(gw: &GatewayProcess) -> Vec<Raw> {
    let mut clients = Vec::new();
    loop {
        // Connections take the lowest numbers that are free.
        for _ in 0..gw.file_gaps() {
            clients.push(accepted(gw).await);
        }
        let limit = gw.freeze_files();
        if stays_without_files(gw, limit).await {
            return clients;
        }
        gw.unfreeze_files();
    }
}

/// What was open only for a moment when the limit was set, such as the configuration while it is looked at, leaves its
/// number behind, which may be the last one, and none of the clients has it.
async fn stays_without_files(gw: &GatewayProcess, limit: usize) -> bool {
    for _ in 0..20 {
        if gw.free_files(limit) > 0 {
            return false;
        }
        tokio::time::sleep(ms(10)).await;
    }
    true
}

#[tokio::test]
async fn a_call_that_needs_a_connection_gets_the_file_of_one_that_nobody_uses() {
    let gate = Gate::shut();
    let up = Upstream::scripted().always(chat("idle").behind(&gate)).start().await;
    let other = Upstream::scripted().always(chat("other")).start().await;
    let Some(gw) = serving(&up, &other).await else { return };
    let mut clients = leave_idle(&gw, &up, &gate).await;
    let _held = use_up_files(&gw).await;
    let client = clients.first_mut().expect("there are some");

    client.send(call("other")).await;
    assert_eq!(answer(client).await.status, 200);
    in_good_time("some are closed", async || (up.open_connections() < IDLE).then_some(())).await;
    assert_ne!(up.open_connections(), 0, "the others are kept");
    client.send(call("m")).await;
    assert_eq!(answer(client).await.status, 200);
    gw.says("idle upstream connections are closed").await;
}

#[tokio::test]
async fn a_client_that_comes_gets_the_file_of_a_connection_that_nobody_uses() {
    let gate = Gate::shut();
    let up = Upstream::scripted().always(chat("idle").behind(&gate)).start().await;
    let other = Upstream::scripted().start().await;
    let Some(gw) = serving(&up, &other).await else { return };
    let _clients = leave_idle(&gw, &up, &gate).await;
    let _held = use_up_files(&gw).await;

    let _accepted = accepted(&gw).await;
    in_good_time("some are closed", async || (up.open_connections() < IDLE).then_some(())).await;
}

#[tokio::test]
async fn where_nothing_can_be_closed_calls_are_told_to_come_again_and_no_channel_is_thought_ill() {
    let up = Upstream::scripted().always(chat("ok")).start().await;
    let other = Upstream::scripted().start().await;
    let Some(gw) = serving(&up, &other).await else { return };
    let mut client = accepted(&gw).await;
    let _held = use_up_files(&gw).await;

    // More often than a channel may fail.
    for _ in 0..20 {
        client.send(call("m")).await;
        let refused = answer(&mut client).await;
        assert_eq!((refused.status, refused.error_code().as_str()), (503, "out_of_files"));
        assert_eq!(refused.header("retry-after"), "1");
    }
    assert_eq!(up.connections(), 0);

    gw.unfreeze_files();
    let health = gw.admin().get("/api/channels/1").await.json();
    assert_eq!(health["health"]["consecutive_failures"], 0, "{health}");
    client.send(call("m")).await;
    assert_eq!(answer(&mut client).await.status, 200);
}

/// Like [`serving`], but the upstreams are known by their names.
fn serving_by_name(names: &NameServer, up: &Upstream, other: &Upstream) -> GatewayBuilder {
    names.knows("up.test", [127, 0, 0, 1], 60);
    names.knows("other.test", [127, 0, 0, 1], 60);
    Gateway::serving("m", [up])
        .model("other", weighted([(other, 10)]))
        .set("proxy.dns_servers", vec![names.address()])
        .channel(up, "base_url", up.base_url_at("up.test"))
        .channel(other, "base_url", other.base_url_at("other.test"))
}

#[tokio::test]
async fn a_name_that_cannot_be_looked_up_for_want_of_a_file_speaks_against_no_channel() {
    let names = NameServer::start().await;
    let up = Upstream::scripted().always(chat("ok")).start().await;
    // The first time not even the system's own files can be read; the second time they are known.
    for knows_files in [false, true] {
        let other = Upstream::scripted().always(chat("other")).start().await;
        // So that no connection can be closed in a call's favour.
        let builder = serving_by_name(&names, &up, &other).set("proxy.pool_idle_timeout", "1ms");
        let Some(gw) = builder.spawn().await else { return };
        let mut client = accepted(&gw).await;
        if knows_files {
            client.send(call("other")).await;
            assert_eq!(answer(&mut client).await.status, 200);
            eventually("its connection is closed", || other.open_connections() == 0).await;
        }
        let _held = use_up_files(&gw).await;

        for _ in 0..20 {
            client.send(call("m")).await;
            let refused = answer(&mut client).await;
            assert_eq!((refused.status, refused.error_code().as_str()), (503, "out_of_files"));
        }
        client.send(probe()).await;
        let probed = answer(&mut client).await;
        let probed: serde_json::Value = serde_json::from_slice(&probed.body).expect("what the probe found");
        assert_eq!(probed["outcome"], "caller_error", "{probed}");

        gw.unfreeze_files();
        let health = gw.admin().get("/api/channels/1").await.json();
        assert_eq!(health["health"]["consecutive_failures"], 0, "{health}");
        client.send(call("m")).await;
        assert_eq!(answer(&mut client).await.status, 200);
    }
}

#[tokio::test]
async fn probes_for_which_no_file_is_left_take_no_channel_out() {
    let up = Upstream::answering(|_| chat("ok")).start().await;
    let builder = Gateway::serving("m", [&up])
        .channel(&up, "probe", "models")
        .set("health_check.interval", "1s")
        .set("health_check.timeout", "500ms")
        .set("health_check.unhealthy_after", 1);
    let Some(gw) = builder.spawn().await else { return };
    let health = async || gw.admin().get("/api/channels/1/health").await.json();
    in_good_time("it is probed", async || (health().await["status"] == "healthy").then_some(())).await;
    let _held = use_up_files(&gw).await;

    // Nobody can be asked whether the probes have been tried; it is several times their interval.
    tokio::time::sleep(ms(4_000)).await;

    gw.unfreeze_files();
    assert_eq!(health().await["status"], "healthy");
    let left = gw.metrics().await.count("gateway_channel_transitions_total", &[("to", "unhealthy")]);
    assert_eq!(left, 0, "{}", gw.output());
}

#[tokio::test]
async fn a_name_is_looked_up_with_the_file_of_a_connection_that_nobody_uses() {
    let names = NameServer::start().await;
    let gate = Gate::shut();
    let up = Upstream::scripted().always(chat("idle").behind(&gate)).start().await;
    let other = Upstream::scripted().always(chat("other")).start().await;
    let Some(gw) = serving_by_name(&names, &up, &other).spawn().await else { return };
    let mut clients = leave_idle(&gw, &up, &gate).await;
    let _held = use_up_files(&gw).await;
    let client = clients.first_mut().expect("there are some");

    client.send(call("other")).await;
    assert_eq!(answer(client).await.status, 200);
    assert_ne!(up.open_connections(), 0, "no more are closed than are needed");
}

#[tokio::test]
async fn a_configuration_that_cannot_be_read_for_want_of_a_file_is_not_thought_gone() {
    let up = Upstream::scripted().start().await;
    let other = Upstream::scripted().start().await;
    let Some(gw) = serving(&up, &other).await else { return };
    let _held = use_up_files(&gw).await;
    let path = gw.config_path();
    let text = std::fs::read_to_string(&path).expect("the configuration can be read");

    std::fs::write(&path, text + "# changed").expect("the configuration can be written");
    gw.says("cannot be looked at for want of a file").await;

    gw.unfreeze_files();
    in_good_time("the change is noticed", async || {
        let shown = gw.admin().get("/api/config").await.json();
        (shown["last_reload"]["cause"] == "file_changed").then_some(())
    })
    .await;
    assert!(!gw.output().contains("configuration refused"), "{}", gw.output());
}

#[tokio::test]
async fn a_stream_that_runs_goes_on_and_then_gives_its_file_to_a_client_that_waits() {
    let gate = Gate::shut();
    let up = Upstream::scripted().always(sse(["a", "b"]).hold_before(1, &gate)).start().await;
    let other = Upstream::scripted().start().await;
    let Some(gw) = serving(&up, &other).await else { return };
    let mut streaming = Raw::connect(gw.address()).await;
    streaming.send(request("\"model\":\"m\",\"stream\":true")).await;
    eventually("the stream has begun", || up.in_flight() == 1).await;
    let _held = use_up_files(&gw).await;
    let mut waiting = Raw::connect(gw.address()).await;
    waiting.send("GET /livez HTTP/1.1\r\nhost: gw\r\n\r\n").await;
    gw.says("accepting connections fails").await;

    gate.open();
    let streamed = answer(&mut streaming).await;
    assert!(streamed.body.ends_with(b"data: [DONE]\n\n"), "{}", String::from_utf8_lossy(&streamed.body));
    assert_eq!(answer(&mut waiting).await.status, 200);
}

#[tokio::test]
async fn a_second_attempt_that_finds_no_file_leaves_the_first_one_alone() {
    let gate = Gate::shut();
    let slow = streaming(sse(["late", " but whole"]).hold_before(0, &gate)).await;
    let other = streaming(sse(["never"])).await;
    let Some(gw) = hedged(&[&slow, &other], "50ms").spawn().await else { return };
    let mut client = accepted(&gw).await;
    // So that the budget knows of some requests, and one connection is kept.
    for _ in 0..4 {
        client.send(call("m")).await;
        assert_eq!(answer(&mut client).await.status, 200);
    }
    let _held = use_up_files(&gw).await;

    client.send(request("\"model\":\"m\",\"stream\":true")).await;
    eventually("the first attempt is with its upstream", || slow.in_flight() == 1).await;
    // Nobody can be asked whether the second has been made; its record tells below.
    tokio::time::sleep(ms(1_000)).await;
    gate.open();
    let streamed = answer(&mut client).await;
    assert!(streamed.body.ends_with(b"data: [DONE]\n\n"), "{}", String::from_utf8_lossy(&streamed.body));

    gw.unfreeze_files();
    let id = streamed.header("x-request-id");
    gw.admin().exchange(id).await;
    let record = gw.admin().read(&format!("/api/exchanges/{id}")).await;
    let attempts = record["attempts"].as_array().expect("attempts are a list");
    let told: Vec<_> = attempts.iter().map(|a| (a["outcome"].as_str(), a["hedge"] == true)).collect();
    assert_eq!(told, [(Some("ok"), false), (Some("caller_error"), true)]);
}
