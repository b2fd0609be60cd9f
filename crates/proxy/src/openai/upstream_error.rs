//! Reads the error object of an upstream, wherever it turns up.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::fields::{each_field, is_object, text_of};

/// What an upstream said went wrong. Borrowed from its answer; **not scrubbed** of secrets it may repeat.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpstreamError<'a> {
    /// The sentence for people.
    pub message: Option<Cow<'a, str>>,
    /// The class of the error, such as `rate_limit_error`.
    pub kind: Option<Cow<'a, str>>,
    /// The machine-readable code, such as `model_not_found`; a number is given as its digits.
    pub code: Option<Cow<'a, str>>,
}

// === impl UpstreamError ===

impl UpstreamError<'_> {
    /// The HTTP status that the error stands for, when it arrives under status 200.
    ///
    /// `None` when the words tell nothing: the caller has to assume a server error.
    pub fn status(&self) -> Option<u16> {
        let code = self.code.as_deref().unwrap_or_default();
        if let Ok(status @ 400..=599) = code.parse() {
            return Some(status);
        }
        Some(match (code, self.kind.as_deref().unwrap_or_default()) {
            ("rate_limit_exceeded" | "rate_limit_error", _) | (_, "rate_limit_error") => 429,
            ("insufficient_quota", _) | (_, "insufficient_quota") => 402,
            ("invalid_api_key", _) | (_, "authentication_error") => 401,
            (_, "permission_error") => 403,
            ("model_not_found", _) | (_, "not_found_error") => 404,
            ("server_error" | "internal_error", _) | (_, "server_error" | "internal_error" | "api_error") => {
                500
            }
            ("overloaded" | "overloaded_error", _) | (_, "overloaded_error" | "service_unavailable") => 503,
            (_, "invalid_request_error") => 400,
            _ => return None,
        })
    }
}

/// The error in a complete JSON answer, or in the data of one event, if it is one.
///
/// Knows `{"error":{…}}`, `{"error":"…"}`, the flat `{"type":"error",…}` of the responses API, and the
/// `response.failed` event of the same. A null `error` is none.
pub fn error_of(json: &[u8]) -> Option<UpstreamError<'_>> {
    memchr::memmem::find(json, b"\"error\"")?;
    let text = std::str::from_utf8(json).ok()?;
    let (mut error, mut response, mut kind) = (None, None, None);
    each_field(text, |key, value| match key {
        "error" => error = Some(value),
        "response" => response = Some(value),
        "type" => kind = text_of(value),
        _ => {}
    })
    .ok()?;
    match (error, kind.as_deref()) {
        (Some(error), _) if error.get() != "null" => Some(details(error)),
        (_, Some("error")) => Some(members(text)),
        (_, Some("response.failed")) => Some(failed_response(response)),
        _ => None,
    }
}

/// Whether clients can read the error as it is: a whole document with an `error` object at its top.
pub fn is_error_body(json: &[u8]) -> bool {
    let mut found = false;
    let read = std::str::from_utf8(json).ok().map(|text| {
        each_field(text, |key, value| {
            if key == "error" {
                found = is_object(value);
            }
        })
    });
    found && matches!(read, Some(Ok(())))
}

/// Whether a document is a response that was made and did not fail, whatever it has to tell under `error`.
///
/// One whose status is `failed` is none: another channel may still answer.
pub fn is_made_response(json: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(json) else { return false };
    let (mut object, mut status) = (None, None);
    let read = each_field(text, |key, value| match key {
        "object" => object = text_of(value),
        "status" => status = text_of(value),
        _ => {}
    });
    read.is_ok() && object.as_deref() == Some("response") && status.as_deref() != Some("failed")
}

fn failed_response(response: Option<&RawValue>) -> UpstreamError<'_> {
    let mut error = UpstreamError::default();
    if let Some(response) = response.filter(|response| is_object(response)) {
        let walked = each_field(response.get(), |key, value| {
            if key == "error" {
                error = details(value);
            }
        });
        debug_assert!(walked.is_ok(), "a part of a valid document is valid");
    }
    error
}

fn details(raw: &RawValue) -> UpstreamError<'_> {
    if is_object(raw) {
        members(raw.get())
    } else {
        UpstreamError { message: text_of(raw), ..UpstreamError::default() }
    }
}

fn members(object: &str) -> UpstreamError<'_> {
    let mut error = UpstreamError::default();
    let walked = each_field(object, |key, value| match key {
        "message" => error.message = text_of(value),
        "type" => error.kind = text_of(value),
        "code" => error.code = text_of(value).or_else(|| digits(value)),
        _ => {}
    });
    debug_assert!(walked.is_ok(), "a part of a valid document is valid");
    error
}

fn digits(raw: &RawValue) -> Option<Cow<'_, str>> {
    raw.get().bytes().all(|b| b.is_ascii_digit()).then(|| Cow::Borrowed(raw.get()))
}

#[cfg(test)]
mod tests;
