//! What is changed in answers where the operator wants it; everything else passes byte for byte.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use serde_json::value::RawValue;

use super::edit::{Edit, edited};
use super::fields::{each_field, is_object, place_in};

/// The changes to one answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerEdits {
    /// The name that stands for whatever the upstream calls the model: a JSON string with its quotes.
    model: Option<Bytes>,
    /// Whether the usage in a stream is for the gateway only.
    hides_usage: bool,
}

/// What an event becomes.
enum Fate {
    Stays,
    Changed(Vec<Edit>),
    /// It told the usage and nothing else.
    Goes,
}

// === impl AnswerEdits ===

impl AnswerEdits {
    /// Puts `model` in place of the upstream's name for it, and takes the usage out of a stream whose client did not ask
    /// for it. `None` when there is nothing to do.
    pub fn new(model: Option<&str>, hides_usage: bool) -> Option<Self> {
        let model = model.map(|model| Bytes::from(serde_json::Value::from(model).to_string()));
        (model.is_some() || hides_usage).then_some(Self { model, hides_usage })
    }

    /// A whole JSON answer.
    pub fn document(&self, body: Bytes) -> Bytes {
        let Some(model) = &self.model else { return body };
        let Ok(text) = std::str::from_utf8(&body) else { return body };
        let edits = model_edits(text, model);
        if edits.is_empty() {
            return body;
        }
        let mut changed = BytesMut::with_capacity(body.len() + model.len());
        edited(&body, &edits, &mut changed);
        changed.freeze()
    }

    /// Whole events of a stream, blank lines included.
    pub fn events(&self, whole: Bytes) -> Bytes {
        if !self.may_concern(&whole) {
            return whole;
        }
        let mut changed = BytesMut::with_capacity(whole.len() + 64);
        let mut rest = &whole[..];
        while !rest.is_empty() {
            let (event, behind) = rest.split_at(event_end(rest));
            self.event(event, &mut changed);
            rest = behind;
        }
        changed.freeze()
    }

    fn may_concern(&self, bytes: &[u8]) -> bool {
        (self.model.is_some() && memchr::memmem::find(bytes, b"model").is_some())
            || (self.hides_usage && memchr::memmem::find(bytes, b"usage").is_some())
    }

    fn event(&self, event: &[u8], into: &mut BytesMut) {
        let data = data_lines(event);
        let joined;
        let (text, place) = match &data[..] {
            [] => return into.extend_from_slice(event),
            [only] => (event.get(only.clone()).unwrap_or_default(), Some(only.clone())),
            several => {
                let lines: Vec<&[u8]> = several.iter().filter_map(|line| event.get(line.clone())).collect();
                joined = lines.join(&b'\n');
                (&joined[..], None)
            }
        };
        match (std::str::from_utf8(text).map_or(Fate::Stays, |text| self.fate(text)), place) {
            (Fate::Stays, _) => into.extend_from_slice(event),
            // Comments before it are no part of it, and may have passed already.
            (Fate::Goes, _) => into.extend_from_slice(event.get(..comments_end(event)).unwrap_or_default()),
            (Fate::Changed(edits), Some(place)) => {
                into.extend_from_slice(event.get(..place.start).unwrap_or_default());
                edited(text, &edits, into);
                into.extend_from_slice(event.get(place.end..).unwrap_or_default());
            }
            (Fate::Changed(edits), None) => spread(event, &data, text, &edits, into),
        }
    }

    /// What becomes of an event with this data.
    fn fate(&self, data: &str) -> Fate {
        let mut edits = self.model.as_ref().map_or_else(Vec::new, |model| model_edits(data, model));
        if self.hides_usage {
            let (mut usages, mut says_nothing) = (Vec::new(), false);
            let read = each_field(data, |key, value| match key {
                "usage" => usages.push(value),
                "choices" => says_nothing = value.get().bytes().all(|byte| b"[] \t\r\n".contains(&byte)),
                _ => {}
            });
            if read.is_ok() {
                if says_nothing && usages.iter().any(|usage| is_object(usage)) {
                    return Fate::Goes;
                }
                let places = usages.into_iter().map(|usage| place_in(data, usage));
                let gone = usages_at(data.as_bytes(), places);
                edits.extend(gone.into_iter().map(|range| Edit::replace(range, Bytes::new())));
                edits.sort_by_key(|edit| edit.range.start);
            }
        }
        if edits.is_empty() { Fate::Stays } else { Fate::Changed(edits) }
    }
}

/// An event whose data stands in several lines: the new data takes the place of the first, the other fields stay.
fn spread(event: &[u8], lines: &[Range<usize>], data: &[u8], edits: &[Edit], into: &mut BytesMut) {
    let mut changed = BytesMut::new();
    edited(data, edits, &mut changed);
    let mut at = 0;
    while let Some((line, next)) = line_at(event, at) {
        let is_data = lines.iter().any(|data| line.start <= data.start && data.end == line.end);
        if !is_data {
            into.extend_from_slice(event.get(line.start..next).unwrap_or_default());
        } else if lines.first().is_some_and(|first| first.end == line.end) {
            for piece in changed[..].split(|byte| *byte == b'\n') {
                into.extend_from_slice(b"data: ");
                into.extend_from_slice(piece);
                into.extend_from_slice(event.get(line.end..next).unwrap_or_default());
            }
        }
        at = next;
    }
}

/// Where the first event of `text` ends, its blank line included.
fn event_end(text: &[u8]) -> usize {
    let mut at = 0;
    while let Some((line, next)) = line_at(text, at) {
        at = next;
        if line.is_empty() {
            break;
        }
    }
    at
}

/// The values of the `data` fields of an event.
fn data_lines(event: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some((line, next)) = line_at(event, at) {
        let text = event.get(line.clone()).unwrap_or_default();
        // A stream may begin with a byte order mark.
        let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
        if let Some(value) = text.strip_prefix(b"data:") {
            let value = value.strip_prefix(b" ").unwrap_or(value);
            found.push(line.end - value.len()..line.end);
        }
        at = next;
    }
    found
}

/// Where the comments end that an event begins with.
fn comments_end(event: &[u8]) -> usize {
    let mut at = 0;
    while let Some((line, next)) = line_at(event, at)
        && event.get(line.start) == Some(&b':')
    {
        at = next;
    }
    at
}

/// The line that begins at `at`, and where the next one begins.
fn line_at(text: &[u8], at: usize) -> Option<(Range<usize>, usize)> {
    let rest = text.get(at..).filter(|rest| !rest.is_empty())?;
    let Some(len) = memchr::memchr2(b'\n', b'\r', rest) else { return Some((at..text.len(), text.len())) };
    let is_pair = rest.get(len..len + 2) == Some(b"\r\n");
    Some((at..at + len, at + len + if is_pair { 2 } else { 1 }))
}

/// Puts the name wherever an answer names its model: at its top, and inside of `response` in events about one.
fn model_edits(text: &str, model: &Bytes) -> Vec<Edit> {
    let mut edits = Vec::new();
    let mut name = |value: &RawValue| {
        if value.get().starts_with('"') && value.get().as_bytes() != &model[..] {
            edits.push(Edit::replace(place_in(text, value), model.clone()));
        }
    };
    let read = each_field(text, |key, value| match key {
        "model" => name(value),
        "response" if is_object(value) => {
            let read = each_field(value.get(), |key, value| {
                if key == "model" {
                    name(value);
                }
            });
            debug_assert!(read.is_ok(), "a part of a valid document is valid");
        }
        _ => {}
    });
    if read.is_ok() { edits } else { Vec::new() }
}

/// The members of an object that are called `usage` and whose values stand at `values`, with the commas that go with them.
fn usages_at(text: &[u8], values: impl Iterator<Item = Range<usize>>) -> Vec<Range<usize>> {
    let mut members: Vec<Range<usize>> = Vec::new();
    for value in values {
        let Some(start) = usage_key_of(text, value.start) else { continue };
        let behind = text.get(value.end..).unwrap_or_default().trim_ascii_start();
        let Some(next) = behind.strip_prefix(b",") else {
            // The last member goes with the comma before it, or, where that has gone already, with the one before that.
            let mut member = start_with_comma(text, start)..value.end;
            while let Some(before) = members.pop_if(|before| before.end > member.start) {
                member.start = start_with_comma(text, before.start);
            }
            members.push(member);
            break;
        };
        members.push(start..text.len() - next.trim_ascii_start().len());
    }
    members
}

/// Where the key begins of the value that begins at `value`, if it is `usage`. One that is spelled otherwise is nobody's
/// habit, and stays.
fn usage_key_of(text: &[u8], value: usize) -> Option<usize> {
    let before = text.get(..value)?.trim_ascii_end().strip_suffix(b":")?.trim_ascii_end();
    before.strip_suffix(br#""usage""#).map(<[u8]>::len)
}

/// Where the comma stands before the member that begins at `start`; there, if there is none.
fn start_with_comma(text: &[u8], start: usize) -> usize {
    let before = text.get(..start).unwrap_or_default();
    before.trim_ascii_end().strip_suffix(b",").map_or(start, <[u8]>::len)
}

#[cfg(test)]
mod tests;
