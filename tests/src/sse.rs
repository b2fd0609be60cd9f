//! Streamed chat completions as an upstream sends them, and the ways in which they break.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::script::{Ending, Framing, Gate, Head, Piece, Reply, Wait};

/// A streamed answer in the making; becomes a [`Reply`].
#[derive(Clone, Debug)]
pub struct Sse {
    model: String,
    events: Vec<String>,
    usage: Option<(u64, u64)>,
    finish: bool,
    done: bool,
    line_end: &'static str,
    prefix: &'static [u8],
    pause: Duration,
    gates: Vec<(usize, Gate)>,
    cut: Option<(usize, Ending)>,
    split: Option<usize>,
    headers: Vec<(String, String)>,
}

// === impl Sse ===

impl Sse {
    pub(crate) fn saying(texts: impl IntoIterator<Item: AsRef<str>>) -> Self {
        let mut stream = Self {
            model: "scripted-model".to_owned(),
            events: Vec::new(),
            usage: None,
            finish: true,
            done: true,
            line_end: "\n",
            prefix: b"",
            pause: Duration::ZERO,
            gates: Vec::new(),
            cut: None,
            split: None,
            headers: Vec::new(),
        };
        for text in texts {
            let event = stream
                .chunk(&json!([{"index": 0, "delta": {"role": "assistant", "content": text.as_ref()},
                                              "finish_reason": null}]));
            stream.events.push(event);
        }
        stream
    }

    /// The model name in every event.
    #[must_use]
    pub fn model(mut self, model: &str) -> Self {
        let old = json!(self.model).to_string();
        let new = json!(model).to_string();
        for event in &mut self.events {
            *event = event.replace(&old, &new);
        }
        model.clone_into(&mut self.model);
        self
    }

    /// Adds an event with these prompt and completion tokens, as `stream_options.include_usage` asks.
    #[must_use]
    pub fn usage(mut self, prompt: u64, completion: u64) -> Self {
        self.usage = Some((prompt, completion));
        self
    }

    /// Waits this long before each event but the first.
    #[must_use]
    pub fn pause(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    /// Holds event number `index` (from 0) and all that follow until the gate opens. The number of events is the
    /// end of the stream, whatever that end is.
    #[must_use]
    pub fn hold_before(mut self, index: usize, gate: &Gate) -> Self {
        self.gates.push((index, gate.clone()));
        self
    }

    /// Adds an event (the text between `data: ` and the line's end) after those there are.
    #[must_use]
    pub fn event(mut self, data: &str) -> Self {
        self.events.push(data.to_owned());
        self
    }

    /// Leaves `[DONE]` out.
    #[must_use]
    pub fn without_done(mut self) -> Self {
        self.done = false;
        self
    }

    /// Leaves the event with `finish_reason`, the usage and `[DONE]` out.
    #[must_use]
    pub fn without_finish(mut self) -> Self {
        self.finish = false;
        self.done = false;
        self
    }

    /// Resets the connection after this many events.
    #[must_use]
    pub fn reset_after(mut self, events: usize) -> Self {
        self.cut = Some((events, Ending::Reset));
        self
    }

    /// Closes the connection after this many events, in the middle of the chunked body.
    #[must_use]
    pub fn close_after(mut self, events: usize) -> Self {
        self.cut = Some((events, Ending::CutOff));
        self
    }

    /// Sends nothing more after this many events.
    #[must_use]
    pub fn hang_after(mut self, events: usize) -> Self {
        self.cut = Some((events, Ending::Hang));
        self
    }

    /// Sends a broken chunk after this many events.
    #[must_use]
    pub fn break_after(mut self, events: usize) -> Self {
        self.cut = Some((events, Ending::BrokenChunk));
        self
    }

    /// Ends lines with this instead of a line feed.
    #[must_use]
    pub fn line_end(mut self, end: &'static str) -> Self {
        self.line_end = end;
        self
    }

    /// Sends these bytes before the first event (a byte order mark, a comment).
    #[must_use]
    pub fn prefix(mut self, prefix: &'static [u8]) -> Self {
        self.prefix = prefix;
        self
    }

    /// Sends chunks of this many bytes, wherever that cuts characters and lines.
    #[must_use]
    pub fn chunks_of(mut self, size: usize) -> Self {
        self.split = Some(size.max(1));
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The body as it is sent when nothing breaks.
    pub fn text(&self) -> Bytes {
        self.frames().concat().into()
    }

    fn chunk(&self, choices: &Value) -> String {
        json!({"id": "chatcmpl-scripted", "object": "chat.completion.chunk", "created": 1_700_000_000,
               "model": self.model, "choices": choices})
        .to_string()
    }

    fn frames(&self) -> Vec<Vec<u8>> {
        let mut events = self.events.clone();
        if self.finish {
            events.push(self.chunk(&json!([{"index": 0, "delta": {}, "finish_reason": "stop"}])));
            if let Some((prompt, completion)) = self.usage {
                let total = prompt + completion;
                let usage =
                    json!({"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total});
                let empty = self.chunk(&json!([]));
                let end = empty.len() - 1;
                events.push(format!("{},\"usage\":{usage}}}", empty.get(..end).unwrap_or_default()));
            }
        }
        if self.done {
            events.push("[DONE]".to_owned());
        }
        let end = self.line_end;
        let mut frames: Vec<Vec<u8>> =
            events.iter().map(|event| format!("data: {event}{end}{end}").into_bytes()).collect();
        if let Some(first) = frames.first_mut() {
            first.splice(0..0, self.prefix.iter().copied());
        }
        frames
    }
}

impl From<Sse> for Reply {
    fn from(stream: Sse) -> Self {
        let mut frames = stream.frames();
        let mut ending = Ending::KeepAlive;
        if let Some((events, how)) = stream.cut {
            frames.truncate(events);
            ending = how;
        }
        if let Some(size) = stream.split {
            let whole = frames.concat();
            frames = whole.chunks(size).map(<[u8]>::to_vec).collect();
        }
        frames.push(Vec::new());
        let pieces = frames.into_iter().enumerate().map(|(index, frame)| Piece {
            bytes: frame.into(),
            wait: Wait {
                pause: if index == 0 { Duration::ZERO } else { stream.pause },
                gate: stream.gates.iter().find(|(at, _)| *at == index).map(|(_, gate)| gate.clone()),
            },
        });
        let mut headers = vec![("content-type".to_owned(), "text/event-stream; charset=utf-8".to_owned())];
        headers.extend(stream.headers);
        Self {
            pieces: pieces.collect(),
            head: Head::Status(200, headers),
            framing: Framing::Chunked,
            ..Self::nothing(ending)
        }
    }
}
