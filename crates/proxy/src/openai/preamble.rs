//! What an upstream says before it has anything to say.
//!
//! Chat streams may begin with a chunk that holds the role alone, the responses API announces the answer it is about to
//! make. Such events are valid, but no part of the answer: until the first one that is, an attempt can still be made
//! elsewhere without the client seeing a seam, and a first token has not come.

use serde_json::value::RawValue;

use super::fields::{each_field, is_object, text_of};

/// The events of the responses API that come before any output.
const ANNOUNCEMENTS: [&str; 3] = ["response.created", "response.in_progress", "response.queued"];

/// Whether an event's data is valid and yet holds nothing of the answer. What is not known counts as answer.
pub fn is_preamble(data: &str) -> bool {
    let mut nothing = false;
    let read = each_field(data, |key, value| match key {
        "type" => nothing |= text_of(value).is_some_and(|kind| ANNOUNCEMENTS.contains(&&*kind)),
        "choices" => nothing |= all(value, is_silent_choice),
        _ => {}
    });
    read.is_ok() && nothing
}

fn all(array: &RawValue, silent: impl Fn(&RawValue) -> bool) -> bool {
    serde_json::from_str::<Vec<&RawValue>>(array.get()).is_ok_and(|items| items.into_iter().all(silent))
}

fn is_silent_choice(choice: &RawValue) -> bool {
    is_object(choice)
        && all_fields(choice, |key, value| match key {
            "index" | "logprobs" | "content_filter_results" => true,
            "delta" => is_silent_delta(value),
            _ => says_nothing(value),
        })
}

fn is_silent_delta(delta: &RawValue) -> bool {
    is_object(delta) && all_fields(delta, |key, value| key == "role" || says_nothing(value))
}

fn all_fields(object: &RawValue, silent: impl Fn(&str, &RawValue) -> bool) -> bool {
    let mut nothing = true;
    let read = each_field(object.get(), |key, value| nothing &= silent(key, value));
    read.is_ok() && nothing
}

fn says_nothing(value: &RawValue) -> bool {
    matches!(value.get(), "null" | "\"\"" | "[]" | "{}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_alone_and_an_announcement_are_no_part_of_the_answer() {
        for data in [
            r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#,
            r#"{"choices":[{"delta":{"role":"assistant","content":null,"refusal":null},"logprobs":null}]}"#,
            r#"{"id":"1","choices":[]}"#,
            r#"{"choices":[{"text":"","index":0,"finish_reason":null}]}"#,
            r#"{"type":"response.created","response":{"output":[]}}"#,
            r#"{"type":"response.in_progress"}"#,
            r#"{"type":"response.queued"}"#,
        ] {
            assert!(is_preamble(data), "{data}");
        }
    }

    #[test]
    fn everything_else_is() {
        for data in [
            r#"{"choices":[{"delta":{"content":"H"}}]}"#,
            r#"{"choices":[{"delta":{"role":"assistant","tool_calls":[{"index":0}]}}]}"#,
            r#"{"choices":[{"delta":{"reasoning_content":"hm"}}]}"#,
            r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#,
            r#"{"choices":[{"delta":{"content":""}},{"delta":{"content":"b"}}]}"#,
            r#"{"choices":[{"text":"H"}]}"#,
            r#"{"type":"response.output_text.delta","delta":"H"}"#,
            r#"{"type":"image_generation.partial_image"}"#,
            r#"{"anything":1}"#,
            "[]",
            "nonsense",
        ] {
            assert!(!is_preamble(data), "{data}");
        }
    }
}
