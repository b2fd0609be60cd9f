//! What an upstream can do wrong before anything has gone to the client: the next channel answers, and when there
//! is none the client learns in one word what happened.

use gateway_tests::{
    Gateway, Upstream, body, chat, close, eventually, hang, html, ms, raw, redirect, reset, sse, status,
    weighted,
};

use super::{impatient, is_mended_elsewhere, is_mended_elsewhere_or, seen_alone};

// --- F1, F2, F3: no connection ---

#[tokio::test]
async fn a_refused_connection_is_left_at_once() {
    let good = Upstream::scripted().reply(chat("good")).start().await;
    let closed = Upstream::refusing();
    let gw = impatient(&[&closed, &good]).start().await;

    let answer = gw.chat("m").say("hi").send().await;

    answer.assert_text("good");
    gw.admin().exchange(answer.request_id()).await.assert_tried([&closed, &good]);
}

#[tokio::test]
async fn a_refused_connection_alone_is_502_upstream_connect_error() {
    let closed = Upstream::refusing();
    let gw = impatient(&[&closed]).start().await;
    gw.chat("m").say("hi").send().await.assert_error(502, "upstream_connect_error");
}

#[tokio::test]
async fn a_black_hole_is_left_when_the_connect_timeout_is_over() {
    let good = Upstream::scripted().reply(chat("good")).start().await;
    let hole = Upstream::black_hole().await;
    let gw = impatient(&[&hole, &good]).start().await;
    gw.chat("m").say("hi").send().await.assert_text("good");
}

#[tokio::test]
async fn a_black_hole_alone_is_504_upstream_timeout() {
    let hole = Upstream::black_hole().await;
    let gw = impatient(&[&hole]).start().await;
    gw.chat("m").say("hi").send().await.assert_error(504, "upstream_timeout");
}

// --- F4: closed before an answer ---

#[tokio::test]
async fn a_connection_closed_before_the_head_is_upstream_closed() {
    is_mended_elsewhere_or(502, "upstream_closed", close()).await;
}

#[tokio::test]
async fn a_connection_reset_before_the_head_is_upstream_closed() {
    is_mended_elsewhere_or(502, "upstream_closed", reset()).await;
}

// --- F5: a pooled connection that has died ---

#[tokio::test]
async fn a_stale_connection_is_replaced_without_blaming_the_channel() {
    let up = Upstream::scripted().always(chat("ok")).drops_reused_connections().start().await;
    let gw = Gateway::serving("m", [&up]).start().await;

    for _ in 0..3 {
        let answer = gw.chat("m").say("hi").send().await;
        answer.assert_text("ok");
        assert_eq!(answer.attempts(), 1);
    }

    assert_eq!((up.count(), up.stale_drops()), (3, 2), "connections were to be reused, and found stale");
    let metrics = gw.metrics().await;
    assert!(metrics.count("gateway_errors_total", &[("type", "channel")]) == 0);
}

// --- F6, F7: silence ---

#[tokio::test]
async fn silence_before_the_head_of_a_stream_is_left_for_the_next_channel() {
    let bad = Upstream::scripted().reply(hang()).start().await;
    let good = Upstream::scripted().reply(sse(["go", "od"])).start().await;
    let gw = impatient(&[&bad, &good]).start().await;

    gw.chat("m").say("hi").stream().send().await.assert_text("good");

    eventually("the silent channel was hung up on", || bad.departures() == 1).await;
}

#[tokio::test]
async fn silence_alone_is_504_upstream_timeout_streamed_or_not() {
    let bad = Upstream::scripted().times(2, hang()).start().await;
    let gw = impatient(&[&bad]).start().await;

    gw.chat("m").say("hi").stream().send().await.assert_error(504, "upstream_timeout");
    gw.chat("m").say("hi").send().await.assert_error(504, "upstream_timeout");

    eventually("both were hung up on", || bad.departures() == 2).await;
}

#[tokio::test]
async fn silence_after_the_head_and_before_the_first_event_is_still_mended() {
    let bad = Upstream::scripted().reply(sse(["never"]).hang_after(0)).start().await;
    let good = Upstream::scripted().reply(sse(["good"])).start().await;
    let gw = impatient(&[&bad, &good]).start().await;

    gw.chat("m").say("hi").stream().send().await.assert_text("good");
}

#[tokio::test]
async fn a_stream_that_dies_before_its_first_event_is_still_mended() {
    let bad = Upstream::scripted().reply(sse(["never"]).close_after(0)).start().await;
    let good = Upstream::scripted().reply(sse(["good"])).start().await;
    let gw = impatient(&[&bad, &good]).start().await;

    gw.chat("m").say("hi").stream().send().await.assert_text("good");
}

// --- F11, F17: answers that are none ---

#[tokio::test]
async fn half_a_body_is_mended_elsewhere() {
    is_mended_elsewhere_or(502, "upstream_protocol_error", chat("a text of some length").half()).await;
}

#[tokio::test]
async fn broken_chunks_are_mended_elsewhere() {
    let fault = chat("a text of some length").chunks_of(16).broken_chunks();
    is_mended_elsewhere_or(502, "upstream_protocol_error", fault).await;
}

#[tokio::test]
async fn a_web_page_is_no_answer() {
    is_mended_elsewhere_or(502, "upstream_invalid_response", html()).await;
}

#[tokio::test]
async fn an_empty_body_is_no_answer() {
    is_mended_elsewhere_or(502, "upstream_invalid_response", body("application/json", "")).await;
}

#[tokio::test]
async fn null_is_no_answer() {
    is_mended_elsewhere_or(502, "upstream_invalid_response", body("application/json", "null")).await;
}

#[tokio::test]
async fn truncated_json_is_no_answer() {
    let fault = body("application/json", r#"{"id":"chatcmpl-1","choices":[{"mess"#);
    is_mended_elsewhere_or(502, "upstream_invalid_response", fault).await;
}

#[tokio::test]
async fn a_web_page_instead_of_a_stream_is_mended_elsewhere() {
    let bad = Upstream::scripted().reply(html()).start().await;
    let good = Upstream::scripted().reply(sse(["good"])).start().await;
    let gw = impatient(&[&bad, &good]).start().await;
    gw.chat("m").say("hi").stream().send().await.assert_text("good");
}

#[tokio::test]
async fn bytes_that_are_no_http_are_mended_elsewhere() {
    is_mended_elsewhere(raw("SSH-2.0-OpenSSH_9.2\r\n\r\n")).await;
    assert_eq!(seen_alone(raw("SSH-2.0-OpenSSH_9.2\r\n\r\n")).await.status, 502);
}

// --- F19: the client's own fault ---

#[tokio::test]
async fn the_clients_own_faults_pass_through_and_are_not_tried_elsewhere() {
    for code in [400, 404, 413, 422] {
        let strict = Upstream::scripted().reply(status(code)).start().await;
        let other = Upstream::scripted().start().await;
        let gw = impatient(&[&strict, &other]).start().await;

        let answer = gw.chat("m").say("hi").send().await;

        answer.assert_error(code, &format!("scripted_{code}"));
        assert_eq!(answer.attempts(), 1);
        let metrics = gw.metrics().await;
        assert!(metrics.count("gateway_errors_total", &[("type", "channel")]) == 0, "{code}");
        let record = gw.admin().exchange(answer.request_id()).await;
        assert_eq!(record.outcome(), "client_error", "{code}");
    }
}

#[tokio::test]
async fn an_early_answer_reaches_the_client() {
    let strict = Upstream::scripted().reply(status(413).early()).start().await;
    let gw = impatient(&[&strict]).start().await;

    let answer = gw.chat("m").say(&"long ".repeat(100_000)).send().await;

    answer.assert_error(413, "scripted_413");
}

// --- F20: the channel's key is refused ---

#[tokio::test]
async fn refused_credentials_are_never_shown_as_the_clients() {
    for code in [401, 402, 403] {
        is_mended_elsewhere(status(code)).await;
        let alone = seen_alone(status(code)).await;
        alone.assert_error(502, "upstream_auth_error");
        assert_eq!(alone.header("x-should-retry"), "false");
    }
}

#[tokio::test]
async fn a_channel_with_refused_credentials_stays_out() {
    let bad = Upstream::scripted().reply(status(401)).start().await;
    let good = Upstream::scripted().times(6, chat("good")).start().await;
    let gw = impatient(&[&bad, &good]).start().await;

    for _ in 0..6 {
        gw.chat("m").say("hi").send().await.assert_text("good");
    }

    assert_eq!(bad.count(), 1);
}

// --- F23: the upstream failed ---

#[tokio::test]
async fn server_errors_are_mended_elsewhere() {
    for code in [500, 502, 503, 504, 529] {
        is_mended_elsewhere(status(code)).await;
    }
}

#[tokio::test]
async fn a_server_error_alone_keeps_its_class() {
    for (code, seen) in [(502, 502), (503, 503), (504, 504), (529, 503)] {
        assert_eq!(seen_alone(status(code)).await.status, seen);
    }
    // "No row ever gives 500 except a caught panic": an upstream's 500 is a bad gateway.
    assert_eq!(seen_alone(status(500)).await.status, 502);
}

#[tokio::test]
async fn the_retry_after_of_a_failing_channel_reaches_the_client() {
    assert_eq!(seen_alone(status(503).retry_after(11)).await.header("retry-after"), "11");
}

// --- F24: redirects ---

#[tokio::test]
async fn a_redirect_is_never_followed() {
    for code in [301, 302, 307, 308] {
        let target = Upstream::scripted().start().await;
        let fault = redirect(code, &format!("{}/chat/completions", target.base_url()));
        seen_alone(fault).await.assert_error(502, "upstream_redirect");
        assert_eq!(target.connections(), 0);
    }
}

// --- how many tries ---

#[tokio::test]
async fn at_most_three_channels_are_tried() {
    let bad = [
        Upstream::scripted().reply(status(503)).start().await,
        Upstream::scripted().reply(status(503)).start().await,
        Upstream::scripted().reply(status(503)).start().await,
    ];
    let unused = Upstream::scripted().start().await;
    let (many, few) = (1_000_000, 1);
    let channels = weighted([(&bad[0], many), (&bad[1], many), (&bad[2], many), (&unused, few)]);
    let gw = Gateway::serving_weighted("m", channels).start().await;

    let answer = gw.chat("m").say("hi").send().await;

    assert_eq!((answer.status, answer.attempts()), (503, 3));
}

#[tokio::test]
async fn after_any_fault_a_clean_request_is_answered() {
    let faults = [reset(), close(), html(), status(500), status(429), raw("junk\r\n\r\n"), chat("x").half()];
    let count = faults.len();
    let bad = Upstream::scripted();
    let bad = faults
        .into_iter()
        .fold(bad, gateway_tests::UpstreamBuilder::reply)
        .always(chat("late"))
        .start()
        .await;
    let good = Upstream::scripted().always(chat("good")).start().await;
    let gw = impatient(&[&bad, &good]).start().await;

    for _ in 0..count * 3 {
        assert_eq!(gw.chat("m").say("hi").send().await.status, 200);
    }
    // Not every fault need have been met: a channel that fails is spared.
    bad.set_always(chat("late"));
}

#[tokio::test]
async fn a_failing_neighbour_costs_no_client_anything_over_two_hundred_requests() {
    let dying = Upstream::answering(|_| chat("one")).start().await;
    let living = Upstream::answering(|_| chat("two").after(ms(1))).start().await;
    let gw = Gateway::serving("m", [&dying, &living]).start().await;

    for number in 0..200 {
        if number == 60 {
            dying.set_always(reset());
        }
        assert_eq!(gw.chat("m").say("hi").send().await.status, 200, "request {number}");
    }
}
