use gateway_random_wire::{Model, damaged, document, noise};
use proptest::prelude::*;
use serde::de::IgnoredAny;

use super::*;

fn refused(body: impl AsRef<[u8]>) -> (String, Option<&'static str>, &'static str) {
    let error = peek(body.as_ref()).expect_err("has to be refused");
    (error.message().to_owned(), error.param(), error.code())
}

fn model_of(body: &str) -> Option<String> {
    peek(body.as_bytes()).expect(body).model.map(|model| model.value.into_owned())
}

#[test]
fn everything_that_is_read_is_found_at_the_top_level_only() {
    let body = br#" { "messages":[{"model":"not-me","stream":false,"user":"nor me"}], "model" : "gpt-4o",
        "stream":true, "stream_options":{"include_usage":true}, "prompt_cache_key":"pck", "user":"u-1",
        "store":false, "previous_response_id":"resp_1", "background":true, "conversation":"conv_1",
        "metadata":{"session_id":"s-1"} }"#;
    let peek = peek(body).unwrap();
    let model = peek.model.clone().unwrap();
    assert_eq!(&body[model.span.clone()], b"\"gpt-4o\"");
    assert_eq!(
        peek,
        Peek {
            model: Some(ModelSpan { value: "gpt-4o".into(), span: model.span }),
            stream: true,
            include_usage: true,
            prompt_cache_key: Some("pck".into()),
            has_prompt_cache_key: true,
            user: Some("u-1".into()),
            store: Some(false),
            previous_response_id: Some("resp_1".into()),
            background: true,
            conversation: true,
            session: Some("s-1".into()),
            names_objects: true,
        }
    );
}

#[test]
fn a_body_that_says_nothing_reads_as_nothing() {
    assert_eq!(peek(b"{}").unwrap(), Peek::default());
    assert_eq!(peek(b" \n\t\r{ } \n").unwrap(), Peek::default());
    assert_eq!(model_of(r#"{"model":null}"#), None);
}

#[test]
fn members_of_a_wrong_type_are_left_for_the_upstream() {
    let body = br#"{"stream_options":[{"include_usage":true}],"user":7,"store":"no","metadata":"s",
        "background":1,"prompt_cache_key":null,"previous_response_id":{}}"#;
    let expected = Peek { has_prompt_cache_key: true, names_objects: true, ..Peek::default() };
    assert_eq!(peek(body).unwrap(), expected);
}

#[test]
fn a_stream_flag_that_is_no_boolean_is_refused_with_its_name() {
    for value in ["\"true\"", "1", "[]", "{}"] {
        assert_eq!(refused(format!(r#"{{"stream":{value}}}"#)).1, Some("stream"), "{value}");
    }
    assert!(!peek(br#"{"stream":null}"#).unwrap().stream);
}

#[test]
fn the_conversation_is_read_from_the_best_name_in_metadata() {
    let session = |metadata: &str| {
        let body = format!(r#"{{"metadata":{metadata}}}"#);
        peek(body.as_bytes()).unwrap().session.map(Cow::into_owned)
    };
    assert_eq!(
        session(r#"{"conversation_id":"d","conversation":"c","session_id":"b","session":"a"}"#).unwrap(),
        "a"
    );
    assert_eq!(session(r#"{"conversation_id":"d","session":"","session_id":3}"#).unwrap(), "d");
    assert_eq!(session(r#"{"other":"x"}"#), None);
}

#[test]
fn escaped_spellings_of_the_key_and_of_the_name_are_understood() {
    assert_eq!(model_of(r#"{"mod\u0065l":"a"}"#).unwrap(), "a");
    assert_eq!(model_of(r#"{"model":"\u0067pt\/\ud83e\udd80"}"#).unwrap(), "gpt/🦀");
    assert_eq!(refused(r#"{"model":"a","mod\u0065l":"b"}"#).1, Some("model"));
}

#[test]
fn odd_but_valid_text_elsewhere_passes() {
    for body in [
        r#"{"model":"m","x":"\ud800"}"#,
        r#"{"model":"m","\ud800":1}"#,
        r#"{"model":"m","x":1e400,"y":-0.0,"z":"\u0000"}"#,
        r#"{"model":"m","x":1,"x":2}"#,
    ] {
        assert_eq!(model_of(body).unwrap(), "m", "{body}");
    }
}

#[test]
fn a_member_that_is_read_must_not_be_given_twice() {
    for name in READ {
        let (message, param, code) = refused(format!(r#"{{"{name}":null,"x":1,"{name}":null}}"#));
        assert_eq!((param, code), (Some(name), "duplicate_parameter"), "{message}");
        assert!(message.contains(name), "{message}");
    }
    let twice = r#"{"stream_options":{"include_usage":true,"include_usage":false}}"#;
    assert_eq!(refused(twice).1, Some("stream_options.include_usage"));
    assert_eq!(refused(r#"{"metadata":{"session":"a","session":"b"}}"#).1, Some("metadata"));
}

#[test]
fn what_is_no_model_name_is_refused_with_the_param_and_its_place() {
    let long = "x".repeat(MAX_MODEL_CHARS + 1);
    for (value, code, why) in [
        ("3", "invalid_type", "byte 10 must be a string"),
        ("[\"m\"]", "invalid_type", "must be a string"),
        ("{}", "invalid_type", "must be a string"),
        ("true", "invalid_type", "must be a string"),
        ("\"\"", "invalid_value", "is empty"),
        ("\"\\ud800\"", "invalid_value", "lone surrogate"),
        ("\"a\\r\\nX-Evil: 1\"", "invalid_value", "control character"),
        ("\"a\\u0000\"", "invalid_value", "control character"),
        (&format!("\"{long}\""), "invalid_value", "longer than 512"),
    ] {
        let (message, param, got) = refused(format!(r#"{{"model": {value}}}"#));
        assert_eq!((param, got), (Some("model"), code), "{value}");
        assert!(message.contains(why), "{message}");
    }
}

#[test]
fn the_length_of_a_name_is_counted_in_characters() {
    let name = "é".repeat(MAX_MODEL_CHARS);
    assert_eq!(model_of(&format!(r#"{{"model":"{name}"}}"#)).unwrap(), name);
    assert_eq!(refused(format!(r#"{{"model":"{name}é"}}"#)).1, Some("model"));
}

#[test]
fn an_endpoint_that_needs_a_model_says_so() {
    let error = peek(b"{}").unwrap().require_model().unwrap_err();
    assert_eq!((error.param(), error.code()), (Some("model"), "missing_required_parameter"));
    assert!(peek(br#"{"model":"m"}"#).unwrap().require_model().is_ok());
}

#[test]
fn what_is_not_json_is_refused_with_its_place() {
    for (body, place) in [
        (&b""[..], "is empty"),
        (b" \n", "is empty"),
        (b"[1]", "byte 0"),
        (b"\"model\"", "byte 0"),
        (b"  hello", "byte 2"),
        (b"\xEF\xBB\xBF{}", "byte order mark"),
        (b"\xFF\xFE{\0}\0", "not UTF-8 from byte 0"),
        (b"{\"model\":\"m\",\"x\":\"\xC3\"}", "not UTF-8 from byte 18"),
        (b"{\"a\":1}x", "line 1, column 8 (byte 7)"),
        (b"{\"a\":1}\n{}", "line 2, column 1 (byte 8)"),
        (b"{\"a\":\n  tru}", "line 2, column 6 (byte 11)"),
        (b"{\"a\":1,}", "line 1, column 8 (byte 7)"),
        (b"{\"a\":01}", "line 1, column 7 (byte 6)"),
        (b"{\"a\":\"\n\"}", "control character"),
        (b"{\"a\":\"\0\"}", "control character"),
        (b"{\"a\":1", "line 1, column 6"),
        (b"{'a':1}", "line 1, column 2 (byte 1)"),
        (b"{\"a\":NaN}", "line 1, column 6"),
        (b"{\"a\":1}\0", "line 1, column 8"),
    ] {
        let (message, param, code) = refused(body);
        assert_eq!((param, code), (None, "invalid_json"), "{message}");
        assert!(message.contains(place), "{message:?} does not say {place:?}");
    }
}

#[test]
fn a_syntax_error_is_told_before_anything_else() {
    assert_eq!(refused(r#"{"model":3,"model":4,"#).2, "invalid_json");
}

#[test]
fn nesting_is_bounded_at_128_levels() {
    let nested = |inner: usize| format!("{{\"a\":{}{}}}", "[".repeat(inner), "]".repeat(inner));
    assert!(peek(nested(MAX_DEPTH - 1).as_bytes()).is_ok());
    let (message, _, code) = refused(nested(MAX_DEPTH));
    assert_eq!(code, "invalid_json");
    assert!(message.contains("byte 132"), "{message}");
}

#[test]
fn brackets_inside_strings_and_beside_each_other_do_not_nest() {
    let text = format!(r#"{{"a":"\\\"{}","b":[{}[]]}}"#, "[{".repeat(500), "[],".repeat(500));
    assert!(peek(text.as_bytes()).is_ok());
}

#[test]
fn a_million_open_brackets_are_refused_at_once() {
    for opener in ["[", "{\"a\":"] {
        let body = format!("{{\"a\":{}", opener.repeat(1_000_000));
        assert!(refused(&body).0.contains("128 levels"));
        assert_eq!(refused(opener.repeat(1_000_000)).2, "invalid_json");
    }
}

#[test]
fn huge_values_are_read_without_harm() {
    let digits = "9".repeat(1_000_000);
    let body = format!(r#"{{"n":{digits},"s":"{digits}","l":[{}0],"model":"m"}}"#, "0,".repeat(1_000_000));
    assert_eq!(model_of(&body).unwrap(), "m");
}

proptest! {
    #[test]
    fn exactly_the_top_level_model_is_found(document in document()) {
        let peek = peek(document.text.as_bytes()).unwrap();
        let found = peek.model.map(|found| Model { value: found.value.into_owned(), span: found.span });
        prop_assert_eq!(found, document.model);
    }

    #[test]
    fn a_damaged_document_is_accepted_only_if_another_parser_accepts_it(bytes in damaged()) {
        let valid = std::str::from_utf8(&bytes).is_ok()
            && bytes.trim_ascii_start().starts_with(b"{")
            && serde_json::from_slice::<IgnoredAny>(&bytes).is_ok();
        let refused = peek(&bytes).is_err_and(|error| error.code() == "invalid_json");
        prop_assert_eq!(valid, !refused);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop_oneof![noise(), prop::collection::vec(any::<u8>(), 0..200)]) {
        prop_assert!(peek(&bytes).map_or_else(|error| !error.message().is_empty(), |_| true));
    }
}
