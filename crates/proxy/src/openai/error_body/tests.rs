use super::*;

const BODY: ErrorBody<'_> = ErrorBody {
    message: "the \"model\"\nis\u{1}gone",
    kind: "invalid_request_error",
    param: Some("model"),
    code: Some("model_not_found"),
};

fn text(bytes: &Bytes) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn the_body_is_nested_and_escaped() {
    assert_eq!(
        text(&BODY.to_json()),
        r#"{"error":{"message":"the \"model\"\nis\u0001gone","type":"invalid_request_error","param":"model","code":"model_not_found"}}"#
    );
}

#[test]
fn what_is_absent_is_null() {
    let body = ErrorBody { message: "m", kind: "server_error", param: None, code: None };
    assert_eq!(
        text(&body.to_json()),
        r#"{"error":{"message":"m","type":"server_error","param":null,"code":null}}"#
    );
}

#[test]
fn a_chat_stream_gets_the_nested_object_without_an_event_name() {
    let event = BODY.to_event(StreamDialect::Chat, 9);
    assert_eq!(text(&event), format!("data: {}\n\n", text(&BODY.to_json())));
}

#[test]
fn a_responses_stream_gets_a_numbered_flat_event() {
    assert_eq!(
        text(&BODY.to_event(StreamDialect::Responses, 9)),
        "event: error\ndata: {\"type\":\"error\",\"code\":\"model_not_found\",\
         \"message\":\"the \\\"model\\\"\\nis\\u0001gone\",\"param\":\"model\",\"sequence_number\":9}\n\n"
    );
}
