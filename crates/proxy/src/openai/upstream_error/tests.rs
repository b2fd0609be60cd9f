use gateway_random_wire::noise;
use proptest::prelude::*;

use super::*;

fn error(message: &'static str, kind: &'static str, code: &'static str) -> UpstreamError<'static> {
    let some = |text: &'static str| (!text.is_empty()).then_some(Cow::Borrowed(text));
    UpstreamError { message: some(message), kind: some(kind), code: some(code) }
}

#[test]
fn every_known_shape_is_read() {
    for (json, expected) in [
        (
            r#"{"error":{"message":"slow down","type":"rate_limit_error","param":null,"code":"rate_limit_exceeded"}}"#,
            error("slow down", "rate_limit_error", "rate_limit_exceeded"),
        ),
        (r#"{"error":{"message":"m","type":null,"code":429}}"#, error("m", "", "429")),
        (r#"{"error":"busy"}"#, error("busy", "", "")),
        (r#"{"error":true}"#, error("", "", "")),
        (
            r#"{"type":"error","code":"server_error","message":"m","param":null}"#,
            error("m", "error", "server_error"),
        ),
        (
            r#"{"type":"response.failed","response":{"error":{"code":"server_error","message":"m"}}}"#,
            error("m", "", "server_error"),
        ),
    ] {
        assert_eq!(error_of(json.as_bytes()), Some(expected), "{json}");
    }
}

#[test]
fn an_answer_is_no_error() {
    for json in [
        r#"{"id":"x","error":null}"#,
        r#"{"choices":[{"message":{"content":"\"error\""}}]}"#,
        r#"{"choices":[{"error":{"message":"m"}}]}"#,
        r#"{"type":"response.completed","response":{"error":null}}"#,
        r#"{"error":{"message":"m"}"#,
        "error",
    ] {
        assert_eq!(error_of(json.as_bytes()), None, "{json}");
    }
}

#[test]
fn a_response_that_did_not_fail_is_one_in_spite_of_its_error() {
    for (json, made) in [
        (r#"{"object":"response","error":{"code":"bio_policy","message":"m"},"output":[]}"#, true),
        (r#"{"object":"response","status":"incomplete","error":{"message":"m"}}"#, true),
        (r#"{"object":"response","status":"failed","error":{"message":"m"}}"#, false),
        (r#"{"error":{"message":"m"}}"#, false),
        (r#"{"object":"error","error":{"message":"m"}}"#, false),
        (r#"{"object":"response""#, false),
    ] {
        assert_eq!(is_made_response(json.as_bytes()), made, "{json}");
    }
}

#[test]
fn the_status_an_error_stands_for_is_told_by_code_then_by_type() {
    for (kind, code, status) in [
        ("", "429", Some(429)),
        ("", "200", None),
        ("rate_limit_error", "", Some(429)),
        ("", "insufficient_quota", Some(402)),
        ("authentication_error", "", Some(401)),
        ("", "model_not_found", Some(404)),
        ("server_error", "", Some(500)),
        ("overloaded_error", "", Some(503)),
        ("invalid_request_error", "context_length_exceeded", Some(400)),
        ("", "odd", None),
    ] {
        let error = error("m", kind, code);
        assert_eq!(error.status(), status, "{kind} {code}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in noise()) {
        drop(error_of(&bytes));
        let _ = error_of(&[b"{\"error\":", &bytes[..], b"}"].concat()).map(|error| error.status());
    }
}
