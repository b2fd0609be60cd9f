//! Each shape of probe: what it asks, and which answers are good.

use gateway_domain::{AttemptOutcome, ProbePlan};
use gateway_health::Observation;
use serde_json::{Value, json};

use super::server::{KEY, PATIENCE, Server, Then, channel, http_answer, http_probe, probe};

fn chat() -> ProbePlan {
    ProbePlan::Chat { model: "m".to_owned() }
}

fn stream() -> ProbePlan {
    ProbePlan::ChatStream { model: "m".to_owned() }
}

fn embeddings() -> ProbePlan {
    ProbePlan::Embeddings { model: "m".to_owned() }
}

fn responses() -> ProbePlan {
    ProbePlan::Responses { model: "m".to_owned() }
}

/// The class of an answer with this body, and whether it proves the key.
async fn class(plan: ProbePlan, status: &str, body: &str) -> (AttemptOutcome, bool) {
    let kind = "content-type: application/json\r\n";
    let (report, _) = probe(http_answer(status, kind, body), Then::Close, plan).await;
    (report.outcome, report.proves_key)
}

/// An endless stream that begins so.
fn events(text: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n\r\n{text}")
}

#[tokio::test]
async fn each_shape_asks_for_as_little_as_it_can() {
    let asked = async |plan, answer: String| {
        let (report, asked) = probe(answer, Then::Close, plan).await;
        assert_eq!((report.outcome, report.proves_key), (AttemptOutcome::Ok, true), "{report:?}");
        let (head, body) = asked.split_once("\r\n\r\n").unwrap();
        let line = head.lines().next().unwrap().to_owned();
        (line, head.to_lowercase().contains("accept: text/event-stream"), serde_json::from_str(body).unwrap())
    };
    let ping = json!([{"role": "user", "content": "ping"}]);
    let word = events("data: {\"choices\":[{\"delta\":{\"content\":\"p\"}}]}\n\n");
    let (line, wants_stream, body): (_, _, Value) = asked(stream(), word).await;
    assert_eq!((&*line, wants_stream), ("POST /v1/chat/completions HTTP/1.1", true));
    assert_eq!(body, json!({"model": "m", "messages": ping, "max_tokens": 1, "stream": true}));
    let vector = http_answer("200 OK", "", r#"{"data":[{"embedding":[0.1,-0.2]}]}"#);
    let (line, wants_stream, body) = asked(embeddings(), vector).await;
    assert_eq!((&*line, wants_stream), ("POST /v1/embeddings HTTP/1.1", false));
    assert_eq!(body, json!({"model": "m", "input": "ping"}));
    let output = http_answer("200 OK", "", r#"{"status":"incomplete","error":null,"output":[]}"#);
    let (line, wants_stream, body) = asked(responses(), output).await;
    assert_eq!((&*line, wants_stream), ("POST /v1/responses HTTP/1.1", false));
    assert_eq!(body, json!({"model": "m", "input": "ping", "max_output_tokens": 16, "store": false}));
}

#[tokio::test]
async fn an_answer_that_lacks_what_was_asked_for_is_none() {
    for (plan, good, bad) in [
        (chat(), r#"{"choices":[{"message":{"content":"p"}}]}"#, r#"{"choices":[]}"#),
        (embeddings(), r#"{"data":[{"embedding":"AACAPw=="}]}"#, r#"{"data":[{"embedding":[]}]}"#),
        (responses(), r#"{"output":[{"type":"message"}]}"#, r#"{"choices":[{}]}"#),
    ] {
        assert_eq!(class(plan.clone(), "200 OK", good).await, (AttemptOutcome::Ok, true), "{plan:?}");
        for body in [bad, "{}", "<html>hello</html>", "", "null", r#"{"data":[{"embed"#] {
            let found = class(plan.clone(), "200 OK", body).await;
            assert_eq!(found, (AttemptOutcome::BadAnswer, false), "{plan:?} {body}");
        }
    }
}

#[tokio::test]
async fn an_embedding_of_many_numbers_is_read_whole() {
    let numbers = vec!["-0.012345678901234567"; 8192].join(",");
    let body = format!(r#"{{"data":[{{"embedding":[{numbers}]}}]}}"#);
    let (report, _) = probe(http_answer("200 OK", "", &body), Then::Close, embeddings()).await;
    assert_eq!((report.outcome, report.body.unwrap().len()), (AttemptOutcome::Ok, 64 * 1024));
}

#[tokio::test]
async fn a_stream_is_left_as_soon_as_the_model_has_spoken() {
    let role = r#"data: {"choices":[{"delta":{"role":"assistant","content":""}}]}"#;
    let word = format!(r#"data: {{"choices":[{{"delta":{{"content":"your key is {KEY}"}}}}]}}"#);
    let half = KEY.get(..8).unwrap();
    // The server asserts that the probe hangs up.
    let text = events(&format!("{role}\n\n{word}\n\ndata: {half}"));
    let server = Server::start(text, Then::Hang).await;
    let report = http_probe().ask(&channel(&server.base_url, ProbePlan::Off), &stream(), PATIENCE).await;
    assert_eq!((report.outcome, report.proves_key), (AttemptOutcome::Ok, true), "{report:?}");
    let reply = String::from_utf8(report.body.unwrap().to_vec()).unwrap();
    assert!(reply.ends_with("\"your key is [secret]\"}}]}\n\n") && !reply.contains(half), "{reply}");
    assert!(report.latency < PATIENCE);
    server.asked().await;
}

#[tokio::test]
async fn a_stream_in_which_no_model_speaks_is_no_answer() {
    let role = r#"data: {"choices":[{"delta":{"role":"assistant"}}]}"#;
    for (text, expected) in [
        (events("data: [DONE]\n\n"), "answered 200 OK and a stream in which no model spoke"),
        (events(&format!("{role}\n\n")), "answered 200 OK and a stream in which no model spoke"),
        (events("data: <html>\n\n"), "answered 200 OK and a stream with an event that is no JSON"),
        (http_answer("200 OK", "", r#"{"choices":[{}]}"#), "answered 200 OK without a stream"),
    ] {
        let (report, _) = probe(text, Then::Close, stream()).await;
        assert_eq!((report.outcome, report.why.as_deref()), (AttemptOutcome::BadAnswer, Some(expected)));
    }
    let (report, _) = probe(events(&format!("{role}\n\n")), Then::Hang, stream()).await;
    assert_eq!(report.outcome, AttemptOutcome::Timeout);
}

#[tokio::test]
async fn an_error_inside_a_good_status_counts_by_its_code() {
    for (code, expected) in [
        ("insufficient_quota", AttemptOutcome::Quota),
        ("invalid_api_key", AttemptOutcome::Credentials),
        ("rate_limit_exceeded", AttemptOutcome::RateLimited),
        ("model_not_found", AttemptOutcome::CallerError),
        ("internal_error", AttemptOutcome::ServerError),
    ] {
        let error = format!(r#"{{"error":{{"message":"insufficient_quota, it says","code":"{code}"}}}}"#);
        assert_eq!(class(chat(), "200 OK", &error).await, (expected, false), "{code}");
        let (report, _) = probe(events(&format!("data: {error}\n\n")), Then::Hang, stream()).await;
        assert_eq!(report.outcome, expected, "{code} in a stream");
        assert_eq!(report.why.as_deref(), Some("answered 200 OK: insufficient_quota, it says"));
    }
}

#[tokio::test]
async fn missing_money_is_told_from_a_limit_and_from_a_refused_key() {
    let broke = r#"{"error":{"message":"x","type":"insufficient_quota","code":null}}"#;
    let limited = r#"{"error":{"message":"insufficient_quota","type":"requests"}}"#;
    for (status, body, expected) in [
        ("429 Slow", broke, AttemptOutcome::Quota),
        ("429 Slow", limited, AttemptOutcome::RateLimited),
        ("402 Pay", "", AttemptOutcome::Quota),
        ("403 No", broke, AttemptOutcome::Quota),
        ("403 No", limited, AttemptOutcome::Credentials),
        ("401 Who", broke, AttemptOutcome::Credentials),
        ("404 Gone", "", AttemptOutcome::CallerError),
        ("408 Late", "", AttemptOutcome::Timeout),
        ("529 Busy", "", AttemptOutcome::ServerError),
    ] {
        assert_eq!(class(chat(), status, body).await, (expected, false), "{status} {body}");
    }
}

#[tokio::test]
async fn only_what_the_account_paid_for_proves_its_key() {
    assert_eq!(class(ProbePlan::Models, "200 OK", r#"{"data":[]}"#).await, (AttemptOutcome::Ok, false));
    let (report, _) = probe(http_answer("429 Slow", "", ""), Then::Close, chat()).await;
    assert!(
        matches!(report.observation(), Some(Observation::ProbeOk { proves_key: false, .. })),
        "{report:?}"
    );
}
