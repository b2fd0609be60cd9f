//! Answers of every kind: bytes and ranges of them, nothing at all, objects with a sad story, and streams to their ends.

use gateway_tests::{Gateway, Reply, Upstream, body, chat, flood, json_body, status};
use http::Method;
use serde_json::json;

use super::{FORM, gateway};

async fn answering(reply: Reply) -> (Upstream, Gateway) {
    let up = Upstream::scripted().always(reply).start().await;
    let gw = gateway(&up).start().await;
    (up, gw)
}

#[tokio::test]
async fn stored_bytes_come_back_whatever_they_are() {
    for (content_type, bytes) in [
        ("application/octet-stream", "\u{0}\u{1}\r\n{\"error\":"),
        ("application/json", "{\"error\":{\"message\":\"a line of a batch\"}}"),
        ("application/json", "not JSON at all"),
        ("text/html", "<!doctype html><html></html>"),
        ("text/event-stream", "data: not JSON\n\n"),
        ("text/plain", ""),
    ] {
        let (_up, gw) = answering(body(content_type, bytes)).await;
        for path in [
            "/v1/files/f/content",
            "/v1/containers/c/files/f/content",
            "/v1/videos/v/content",
            "/v1/skills/s/content",
        ] {
            let answer = gw.get(path).send().await;
            assert_eq!((answer.status, &*answer.body_text()), (200, bytes), "{path} {content_type}");
            assert_eq!(answer.header("content-type"), content_type);
        }
    }
}

#[tokio::test]
async fn a_range_is_asked_for_and_given() {
    let part = body("video/mp4", "cdef").with_status(206).header("content-range", "bytes 2-5/10");
    let (up, gw) = answering(part.header("accept-ranges", "bytes").header("etag", "\"v1\"")).await;
    let call = gw
        .get("/v1/videos/v/content?variant=video")
        .header("range", "bytes=2-5")
        .header("if-range", "\"v1\"");
    let answer = call.send().await;
    assert_eq!((answer.status, &*answer.body_text()), (206, "cdef"));
    assert_eq!(answer.header("content-range"), "bytes 2-5/10");
    assert_eq!((answer.header("content-length"), answer.header("etag")), ("4", "\"v1\""));
    let seen = up.only_request();
    assert_eq!((seen.header("range"), seen.header("if-range")), (Some("bytes=2-5"), Some("\"v1\"")));
}

#[tokio::test]
async fn a_range_beyond_the_end_is_refused_by_the_upstream_itself() {
    let (_up, gw) = answering(status(416).header("content-range", "bytes */10")).await;
    let answer = gw.get("/v1/files/f/content").header("range", "bytes=20-").send().await;
    assert_eq!((answer.status, answer.header("content-range")), (416, "bytes */10"));
}

#[tokio::test]
async fn a_large_file_streams_through() {
    const PIECE: usize = 1 << 20;
    let (_up, gw) = answering(flood("application/octet-stream", vec![7_u8; PIECE], 24)).await;
    let answer = gw.get("/v1/files/f/content").send().await;
    assert_eq!((answer.status, answer.body.len(), answer.cut), (200, 24 * PIECE, false));
}

#[tokio::test]
async fn a_file_that_breaks_off_is_cut_and_not_ended() {
    let (_up, gw) = answering(body("application/octet-stream", "half of it").half()).await;
    let answer = gw.get("/v1/files/f/content").send().await;
    assert!(answer.cut, "{answer:?}");
}

#[tokio::test]
async fn an_answer_may_be_all_in_its_head() {
    let (_up, gw) = answering(status(204)).await;
    assert_eq!(gw.call(Method::DELETE, "/v1/containers/c").send().await.status, 204);
    assert_eq!(gw.call(Method::POST, "/v1/realtime/calls/c/hangup").send().await.status, 204);

    let (_up, gw) = answering(status(304).header("etag", "\"v1\"")).await;
    let answer = gw.get("/v1/files/f/content").header("if-none-match", "\"v1\"").send().await;
    assert_eq!((answer.status, answer.header("etag"), answer.body.len()), (304, "\"v1\"", 0));

    let (_up, gw) = answering(status(200)).await;
    let answer = gw.call(Method::DELETE, "/v1/responses/r").send().await;
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    // Nothing is no answer where a model was asked.
    gw.chat("m").say("hi").send().await.assert_error(502, "upstream_invalid_response");
}

#[tokio::test]
async fn an_object_that_failed_is_shown_as_it_is_and_blames_nobody() {
    let failed = json!({"id": "resp_1", "object": "response", "status": "failed",
                        "error": {"code": "server_error", "message": "it failed"}, "usage": {"total_tokens": 9}});
    let (_up, gw) = answering(json_body(&failed)).await;
    for path in
        ["/v1/responses/resp_1", "/v1/videos/video_1", "/v1/fine_tuning/jobs/ftjob-1", "/v1/batches/batch_1"]
    {
        let answer = gw.get(path).send().await;
        assert_eq!((answer.status, answer.attempts()), (200, 1), "{path}: {}", answer.body_text());
        assert_eq!(answer.json(), failed);
    }
}

#[tokio::test]
async fn a_response_that_failed_is_streamed_again_as_it_was_and_blames_nobody() {
    let created = "data: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\"}}\n\n";
    let failed = "data: {\"type\":\"response.failed\",\"response\":{\"id\":\"resp_1\",\"error\":{\"code\":\"insufficient_quota\",\
                  \"message\":\"it failed\"}}}\n\n";
    let delta = "data: {\"type\":\"response.output_text.delta\",\"delta\":\"x\"}\n\n";
    for events in [[created, failed].concat(), [created, delta, failed].concat()] {
        let (up, gw) = answering(body("text/event-stream", events.clone())).await;
        for _ in 0..10 {
            let answer = gw.get("/v1/responses/resp_1?stream=true").send().await;
            assert_eq!(
                (answer.status, answer.attempts(), answer.cut),
                (200, 1, false),
                "{}",
                answer.body_text()
            );
            assert_eq!(answer.body_text(), events);
        }
        assert_eq!(up.count(), 10);
    }
}

#[tokio::test]
async fn a_response_that_was_made_is_given_whatever_its_error_tells() {
    let made = json!({"id": "resp_1", "object": "response", "status": "incomplete", "output": [],
                      "error": {"code": "bio_policy", "message": "it was cut short"}});
    let (_up, gw) = answering(json_body(&made)).await;
    let answer = gw.post("/v1/responses", r#"{"model":"m","input":"x"}"#).send().await;
    assert_eq!((answer.status, answer.attempts()), (200, 1), "{}", answer.body_text());
    assert_eq!(answer.json(), made);
}

#[tokio::test]
async fn what_is_asked_about_later_is_not_counted_again() {
    let up = Upstream::scripted().always(chat("ok")).start().await;
    let gw = gateway(&up).start().await;
    gw.chat("m").say("hi").send().await.assert_text("ok");
    gw.get("/v1/chat/completions/chatcmpl-scripted").send().await.assert_text("ok");
    let metrics = gw.get("/metrics").send().await.body_text();
    let prompt: f64 = metrics
        .lines()
        .filter(|line| line.starts_with("gateway_tokens_total") && line.contains("kind=\"prompt\""))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum();
    assert!((prompt - 3.0).abs() < 0.1, "{metrics}");
}

#[tokio::test]
async fn transcriptions_are_text_in_any_of_their_formats() {
    for (content_type, text) in
        [("text/plain", "Hello.\n"), ("text/vtt", "WEBVTT\n\n"), ("application/json", "{\"text\":\"x\"}")]
    {
        let (_up, gw) = answering(body(content_type, text)).await;
        let call = gw.call(Method::POST, "/v1/audio/transcriptions").body(FORM);
        let answer = call.header("content-type", "multipart/form-data; boundary=Bound.1").send().await;
        assert_eq!((answer.status, &*answer.body_text()), (200, text));
    }
}

/// For each kind of stream: the path, the body, the events, and whether the last of them is what ends it.
const STREAMS: [(&str, &str, &[&str]); 5] = [
    (
        "/v1/images/generations",
        "{\"model\":\"m\",\"stream\":true}",
        &[
            "event: image_generation.partial_image\ndata: {\"type\":\"image_generation.partial_image\",\"b64_json\":\"x\"}\n\n",
            "event: image_generation.completed\ndata: {\"type\":\"image_generation.completed\",\"b64_json\":\"x\"}\n\n",
        ],
    ),
    (
        "/v1/images/edits",
        "{\"model\":\"m\",\"stream\":true}",
        &[
            "data: {\"type\":\"image_edit.partial_image\",\"b64_json\":\"x\"}\n\n",
            "data: {\"type\":\"image_edit.completed\",\"b64_json\":\"x\"}\n\n",
        ],
    ),
    (
        "/v1/audio/speech",
        "{\"model\":\"m\",\"stream_format\":\"sse\"}",
        &[
            "data: {\"type\":\"speech.audio.delta\",\"audio\":\"x\"}\n\n",
            "data: {\"type\":\"speech.audio.done\",\"usage\":{}}\n\n",
        ],
    ),
    (
        "/v1/threads/t/runs",
        "{\"assistant_id\":\"asst_1\",\"stream\":true}",
        &[
            "event: thread.run.created\ndata: {\"id\":\"run_1\",\"last_error\":null}\n\n",
            "event: done\ndata: [DONE]\n\n",
        ],
    ),
    (
        "/v1/responses",
        "{\"stream\":true}",
        &[
            "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"x\"}\n\n",
            "event: response.incomplete\ndata: {\"type\":\"response.incomplete\",\"response\":{}}\n\n",
        ],
    ),
];

#[tokio::test]
async fn a_stream_of_any_kind_that_says_its_last_word_is_whole_and_one_that_does_not_is_broken() {
    for (path, request, events) in STREAMS {
        let whole = events.concat();
        let (_up, gw) = answering(body("text/event-stream", whole.clone())).await;
        let answer = gw.post(path, request).send().await;
        assert_eq!((&*answer.body_text(), answer.cut), (&*whole, false), "{path}");

        let half = events[..events.len() - 1].concat();
        let (_up, gw) = answering(body("text/event-stream", half.clone())).await;
        let answer = gw.post(path, request).send().await;
        assert!(answer.body_text().starts_with(&half), "{path}: {}", answer.body_text());
        assert!(
            answer.body_text().contains("upstream_stream_interrupted") && answer.cut,
            "{path}: {answer:?}"
        );
    }
}

#[tokio::test]
async fn a_transcription_streams_to_its_last_word() {
    let delta = "data: {\"type\":\"transcript.text.delta\",\"delta\":\"x\"}\n\n";
    let whole = format!("{delta}data: {{\"type\":\"transcript.text.done\",\"text\":\"x\"}}\n\n");
    for (stream, breaks) in [(whole.as_str(), false), (delta, true)] {
        let (_up, gw) = answering(body("text/event-stream", stream.to_owned())).await;
        let call = gw.call(Method::POST, "/v1/audio/transcriptions").body(FORM);
        let answer = call.header("content-type", "multipart/form-data; boundary=Bound.1").send().await;
        assert!(answer.body_text().starts_with(stream));
        assert_eq!(answer.cut, breaks, "{}", answer.body_text());
    }
}

#[tokio::test]
async fn a_stored_response_can_be_streamed_again() {
    let events = "data: {\"type\":\"response.output_text.delta\",\"delta\":\"x\"}\n\ndata: {\"type\":\"response.completed\",\"response\":{}}\n\n";
    let (up, gw) = answering(body("text/event-stream", events)).await;
    let answer = gw.get("/v1/responses/resp_1?stream=true&starting_after=3").send().await;
    assert_eq!(answer.body_text(), events);
    assert_eq!(up.only_request().target(), "/v1/responses/resp_1?stream=true&starting_after=3");
}
