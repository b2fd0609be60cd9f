//! Streams: as they come, byte for byte, and never ended cleanly when they did not end.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use gateway_tests::{Gate, Gateway, Upstream, body, chat, eventually, in_order, ms, sse, status};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// Text that a careless copy would damage: two, three and four bytes, a joined emoji, what JSON escapes.
const HARD_TEXT: [&str; 6] =
    ["Grüße, ", "日本語 ", "👩‍👩‍👧‍👦 ", "\u{2028}line\u{2029} ", "\"quoted\\\" ", "a\tb\r\nc"];

#[tokio::test]
async fn each_event_goes_out_when_it_comes_in() {
    let gates = [Gate::shut(), Gate::shut(), Gate::shut()];
    let stream = sse(["one", "two", "three"]).usage(3, 2);
    let stream = stream.hold_before(1, &gates[0]).hold_before(2, &gates[1]).hold_before(3, &gates[2]);
    let up = Upstream::scripted().reply(stream).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;

    let mut answer = gw.chat("m").say("hi").stream().open().await;

    assert_eq!((answer.status, answer.header("content-type")), (200, "text/event-stream; charset=utf-8"));
    for (text, gate) in ["\"one\"", "\"two\"", "\"three\""].into_iter().zip(&gates) {
        answer.read_until(text).await;
        gate.open();
    }
    let whole = answer.rest().await;
    whole.assert_text("onetwothree");
    assert_eq!(whole.usage(), Some((3, 2)));
}

#[tokio::test]
async fn a_stream_may_last_longer_than_every_other_timeout() {
    let texts: Vec<String> = (0..12).map(|n| n.to_string()).collect();
    let up = Upstream::scripted().reply(sse(&texts).pause(ms(60))).start().await;
    let gw = Gateway::serving("m", [&up])
        .set("proxy.total_timeout", "300ms")
        .set("proxy.first_byte_timeout", "250ms")
        .set("server.read_timeout", "250ms")
        .set("server.write_timeout", "250ms")
        .start()
        .await;

    gw.chat("m").say("hi").stream().send().await.assert_text("01234567891011");
}

// --- F9: reset in the middle ---

#[tokio::test]
async fn a_reset_in_the_middle_is_an_error_event_and_no_end() {
    let gate = Gate::shut();
    let up =
        Upstream::scripted().reply(sse(["Hel", "lo"]).reset_after(1).hold_before(1, &gate)).start().await;
    let other = Upstream::scripted().start().await;
    let gw = Gateway::serving_weighted("m", in_order([&up, &other])).start().await;

    let mut stream = gw.chat("m").say("hi").stream().open().await;
    stream.read_until("Hel").await;
    gate.open();
    let answer = stream.rest().await;

    answer.assert_interrupted("upstream_stream_interrupted");
    assert_eq!(answer.text(), "Hel");
    let metrics = gw.metrics().await;
    let failures = metrics.count("gateway_errors_total", &[("type", "channel"), ("channel", up.name())]);
    assert_eq!(failures, 1);
    let record = gw.admin().exchange(answer.request_id()).await;
    record.assert_tried([&up]);
    assert_eq!(record.outcome(), "interrupted");
}

#[tokio::test]
async fn a_chunked_body_that_breaks_off_is_an_error_event_and_no_end() {
    for fault in [sse(["Hel", "lo"]).close_after(2), sse(["Hel", "lo"]).break_after(2)] {
        let up = Upstream::scripted().reply(fault).start().await;
        let gw = Gateway::serving("m", [&up]).start().await;

        let answer = gw.chat("m").say("hi").stream().send().await;

        answer.assert_interrupted("upstream_stream_interrupted");
        assert_eq!(answer.text(), "Hello");
    }
}

#[tokio::test]
async fn an_interrupted_stream_settles_the_usage_that_was_seen() {
    let usage = r#"{"id":"x","object":"chat.completion.chunk","choices":[],"usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18}}"#;
    let up = Upstream::scripted().reply(sse(["a"]).event(usage).without_finish()).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;

    let answer = gw.chat("m").say("hi").stream().send().await;

    answer.assert_interrupted("upstream_stream_interrupted");
    let metrics = gw.metrics().await;
    let tokens = |kind| metrics.count("gateway_tokens_total", &[("kind", kind)]);
    assert_eq!((tokens("prompt"), tokens("completion")), (11, 7));
}

// --- F10: a clean end that is none ---

#[tokio::test]
async fn a_clean_end_without_finish_is_an_error_event() {
    let up = Upstream::scripted().reply(sse(["Hel", "lo"]).without_finish()).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;

    let answer = gw.chat("m").say("hi").stream().send().await;

    answer.assert_interrupted("upstream_stream_interrupted");
    assert_eq!(answer.text(), "Hello");
}

#[tokio::test]
async fn a_missing_done_after_the_finish_is_added() {
    let stream = sse(["Hel", "lo"]).without_done();
    let sent = stream.text();
    let up = Upstream::scripted().reply(stream).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;

    let answer = gw.chat("m").say("hi").stream().send().await;

    answer.assert_text("Hello");
    assert!(answer.body.starts_with(&sent), "what was sent is not changed: {}", answer.body_text());
}

/// Two answers to one question come in turn: the end of the shorter one is not the end.
#[tokio::test]
async fn a_clean_end_before_the_last_choice_is_finished_is_an_error_event() {
    let part = |choice: u8, end: &str| {
        format!(
            r#"{{"id":"x","choices":[{{"index":{choice},"delta":{{"content":"a"}},"finish_reason":{end}}}]}}"#
        )
    };
    let cut = [part(0, "null"), part(1, "null"), part(0, "\"stop\""), part(1, "null")];
    let whole = [&cut[..], &[part(1, "\"stop\"")]].concat();
    for (sent, is_whole) in [(&cut[..], false), (&whole[..], true)] {
        let events = format!("data: {}\n\n", sent.join("\n\ndata: "));
        let up = Upstream::scripted().reply(body("text/event-stream", events)).start().await;
        let gw = Gateway::serving("m", [&up]).start().await;

        let answer = gw.chat("m").say("hi").stream().with("n", 2.into()).send().await;

        if is_whole {
            assert!(answer.is_done() && !answer.cut, "{}", answer.body_text());
        } else {
            answer.assert_interrupted("upstream_stream_interrupted");
        }
    }
}

// --- F8: silence in the middle ---

#[tokio::test]
async fn silence_in_the_middle_is_an_error_event_and_the_upstream_is_left() {
    let up = Upstream::scripted().reply(sse(["Hel", "lo"]).hang_after(1)).start().await;
    let gw = Gateway::serving("m", [&up]).set("proxy.stream_gap_timeout", "200ms").start().await;

    let answer = gw.chat("m").say("hi").stream().send().await;

    answer.assert_interrupted("stream_idle_timeout");
    eventually("the upstream was hung up on", || up.departures() == 1).await;
}

// --- F14: bytes ---

#[tokio::test]
async fn every_spelling_of_a_stream_arrives_byte_for_byte() {
    let plain = || sse(HARD_TEXT).usage(3, 2);
    let spellings = [
        plain().chunks_of(1),
        plain().chunks_of(3),
        plain().line_end("\r\n"),
        plain().line_end("\r\n").chunks_of(1),
        plain().line_end("\r"),
        plain().prefix(b"\xef\xbb\xbf"),
        plain().prefix(b": hello\n\nid: 7\nevent: message\nretry: 10\n"),
        plain().prefix(b":\r\n\r\n").line_end("\r\n").chunks_of(2),
    ];
    for spelling in spellings {
        let sent = spelling.text();
        let up = Upstream::scripted().reply(spelling).start().await;
        let gw = Gateway::serving("m", [&up]).start().await;

        let answer = gw.chat("m").say("hi").stream().send().await;

        assert_eq!(answer.body, sent, "{}", String::from_utf8_lossy(&sent));
        assert_eq!((answer.text(), answer.is_done(), answer.cut), (HARD_TEXT.concat(), true, false));
    }
}

#[tokio::test]
async fn data_without_a_space_and_over_several_lines_arrives_as_sent() {
    let sent: &[u8] = b"data:{\"choices\":[{\"index\":0,\ndata: \"delta\":{\"content\":\"x\"},\ndata:\"finish_reason\":\"stop\"}]}\n\ndata:[DONE]\n\n";
    let reply = body("text/event-stream", sent).chunks_of(5);
    let up = Upstream::scripted().reply(reply).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;

    let answer = gw.chat("m").say("hi").stream().send().await;

    assert_eq!(answer.body, sent);
    assert!(!answer.cut);
}

#[test]
fn any_stream_cut_anywhere_arrives_byte_for_byte() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let next = Arc::new(Mutex::new((Bytes::new(), 1_usize)));
    let script = Arc::clone(&next);
    let up = runtime.block_on(
        Upstream::answering(move |_| {
            let (bytes, size) = script.lock().expect("not poisoned").clone();
            body("text/event-stream", bytes).chunks_of(size)
        })
        .start(),
    );
    let gw = runtime.block_on(Gateway::serving("m", [&up]).start());

    let strategy = (
        prop::collection::vec("\\PC{0,12}", 1..8),
        1_usize..40,
        prop::sample::select(vec!["\n", "\r\n", "\r"]),
    );
    let mut runner = TestRunner::new(Config { cases: 64, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&strategy, |(texts, size, line_end)| {
        let sent = sse(&texts).line_end(line_end).text();
        *next.lock().expect("not poisoned") = (sent.clone(), size);
        let answer = runtime.block_on(gw.chat("m").say("hi").stream().send());
        prop_assert_eq!(&answer.body, &sent);
        prop_assert_eq!(answer.text(), texts.concat());
        prop_assert!(answer.is_done() && !answer.cut);
        Ok(())
    });
    outcome.unwrap_or_else(|why| panic!("{why}"));
}

// --- around streams ---

#[tokio::test]
async fn a_stream_that_is_refused_is_an_ordinary_error_answer() {
    let up = Upstream::scripted().reply(status(400)).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;
    gw.chat("m").say("hi").stream().send().await.assert_error(400, "scripted_400");
}

#[tokio::test]
async fn json_instead_of_a_stream_is_given_as_json() {
    let up = Upstream::scripted().reply(chat("whole")).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;

    let answer = gw.chat("m").say("hi").stream().send().await;

    assert_eq!((answer.header("content-type"), answer.text().as_str()), ("application/json", "whole"));
}

#[tokio::test]
async fn two_hundred_streams_at_once_do_not_mix() {
    let up = Upstream::answering(|request| {
        let said = request.json()["messages"][0]["content"].as_str().unwrap_or_default().to_owned();
        sse([said.as_str(), "-", said.as_str()]).pause(ms(5)).into()
    })
    .start()
    .await;
    let gw = Gateway::serving("m", [&up]).set("server.workers", 2).start().await;

    let calls = (0..200).map(|n| gw.chat("m").say(&format!("nonce{n}")).stream().send());
    for (n, answer) in gateway_tests::all(calls).await.into_iter().enumerate() {
        answer.assert_text(&format!("nonce{n}-nonce{n}"));
    }
}

#[tokio::test]
async fn streams_are_counted_while_they_run() {
    let gate = Gate::shut();
    let up = Upstream::scripted().reply(sse(["a", "b"]).hold_before(1, &gate)).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;

    let mut stream = gw.chat("m").say("hi").stream().open().await;
    stream.read_until("\"a\"").await;
    assert_eq!(gw.metrics().await.count("gateway_active_streams", &[]), 1);
    gate.open();
    stream.rest().await.assert_text("ab");

    gateway_tests::until("the stream is counted out", async || {
        (gw.metrics().await.count("gateway_active_streams", &[]) == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_stream_over_http2_is_the_same_stream() {
    let stream = sse(HARD_TEXT).usage(3, 2).chunks_of(7);
    let sent = stream.text();
    let up = Upstream::scripted().reply(stream).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;

    let answer = gw.chat("m").say("hi").stream().h2().send().await;

    assert_eq!((answer.version, answer.body), (http::Version::HTTP_2, sent));
}
