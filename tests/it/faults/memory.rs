//! What a fault may cost in memory, measured at the real binary. The bounds are several times what is needed, so that
//! no allocator's mood breaks them, and a small part of what an unbounded buffer would take.

use gateway_tests::{
    Gateway, GatewayProcess, Raw, USER_KEY, Upstream, chat, flood, in_good_time, in_order, ms, raw,
};

const MIB: u64 = 1024;

/// A gateway that has served before, so that what it needs once is there.
async fn warm(up: &Upstream, spare: &Upstream) -> Option<GatewayProcess> {
    let gw = Gateway::serving_weighted("m", in_order([up]))
        .model("spare", in_order([spare]))
        .set("server.workers", 1)
        .set("server.write_timeout", "60s")
        .set("proxy.first_byte_timeout", "20s")
        .spawn()
        .await?;
    for _ in 0..50 {
        gw.chat("spare").say(&"a".repeat(10_000)).send().await.assert_text("ok");
    }
    Some(gw)
}

async fn spare() -> Upstream {
    Upstream::answering(|_| chat("ok")).start().await
}

/// By how many KiB the gateway has grown.
fn growth(gw: &GatewayProcess, before: u64) -> u64 {
    gw.resident_kib().saturating_sub(before)
}

#[tokio::test]
async fn lines_without_an_end_cost_no_more_than_the_longest_event() {
    let line = || flood("text/event-stream", vec![b'a'; 64 << 10], 1_024);
    let (up, spare) = (Upstream::scripted().always(line()).start().await, spare().await);
    let Some(gw) = warm(&up, &spare).await else { return };

    let before = gw.resident_kib();
    for _ in 0..10 {
        let answer = gw.chat("m").say("hi").stream().send().await;
        assert!(answer.error().is_some(), "{}", answer.body_text());
    }

    let grown = growth(&gw, before);
    assert!(grown < 12 * MIB, "{grown} KiB more after ten lines of 64 MiB");
}

#[tokio::test]
async fn heads_without_an_end_cost_no_more_than_the_largest_head() {
    let head = format!("HTTP/1.1 200 OK\r\nx-odd: {}", "a".repeat(10 << 20));
    let (up, spare) = (Upstream::scripted().always(raw(head)).start().await, spare().await);
    let Some(gw) = warm(&up, &spare).await else { return };

    let before = gw.resident_kib();
    for _ in 0..10 {
        gw.chat("m").say("hi").send().await.assert_error(502, "upstream_protocol_error");
    }

    let grown = growth(&gw, before);
    assert!(grown < 8 * MIB, "{grown} KiB more after ten heads of 10 MiB");
}

#[tokio::test]
async fn clients_that_do_not_read_cost_at_most_a_quarter_of_a_mebibyte_each() {
    const CLIENTS: u64 = 40;
    let text = "a".repeat(16 << 10);
    let event = format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n");
    let stream = flood("text/event-stream", event, 4_096);
    let (up, spare) = (Upstream::scripted().always(stream).start().await, spare().await);
    let Some(gw) = warm(&up, &spare).await else { return };

    let before = gw.resident_kib();
    let body = r#"{"model":"m","stream":true,"messages":[]}"#;
    let begin =
        format!("POST /v1/chat/completions HTTP/1.1\r\nhost: gw\r\nauthorization: Bearer {USER_KEY}\r\n");
    let request =
        format!("{begin}content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let mut client = Raw::connect_narrow(gw.address()).await;
        client.send(&request).await;
        clients.push(client);
    }
    let mut sent = 0;
    in_good_time("all upstreams are held back", async || {
        tokio::time::sleep(ms(300)).await;
        let now = up.sent();
        let quiet = up.in_flight() == clients.len() && now == sent;
        sent = now;
        quiet.then_some(())
    })
    .await;

    let each = growth(&gw, before) / CLIENTS;
    assert!(each <= 256, "{each} KiB for each client that does not read");
    gw.chat("spare").say("hi").send().await.assert_text("ok");
}
