//! Reads from a request body what the gateway must know, and leaves the body as it is.
//!
//! The body that is read here is the body that is forwarded, so the reading must not allow a second opinion: a body
//! with two top-level `model` members is refused, because the upstream might pick the other one than we authorised.
//! For the same reason anything but plain UTF-8 JSON is refused, and escaped spellings of a key are recognised.

use std::borrow::Cow;
use std::ops::Range;

use serde_json::value::RawValue;

use super::fields::{each_field, place_in};
use super::objects::names_objects;
use super::plain::{Reader, read};
use super::string::{string_end, unquoted};

/// How deep arrays and objects may nest. Real requests stay below 20; parsers behind us may be recursive.
pub const MAX_DEPTH: usize = 128;

/// How many characters a model name may have.
pub const MAX_MODEL_CHARS: usize = 512;

/// The top-level members that are read. Each of them may be given once; what else is given twice is passed on.
const READ: [&str; 10] = [
    "model",
    "stream",
    "stream_options",
    "prompt_cache_key",
    "user",
    "store",
    "previous_response_id",
    "background",
    "conversation",
    "metadata",
];

/// The members of `metadata` that name a conversation, best first.
const SESSION_NAMES: [&str; 4] = ["session", "session_id", "conversation", "conversation_id"];

/// What a request body says, as far as the gateway cares. Borrowed from the body.
///
/// Members of a wrong type count as absent, to judge them is the upstream's business; but `model` and `stream`, which
/// the gateway acts upon, are refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a member of the body, and named after it")]
pub struct Peek<'a> {
    /// The top-level `model`. `None` when it is absent or `null`.
    pub model: Option<ModelSpan<'a>>,
    /// Whether `stream` is `true`.
    pub stream: bool,
    /// Whether `stream_options.include_usage` is `true`.
    pub include_usage: bool,
    /// `prompt_cache_key`, when it is a string.
    pub prompt_cache_key: Option<Cow<'a, str>>,
    /// Whether the body has a `prompt_cache_key`, of whatever type.
    pub has_prompt_cache_key: bool,
    /// `user`, when it is a string: the caller's own name for its end user.
    pub user: Option<Cow<'a, str>>,
    /// `store`; `None` when it is absent, because its default differs between endpoints.
    pub store: Option<bool>,
    /// `previous_response_id`, when it is a string: the call continues state that lives at one upstream account.
    pub previous_response_id: Option<Cow<'a, str>>,
    /// Whether `background` is `true`.
    pub background: bool,
    /// Whether the call adds to a `conversation` that lives at one upstream account.
    pub conversation: bool,
    /// The conversation named in `metadata` (`session`, `session_id`, `conversation` or `conversation_id`).
    pub session: Option<Cow<'a, str>>,
    /// Whether the body, at whatever depth, has a member that may name an object or a model besides its own. If not,
    /// nobody needs to look for them.
    pub names_objects: bool,
}

/// The model name and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelSpan<'a> {
    /// The decoded name: 1 to [`MAX_MODEL_CHARS`] characters, none of them a control character.
    pub value: Cow<'a, str>,
    /// The bytes of the JSON string in the body, quotes included.
    pub span: Range<usize>,
}

/// Why a body was refused, in words for the one who sent it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PeekError {
    message: String,
    param: Option<&'static str>,
    code: &'static str,
}

/// Validates the whole body and finds the members of [`Peek`] at its top level.
pub fn peek(body: &[u8]) -> Result<Peek<'_>, PeekError> {
    let mut found = Found::new(body);
    match read(body, &mut found) {
        Some(()) => found.end(),
        None => peek_closely(body),
    }
}

/// The same with a parser that can say what is wrong, and that knows how to read what is spelled unusually.
fn peek_closely(body: &[u8]) -> Result<Peek<'_>, PeekError> {
    let text = plain_text(body)?;
    if let Some(at) = too_deep_at(body) {
        return Err(PeekError::invalid_json(&format!(
            "it nests deeper than {MAX_DEPTH} levels at byte {at}; flatten it"
        )));
    }
    let mut found = Found::new(body);
    found.peek.names_objects = true;
    each_field(text, |key, value| found.take(key, value.get())).map_err(|e| PeekError::syntax(&e, body))?;
    found.end()
}

struct Found<'a> {
    body: &'a [u8],
    peek: Peek<'a>,
    /// One bit per name in [`READ`], set once the name was met.
    seen: u16,
    /// The first thing found wrong with a member. Kept aside so that a syntax error further on is told first.
    refused: Option<PeekError>,
}

// === impl Peek ===

impl<'a> Peek<'a> {
    /// The model, for endpoints that cannot do without.
    pub fn require_model(&self) -> Result<&ModelSpan<'a>, PeekError> {
        self.model.as_ref().ok_or_else(PeekError::missing_model)
    }
}

// === impl Found ===

impl<'a> Found<'a> {
    fn new(body: &'a [u8]) -> Self {
        Self { body, peek: Peek::default(), seen: 0, refused: None }
    }

    fn end(self) -> Result<Peek<'a>, PeekError> {
        match self.refused {
            Some(refused) => Err(refused),
            None => Ok(self.peek),
        }
    }

    fn take(&mut self, key: &str, value: &'a str) {
        let Some((at, name)) = READ.iter().enumerate().find(|(_, name)| **name == key) else { return };
        let bit = 1 << at;
        if self.seen & bit != 0 {
            self.refuse(PeekError::duplicate(name, place_of(self.body, value).start));
            return;
        }
        self.seen |= bit;
        match *name {
            "model" => match model_at(value, place_of(self.body, value)) {
                Ok(model) => self.peek.model = model,
                Err(error) => self.refuse(error),
            },
            "stream" => self.stream(value),
            "stream_options" => self.stream_options(value),
            "prompt_cache_key" => {
                self.peek.has_prompt_cache_key = true;
                self.peek.prompt_cache_key = unquoted(value);
            }
            "user" => self.peek.user = unquoted(value),
            "store" => self.peek.store = bool_of(value),
            "previous_response_id" => self.peek.previous_response_id = unquoted(value),
            "background" => self.peek.background = value == "true",
            "conversation" => self.peek.conversation = value != "null",
            _ => self.metadata(value),
        }
    }

    fn refuse(&mut self, error: PeekError) {
        self.refused.get_or_insert(error);
    }

    /// The gateway acts upon it, so it must mean the same here and upstream.
    fn stream(&mut self, raw: &'a str) {
        match raw {
            "true" => self.peek.stream = true,
            "false" | "null" => {}
            _ => {
                let at = place_of(self.body, raw).start;
                let message = format!(
                    "Invalid 'stream': the value at byte {at} must be true or false, without quotes."
                );
                self.refuse(PeekError { message, param: Some("stream"), code: "invalid_type" });
            }
        }
    }

    fn stream_options(&mut self, raw: &'a str) {
        let mut seen = false;
        let mut twice = None;
        if raw.starts_with('{') {
            let walked = each_field(raw, |key, value| {
                if key == "include_usage" {
                    if seen {
                        twice.get_or_insert(place_of(self.body, value.get()).start);
                    }
                    seen = true;
                    self.peek.include_usage = value.get() == "true";
                }
            });
            debug_assert!(walked.is_ok(), "a part of a valid document is valid");
        }
        if let Some(at) = twice {
            self.refuse(PeekError::duplicate("stream_options.include_usage", at));
        }
    }

    fn metadata(&mut self, raw: &'a str) {
        let mut names: [Option<&'a str>; 4] = [None; 4];
        let mut twice = None;
        if raw.starts_with('{') {
            let walked = each_field(raw, |key, value| {
                let slot = SESSION_NAMES.iter().position(|name| *name == key);
                let slot = slot.and_then(|at| names.get_mut(at));
                if slot.is_some_and(|slot| slot.replace(value.get()).is_some()) {
                    twice.get_or_insert(place_of(self.body, value.get()).start);
                }
            });
            debug_assert!(walked.is_ok(), "a part of a valid document is valid");
        }
        if let Some(at) = twice {
            self.refuse(PeekError::duplicate("metadata", at));
        }
        self.peek.session = names.into_iter().flatten().filter_map(unquoted).find(|name| !name.is_empty());
    }
}

impl<'a> Reader<'a> for Found<'a> {
    fn member(&mut self, name: &'a [u8], value: &'a [u8]) {
        self.peek.names_objects |= name != b"model" && names_objects(name);
        if !READ.iter().any(|read| read.as_bytes() == name) {
            return;
        }
        // Neither fails in a text that is read to its end.
        if let (Ok(name), Ok(value)) = (std::str::from_utf8(name), std::str::from_utf8(value)) {
            self.take(name, value);
        }
    }

    fn inner_name(&mut self, name: &'a [u8]) {
        self.peek.names_objects |= names_objects(name);
    }

    fn escaped_name(&mut self) {
        self.peek.names_objects = true;
    }
}

// === impl PeekError ===

impl PeekError {
    /// What is wrong, where, and what to do about it; a sentence for the `message` of the answer.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The member that is wrong; `None` when the whole body is.
    pub fn param(&self) -> Option<&'static str> {
        self.param
    }

    /// The machine-readable `code` of the answer.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The body names no model, and the endpoint needs one.
    pub fn missing_model() -> Self {
        Self {
            message:
                "Missing required parameter: 'model'. Name the model at the top level of the request body."
                    .into(),
            param: Some("model"),
            code: "missing_required_parameter",
        }
    }

    /// A form of this length brings no file to an endpoint that cannot do without.
    pub(crate) fn missing_file(param: &'static str, length: u64) -> Self {
        let message = format!(
            "Missing required parameter: '{param}'. The form ends at byte {length} and has no file; send it as a part."
        );
        Self { message, param: Some(param), code: "missing_required_parameter" }
    }

    /// The body is no form that can be read in one way only.
    pub(super) fn multipart(why: &str) -> Self {
        let message = format!("The request body is not valid multipart/form-data: {why}.");
        Self { message, param: None, code: "invalid_multipart" }
    }

    /// The header that says how a form is to be read.
    pub(crate) fn content_type(why: &str) -> Self {
        let message = format!(
            "Invalid content-type: it {why}; send multipart/form-data with a boundary of 1 to 70 characters."
        );
        Self { message, param: None, code: "invalid_multipart" }
    }

    /// A part of a form that is read.
    pub(super) fn part(param: &'static str, code: &'static str, why: &str, at: u64) -> Self {
        let message = format!("Invalid '{param}': the part at byte {at} of the form {why}.");
        Self { message, param: Some(param), code }
    }

    fn model(code: &'static str, why: &str, at: usize) -> Self {
        let message =
            format!("Invalid 'model': the value at byte {at} {why}; give the name of a model as a string.");
        Self { message, param: Some("model"), code }
    }

    pub(super) fn duplicate(param: &'static str, at: usize) -> Self {
        let what =
            if param == "metadata" { "it, or one of its members that name the conversation," } else { "it" };
        let message = format!(
            "Duplicate parameter '{param}': {what} is given a second time at byte {at}; send it once."
        );
        Self { message, param: Some(param), code: "duplicate_parameter" }
    }

    fn invalid_json(why: &str) -> Self {
        let message = format!("The request body is not valid JSON: {why}.");
        Self { message, param: None, code: "invalid_json" }
    }

    fn syntax(error: &serde_json::Error, body: &[u8]) -> Self {
        let (line, column) = (error.line(), error.column());
        let told = error.to_string();
        let what = told.split(" at line ").next().unwrap_or(&told);
        let before: usize =
            body.split_inclusive(|b| *b == b'\n').take(line.saturating_sub(1)).map(<[u8]>::len).sum();
        // The parser points before a control character, and at everything else.
        let column = column + usize::from(what.starts_with("control character"));
        let byte = (before + column.saturating_sub(1)).min(body.len());
        Self::invalid_json(&format!("{what} at line {line}, column {column} (byte {byte})"))
    }
}

/// The model that the value of a member of `text` names; `None` for `null`.
pub(super) fn model_in<'a>(text: &str, raw: &'a RawValue) -> Result<Option<ModelSpan<'a>>, PeekError> {
    model_at(raw.get(), place_in(text, raw))
}

fn model_at(raw: &str, span: Range<usize>) -> Result<Option<ModelSpan<'_>>, PeekError> {
    let start = span.start;
    if raw == "null" {
        return Ok(None);
    }
    if !raw.starts_with('"') {
        return Err(PeekError::model("invalid_type", "must be a string", start));
    }
    let Some(value) = unquoted(raw) else {
        return Err(PeekError::model("invalid_value", "is not Unicode text (a lone surrogate)", start));
    };
    if let Some(flaw) = flaw_of_model(&value) {
        return Err(PeekError::model("invalid_value", flaw, start));
    }
    Ok(Some(ModelSpan { value, span }))
}

/// The bytes of `body` in which `value` stands, which was read from there.
fn place_of(body: &[u8], value: &str) -> Range<usize> {
    let start = value.as_ptr().addr() - body.as_ptr().addr();
    start..start + value.len()
}

fn bool_of(value: &str) -> Option<bool> {
    match value {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// What is wrong with the name of a model, if anything is: the end of a sentence.
pub(super) fn flaw_of_model(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return Some("is empty");
    }
    // Characters are counted only when the bytes leave a doubt.
    if name.len() > MAX_MODEL_CHARS && name.chars().count() > MAX_MODEL_CHARS {
        return Some("is longer than 512 characters");
    }
    name.chars().any(char::is_control).then_some("holds a control character")
}

/// The body as text, when it can be a JSON object at all.
fn plain_text(body: &[u8]) -> Result<&str, PeekError> {
    if body.starts_with(b"\xEF\xBB\xBF") {
        return Err(PeekError::invalid_json(
            "it starts with a byte order mark at byte 0; send UTF-8 without one",
        ));
    }
    let text = std::str::from_utf8(body).map_err(|e| {
        PeekError::invalid_json(&format!("it is not UTF-8 from byte {} on; send UTF-8", e.valid_up_to()))
    })?;
    let blank = text.bytes().take_while(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r')).count();
    match text.as_bytes().get(blank) {
        Some(b'{') => Ok(text),
        Some(_) => {
            Err(PeekError::invalid_json(&format!("it must be an object, but byte {blank} is no `{{`")))
        }
        None => Err(PeekError::invalid_json("it is empty from byte 0 on; send an object")),
    }
}

/// The byte at which nesting exceeds [`MAX_DEPTH`], found without recursion, in text that may be malformed.
fn too_deep_at(text: &[u8]) -> Option<usize> {
    if openers(text) <= MAX_DEPTH {
        return None;
    }
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => at = string_end(text, at + 1)?,
            b'[' | b'{' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Some(at);
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    None
}

/// How many brackets open in `text`, those inside strings included: a bound on the depth that is cheap to have.
fn openers(text: &[u8]) -> usize {
    // Sums of at most 255 fit a byte, which lets the compiler count many bytes at once. `[` and `{` differ in one bit.
    text.chunks(255)
        .map(|chunk| usize::from(chunk.iter().map(|b| u8::from(b | 0x20 == b'{')).sum::<u8>()))
        .sum()
}

#[cfg(test)]
mod tests;
