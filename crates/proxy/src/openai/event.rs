//! What one event of a stream says: content, the end, or trouble.

use serde::de::IgnoredAny;

use super::choices::Choices;
use super::fields::{each_field, text_of};

/// The meaning of an event's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// `[DONE]`: the stream is over.
    Done,
    /// A part of the answer.
    Content,
    /// A part that completes the answer, or one of its choices: it carries a `finish_reason`, or is the closing event of its
    /// kind of stream.
    Finish,
    /// The upstream says that it failed; see [`error_of`](super::error_of).
    Error,
    /// No data: a keep-alive.
    Empty,
    /// Not JSON. Clients would die of it, so it must not reach them.
    Malformed,
}

/// Reads the `data` of an event called `name` (empty when the event has no name), and notes what it says of the
/// choices of its stream.
pub fn hear(name: &str, data: &str, choices: &mut Choices) -> Heard {
    let data = data.trim_ascii();
    if data.is_empty() {
        return Heard::Empty;
    }
    if data.starts_with("[DONE]") {
        return Heard::Done;
    }
    if !data.starts_with('{') {
        let valid = serde_json::from_str::<IgnoredAny>(data).is_ok();
        return if valid { Heard::Content } else { Heard::Malformed };
    }
    let mut failed = name == "error";
    let mut finished = false;
    let read = each_field(data, |key, value| match key {
        "error" => failed |= value.get() != "null",
        "choices" => finished |= choices.read(value.get()),
        "type" => match text_of(value).as_deref() {
            Some("error" | "response.failed") => failed = true,
            Some(
                "response.completed"
                | "response.incomplete"
                | "image_generation.completed"
                | "image_edit.completed"
                | "transcript.text.done"
                | "speech.audio.done",
            ) => {
                choices.finish_the_only_one();
                finished = true;
            }
            _ => {}
        },
        _ => {}
    });
    match (read, failed, finished) {
        (Err(_), _, _) => Heard::Malformed,
        (Ok(()), true, _) => Heard::Error,
        (Ok(()), false, true) => Heard::Finish,
        (Ok(()), false, false) => Heard::Content,
    }
}

#[cfg(test)]
mod tests;
