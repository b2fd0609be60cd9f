use proptest::prelude::*;

use super::*;
use crate::openai::random_json::noise;

fn usage(prompt: u64, completion: u64, cached: Option<u64>, reasoning: Option<u64>) -> Usage {
    Usage { prompt: Some(prompt), completion: Some(completion), cached, reasoning }
}

#[test]
fn chat_usage_is_read_with_its_details() {
    let json =
        br#"{"id":"x","choices":[],"usage":{"prompt_tokens":12,"completion_tokens":7,"total_tokens":19,
        "prompt_tokens_details":{"cached_tokens":4,"audio_tokens":0},
        "completion_tokens_details":{"reasoning_tokens":3}}}"#;
    assert_eq!(usage_of(json), Some(usage(12, 7, Some(4), Some(3))));
}

#[test]
fn responses_usage_is_read_from_the_response_and_from_its_last_event() {
    let counts = r#""usage":{"input_tokens":5,"input_tokens_details":{"cached_tokens":1},"output_tokens":9,
        "output_tokens_details":{"reasoning_tokens":2},"total_tokens":14}"#;
    let expected = Some(usage(5, 9, Some(1), Some(2)));
    assert_eq!(usage_of(format!(r#"{{"object":"response",{counts}}}"#).as_bytes()), expected);
    let event = format!(r#"{{"type":"response.completed","response":{{"output":[],{counts}}}}}"#);
    assert_eq!(usage_of(event.as_bytes()), expected);
}

#[test]
fn embeddings_have_no_completion() {
    let json = br#"{"object":"list","data":[],"usage":{"prompt_tokens":8,"total_tokens":8}}"#;
    assert_eq!(usage_of(json), Some(Usage { prompt: Some(8), ..Usage::default() }));
}

#[test]
fn the_cache_counter_of_deepseek_is_known() {
    let json = br#"{"usage":{"prompt_tokens":8,"completion_tokens":1,"prompt_cache_hit_tokens":6}}"#;
    assert_eq!(usage_of(json), Some(usage(8, 1, Some(6), None)));
}

#[test]
fn words_elsewhere_are_no_usage() {
    for json in [
        r#"{"choices":[{"message":{"content":"\"usage\":{\"prompt_tokens\":1}"}}]}"#,
        r#"{"choices":[{"usage":{"prompt_tokens":1}}]}"#,
        r#"{"delta":"usage"}"#,
        r#"{"choices":[],"usage":null}"#,
        r#"{"usage":{}}"#,
        r#"{"usage":[1]}"#,
        r#"{"response":"x","a":{"usage":{"prompt_tokens":1}}}"#,
        r#"{"usage":{"prompt_tokens":1}"#,
        "",
        "[]",
    ] {
        assert_eq!(usage_of(json.as_bytes()), None, "{json}");
    }
}

#[test]
fn what_is_no_count_is_not_said() {
    for wrong in
        ["null", "-1", "1e18", "1.5", "1000000000000000000", "99999999999999999999999", "\"3\"", "{}"]
    {
        let json = format!(
            r#"{{"usage":{{"prompt_tokens":{wrong},"completion_tokens":2,"prompt_tokens_details":{wrong}}}}}"#
        );
        let expected = Some(Usage { completion: Some(2), ..Usage::default() });
        assert_eq!(usage_of(json.as_bytes()), expected, "{wrong}");
    }
    let json = br#"{"usage":{"prompt_tokens":3.0,"completion_tokens":0}}"#;
    assert_eq!(usage_of(json), Some(usage(3, 0, None, None)));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in noise()) {
        let _ = usage_of(&bytes);
        let _ = usage_of(&[b"{\"usage\":{\"prompt_tokens\":", &bytes[..], b"}}"].concat());
    }
}
