//! Answers that are none: other things than were asked for, errors in the clothes of a 200, heads that no server sends.

use gateway_tests::{Upstream, body, chat, json_body, raw, status};
use serde_json::json;

use super::{
    impatient, is_mended_elsewhere, is_mended_elsewhere_or, is_mended_elsewhere_streamed,
    is_mended_elsewhere_streamed_or, nothing_is_left, seen_alone, seen_alone_streamed,
};

/// An error object as OpenAI gives it.
fn failure(kind: &str, code: &str) -> serde_json::Value {
    json!({"error": {"message": "scripted", "type": kind, "param": null, "code": code}})
}

// --- F11: less than was announced ---

#[tokio::test]
async fn a_body_that_is_longer_than_announced_is_cut_to_no_json_and_mended_elsewhere() {
    is_mended_elsewhere_or(502, "upstream_invalid_response", chat("a text").short_length(4)).await;
}

#[tokio::test]
async fn a_body_that_stops_halfway_and_stays_silent_is_504() {
    is_mended_elsewhere_streamed_or(504, "upstream_timeout", chat("a text").hang_after_head()).await;
}

// --- F16, F17: other things than a stream ---

#[tokio::test]
async fn a_document_in_place_of_a_stream_is_checked_like_any_document() {
    is_mended_elsewhere_streamed_or(502, "upstream_protocol_error", chat("a text").half()).await;
    let broken = [r#"{"id":"chatcmpl-1","choices":[{"mess"#, "null", "", "a text", r#""a string""#];
    for text in broken {
        is_mended_elsewhere_streamed_or(502, "upstream_invalid_response", body("application/json", text))
            .await;
    }
}

#[tokio::test]
async fn a_whole_document_in_place_of_a_stream_is_given_as_it_is() {
    let up = Upstream::scripted().reply(chat("whole").chunks_of(7)).start().await;
    let gw = impatient(&[&up]).start().await;

    let answer = gw.chat("m").say("hi").stream().send().await;

    assert_eq!((answer.status, answer.text().as_str(), answer.cut), (200, "whole", false));
    assert_eq!(answer.header("content-type"), "application/json");
    nothing_is_left(&gw, &[&up]).await;
}

#[tokio::test]
async fn nothing_at_all_in_place_of_a_stream_is_mended_elsewhere() {
    is_mended_elsewhere_streamed_or(502, "upstream_closed", body("text/event-stream", "")).await;
    is_mended_elsewhere_streamed_or(502, "upstream_closed", body("text/event-stream", ": still here\n\n"))
        .await;
    is_mended_elsewhere_streamed_or(502, "upstream_closed", body("text/event-stream", "data: {\"ch")).await;
}

#[tokio::test]
async fn a_success_without_a_body_is_no_answer() {
    is_mended_elsewhere_or(502, "upstream_invalid_response", status(204)).await;
    is_mended_elsewhere_streamed_or(502, "upstream_invalid_response", status(204)).await;
}

#[tokio::test]
async fn a_document_that_says_nothing_is_no_answer() {
    for text in ["null", "", " \n ", "true", "[", "{}{}"] {
        is_mended_elsewhere_or(502, "upstream_invalid_response", body("application/json", text)).await;
    }
}

// --- F18: errors in the clothes of a 200 ---

#[tokio::test]
async fn an_error_in_a_document_of_200_is_mended_elsewhere_where_its_code_may_pass() {
    for (kind, code) in [
        ("server_error", "server_error"),
        ("rate_limit_error", "rate_limit_exceeded"),
        ("insufficient_quota", "insufficient_quota"),
        ("authentication_error", "invalid_api_key"),
    ] {
        is_mended_elsewhere(json_body(&failure(kind, code))).await;
        is_mended_elsewhere_streamed(json_body(&failure(kind, code))).await;
    }
}

#[tokio::test]
async fn an_error_in_the_first_event_of_a_stream_is_mended_elsewhere_where_its_code_may_pass() {
    for (kind, code) in [
        ("server_error", "server_error"),
        ("rate_limit_error", "rate_limit_exceeded"),
        ("insufficient_quota", "insufficient_quota"),
        ("authentication_error", "invalid_api_key"),
    ] {
        let events = format!("data: {}\n\ndata: [DONE]\n\n", failure(kind, code));
        is_mended_elsewhere_streamed(body("text/event-stream", events)).await;
    }
}

#[tokio::test]
async fn an_error_in_an_answer_of_200_alone_gets_the_status_it_stands_for() {
    for (kind, code, status, seen) in [
        ("server_error", "server_error", 502, "server_error"),
        ("rate_limit_error", "rate_limit_exceeded", 429, "rate_limit_exceeded"),
        ("insufficient_quota", "insufficient_quota", 502, "upstream_auth_error"),
        ("authentication_error", "invalid_api_key", 502, "upstream_auth_error"),
        ("invalid_request_error", "context_length_exceeded", 400, "context_length_exceeded"),
    ] {
        let document = failure(kind, code);
        let events = format!("data: {document}\n\n");
        seen_alone(json_body(&document)).await.assert_error(status, seen);
        seen_alone_streamed(json_body(&document)).await.assert_error(status, seen);
        seen_alone_streamed(body("text/event-stream", events)).await.assert_error(status, seen);
    }
}

#[tokio::test]
async fn the_clients_own_error_in_an_answer_of_200_is_not_tried_elsewhere() {
    let document = failure("invalid_request_error", "context_length_exceeded");
    for fault in [json_body(&document), body("text/event-stream", format!("data: {document}\n\n"))] {
        let strict = Upstream::scripted().reply(fault).start().await;
        let other = Upstream::scripted().start().await;
        let gw = impatient(&[&strict, &other]).start().await;

        gw.chat("m").say("hi").stream().send().await.assert_error(400, "context_length_exceeded");

        nothing_is_left(&gw, &[&strict, &other]).await;
    }
}

// --- F25: heads that no server sends ---

#[tokio::test]
async fn an_endless_head_of_interim_answers_is_no_answer() {
    let flood = "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n".repeat(20_000);
    is_mended_elsewhere(raw(flood.clone())).await;
    assert_eq!(seen_alone(raw(flood)).await.status, 502);
}

#[tokio::test]
async fn a_head_that_is_no_http_is_no_answer() {
    for head in [
        "HTTP/1.1\r\n\r\n",
        "HTTP/1.1 abc OK\r\n\r\n",
        "HTTP/1.1 99 Low\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 1000 High\r\ncontent-length: 0\r\n\r\n",
        "HTTP/9.9 200 OK\r\ncontent-length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\ncontent-length: -2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nbad header: x\r\ncontent-length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n{}",
        "\0\0\0\0\r\n\r\n",
    ] {
        is_mended_elsewhere(raw(head)).await;
        seen_alone(raw(head)).await.assert_error(502, "upstream_protocol_error");
    }
}

#[tokio::test]
async fn a_status_that_no_client_knows_is_no_answer() {
    for head in
        ["HTTP/1.1 999 Odd", "HTTP/1.1 600 Odd", "HTTP/1.1 305 Use Proxy", "HTTP/1.1 304 Not Modified"]
    {
        let fault = raw(format!("{head}\r\ncontent-length: 0\r\n\r\n"));
        is_mended_elsewhere(fault.clone()).await;
        assert_eq!(seen_alone(fault).await.status, 502, "{head}");
    }
    let switch = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n";
    is_mended_elsewhere_or(502, "upstream_protocol_error", raw(switch)).await;
}

#[tokio::test]
async fn a_head_that_is_far_too_large_is_no_answer() {
    let many = "x-odd: 1\r\n".repeat(500);
    let large = format!("x-odd: {}\r\n", "a".repeat(10 << 20));
    for headers in [many, large] {
        let fault = raw(format!("HTTP/1.1 200 OK\r\n{headers}content-length: 2\r\n\r\n{{}}"));
        is_mended_elsewhere_or(502, "upstream_protocol_error", fault).await;
    }
}

// --- F30: an answer before the request has been sent ---

#[tokio::test]
async fn an_early_answer_reaches_the_client_even_when_the_connection_is_closed_at_once() {
    let strict = Upstream::scripted().reply(status(413).abruptly()).start().await;
    let gw = impatient(&[&strict]).set("proxy.total_timeout", "5s").start().await;

    let answer = gw.chat("m").say(&"long ".repeat(1_000_000)).send().await;

    // The reset that ends the connection may overtake the answer. Then the channel has closed, which is no lie.
    if answer.error_code() != "upstream_closed" {
        answer.assert_error(413, "scripted_413");
    }
    nothing_is_left(&gw, &[&strict]).await;
}
