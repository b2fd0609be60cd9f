//! The catalogue of faults, each of them provoked at the whole gateway. `docs/testing.md` has the map from its rows to
//! these tests, and a test that keeps the map true.

mod clients_leave;
mod failover;
mod ill_channels;
mod limits;
mod map;
mod memory;
mod odd_answers;
mod odd_events;
mod slow;
mod tls_upstreams;
mod unreachable;

use gateway_tests::{
    Answer, Gateway, GatewayBuilder, Reply, Upstream, chat, eventually, in_good_time, in_order, sse,
};

/// A gateway whose patience with upstreams, and with connections that nobody uses, is a fraction of a second.
fn impatient(upstreams: &[&Upstream]) -> GatewayBuilder {
    Gateway::serving_weighted("m", in_order(upstreams.iter().copied()))
        .set("proxy.connect_timeout", "200ms")
        .set("proxy.first_byte_timeout", "200ms")
        .set("proxy.total_timeout", "600ms")
        .set("proxy.pool_idle_timeout", "50ms")
}

/// What holds after every fault: no call is counted as under way, no upstream has a connection that nobody needs, and
/// whoever comes next, on a new connection, is answered. For gateways that soon close idle connections.
async fn nothing_is_left(gw: &Gateway, upstreams: &[&Upstream]) {
    in_good_time("all calls are counted out", async || {
        let metrics = gw.metrics().await;
        let gauges = ["gateway_requests_in_flight", "gateway_active_streams"];
        gauges.iter().all(|gauge| metrics.count(gauge, &[]) == 0).then_some(())
    })
    .await;
    for upstream in upstreams {
        let closed = || upstream.in_flight() == 0 && upstream.open_connections() == 0;
        eventually("all connections to the upstream are closed", closed).await;
    }
    let clean = Upstream::scripted().reply(chat("clean")).start().await;
    gw.admin().add_channel(&clean, &["clean"]).await;
    gw.chat("clean").say("hi").send().await.assert_text("clean");
}

/// The fault at the first channel is not seen by the client: the second answers.
async fn is_mended_elsewhere(fault: impl Into<Reply>) {
    let bad = Upstream::scripted().reply(fault).start().await;
    let good = Upstream::scripted().reply(chat("good")).start().await;
    let gw = impatient(&[&bad, &good]).start().await;

    let answer = gw.chat("m").say("hi").send().await;

    answer.assert_text("good");
    assert_eq!((answer.attempts(), answer.channel()), (2, good.name()));
    assert_eq!(bad.only_request().body, good.only_request().body);
    gw.admin().exchange(answer.request_id()).await.assert_tried([&bad, &good]);
    nothing_is_left(&gw, &[&bad, &good]).await;
}

/// The same where a stream was asked for.
async fn is_mended_elsewhere_streamed(fault: impl Into<Reply>) {
    let bad = Upstream::scripted().reply(fault).start().await;
    let good = Upstream::scripted().reply(sse(["go", "od"])).start().await;
    let gw = impatient(&[&bad, &good]).start().await;

    let answer = gw.chat("m").say("hi").stream().send().await;

    answer.assert_text("good");
    assert_eq!((answer.attempts(), answer.channel()), (2, good.name()));
    nothing_is_left(&gw, &[&bad, &good]).await;
}

/// What the client sees of the fault when there is no other channel.
async fn seen_alone(fault: impl Into<Reply>) -> Answer {
    let bad = Upstream::scripted().reply(fault).start().await;
    let gw = impatient(&[&bad]).start().await;
    let answer = gw.chat("m").say("hi").send().await;
    answer.assert_error_shape();
    assert_eq!(answer.attempts(), 1);
    nothing_is_left(&gw, &[&bad]).await;
    answer
}

/// What the client sees of the fault when it asked for a stream and there is no other channel.
async fn seen_alone_streamed(fault: impl Into<Reply>) -> Answer {
    let bad = Upstream::scripted().reply(fault).start().await;
    let gw = impatient(&[&bad]).start().await;
    let answer = gw.chat("m").say("hi").stream().send().await;
    assert_eq!(answer.attempts(), 1);
    nothing_is_left(&gw, &[&bad]).await;
    answer
}

async fn is_mended_elsewhere_or(code: u16, word: &str, fault: impl Into<Reply>) {
    let fault = fault.into();
    is_mended_elsewhere(fault.clone()).await;
    seen_alone(fault).await.assert_error(code, word);
}

async fn is_mended_elsewhere_streamed_or(code: u16, word: &str, fault: impl Into<Reply>) {
    let fault = fault.into();
    is_mended_elsewhere_streamed(fault.clone()).await;
    seen_alone_streamed(fault).await.assert_error(code, word);
}
