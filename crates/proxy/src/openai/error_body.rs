//! Writes errors as OpenAI writes them, so that the SDKs of clients raise the right exception.

use bytes::Bytes;
use serde::Serialize;

use super::endpoint::StreamDialect;

/// The members of an error object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorBody<'a> {
    /// A sentence for people.
    pub message: &'a str,
    /// The class, such as `invalid_request_error`.
    pub kind: &'a str,
    /// The request member that is at fault.
    pub param: Option<&'a str>,
    /// The machine-readable code.
    pub code: Option<&'a str>,
}

#[derive(Serialize)]
struct Nested<'a> {
    error: Members<'a>,
}

#[derive(Serialize)]
struct Members<'a> {
    message: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    param: Option<&'a str>,
    code: Option<&'a str>,
}

/// The flat event of the responses API.
#[derive(Serialize)]
struct Flat<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    code: Option<&'a str>,
    message: &'a str,
    param: Option<&'a str>,
    sequence_number: u64,
}

// === impl ErrorBody ===

impl ErrorBody<'_> {
    /// The body of an error answer: `{"error":{"message","type","param","code"}}`.
    pub fn to_json(&self) -> Bytes {
        Bytes::from(to_vec(&self.nested()))
    }

    /// The last event of a stream that broke. Nothing may follow it, least of all `[DONE]`: clients would take the
    /// answer for complete.
    ///
    /// `sequence_number` goes into the events of the responses API, which are numbered; chat has no such thing.
    pub fn to_event(&self, dialect: StreamDialect, sequence_number: u64) -> Bytes {
        let (mut event, json) = match dialect {
            StreamDialect::Chat => (b"data: ".to_vec(), to_vec(&self.nested())),
            StreamDialect::Responses => {
                (b"event: error\ndata: ".to_vec(), to_vec(&self.flat(sequence_number)))
            }
        };
        event.extend_from_slice(&json);
        event.extend_from_slice(b"\n\n");
        Bytes::from(event)
    }

    fn nested(&self) -> Nested<'_> {
        let Self { message, kind, param, code } = *self;
        Nested { error: Members { message, kind, param, code } }
    }

    fn flat(&self, sequence_number: u64) -> Flat<'_> {
        let Self { message, kind: _, param, code } = *self;
        Flat { kind: "error", code, message, param, sequence_number }
    }
}

fn to_vec(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("strings, numbers and nulls always have a JSON form")
}

#[cfg(test)]
mod tests;
