//! What one event of a stream says: content, the end, or trouble.

use std::str::from_utf8;

use gateway_domain::Usage;
use serde::de::IgnoredAny;

use super::choices::Choices;
use super::fields::each_field;
use super::plain::{Reader, read};
use super::string::unquoted;
use super::usage::Places;

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
    /// The closing event of a response that failed (`response.failed`). Where it is being made, the upstream has failed; where
    /// it is told again, that is how the story ends.
    Failed,
    /// The upstream says that it failed; see [`error_of`](super::error_of).
    Error,
    /// No data: a keep-alive.
    Empty,
    /// Not JSON. Clients would die of it, so it must not reach them.
    Malformed,
}

/// What an event has told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    /// Its meaning.
    pub heard: Heard,
    /// The tokens that it counts, if it does.
    pub usage: Option<Usage>,
}

/// Reads the `data` of an event called `name` (empty when the event has no name), and notes what it says of the
/// choices of its stream.
pub fn hear(name: &str, data: &str, choices: &mut Choices) -> Said {
    let data = data.trim_ascii();
    if data.is_empty() {
        return Said::nothing_but(Heard::Empty);
    }
    if data.starts_with("[DONE]") {
        return Said::nothing_but(Heard::Done);
    }
    if !data.starts_with('{') {
        let valid = serde_json::from_str::<IgnoredAny>(data).is_ok();
        return Said::nothing_but(if valid { Heard::Content } else { Heard::Malformed });
    }
    let listen = || Listening {
        choices: *choices,
        failed: name == "error",
        end: None,
        beyond_plain: false,
        watched: None,
        usage: Places::default(),
    };
    let mut listening = listen();
    if read(data.as_bytes(), &mut listening).is_none() {
        listening = listen();
        listening.beyond_plain = true;
        let read = each_field(data, |name, value| listening.take(name.as_bytes(), value.get().as_bytes()));
        if read.is_err() {
            return Said::nothing_but(Heard::Malformed);
        }
    }
    *choices = listening.choices;
    let heard = if listening.failed { Heard::Error } else { listening.end.unwrap_or(Heard::Content) };
    Said { heard, usage: listening.usage.usage() }
}

/// An event that is being read.
struct Listening<'d> {
    choices: Choices,
    failed: bool,
    /// How it ends the answer, if it does.
    end: Option<Heard>,
    /// Whether the member that is being read holds what is to be looked at closely if the member is `choices`: another
    /// choice than the first, or the end of one.
    beyond_plain: bool,
    /// What the value is that comes next, if it is to be looked at.
    watched: Option<Watched>,
    usage: Places<'d>,
}

/// A value that may say more of a choice than that the first one goes on.
#[derive(Clone, Copy)]
enum Watched {
    FinishReason,
    Index,
}

// === impl Said ===

impl Said {
    const fn nothing_but(heard: Heard) -> Self {
        Self { heard, usage: None }
    }
}

// === impl Listening ===

impl<'d> Listening<'d> {
    fn take(&mut self, name: &[u8], value: &'d [u8]) {
        match name {
            b"error" => self.failed |= value != b"null",
            b"choices" => self.choices(value),
            b"type" => self.kind(value),
            name => self.usage.note(name, value),
        }
    }

    fn choices(&mut self, value: &[u8]) {
        if self.beyond_plain {
            if from_utf8(value).is_ok_and(|value| self.choices.read(value)) {
                self.end.get_or_insert(Heard::Finish);
            }
        } else {
            self.choices.go_on(value);
        }
    }

    fn kind(&mut self, value: &[u8]) {
        match from_utf8(value).ok().and_then(unquoted).as_deref() {
            Some("error") => self.failed = true,
            Some("response.failed") => {
                self.choices.finish_the_only_one();
                self.end = Some(Heard::Failed);
            }
            Some(
                "response.completed"
                | "response.incomplete"
                | "image_generation.completed"
                | "image_edit.completed"
                | "transcript.text.done"
                | "speech.audio.done",
            ) => {
                self.choices.finish_the_only_one();
                self.end = Some(Heard::Finish);
            }
            _ => {}
        }
    }
}

impl<'d> Reader<'d> for Listening<'d> {
    fn member(&mut self, name: &'d [u8], value: &'d [u8]) {
        self.take(name, value);
        self.beyond_plain = false;
    }

    fn inner_name(&mut self, name: &'d [u8]) {
        self.watched = match name {
            b"finish_reason" => Some(Watched::FinishReason),
            b"index" => Some(Watched::Index),
            _ => None,
        };
    }

    fn escaped_name(&mut self) {
        self.beyond_plain = true;
        self.watched = None;
    }

    fn opens(&mut self, _is_object: bool) {
        self.beyond_plain |= self.watched.take().is_some();
    }

    fn scalar(&mut self, text: &'d [u8]) {
        self.beyond_plain |= match self.watched.take() {
            None => false,
            Some(Watched::FinishReason) => text != b"null",
            Some(Watched::Index) => text != b"0",
        };
    }
}

#[cfg(test)]
mod tests;
