//! What an event of a WebSocket tells beside its content.

use gateway_domain::Usage;

use super::fields::{each_field, text_of};
use super::usage::usage_of;

/// Something that is worth taking down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// A response was begun; its id stands in the event's `response`.
    Begun,
    /// A response, or a transcription, is over.
    Over {
        /// What it has cost, if it says so.
        usage: Option<Usage>,
    },
}

/// Reads one message of a realtime session or of a socket for responses. `None` for all that is neither, and for what is
/// no JSON object.
///
/// Only events that end something count: what they tell is told once, while others may repeat it.
pub fn told_by(message: &[u8]) -> Option<Told> {
    let text = std::str::from_utf8(message).ok()?;
    let mut kind = None;
    each_field(text, |key, value| {
        if key == "type" {
            kind = text_of(value);
        }
    })
    .ok()?;
    match &*kind? {
        "response.created" => Some(Told::Begun),
        "response.done"
        | "response.completed"
        | "response.incomplete"
        | "response.failed"
        | "conversation.item.input_audio_transcription.completed" => {
            Some(Told::Over { usage: usage_of(message) })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(message: &str) -> Option<Usage> {
        match told_by(message.as_bytes()) {
            Some(Told::Over { usage }) => usage,
            Some(Told::Begun) | None => None,
        }
    }

    #[test]
    fn the_end_of_an_answer_tells_what_it_has_cost() {
        let done = r#"{"type":"response.done","event_id":"e","response":{"id":"resp_1","usage":{"total_tokens":253,
            "input_tokens":132,"output_tokens":121,"input_token_details":{"text_tokens":119,"audio_tokens":13,
            "cached_tokens":64},"output_token_details":{"text_tokens":30,"audio_tokens":91}}}}"#;
        let said = usage(done).unwrap();
        assert_eq!((said.prompt, said.completion, said.cached), (Some(132), Some(121), Some(64)));
        let completed = r#"{"type":"response.completed","response":{"usage":{"input_tokens":3,"output_tokens":4,
            "output_tokens_details":{"reasoning_tokens":2}}}}"#;
        assert_eq!(usage(completed).unwrap().reasoning, Some(2));
        let heard = r#"{"type":"conversation.item.input_audio_transcription.completed","transcript":"x",
            "usage":{"type":"tokens","input_tokens":14,"output_tokens":9}}"#;
        assert_eq!(usage(heard).unwrap().prompt, Some(14));
    }

    #[test]
    fn other_events_tell_nothing_that_counts() {
        for message in [
            r#"{"type":"response.output_item.done","usage":{"input_tokens":1}}"#,
            r#"{"type":"response.done","response":{"usage":{"input_tokens":1}}"#,
            r#"{"usage":{"input_tokens":1}}"#,
            r#"{"type":5}"#,
            "[]",
            "",
        ] {
            assert_eq!(told_by(message.as_bytes()), None, "{message}");
        }
        let created = br#"{"type":"response.created","response":{"id":"resp_1","usage":null}}"#;
        assert_eq!(told_by(created), Some(Told::Begun));
        let silent = br#"{"type":"response.done","response":{"usage":null}}"#;
        assert_eq!(told_by(silent), Some(Told::Over { usage: None }));
    }
}
