//! The judgement of what became of a stream, by all that a client can see of it.

use serde_json::Value;

use crate::answer::{Answer, events};
use crate::meant::{Dialect, Meant};

/// What became of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// All of it arrived, unchanged.
    Whole,
    /// All that was said arrived, and the gateway added the `[DONE]` that the upstream no longer sent.
    Closed,
    /// A part arrived, then an error event with this code, and the connection was cut.
    Interrupted(String),
    /// Nothing of it arrived: an error answer with this status.
    Refused(u16),
}

// === impl Meant ===

impl Meant {
    /// What became of it, judged by all that a client can see; an error says what no client may ever see.
    ///
    /// An answer is whole, and then nothing is missing, or it says that it is not: with exactly one well-formed error
    /// event at its end, no `[DONE]`, and a connection that is cut instead of closed.
    pub fn judge(&self, answer: &Answer) -> Result<Fate, String> {
        if answer.status != 200 {
            return refused(answer);
        }
        let came = answer.body_text();
        if !answer.cut {
            return self.judge_clean(answer, &came);
        }
        let code = self.judge_last_event(&came)?;
        Ok(Fate::Interrupted(code))
    }

    /// The body ended as a whole one does: then it must be one.
    fn judge_clean(&self, answer: &Answer, came: &str) -> Result<Fate, String> {
        let bytes = self.bytes();
        if answer.body == bytes {
            return Ok(Fate::Whole);
        }
        let meant = String::from_utf8_lossy(&bytes).into_owned();
        // An event that lacks nothing but its blank line is given one; of a blank line the carriage return is enough.
        if came.trim_end() == meant.trim_end() && (came.ends_with("\n\n") || came.ends_with("\n\r")) {
            return Ok(Fate::Whole);
        }
        let said = came.strip_suffix("data: [DONE]\n\n").map(str::trim_end);
        let said = said.ok_or_else(|| format!("a clean end that is none: {came:?}"))?;
        if !meant.starts_with(said) {
            return Err(format!("it says what was not meant: {came:?} of {meant:?}"));
        }
        if said.len() < meant.get(..self.finished()).unwrap_or_default().trim_end().len() {
            return Err(format!("[DONE] before every choice was finished: {came:?} of {meant:?}"));
        }
        Ok(Fate::Closed)
    }

    /// The body was cut off: then its last event says so, and what came before it is what was meant.
    fn judge_last_event(&self, came: &str) -> Result<String, String> {
        let (head, shape) = match self.dialect {
            Dialect::Chat => ("data: {\"error\":", "/error"),
            Dialect::Responses => ("event: error\ndata: {", ""),
        };
        let Some((before, _)) = came.rsplit_once(head) else {
            return Err(format!("cut without an error event: {came:?}"));
        };
        let meant = self.bytes();
        let ends = self.boundaries();
        let at_boundary = before.is_empty()
            || ends.contains(&before.len())
            || before.ends_with("\n\r") && ends.contains(&(before.len() + 1));
        if !meant.starts_with(before.as_bytes()) || !at_boundary {
            return Err(format!("before the error event is not what was meant: {came:?}"));
        }
        let event = came.get(before.len()..).unwrap_or_default();
        let data = events(event);
        let [only] = data.as_slice() else { return Err(format!("not one last event: {event:?}")) };
        let told: Value = serde_json::from_str(only).map_err(|why| format!("{why}: {event:?}"))?;
        let error = told.pointer(shape).and_then(Value::as_object).cloned().unwrap_or_default();
        let text = |field: &str| error.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        let complete = ["message", "type", "code"].iter().all(|field| !text(field).is_empty());
        if !event.ends_with("\n\n") || !complete || !error.contains_key("param") {
            return Err(format!("an error event that no client can read: {event:?}"));
        }
        // A chunk that is sent may hold no event that clients take for the end.
        if events(before).iter().any(|data| data == "[DONE]") {
            return Err(format!("[DONE] and an error event: {came:?}"));
        }
        Ok(text("code"))
    }
}

fn refused(answer: &Answer) -> Result<Fate, String> {
    let error = answer.error().filter(|error| !error.message.is_empty());
    let sound = (500..600).contains(&answer.status) && error.is_some() && !answer.cut;
    let said = answer.body_text();
    if sound { Ok(Fate::Refused(answer.status)) } else { Err(format!("{}: {said:?}", answer.status)) }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Version};

    use super::*;
    use crate::chance::Chance;

    fn meant(dialect: Dialect, choices: usize) -> Meant {
        let draws = (0..10_000).map(|subject| Meant::draw(&mut Chance::of(7, subject)));
        let mut fitting = draws.filter(|meant| meant.dialect == dialect && meant.texts.len() == choices);
        fitting.next().expect("one of ten thousand")
    }

    fn fate(meant: &Meant, status: u16, body: &[u8], cut: bool) -> Result<Fate, String> {
        let body = body.to_vec().into();
        meant.judge(&Answer::new(status, Version::HTTP_11, HeaderMap::new(), body, Vec::new(), cut))
    }

    const ERROR: &str =
        "data: {\"error\":{\"message\":\"m\",\"type\":\"t\",\"param\":null,\"code\":\"c\"}}\n\n";
    const FLAT: &str =
        "event: error\ndata: {\"type\":\"error\",\"code\":\"c\",\"message\":\"m\",\"param\":null}\n\n";

    #[test]
    fn only_all_of_it_is_whole() {
        for meant in [meant(Dialect::Chat, 1), meant(Dialect::Chat, 2), meant(Dialect::Responses, 1)] {
            let whole = meant.bytes();
            assert_eq!(fate(&meant, 200, &whole, false), Ok(Fate::Whole));
            assert!(fate(&meant, 200, &whole, true).is_err(), "it is whole, and cut off");
            for end in meant.boundaries().into_iter().filter(|end| *end < whole.len()) {
                assert!(fate(&meant, 200, &whole[..end], false).is_err(), "a clean end after {end} bytes");
                assert!(fate(&meant, 200, &whole[..end], true).is_err(), "no word after {end} bytes");
            }
        }
    }

    #[test]
    fn done_may_be_added_when_every_choice_is_finished_and_not_before() {
        let meant = meant(Dialect::Chat, 2);
        let whole = meant.bytes();
        let ends = meant.boundaries();
        for end in ends.iter().rev().skip(1) {
            let said = [&whole[..*end], b"data: [DONE]\n\n"].concat();
            let judged = fate(&meant, 200, &said, false);
            if *end >= meant.finished() {
                assert!(matches!(judged, Ok(Fate::Closed | Fate::Whole)), "{judged:?}");
            } else {
                assert!(judged.is_err(), "{judged:?} after {end} bytes");
            }
        }
    }

    #[test]
    fn a_cut_answer_says_so_once_behind_whole_events() {
        for (dialect, error) in [(Dialect::Chat, ERROR), (Dialect::Responses, FLAT)] {
            let meant = meant(dialect, 1);
            let whole = meant.bytes();
            let end = meant.boundaries()[0];
            let said = [&whole[..end], error.as_bytes()].concat();
            assert_eq!(fate(&meant, 200, &said, true), Ok(Fate::Interrupted("c".to_owned())));
            assert!(fate(&meant, 200, &said, false).is_err(), "a clean end");
            for wrong in [
                [&whole[..end - 3], error.as_bytes()].concat(),
                [&said[..], error.as_bytes()].concat(),
                [&said[..], b"data: [DONE]\n\n"].concat(),
                [b"data: {}\n\n", &said[..]].concat(),
                said[..said.len() - 1].to_vec(),
            ] {
                assert!(fate(&meant, 200, &wrong, true).is_err(), "{}", String::from_utf8_lossy(&wrong));
            }
        }
    }

    #[test]
    fn an_answer_that_never_began_is_an_error_object() {
        let meant = meant(Dialect::Chat, 1);
        let error = br#"{"error":{"message":"m","type":"t","param":null,"code":"c"}}"#;
        assert_eq!(fate(&meant, 502, error, false), Ok(Fate::Refused(502)));
        assert!(fate(&meant, 502, error, true).is_err());
        assert!(fate(&meant, 502, b"", false).is_err());
        assert!(fate(&meant, 400, error, false).is_err(), "it is no fault of the client");
    }
}
