//! Reads from a multipart body what the gateway must know, while it passes, in pieces cut anywhere.
//!
//! Like [`peek`](super::peek()) it must not allow a second opinion, and readers of multipart differ more than those of
//! JSON. So the form is taken at its narrowest: CR LF alone ends a line, nothing stands before the first delimiter or
//! behind the last, a line that begins with the delimiter is one, and every header is where and what it should be.
//! Files pass by unseen; of everything else only the values named in [`READ`] are kept.

mod boundary;
mod head;
mod parameters;
mod part_value;

use std::borrow::Cow;
use std::mem::take;

use bytes::Bytes;

use super::batch_lines::{BatchLines, BatchModels};
use super::peek::{MAX_MODEL_CHARS, ModelSpan, Peek, PeekError, flaw_of_model};

pub use boundary::{MAX_BOUNDARY, boundary_of, is_multipart};
pub use part_value::{GivenLength, PartValue};

/// How long the headers of one part may be together, in bytes.
pub const MAX_PART_HEAD: usize = 16 << 10;

/// How many parts a form may have.
pub const MAX_PARTS: usize = 1_000;

/// How many names of parts are kept, and how many bytes of each.
const NAMES_KEPT: (usize, usize) = (64, 64);

/// How long the value of a part may be that is read, in bytes.
const MAX_VALUE: usize = 4 * MAX_MODEL_CHARS;

/// The parts whose values are read. Each may be given once, and not as a file.
const READ: [&str; 9] = [
    "model",
    "stream",
    "purpose",
    "user",
    "prompt_cache_key",
    "file_id",
    "consent",
    "video[id]",
    "input_reference[file_id]",
];

/// What a form says, as far as the gateway cares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MultipartPeek {
    /// The `model`, of 1 to [`MAX_MODEL_CHARS`] characters, and where it stands.
    pub model: Option<(String, PartValue)>,
    /// Whether `stream` is `true`.
    pub stream: bool,
    /// `purpose`: what an uploaded file is for.
    pub purpose: Option<String>,
    /// `user`: the caller's own name for its end user.
    pub user: Option<String>,
    /// `prompt_cache_key`.
    pub prompt_cache_key: Option<String>,
    /// Whether any part is a file.
    pub has_file: bool,
    /// The models that the lines of the `file` ask, if that was to be found out and its purpose is a batch.
    pub batch: Option<BatchModels>,
    /// The ids of objects that are used: a file, a voice's consent, a video.
    pub ids: Vec<String>,
    /// The names of the parts in their order, the first of them only, and cut.
    pub names: Vec<String>,
}

/// Reads a form piece by piece. Takes linear time and bounded memory, whatever comes.
#[derive(Clone, Debug)]
pub struct MultipartScanner {
    /// Two dashes and the boundary.
    delimiter: Vec<u8>,
    state: State,
    /// How many bytes have been taken in.
    at: u64,
    /// What is being collected: a head, or a value that is read.
    held: Vec<u8>,
    /// The part under way, if its value is read: its name, and where the value begins.
    reading: Option<(&'static str, u64)>,
    /// The length that is given to that value.
    given: Option<GivenLength>,
    /// Where the value under way ends by its own account.
    announced_end: Option<u64>,
    /// Reads the lines of the part `file`, if anybody wants to know; and whether that part is under way.
    lines: Option<BatchLines>,
    in_file: bool,
    /// One bit per name in [`READ`], set once the name was met.
    seen: u16,
    parts: usize,
    peek: MultipartPeek,
    refused: Option<PeekError>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the first delimiter: this many bytes of a line end and the delimiter have come.
    Start(usize),
    /// Behind a delimiter: the byte that has come, if any, of the two that say what follows.
    Delimited(Option<u8>),
    /// In a part's head.
    Head,
    /// In a part's value, and within a line.
    Line,
    /// In a part's value, at the beginning of a line: what it is behind, and how much of the delimiter has come.
    LineStart(Break, usize),
    /// Behind the last delimiter.
    Closed,
}

/// What a line can begin behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Break {
    /// The head: the value's first line.
    Head,
    Cr,
    Lf,
    CrLf,
}

// === impl MultipartPeek ===

impl MultipartPeek {
    /// Whether the form lacks a file: it has none under any name, and none of these parts, nor one that is the first of
    /// several (`image[]`).
    pub fn lacks(&self, files: &[&str]) -> bool {
        let is_one = |name: &String| {
            let name = name.split('[').next().unwrap_or_default();
            files.contains(&name)
        };
        // Of very many parts not all names are known.
        !files.is_empty()
            && !self.has_file
            && self.names.len() < NAMES_KEPT.0
            && !self.names.iter().any(is_one)
    }

    /// The same in the words of a body in JSON; the span is that of the bare name.
    pub fn to_peek(&self) -> Peek<'_> {
        let index = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
        let model = self.model.as_ref().map(|(name, PartValue { span, .. })| ModelSpan {
            value: Cow::Borrowed(&**name),
            span: index(span.start)..index(span.end),
        });
        Peek {
            model,
            stream: self.stream,
            prompt_cache_key: self.prompt_cache_key.as_deref().map(Cow::Borrowed),
            has_prompt_cache_key: self.prompt_cache_key.is_some(),
            user: self.user.as_deref().map(Cow::Borrowed),
            ..Peek::default()
        }
    }
}

// === impl MultipartScanner ===

impl MultipartScanner {
    /// A scanner at the start of a form with this boundary: 1 to [`MAX_BOUNDARY`] of the characters that boundaries may
    /// have.
    pub fn new(boundary: &[u8]) -> Result<Self, PeekError> {
        boundary::check(boundary)?;
        Ok(Self {
            delimiter: [b"--", boundary].concat(),
            state: State::Start(0),
            at: 0,
            held: Vec::new(),
            reading: None,
            given: None,
            announced_end: None,
            lines: None,
            in_file: false,
            seen: 0,
            parts: 0,
            peek: MultipartPeek::default(),
            refused: None,
        })
    }

    /// The same, which also reads the lines of the file.
    #[must_use]
    pub fn reading_lines(self, lines: Option<BatchLines>) -> Self {
        Self { lines, ..self }
    }

    /// Takes in the next bytes of the body. Once it has refused them, it refuses whatever comes in the same words.
    pub fn feed(&mut self, chunk: &[u8]) -> Result<(), PeekError> {
        if let Some(refused) = &self.refused {
            return Err(refused.clone());
        }
        let mut rest = chunk;
        while let Some(first) = rest.first() {
            let in_value = matches!(self.state, State::Line | State::LineStart(..));
            let used = match self.state {
                State::Line => Ok(self.line(rest)),
                State::Head => self.head(rest),
                State::LineStart(behind, matched) => Ok(self.line_start(*first, behind, matched)),
                State::Start(matched) => self.start(*first, matched),
                State::Delimited(before) => self.delimited(*first, before),
                State::Closed => self.closed(*first),
            };
            let kept = used.and_then(|used| {
                let (used, behind) = rest.split_at(used);
                rest = behind;
                self.at += used.len() as u64;
                if in_value { self.pass(used) } else { Ok(()) }
            });
            if let Err(error) = kept {
                self.refused = Some(error.clone());
                return Err(error);
            }
        }
        Ok(())
    }

    /// What the form has said, once all of it has been taken in.
    pub fn finish(self) -> Result<MultipartPeek, PeekError> {
        match (self.refused, self.state) {
            (Some(refused), _) => Err(refused),
            (None, State::Closed) => {
                let batch = self.lines.map(BatchLines::finish);
                Ok(MultipartPeek { batch, ..self.peek })
            }
            (None, _) => {
                let why = format!("it ends at byte {} without its closing boundary", self.at);
                Err(PeekError::multipart(&why))
            }
        }
    }

    /// Keeps these bytes of a value if it is read, and ends the value where they have completed the delimiter.
    fn pass(&mut self, used: &[u8]) -> Result<(), PeekError> {
        if let Some((name, start)) = self.reading {
            // With what may turn out to be the delimiter, so that nothing needs to be held back.
            if self.held.len() + used.len() > MAX_VALUE + self.delimiter.len() + 2 {
                return Err(too_long(name, start));
            }
            self.held.extend_from_slice(used);
        }
        // The delimiter comes along as a last line without an end, which is none.
        if let (true, Some(lines)) = (self.in_file, &mut self.lines) {
            lines.feed(used);
        }
        if let State::LineStart(behind, matched) = self.state
            && matched == self.delimiter.len()
        {
            return self.end_part(behind);
        }
        Ok(())
    }

    fn start(&mut self, byte: u8, matched: usize) -> Result<usize, PeekError> {
        // A line end may stand before the first delimiter, and nothing else.
        let matched = if matched == 0 && byte == b'-' { 2 } else { matched };
        let expected = match matched {
            0 => Some(&b'\r'),
            1 => Some(&b'\n'),
            _ => self.delimiter.get(matched - 2),
        };
        if expected != Some(&byte) {
            return Err(PeekError::multipart("it does not begin with its boundary at byte 0"));
        }
        let whole = matched + 1 == self.delimiter.len() + 2;
        self.state = if whole { State::Delimited(None) } else { State::Start(matched + 1) };
        Ok(1)
    }

    fn delimited(&mut self, byte: u8, before: Option<u8>) -> Result<usize, PeekError> {
        self.state = match (before, byte) {
            (None, b'\r' | b'-') => State::Delimited(Some(byte)),
            (Some(b'\r'), b'\n') => State::Head,
            (Some(b'-'), b'-') => State::Closed,
            _ => {
                let why = format!(
                    "the boundary before byte {} is followed by something else than a line end or two dashes",
                    self.at
                );
                return Err(PeekError::multipart(&why));
            }
        };
        Ok(1)
    }

    /// Collects a head up to the empty line behind it.
    fn head(&mut self, rest: &[u8]) -> Result<usize, PeekError> {
        let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
        let room = MAX_PART_HEAD - self.held.len();
        let line = rest.get(..end.min(room)).unwrap_or(rest);
        self.held.extend_from_slice(line);
        if self.held.ends_with(b"\r\n\r\n") || self.held == b"\r\n" {
            let mut head = take(&mut self.held);
            let begin = self.at + line.len() as u64 - head.len() as u64;
            head.truncate(head.len() - 2);
            self.state = State::LineStart(Break::Head, 0);
            self.begin_part(&head, begin, self.at + line.len() as u64)?;
        } else if self.held.len() >= MAX_PART_HEAD {
            let begin = self.at + line.len() as u64 - self.held.len() as u64;
            return Err(PeekError::multipart(&format!("the part at byte {begin} has headers over 16 KiB")));
        }
        Ok(line.len())
    }

    fn line(&mut self, rest: &[u8]) -> usize {
        let Some(at) = memchr::memchr2(b'\r', b'\n', rest) else { return rest.len() };
        let behind = if rest.get(at) == Some(&b'\r') { Break::Cr } else { Break::Lf };
        self.state = State::LineStart(behind, 0);
        at + 1
    }

    fn line_start(&mut self, byte: u8, behind: Break, matched: usize) -> usize {
        if matched == 0 && behind == Break::Cr && byte == b'\n' {
            self.state = State::LineStart(Break::CrLf, 0);
            return 1;
        }
        if self.delimiter.get(matched) == Some(&byte) {
            self.state = State::LineStart(behind, matched + 1);
            return 1;
        }
        // No delimiter holds a line end, so nothing of what has matched can be the beginning of another one.
        self.state = State::Line;
        0
    }

    fn closed(&self, byte: u8) -> Result<usize, PeekError> {
        if matches!(byte, b'\r' | b'\n') {
            return Ok(1);
        }
        Err(PeekError::multipart(&format!("something follows its closing boundary at byte {}", self.at)))
    }

    /// The part's head, without the empty line behind it, begins at `begin`, and its value at `value`.
    fn begin_part(&mut self, text: &[u8], begin: u64, value: u64) -> Result<(), PeekError> {
        self.parts += 1;
        if self.parts > MAX_PARTS {
            return Err(PeekError::multipart(&format!("it has more than {MAX_PARTS} parts at byte {begin}")));
        }
        let head = head::read(text, &self.delimiter).map_err(|(why, at)| {
            PeekError::multipart(&format!("the part at byte {begin} {why} (byte {})", begin + at as u64))
        })?;
        self.in_file = head.name == b"file";
        self.announced_end = head.length.as_ref().map(|(length, _)| value.saturating_add(*length));
        let (most, bytes) = NAMES_KEPT;
        if self.peek.names.len() < most {
            let name = head.name.get(..bytes).unwrap_or(head.name);
            self.peek.names.push(String::from_utf8_lossy(name).into_owned());
        }
        self.peek.has_file |= head.has_filename;
        let known = READ.iter().enumerate().find(|(_, name)| name.as_bytes() == head.name);
        let Some((bit, name)) = known else { return Ok(()) };
        if self.seen & (1 << bit) != 0 {
            return Err(PeekError::part(name, "duplicate_parameter", "names it a second time", begin));
        }
        self.seen |= 1 << bit;
        if head.has_filename {
            return Err(PeekError::part(name, "invalid_type", "is a file; send it as plain text", begin));
        }
        if head.has_foreign_text {
            return Err(PeekError::part(name, "invalid_value", "is not in UTF-8, by its type", begin));
        }
        self.given = head.length.map(|(_, digits)| GivenLength {
            at: begin + digits.start as u64,
            then: Bytes::from([text.get(digits.end..).unwrap_or_default(), b"\r\n"].concat()),
        });
        self.reading = Some((name, value));
        Ok(())
    }

    fn end_part(&mut self, behind: Break) -> Result<(), PeekError> {
        let delimiter = self.at - self.delimiter.len() as u64;
        if behind != Break::CrLf {
            let why = format!(
                "the boundary at byte {delimiter} does not stand behind a line of its part and CR LF"
            );
            return Err(PeekError::multipart(&why));
        }
        if self.announced_end.take().is_some_and(|end| end != delimiter - 2) {
            let why = format!("the part before byte {delimiter} is not as long as its content-length says");
            return Err(PeekError::multipart(&why));
        }
        self.state = State::Delimited(None);
        let Some((name, start)) = self.reading.take() else { return Ok(()) };
        let mut value = take(&mut self.held);
        value.truncate(value.len().saturating_sub(self.delimiter.len() + 2));
        if value.len() > MAX_VALUE {
            return Err(too_long(name, start));
        }
        let value = String::from_utf8(value)
            .map_err(|_| PeekError::part(name, "invalid_value", "is not UTF-8", start))?;
        let at = PartValue { span: start..delimiter - 2, length: self.given.take() };
        self.keep(name, value, at)
    }

    fn keep(&mut self, name: &'static str, value: String, at: PartValue) -> Result<(), PeekError> {
        match name {
            "model" => {
                if let Some(flaw) = flaw_of_model(&value) {
                    return Err(PeekError::part(name, "invalid_value", flaw, at.span.start));
                }
                self.peek.model = Some((value, at));
            }
            "stream" => {
                let stream = value.eq_ignore_ascii_case("true");
                if !stream && !value.eq_ignore_ascii_case("false") {
                    return Err(PeekError::part(
                        name,
                        "invalid_type",
                        "is neither true nor false",
                        at.span.start,
                    ));
                }
                self.peek.stream = stream;
            }
            "purpose" => {
                self.lines = self.lines.take().filter(|_| value == "batch");
                self.peek.purpose = Some(value);
            }
            "user" => self.peek.user = Some(value),
            "prompt_cache_key" => self.peek.prompt_cache_key = Some(value),
            _ => self.peek.ids.extend(Some(value).filter(|id| !id.is_empty())),
        }
        Ok(())
    }
}

fn too_long(name: &'static str, start: u64) -> PeekError {
    let why = if name == "model" { "is longer than 512 characters" } else { "is longer than 2048 bytes" };
    PeekError::part(name, "invalid_value", why, start)
}

#[cfg(test)]
mod tests;
