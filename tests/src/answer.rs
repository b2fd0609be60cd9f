//! A whole answer, and what a test wants to know of it.

use bytes::Bytes;
use http::{HeaderMap, Version};
use serde_json::Value;

/// An answer that has been read to its end, whether that was a good end or not.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The version that was spoken.
    pub version: Version,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, byte for byte.
    pub body: Bytes,
    /// The body as it came.
    pub frames: Vec<Bytes>,
    /// The body broke off before its framing said that it was over.
    pub cut: bool,
}

/// An error in the shape that OpenAI's clients read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorObject {
    /// For people.
    pub message: String,
    /// The class of the error.
    pub kind: String,
    /// The field of the request that is to blame.
    pub param: Option<String>,
    /// For programs.
    pub code: Option<String>,
}

// === impl Answer ===

impl Answer {
    pub(crate) fn new(
        status: u16,
        version: Version,
        headers: HeaderMap,
        body: Bytes,
        frames: Vec<Bytes>,
        cut: bool,
    ) -> Self {
        Self { status, version, headers, body, frames, cut }
    }

    /// A header as text; empty when it is absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// `x-request-id`.
    pub fn request_id(&self) -> &str {
        self.header("x-request-id")
    }

    /// `x-gateway-channel`: the name of the channel that answered.
    pub fn channel(&self) -> &str {
        self.header("x-gateway-channel")
    }

    /// `x-gateway-attempts`.
    pub fn attempts(&self) -> u32 {
        self.header("x-gateway-attempts").parse().unwrap_or(0)
    }

    /// The body as text.
    pub fn body_text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; fails the test when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("no JSON ({e}): {self:?}"))
    }

    /// The data of all events of a stream, `[DONE]` among them.
    pub fn data(&self) -> Vec<String> {
        events(&self.body_text())
    }

    /// The events of a stream that are JSON.
    pub fn events(&self) -> Vec<Value> {
        self.data().iter().filter_map(|data| serde_json::from_str(data).ok()).collect()
    }

    /// Whether a stream ended with `[DONE]`.
    pub fn is_done(&self) -> bool {
        self.data().last().is_some_and(|data| data == "[DONE]")
    }

    /// The text that the model said, streamed or not.
    pub fn text(&self) -> String {
        if self.header("content-type").starts_with("text/event-stream") {
            let events = self.events();
            return events.iter().filter_map(|e| e.pointer("/choices/0/delta/content")?.as_str()).collect();
        }
        let said = serde_json::from_slice::<Value>(&self.body).unwrap_or_default();
        said.pointer("/choices/0/message/content").and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    /// Prompt and completion tokens, streamed or not.
    pub fn usage(&self) -> Option<(u64, u64)> {
        let whole = serde_json::from_slice::<Value>(&self.body).ok();
        let events = whole.into_iter().chain(self.events());
        let usage = events
            .filter_map(|event| event.get("usage").filter(|usage| usage.is_object()).cloned())
            .next_back()?;
        Some((usage.get("prompt_tokens")?.as_u64()?, usage.get("completion_tokens")?.as_u64()?))
    }

    /// The error object of the body, or the one in the last event of a stream.
    pub fn error(&self) -> Option<ErrorObject> {
        let whole = serde_json::from_slice::<Value>(&self.body).ok();
        let event = whole.or_else(|| self.events().last().cloned())?;
        let error = event.get("error")?;
        let text = |field: &str| error.get(field).and_then(Value::as_str).map(str::to_owned);
        Some(ErrorObject {
            message: text("message")?,
            kind: text("type")?,
            param: text("param"),
            code: text("code"),
        })
    }

    /// The error's code; empty when there is none.
    pub fn error_code(&self) -> String {
        self.error().and_then(|error| error.code).unwrap_or_default()
    }

    /// A whole, good answer that says exactly this.
    #[track_caller]
    pub fn assert_text(&self, text: &str) {
        assert_eq!((self.status, self.text().as_str(), self.cut), (200, text, false), "{self:#?}");
        if self.header("content-type").starts_with("text/event-stream") {
            assert!(self.is_done(), "the stream does not end with [DONE]: {}", self.body_text());
        }
    }

    /// An error answer as every client can read it: status and code as given, the whole object, a request id.
    #[track_caller]
    pub fn assert_error(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.error_code().as_str()), (status, code), "{}", self.body_text());
        self.assert_error_shape();
    }

    /// The shape of an error, whatever its status and code.
    #[track_caller]
    pub fn assert_error_shape(&self) {
        let body = self.json();
        let error = body.get("error").and_then(Value::as_object);
        let error = error.unwrap_or_else(|| panic!("no error object: {}", self.body_text()));
        for field in ["message", "type", "param", "code"] {
            assert!(error.contains_key(field), "the error has no {field:?}: {}", self.body_text());
        }
        assert!(
            !self.error().is_none_or(|e| e.message.is_empty()),
            "the error says nothing: {}",
            self.body_text()
        );
        assert!(self.header("content-type").starts_with("application/json"), "{:?}", self.headers);
        assert!(!self.request_id().is_empty(), "an error without x-request-id: {:?}", self.headers);
    }

    /// A stream that began well and broke: an error event with this code at its end, and no `[DONE]`.
    #[track_caller]
    pub fn assert_interrupted(&self, code: &str) {
        assert_eq!(self.status, 200, "{}", self.body_text());
        let data = self.data();
        assert!(!data.iter().any(|data| data == "[DONE]"), "a broken stream ends cleanly: {data:?}");
        assert_eq!(self.error_code(), code, "{data:?}");
        let errors = self.events().iter().filter(|event| event.get("error").is_some()).count();
        assert_eq!(errors, 1, "one error event was expected: {data:?}");
    }
}

/// Reads the data of server-sent events as the standard says, comments and other fields left out.
pub fn events(stream: &str) -> Vec<String> {
    let stream = stream.strip_prefix('\u{feff}').unwrap_or(stream);
    let text = stream.replace("\r\n", "\n").replace('\r', "\n");
    let mut events = Vec::new();
    let mut data: Vec<&str> = Vec::new();
    for line in text.split('\n') {
        if line.is_empty() {
            if !data.is_empty() {
                events.push(std::mem::take(&mut data).join("\n"));
            }
        } else if let Some(value) = line.strip_prefix("data:") {
            data.push(value.strip_prefix(' ').unwrap_or(value));
        }
    }
    events
}
