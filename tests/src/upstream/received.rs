use std::time::Instant;

use bytes::Bytes;
use serde_json::Value;

use crate::wire::RequestHead;

/// A request as an upstream received it.
#[derive(Clone, Debug)]
pub struct Received {
    pub(super) head: RequestHead,
    /// The body without its framing, byte for byte. Empty when the reply was an early one.
    pub body: Bytes,
    /// Which connection it came on, counted from 0.
    pub connection: u64,
    /// When it was read.
    pub at: Instant,
}

/// A caller that was gone before its reply was played to its end.
#[derive(Clone, Debug)]
pub struct Departure {
    /// What it had asked.
    pub request: Received,
    /// When its going was seen.
    pub at: Instant,
}

// === impl Received ===

impl Received {
    /// `GET`, `POST`, ….
    pub fn method(&self) -> &str {
        &self.head.method
    }

    /// Path and query.
    pub fn target(&self) -> &str {
        &self.head.target
    }

    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }

    /// All headers, in order, as they were spelled.
    pub fn headers(&self) -> &[(String, String)] {
        &self.head.headers
    }

    /// The body as JSON; `null` when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The model that was asked for; empty when the body names none.
    pub fn model(&self) -> String {
        self.json().get("model").and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    /// Whether a stream was asked for.
    pub fn wants_stream(&self) -> bool {
        self.json().get("stream") == Some(&Value::Bool(true))
    }
}
