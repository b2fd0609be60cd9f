use gateway_random_wire::noise;
use proptest::prelude::*;

use super::*;

fn heard(name: &str, data: &str) -> Heard {
    hear(name, data, &mut Choices::default()).heard
}

#[test]
fn chat_chunks_are_told_apart() {
    for (data, says) in [
        (r#"{"choices":[{"delta":{"content":"Hi"},"finish_reason":null}]}"#, Heard::Content),
        (r#"{"choices":[{"delta":{"role":"assistant"}}]}"#, Heard::Content),
        (r#"{"choices":[],"usage":{"prompt_tokens":1}}"#, Heard::Content),
        (r#"{"choices":[{"delta":{},"finish_reason":"stop"}],"usage":null}"#, Heard::Finish),
        (r#"{"choices":[{"finish_reason" : null},{"finish_reason":"length"}]}"#, Heard::Finish),
        (r#"{"choices":[{"text":"x","finish_reason":"stop"}],"error":null}"#, Heard::Finish),
        (r#"{"error":{"message":"overloaded"}}"#, Heard::Error),
        (r#"{"error":"overloaded"}"#, Heard::Error),
        ("[DONE]", Heard::Done),
        (" [DONE] ", Heard::Done),
        ("", Heard::Empty),
        (" ", Heard::Empty),
        ("{\"choices\":[", Heard::Malformed),
        ("{\"choices\":[]}}", Heard::Malformed),
        ("ping", Heard::Malformed),
        ("[1,2]", Heard::Content),
    ] {
        assert_eq!(heard("", data), says, "{data}");
    }
}

#[test]
fn responses_events_are_told_apart() {
    for (data, says) in [
        (r#"{"type":"response.created","response":{"error":null}}"#, Heard::Content),
        (r#"{"type":"response.output_text.delta","delta":"Hi"}"#, Heard::Content),
        (r#"{"type":"response.completed","response":{}}"#, Heard::Finish),
        (r#"{"type":"response.incomplete","response":{}}"#, Heard::Finish),
        (r#"{"type":"response.failed","response":{"error":{"code":"server_error"}}}"#, Heard::Failed),
        (r#"{"type":"error","code":"server_error","message":"m"}"#, Heard::Error),
    ] {
        assert_eq!(heard("any.name", data), says, "{data}");
    }
    assert_eq!(heard("error", "{}"), Heard::Error);
}

#[test]
fn words_inside_the_answer_end_nothing() {
    for content in [r#"\"finish_reason\":\"stop\""#, r#"{\"error\":1}"#, r#"\"type\":\"error\""#, "[DONE]"] {
        let data = format!(r#"{{"choices":[{{"delta":{{"content":"{content}"}},"finish_reason":null}}]}}"#);
        assert_eq!(heard("", &data), Heard::Content, "{data}");
    }
    let nested = r#"{"choices":[{"delta":{"finish_reason":"stop"},"finish_reason":null}]}"#;
    assert_eq!(heard("", nested), Heard::Content);
}

#[test]
fn an_event_tells_its_usage_however_it_is_spelled() {
    for data in [
        r#"{"choices":[],"usage":{"prompt_tokens":7}}"#,
        r#"{"choices":[],"us\u0061ge":{"prompt\u005ftokens":7}}"#,
        r#"{"type":"response.completed","response":{"usage":{"input_tokens":7}}}"#,
        r#"{"choices":[{"delta":{"content":"é"},"index":0}],"usage":{"prompt_tokens":7}}"#,
    ] {
        let said = hear("", data, &mut Choices::default());
        assert_eq!(said.usage.and_then(|usage| usage.prompt), Some(7), "{data}");
    }
    for data in [r#"{"usage":null}"#, r#"{"usage":{"prompt_tokens":7}"#, r#"["usage"]"#, "[DONE]"] {
        assert_eq!(hear("", data, &mut Choices::default()).usage, None, "{data}");
    }
}

#[test]
fn choices_are_told_apart_whatever_else_the_event_is_made_of() {
    for odd in ["", r#","na\u006de":1"#] {
        let event = |index: u8, reason: &str| {
            format!(r#"{{"choices":[{{"index":{index},"delta":{{}},"finish_reason":{reason}}}]{odd}}}"#)
        };
        let mut choices = Choices::default();
        for (index, reason, heard) in
            [(0, "null", Heard::Content), (1, "null", Heard::Content), (0, "\"stop\"", Heard::Finish)]
        {
            assert_eq!(hear("", &event(index, reason), &mut choices).heard, heard);
        }
        assert!(!choices.are_finished(), "the second has begun");
        hear("", &event(1, "\"stop\""), &mut choices);
        assert!(choices.are_finished());
        let broken = event(2, "null").replace(']', "");
        assert_eq!(hear("", &broken, &mut choices).heard, Heard::Malformed);
        assert!(choices.are_finished(), "what is no event tells nothing");
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(bytes in noise()) {
        let _ = heard("", &String::from_utf8_lossy(&bytes));
    }
}
