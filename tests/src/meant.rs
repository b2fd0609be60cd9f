//! What an upstream means to say in a stream, byte for byte.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::chance::Chance;

/// How a stream's events are spelled, and how it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Chat completions: chunks, a `finish_reason` for each choice, `[DONE]`.
    Chat,
    /// Responses: named events, `response.completed`.
    Responses,
}

/// A streamed answer as its upstream means it.
#[derive(Clone, Debug)]
pub struct Meant {
    /// How it is spelled.
    pub dialect: Dialect,
    /// What each choice says.
    pub texts: Vec<String>,
    /// The events, each with its closing blank line.
    frames: Vec<Vec<u8>>,
    /// After this many events every choice is finished.
    finished: usize,
}

/// Characters of one to four bytes, some of which join with their neighbours.
const LETTERS: [&str; 12] =
    ["a", " ", "\\", "\"", "\n", "ß", "é", "\u{301}", "語", "\u{2028}", "🙂", "👩\u{200d}🚀"];

// === impl Meant ===

impl Meant {
    /// A stream drawn by chance: either dialect, one choice or two, characters of any width, any line end.
    pub fn draw(chance: &mut Chance) -> Self {
        let dialect = chance.one_of(&[Dialect::Chat, Dialect::Responses]);
        let line_end = chance.one_of(&["\n", "\n", "\r\n"]);
        let choices = if dialect == Dialect::Chat && chance.percent(20) { 2 } else { 1 };
        let pieces: Vec<(usize, String)> = (0..chance.between(1, 12))
            .map(|_| {
                let letters = (0..chance.between(0, 8)).map(|_| chance.one_of(&LETTERS));
                let text = letters.collect::<String>();
                (chance.below(choices), text)
            })
            .collect();
        let said = |choice| pieces.iter().filter(move |(of, _)| *of == choice).map(|(_, text)| text.as_str());
        let texts: Vec<String> = (0..choices).map(|choice| said(choice).collect()).collect();
        let (data, finished) = match dialect {
            Dialect::Chat => chat(&pieces, choices, chance.percent(50)),
            Dialect::Responses => responses(&pieces),
        };
        let frame = |data: &Value| match data.get("type").and_then(Value::as_str) {
            Some(name) => format!("event: {name}{line_end}data: {data}{line_end}{line_end}"),
            None => format!("data: {data}{line_end}{line_end}"),
        };
        let mut frames: Vec<Vec<u8>> = data.iter().map(|data| frame(data).into_bytes()).collect();
        if dialect == Dialect::Chat {
            frames.push(format!("data: [DONE]{line_end}{line_end}").into_bytes());
        }
        Self { dialect, texts, frames, finished }
    }

    /// All of it.
    pub fn bytes(&self) -> Bytes {
        self.frames.concat().into()
    }

    /// Where events end, counted in bytes, the last of all included.
    pub fn boundaries(&self) -> Vec<usize> {
        let lengths = self.frames.iter().map(Vec::len);
        lengths
            .scan(0, |end, length| {
                *end += length;
                Some(*end)
            })
            .collect()
    }

    /// From where on every choice is finished, in bytes.
    pub fn finished(&self) -> usize {
        self.frames.iter().take(self.finished).map(Vec::len).sum()
    }

    /// The path that it is an answer to.
    pub fn path(&self) -> &'static str {
        match self.dialect {
            Dialect::Chat => "/v1/chat/completions",
            Dialect::Responses => "/v1/responses",
        }
    }
}

/// Chunks, one or two per finish, and after how many of them all choices are finished.
fn chat(pieces: &[(usize, String)], choices: usize, usage: bool) -> (Vec<Value>, usize) {
    let chunk = |choices: Value| json!({"id": "chatcmpl-meant", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "meant", "choices": choices});
    let part = |choice: usize, delta: Value, finish: Value| {
        chunk(json!([{"index": choice, "delta": delta, "finish_reason": finish}]))
    };
    let begin = |choice| part(choice, json!({"role": "assistant", "content": ""}), Value::Null);
    let mut data: Vec<Value> = (0..choices).map(begin).collect();
    data.extend(pieces.iter().map(|(choice, text)| part(*choice, json!({"content": text}), Value::Null)));
    // The first choice is finished before the last one speaks for the last time, as they are where choices differ in
    // length.
    for choice in 0..choices {
        let at = if choice + 1 < choices { choices + last_of(pieces, choice) } else { data.len() };
        data.insert(at, part(choice, json!({}), json!("stop")));
    }
    let finished = data.len();
    if usage {
        let usage = json!({"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5});
        data.push(with(chunk(json!([])), "usage", usage));
    }
    (data, finished)
}

/// Behind the last piece of a choice.
fn last_of(pieces: &[(usize, String)], choice: usize) -> usize {
    pieces.iter().rposition(|(of, _)| *of == choice).map_or(0, |at| at + 1)
}

/// Events of a response that says one text, and how many they are.
fn responses(pieces: &[(usize, String)]) -> (Vec<Value>, usize) {
    let text: String = pieces.iter().map(|(_, text)| text.as_str()).collect();
    let response = |status: &str, output: Value| json!({"id": "resp_meant", "object": "response", "created_at": 1_700_000_000, "model": "meant", "status": status, "error": null, "output": output});
    let place = json!({"item_id": "msg_meant", "output_index": 0, "content_index": 0});
    let message = json!([{"id": "msg_meant", "type": "message", "role": "assistant", "status": "completed", "content": [{"type": "output_text", "text": text, "annotations": []}]}]);
    let mut data = vec![json!({"type": "response.created", "response": response("in_progress", json!([]))})];
    let saying = |kind: &str, field: &str, text: &str| {
        with(with(place.clone(), "type", json!(kind)), field, json!(text))
    };
    data.extend(pieces.iter().map(|(_, text)| saying("response.output_text.delta", "delta", text)));
    data.push(saying("response.output_text.done", "text", &text));
    data.push(json!({"type": "response.completed", "response": response("completed", message)}));
    let finished = data.len();
    let number = |(number, event)| with(event, "sequence_number", json!(number));
    (data.into_iter().enumerate().map(number).collect(), finished)
}

/// The object with one more field.
fn with(mut object: Value, field: &str, value: Value) -> Value {
    object.as_object_mut().expect("an object").insert(field.to_owned(), value);
    object
}
