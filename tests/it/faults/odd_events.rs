//! Events that no client can read. None of them passes; what came before them does.

use bytes::Bytes;
use gateway_tests::{Answer, Upstream, body, flood, sse};

use super::{impatient, is_mended_elsewhere_streamed, nothing_is_left, seen_alone_streamed};

/// The longest event that the gateway takes by default.
const LONGEST: usize = 1 << 20;

/// An event as a client can read it.
fn piece(text: &str) -> String {
    format!(
        "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":null}}]}}\n\n"
    )
}

/// A good event, these bytes, and a good end.
fn in_the_middle(odd: &[u8]) -> Bytes {
    let end =
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    [piece("Hel").as_bytes(), odd, piece("lo").as_bytes(), end.as_bytes()].concat().into()
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// These bytes in the middle of a stream, in one chunk with the rest and byte for byte.
async fn ends_the_stream(odd: &[u8]) {
    let whole = body("text/event-stream", in_the_middle(odd));
    for fault in [whole.clone(), whole.chunks_of(1)] {
        let answer = seen_alone_streamed(fault).await;
        answer.assert_interrupted("upstream_malformed_event");
        assert_eq!(answer.text(), "Hel");
        assert!(std::str::from_utf8(&answer.body).is_ok() && !contains(&answer.body, b"lo\""), "{answer:?}");
    }
}

/// These bytes as the first event.
async fn is_no_beginning(odd: &[u8]) {
    let fault = body("text/event-stream", [odd, &in_the_middle(b"")].concat());
    is_mended_elsewhere_streamed(fault.clone()).await;
    seen_alone_streamed(fault).await.assert_error(502, "upstream_invalid_response");
}

// --- F12: no JSON ---

#[tokio::test]
async fn an_event_that_is_no_json_ends_the_stream() {
    for odd in ["data: {\"choices\":[\n\n", "data: nonsense\n\n", "data: {\"a\":1}{\"b\":2}\n\n"] {
        ends_the_stream(odd.as_bytes()).await;
    }
}

#[tokio::test]
async fn a_first_event_that_is_no_json_is_mended_elsewhere() {
    is_no_beginning(b"data: {\"choices\":[\n\n").await;
}

// --- F13: no UTF-8 ---

#[tokio::test]
async fn an_event_that_is_no_utf8_ends_the_stream() {
    for odd in [&b"\xff\xfe"[..], b"\xc3", b"\xe6\x97", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf8\x88\x80\x80\x80"]
    {
        let event =
            [b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"", odd, b"\"}}]}\n\n"].concat();
        ends_the_stream(&event).await;
    }
}

#[tokio::test]
async fn a_first_event_that_is_no_utf8_is_mended_elsewhere() {
    is_no_beginning(b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\xff\"}}]}\n\n").await;
}

// --- F15: lines without an end ---

#[tokio::test]
async fn the_longest_event_passes_and_a_longer_one_does_not() {
    let around = piece("").len();
    let longest = piece(&"a".repeat(LONGEST - around));
    let up = Upstream::scripted()
        .reply(body("text/event-stream", in_the_middle(longest.as_bytes())))
        .start()
        .await;
    let gw = impatient(&[&up]).start().await;
    let answer = gw.chat("m").say("hi").stream().send().await;
    assert_eq!((answer.text().len(), answer.is_done(), answer.cut), (LONGEST - around + 5, true, false));
    nothing_is_left(&gw, &[&up]).await;

    let long = body("text/event-stream", in_the_middle(piece(&"a".repeat(10 << 20)).as_bytes()));
    let answer = seen_alone_streamed(long).await;
    answer.assert_interrupted("upstream_malformed_event");
    assert_eq!(answer.text(), "Hel");
}

#[tokio::test]
async fn the_longest_event_is_a_setting() {
    let event = piece(&"a".repeat(40 << 10));
    for (limit, passes) in [("16 KiB", false), ("64 KiB", true)] {
        let up = Upstream::scripted()
            .reply(body("text/event-stream", in_the_middle(event.as_bytes())))
            .start()
            .await;
        let gw = impatient(&[&up]).set("proxy.max_event_bytes", limit).start().await;
        let answer = gw.chat("m").say("hi").stream().send().await;
        assert_eq!(answer.is_done(), passes, "{limit}");
        nothing_is_left(&gw, &[&up]).await;
    }
}

#[tokio::test]
async fn a_line_without_an_end_is_given_up_at_the_limit() {
    let endless = || flood("text/event-stream", vec![b'a'; 64 << 10], 4_096);
    for (fault, text) in [(endless(), ""), (endless().preceded_by(piece("Hel")), "Hel")] {
        let up = Upstream::scripted().reply(fault).start().await;
        let gw = impatient(&[&up])
            .set("proxy.first_byte_timeout", "20s")
            .set("proxy.total_timeout", "20s")
            .start()
            .await;

        let answer: Answer = gw.chat("m").say("hi").stream().send().await;

        assert_eq!(answer.text(), text);
        assert!(answer.body.len() < 64 << 10, "{} bytes of it passed", answer.body.len());
        // What the system holds on the way is not the gateway's.
        assert!(up.sent() < 64 << 20, "{} bytes were taken", up.sent());
        nothing_is_left(&gw, &[&up]).await;
    }
}

// --- F14: what is only unusual ---

#[tokio::test]
async fn events_of_other_kinds_and_empty_ones_pass() {
    let odd = "event: ping\ndata: {}\n\n: comment\n\nid: 7\nretry: 10\n\ndata:\n\n";
    let up =
        Upstream::scripted().reply(body("text/event-stream", in_the_middle(odd.as_bytes()))).start().await;
    let gw = impatient(&[&up]).start().await;

    let answer = gw.chat("m").say("hi").stream().send().await;

    answer.assert_text("Hello");
    nothing_is_left(&gw, &[&up]).await;
}

// --- F9, F10: an end that is none, whichever ---

#[tokio::test]
async fn no_broken_stream_leaves_anything_behind() {
    let stream = || sse(["Hel", "lo"]);
    for fault in [
        stream().reset_after(2),
        stream().close_after(2),
        stream().break_after(2),
        stream().without_finish(),
        stream().without_finish().chunks_of(1),
    ] {
        seen_alone_streamed(fault).await.assert_interrupted("upstream_stream_interrupted");
    }
}
