//! What a scripted upstream says: whole replies, and replies that are broken on purpose.
//!
//! A [`Reply`] is data: a head, pieces of a body with pauses or gates before them, a framing and an ending. The
//! constructors give a sound reply; the methods spoil it in exactly one way each, so that a test reads as the fault
//! it provokes.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::sse::Sse;

/// One answer of an upstream, to one request.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Sent before everything else.
    pub(crate) head: Head,
    /// How the body's length is told.
    pub(crate) framing: Framing,
    /// The body.
    pub(crate) pieces: Vec<Piece>,
    /// What happens to the connection afterwards.
    pub(crate) ending: Ending,
    /// Answer as soon as the head of the request is there, without reading its body.
    pub(crate) early: bool,
    /// Waited for before the head is sent.
    pub(crate) wait: Wait,
}

/// The first bytes of a reply.
#[derive(Clone, Debug)]
pub(crate) enum Head {
    /// A status line and headers; framing headers are added from [`Framing`].
    Status(u16, Vec<(String, String)>),
    /// Exactly these bytes.
    Raw(Bytes),
    /// Nothing at all: the ending comes first.
    Absent,
}

/// How the length of a body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// `content-length`, true.
    Length,
    /// `content-length`, wrong by this many bytes.
    WrongLength(i64),
    /// `transfer-encoding: chunked`, one chunk for each piece.
    Chunked,
    /// Neither: the body ends with the connection.
    UntilClose,
    /// No body and no framing header (204, 304).
    Bodiless,
}

/// A part of a body and what comes before it.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) bytes: Bytes,
    pub(crate) wait: Wait,
}

/// What is waited for before something is sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wait {
    pub(crate) pause: Duration,
    pub(crate) gate: Option<Gate>,
}

/// What happens to the connection when the last piece is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The body is ended properly and the connection waits for the next request.
    KeepAlive,
    /// The body is ended properly and the connection is closed.
    Close,
    /// The connection is closed without ending the body.
    CutOff,
    /// The connection is reset (RST) without ending the body.
    Reset,
    /// Nothing more is sent; the connection stays open until the other side leaves.
    Hang,
    /// A chunk with a length that is no number, then the connection is closed.
    BrokenChunk,
}

/// A latch in the hand of the test: what is held behind it is sent once [`Gate::open`] is called.
#[derive(Clone, Debug)]
pub struct Gate(watch::Sender<bool>);

/// A number of milliseconds.
pub const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// A whole chat completion with this text and a usage of 3 + 2 tokens.
pub fn chat(text: &str) -> Reply {
    chat_as("scripted-model", text)
}

/// A whole chat completion that calls its model by this name.
pub fn chat_as(model: &str, text: &str) -> Reply {
    json_body(&json!({
        "id": "chatcmpl-scripted", "object": "chat.completion", "created": 1_700_000_000, "model": model,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "logprobs": null,
                     "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    }))
}

/// A streamed chat completion, one event for each text.
pub fn sse(texts: impl IntoIterator<Item: AsRef<str>>) -> Sse {
    Sse::saying(texts)
}

/// An answer with this status; from 400 on with an error object as OpenAI gives it, below with an empty body.
pub fn status(code: u16) -> Reply {
    if code >= 400 {
        let kind = if code == 429 { "rate_limit_error" } else { "scripted_error" };
        let error = json!({"error": {"message": format!("scripted {code}"), "type": kind, "param": null,
                                     "code": format!("scripted_{code}")}});
        return json_body(&error).with_status(code);
    }
    let framing = if code == 204 || code == 304 { Framing::Bodiless } else { Framing::Length };
    Reply { head: Head::Status(code, Vec::new()), framing, ..Reply::nothing(Ending::KeepAlive) }
}

/// Makes a WebSocket of the connection, which [`Upstream::socket`](crate::Upstream::socket) then gives to the test. Key
/// and subprotocol are answered rightly, unless a header of the reply says something else.
pub fn switch() -> Reply {
    let framing = Framing::Bodiless;
    let reply = Reply { head: Head::Status(101, Vec::new()), framing, ..Reply::nothing(Ending::KeepAlive) };
    reply.header("connection", "Upgrade").header("upgrade", "websocket")
}

/// Status 200 with this JSON value.
pub fn json_body(value: &Value) -> Reply {
    body("application/json", value.to_string())
}

/// Status 200 with exactly these bytes.
pub fn body(content_type: &str, bytes: impl Into<Bytes>) -> Reply {
    let headers = vec![("content-type".to_owned(), content_type.to_owned())];
    let pieces = vec![Piece { bytes: bytes.into(), wait: Wait::default() }];
    Reply {
        head: Head::Status(200, headers),
        framing: Framing::Length,
        pieces,
        ..Reply::nothing(Ending::KeepAlive)
    }
}

/// Status 200 with these bytes so many times over, in chunks: for bodies that nobody should keep.
pub fn flood(content_type: &str, bytes: impl Into<Bytes>, times: usize) -> Reply {
    let piece = Piece { bytes: bytes.into(), wait: Wait::default() };
    let pieces = vec![piece; times];
    Reply { pieces, framing: Framing::Chunked, ..body(content_type, Bytes::new()) }
}

/// Status 200 with a web page, as a captive portal or a proxy in maintenance gives it.
pub fn html() -> Reply {
    body("text/html", "<!doctype html><html><body><h1>Welcome to nginx!</h1></body></html>")
}

/// A redirect to `location`.
pub fn redirect(code: u16, location: &str) -> Reply {
    status(code).header("location", location)
}

/// Resets the connection once the request is read.
pub fn reset() -> Reply {
    Reply::nothing(Ending::Reset)
}

/// Closes the connection once the request is read.
pub fn close() -> Reply {
    Reply::nothing(Ending::CutOff)
}

/// Reads the request and never answers.
pub fn hang() -> Reply {
    Reply::nothing(Ending::Hang)
}

/// Sends exactly these bytes and closes.
pub fn raw(bytes: impl Into<Bytes>) -> Reply {
    Reply { head: Head::Raw(bytes.into()), framing: Framing::UntilClose, ..Reply::nothing(Ending::CutOff) }
}

// === impl Reply ===

impl Reply {
    pub(crate) fn nothing(ending: Ending) -> Self {
        Self {
            head: Head::Absent,
            framing: Framing::UntilClose,
            pieces: Vec::new(),
            ending,
            early: false,
            wait: Wait::default(),
        }
    }

    /// Replaces the status.
    #[must_use]
    pub fn with_status(mut self, code: u16) -> Self {
        if let Head::Status(status, _) = &mut self.head {
            *status = code;
        }
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let Head::Status(_, headers) = &mut self.head {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// Adds `retry-after` in seconds.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        self.header("retry-after", &seconds.to_string())
    }

    /// Waits before the head is sent.
    #[must_use]
    pub fn after(mut self, pause: Duration) -> Self {
        self.wait.pause = pause;
        self
    }

    /// Sends the head at once and waits before the body.
    #[must_use]
    pub fn silent_behind_its_head(mut self, pause: Duration) -> Self {
        if let Some(first) = self.pieces.first_mut() {
            first.wait.pause = pause;
        }
        self
    }

    /// Waits for the gate before the head is sent.
    #[must_use]
    pub fn behind(mut self, gate: &Gate) -> Self {
        self.wait.gate = Some(gate.clone());
        self
    }

    /// Waits for the gate after everything is sent, before the ending.
    #[must_use]
    pub fn end_behind(mut self, gate: &Gate) -> Self {
        let wait = Wait { gate: Some(gate.clone()), ..Wait::default() };
        self.pieces.push(Piece { bytes: Bytes::new(), wait });
        self
    }

    /// Sends the head and then hangs.
    #[must_use]
    pub fn hang_after_head(mut self) -> Self {
        self.pieces.clear();
        self.framing = Framing::WrongLength(1000);
        self.ending = Ending::Hang;
        self
    }

    /// Announces the whole body, sends half of it and closes.
    #[must_use]
    pub fn half(mut self) -> Self {
        let whole = self.joined();
        let half = whole.slice(..whole.len() / 2);
        self.framing = Framing::WrongLength(i64::try_from(whole.len() - half.len()).unwrap_or(i64::MAX));
        self.pieces = vec![Piece { bytes: half, wait: Wait::default() }];
        self.ending = Ending::CutOff;
        self
    }

    /// Closes the connection behind the body without ending it.
    #[must_use]
    pub fn cut_off(mut self) -> Self {
        self.ending = Ending::CutOff;
        self
    }

    /// Sends nothing more behind the body, and does not end it.
    #[must_use]
    pub fn hanging(mut self) -> Self {
        self.ending = Ending::Hang;
        self
    }

    /// Sends these bytes before the rest of the body.
    #[must_use]
    pub fn preceded_by(mut self, bytes: impl Into<Bytes>) -> Self {
        self.pieces.insert(0, Piece { bytes: bytes.into(), wait: Wait::default() });
        self
    }

    /// Sends these bytes after the rest of the body.
    #[must_use]
    pub fn followed_by(mut self, bytes: impl Into<Bytes>) -> Self {
        self.pieces.push(Piece { bytes: bytes.into(), wait: Wait::default() });
        self
    }

    /// Waits this long before each part of the body.
    #[must_use]
    pub fn paced(mut self, pause: Duration) -> Self {
        for piece in &mut self.pieces {
            piece.wait.pause = pause;
        }
        self
    }

    /// Sends the body in chunks and ends with a chunk whose length is no number.
    #[must_use]
    pub fn broken_chunks(mut self) -> Self {
        self.framing = Framing::Chunked;
        self.ending = Ending::BrokenChunk;
        self
    }

    /// Sends the body in chunks of this many bytes.
    #[must_use]
    pub fn chunks_of(self, size: usize) -> Self {
        self.cut_into(&[size]).chunked()
    }

    /// Sends the body in pieces of these lengths, which are used in turn, whatever its framing is.
    #[must_use]
    pub fn cut_into(mut self, lengths: &[usize]) -> Self {
        let whole = self.joined();
        let mut lengths = lengths.iter().cycle();
        self.pieces.clear();
        let mut at = 0;
        while at < whole.len() {
            let end = whole
                .len()
                .min(lengths.next().map_or(whole.len(), |length| at.saturating_add(*length.max(&1))));
            self.pieces.push(Piece { bytes: whole.slice(at..end), wait: Wait::default() });
            at = end;
        }
        self
    }

    /// Tells no length: each piece is a chunk.
    #[must_use]
    pub fn chunked(mut self) -> Self {
        self.framing = Framing::Chunked;
        self
    }

    /// Tells no length: the body ends with the connection.
    #[must_use]
    pub fn until_close(mut self) -> Self {
        self.framing = Framing::UntilClose;
        self.ending = Ending::Close;
        self
    }

    /// Announces `missing` bytes fewer than it sends, and closes.
    #[must_use]
    pub fn short_length(mut self, missing: u32) -> Self {
        self.framing = Framing::WrongLength(-i64::from(missing));
        self.ending = Ending::CutOff;
        self
    }

    /// Answers without reading the body of the request, and closes.
    #[must_use]
    pub fn early(mut self) -> Self {
        self.early = true;
        self.ending = Ending::Close;
        self
    }

    /// Answers without reading the body of the request, and closes at once: what is still unread makes that a reset.
    #[must_use]
    pub fn abruptly(mut self) -> Self {
        self = self.early();
        self.ending = Ending::CutOff;
        self
    }

    /// Closes the connection properly after the answer.
    #[must_use]
    pub fn closing(mut self) -> Self {
        self.ending = Ending::Close;
        self.header("connection", "close")
    }

    /// Whether it makes a WebSocket of its connection.
    pub(crate) fn switches(&self) -> bool {
        matches!(self.head, Head::Status(101, _))
    }

    /// Adds a header that it has not.
    #[must_use]
    pub(crate) fn or_header(self, name: &str, value: &str) -> Self {
        let has = match &self.head {
            Head::Status(_, headers) => headers.iter().any(|(known, _)| known == name),
            Head::Raw(_) | Head::Absent => true,
        };
        if has { self } else { self.header(name, value) }
    }

    fn joined(&self) -> Bytes {
        let mut whole = Vec::new();
        for piece in &self.pieces {
            whole.extend_from_slice(&piece.bytes);
        }
        whole.into()
    }
}

// === impl Gate ===

impl Gate {
    /// A gate that is shut.
    pub fn shut() -> Self {
        Self(watch::channel(false).0)
    }

    /// Lets through what waits, and all that comes later.
    pub fn open(&self) {
        self.0.send_replace(true);
    }

    pub(crate) async fn passed(&self) {
        let mut seen = self.0.subscribe();
        let open = seen.wait_for(|open| *open).await;
        debug_assert!(open.is_ok(), "the sender lives as long as the gate");
    }
}

// === impl Wait ===

impl Wait {
    pub(crate) async fn over(&self) {
        if !self.pause.is_zero() {
            tokio::time::sleep(self.pause).await;
        }
        if let Some(gate) = &self.gate {
            gate.passed().await;
        }
    }
}
