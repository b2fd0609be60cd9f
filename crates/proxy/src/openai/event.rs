//! What one event of a stream says: content, the end, or trouble.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::fields::{each_field, text_of};

/// The meaning of an event's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// `[DONE]`: the stream is over.
    Done,
    /// A part of the answer.
    Content,
    /// A part that completes the answer: it carries a `finish_reason`, or closes a response.
    Finish,
    /// The upstream says that it failed; see [`error_of`](super::error_of).
    Error,
    /// No data: a keep-alive.
    Empty,
    /// Not JSON. Clients would die of it, so it must not reach them.
    Malformed,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    finish_reason: Option<IgnoredAny>,
}

/// Reads the `data` of an event called `name` (empty when the event has no name).
pub fn hear(name: &str, data: &str) -> Heard {
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
        "choices" => finished |= any_finish_reason(value.get()),
        "type" => match text_of(value).as_deref() {
            Some("error" | "response.failed") => failed = true,
            Some("response.completed" | "response.incomplete") => finished = true,
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

/// Whether a choice has a `finish_reason` that is not null.
///
/// Every chunk has the member, nearly always null: looking at what follows the name spares the parse then.
fn any_finish_reason(choices: &str) -> bool {
    const NAME: &str = "\"finish_reason\"";
    let told = memchr::memmem::find_iter(choices.as_bytes(), NAME).any(|at| {
        let after = choices.get(at + NAME.len()..).unwrap_or_default();
        let value = after.trim_ascii_start().strip_prefix(':');
        value.is_some_and(|value| !value.trim_ascii_start().starts_with("null"))
    });
    told && serde_json::from_str::<Vec<Choice>>(choices)
        .is_ok_and(|choices| choices.iter().any(|choice| choice.finish_reason.is_some()))
}

#[cfg(test)]
mod tests;
