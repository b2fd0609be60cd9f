//! What an answer says of its tokens while it passes, and what the gateway makes of it where the upstream says nothing.

use gateway_domain::{Usage, UsageSource};

use crate::openai::{Event, Heard};

/// The tokens of an answer, as far as it has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tap {
    /// The upstream's last word on it.
    said: Usage,
    /// Events that brought a part of the answer.
    parts: u64,
}

// === impl Tap ===

impl Tap {
    /// Listens to an event that passes; `begun`: the answer itself has begun, with this event at the latest.
    pub(crate) fn hear(&mut self, event: &Event<'_>, begun: bool) {
        if begun && event.heard == Heard::Content && brings_a_part(event.name) {
            self.parts += 1;
        }
        // The steps of a run come once more in the run's own usage.
        if event.name.starts_with("thread.run.step.") {
            return;
        }
        self.said = event.usage.unwrap_or(self.said);
    }

    /// What the call has used: as the upstream said, if it said anything; otherwise the prompt by this estimate and one
    /// token for each event that brought a part of the answer. Without an estimate the call is of a kind whose tokens
    /// cannot be counted from outside.
    pub(crate) fn settle(&self, prompt: Option<u32>) -> Usage {
        match prompt {
            Some(prompt) if !self.said.is_known() => Usage {
                prompt: Some(prompt.into()),
                // An answer that did not come in events cannot be counted.
                completion: Some(self.parts).filter(|parts| *parts > 0),
                source: UsageSource::Counted,
                ..Usage::default()
            },
            Some(_) | None => self.said,
        }
    }
}

impl From<Usage> for Tap {
    fn from(said: Usage) -> Self {
        Self { said, parts: 0 }
    }
}

/// Whether an event of this name is one of many that make up an answer. Those of chat have no names; among those that have,
/// others announce the parts, or repeat them once they are complete.
fn brings_a_part(name: &str) -> bool {
    name.is_empty() || name.rsplit('.').next() == Some("delta")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openai::usage_of;

    fn heard(events: &[(&str, &str)]) -> Tap {
        let mut tap = Tap::default();
        for (name, data) in events {
            let usage = usage_of(data.as_bytes());
            tap.hear(&Event { name, data, heard: Heard::Content, usage }, true);
        }
        tap
    }

    #[test]
    fn an_upstream_that_says_nothing_is_counted_for() {
        let part = ("", r#"{"choices":[{"delta":{"content":"H"}}]}"#);
        let settled = heard(&[part, part, part]).settle(Some(9));
        let expected =
            Usage { prompt: Some(9), completion: Some(3), source: UsageSource::Counted, ..Usage::default() };
        assert_eq!(settled, expected);
        assert_eq!(heard(&[part]).settle(None), Usage::default(), "nobody knows how to count it");
    }

    #[test]
    fn only_the_parts_of_an_answer_count_not_what_announces_or_repeats_them() {
        let settled = heard(&[
            ("response.output_item.added", "{}"),
            ("response.output_text.delta", "{}"),
            ("response.reasoning_text.delta", "{}"),
            ("response.output_text.done", "{}"),
        ]);
        assert_eq!(settled.settle(Some(1)).completion, Some(2));
        let mut before = Tap::default();
        before.hear(&Event { name: "", data: "{}", heard: Heard::Content, usage: None }, false);
        assert_eq!(before.settle(Some(1)).completion, None);
    }

    #[test]
    fn the_upstreams_last_word_counts_and_is_never_mixed_with_our_own() {
        let said = |tokens: u64| format!(r#"{{"choices":[{{}}],"usage":{{"prompt_tokens":{tokens}}}}}"#);
        let settled = heard(&[("", &said(1)), ("", &said(2)), ("", "{}")]).settle(Some(7));
        let expected = Usage { prompt: Some(2), source: UsageSource::Upstream, ..Usage::default() };
        assert_eq!(settled, expected);
    }

    #[test]
    fn the_steps_of_a_run_are_told_by_the_run() {
        let usage = r#"{"usage":{"prompt_tokens":5,"completion_tokens":6}}"#;
        let steps = heard(&[("thread.run.step.completed", usage)]);
        assert_eq!(steps.settle(None), Usage::default());
        assert_eq!(heard(&[("thread.run.completed", usage)]).settle(None).completion, Some(6));
    }
}
