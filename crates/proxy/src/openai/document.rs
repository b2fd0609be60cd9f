//! A whole JSON answer, read once.

use gateway_domain::Usage;
use serde::de::IgnoredAny;

use super::members::gather_plain;
use super::upstream_error::{error_of, is_made_response};
use super::usage::{Places, usage_of};

/// What is to be known of an answer before its client gets it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Document<'t> {
    json: &'t [u8],
    /// What a fast look has shown; `None` where there is more to it.
    plain: Option<Plain<'t>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Plain<'t> {
    usage: Places<'t>,
    /// Whether it may be an error: then it is worth another look.
    is_suspect: bool,
}

// === impl Document ===

impl<'t> Document<'t> {
    /// Validates all of it.
    pub(crate) fn read(json: &'t [u8]) -> Result<Self, serde_json::Error> {
        let plain = gather_plain(json, Plain::note);
        if plain.is_none() {
            serde_json::from_slice::<IgnoredAny>(json)?;
        }
        Ok(Self { json, plain })
    }

    /// Whether it tells a failure, and not of an object that was made and has failed since.
    pub(crate) fn is_failure(&self) -> bool {
        self.plain.is_none_or(|plain| plain.is_suspect)
            && error_of(self.json).is_some()
            && !is_made_response(self.json)
    }

    /// The tokens that it counts.
    pub(crate) fn usage(&self) -> Option<Usage> {
        self.plain.map_or_else(|| usage_of(self.json), |plain| plain.usage.usage())
    }
}

// === impl Plain ===

impl<'t> Plain<'t> {
    fn note(&mut self, name: &[u8], value: &'t [u8]) {
        match name {
            b"error" => self.is_suspect |= value != b"null",
            b"type" => self.is_suspect |= memchr::memchr3(b'e', b'.', b'\\', value).is_some(),
            name => self.usage.note(name, value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_found_however_it_is_spelled_and_a_story_of_one_is_none() {
        for (json, failure) in [
            (r#"{"error":{"message":"no"}}"#, true),
            (r#"{"\u0065rror":{"message":"no","type":"error"}}"#, true),
            (r#"{"type":"error","code":"x"}"#, true),
            (r#"{"type":"response.failed","response":{"error":{"code":"x"}}}"#, true),
            (r#"{"id":"x","error":null}"#, false),
            (r#"{"object":"response","status":"completed","error":{"message":"of a tool"}}"#, false),
            (r#"{"object":"response","status":"failed","error":{"message":"no"}}"#, true),
            (r#"[{"error":{}}]"#, false),
        ] {
            assert_eq!(Document::read(json.as_bytes()).unwrap().is_failure(), failure, "{json}");
        }
        assert!(Document::read(b"{\"error\":1").is_err());
    }

    #[test]
    fn its_usage_is_that_of_the_closer_look() {
        for json in [
            r#"{"usage":{"prompt_tokens":3,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":1}}}"#,
            r#"{"usage":{"prompt_tokens":3},"a\u0062":1}"#,
            r#"{"usage":null,"response":{"usage":{"input_tokens":3}}}"#,
            r#"{"usage":"many"}"#,
            "[]",
        ] {
            assert_eq!(Document::read(json.as_bytes()).unwrap().usage(), usage_of(json.as_bytes()), "{json}");
        }
    }
}
