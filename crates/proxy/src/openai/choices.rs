//! Which choices of a streamed answer have begun, and which are finished.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

/// The choices of one stream. A client that asks for several answers to one question gets their parts in turn, and each
/// is finished at a time of its own: the stream is over when the last of them is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choices {
    /// One bit for each choice of which anything has come.
    begun: u128,
    /// One bit for each choice that is finished.
    finished: u128,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow, default)]
    index: Option<&'a RawValue>,
    #[serde(default)]
    finish_reason: Option<IgnoredAny>,
}

// === impl Choices ===

impl Choices {
    /// Whether there is a finished choice, and no unfinished one that has begun.
    pub fn are_finished(self) -> bool {
        self.finished != 0 && self.begun & !self.finished == 0
    }

    /// The only answer of a stream that has but one is complete.
    pub fn finish_the_only_one(&mut self) {
        self.note(0, true);
    }

    /// Reads the `choices` of one event, and says whether it finishes any.
    ///
    /// Nearly all events hold a part of choice 0 and a `finish_reason` of null: a look at what follows the names spares
    /// the parse then.
    pub fn read(&mut self, choices: &str) -> bool {
        let first_only = !any_after("\"index\"", choices, |index| !is_zero(index));
        let finishes = any_after("\"finish_reason\"", choices, |reason| !reason.starts_with("null"));
        if first_only && !finishes {
            self.go_on(choices.as_bytes());
            return false;
        }
        let parts: Vec<Choice<'_>> = serde_json::from_str(choices).unwrap_or_default();
        for (place, part) in parts.iter().enumerate() {
            let told = part.index.and_then(|index| index.get().parse().ok());
            self.note(told.unwrap_or(place), part.finish_reason.is_some());
        }
        parts.iter().any(|part| part.finish_reason.is_some())
    }

    /// Takes note of `choices` that are known to hold no other than the first, and to finish none.
    pub(super) fn go_on(&mut self, choices: &[u8]) {
        // An empty array is how usage comes, behind everything else.
        if memchr::memchr(b'{', choices).is_some() {
            self.note(0, false);
        }
    }

    /// Choices beyond the 128th, which is the most that OpenAI gives, count as the last one.
    fn note(&mut self, index: usize, finished: bool) {
        let bit = 1 << index.min(127);
        self.begun |= bit;
        if finished {
            self.finished |= bit;
        }
    }
}

/// Whether `fits` holds for what follows the colon behind any mention of `name`. A quotation mark inside a string is
/// escaped, so what is found is a name, though it may be one of an inner object.
fn any_after(name: &str, json: &str, fits: impl Fn(&str) -> bool) -> bool {
    memchr::memmem::find_iter(json.as_bytes(), name).any(|at| {
        let after = json.get(at + name.len()..).unwrap_or_default();
        let value = after.trim_ascii_start().strip_prefix(':');
        value.is_some_and(|value| fits(value.trim_ascii_start()))
    })
}

fn is_zero(number: &str) -> bool {
    number.strip_prefix('0').is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(events: &[&str]) -> Choices {
        let mut choices = Choices::default();
        for event in events {
            choices.read(event);
        }
        choices
    }

    #[test]
    fn nothing_is_finished_before_the_last_choice_is() {
        let both = [
            r#"[{"index":0,"delta":{"content":"a"},"finish_reason":null}]"#,
            r#"[{"index": 1,"delta":{"content":"b"},"finish_reason":null}]"#,
        ];
        assert!(!after(&both).are_finished());
        let one = [both[0], both[1], r#"[{"index":0,"delta":{},"finish_reason":"stop"}]"#];
        assert!(!after(&one).are_finished());
        let all = [one[0], one[1], one[2], r#"[{"index":1,"delta":{},"finish_reason":"length"}]"#, "[]"];
        assert!(after(&all).are_finished());
    }

    #[test]
    fn choices_that_come_together_are_told_apart() {
        let finished = r#"[{"index":2,"finish_reason":"stop"},{"index":10,"finish_reason":"stop"}]"#;
        assert!(after(&[finished]).are_finished());
        assert!(
            !after(&[r#"[{"index":10,"finish_reason":null}]"#, r#"[{"finish_reason":"stop"}]"#])
                .are_finished()
        );
        let by_place = r#"[{"finish_reason":null},{"finish_reason":"stop"}]"#;
        assert!(!after(&[by_place]).are_finished(), "the first has begun");
    }

    #[test]
    fn the_number_of_a_tool_call_is_none_of_a_choice() {
        let call = r#"[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"x"}]},"finish_reason":null}]"#;
        let end = r#"[{"index":0,"delta":{},"finish_reason":"tool_calls"}]"#;
        assert!(after(&[call, end]).are_finished());
    }

    #[test]
    fn what_cannot_be_read_finishes_nothing() {
        for odd in [
            "null",
            "7",
            "[]",
            "[7]",
            r#"{"finish_reason":"stop"}"#,
            r#"[{"index":"x","finish_reason":null}]"#,
        ] {
            assert!(!after(&[odd]).are_finished(), "{odd}");
        }
        assert!(after(&[r#"[{"index":-1,"finish_reason":"stop"}]"#]).are_finished(), "by its place");
        assert!(after(&[r#"[{"index":9999,"finish_reason":"stop"}]"#]).are_finished());
    }
}
