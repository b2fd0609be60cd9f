//! Follows a server-sent event stream while its bytes pass by.
//!
//! The scanner stands beside the relay: it never copies or changes what is relayed, it only says where events end and
//! what they hold. An event that lies in one chunk with one `data:` line (practically all of them) is shown in place;
//! only what spans chunks is carried over, and that is bounded.
//!
//! A relay that forwards no further than [`Fed::complete`], and holds the rest of the chunk back until the next one
//! completes it, can append an error event at any time without running into half an event. It costs the client
//! nothing: half an event is of no use to it.

use std::mem;
use std::ops::ControlFlow;

use super::choices::Choices;
use gateway_domain::Usage;

use super::event::{Heard, Said, hear};

/// How many bytes one event may have before the stream counts as broken.
pub const DEFAULT_MAX_EVENT_BYTES: usize = 1024 * 1024;

/// Carried buffers above this size are given back once their event is over.
const KEEP_CAPACITY: usize = 16 * 1024;

/// The state of one stream between two chunks.
#[derive(Clone, Debug)]
pub struct Scanner {
    limit: usize,
    /// The beginning of a line whose end has not come yet.
    line: Vec<u8>,
    /// The data of the unfinished event, as far as it came in earlier chunks or in several lines.
    data: Vec<u8>,
    data_lines: usize,
    name: String,
    /// Whether the unfinished event has any field yet.
    open: bool,
    /// Bytes since the last boundary, line ends not counted.
    pending: usize,
    /// The last byte was a carriage return: a line feed that follows belongs to it.
    after_cr: bool,
    first_line: bool,
    choices: Choices,
    seen: Seen,
}

/// What went by so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each was met or not, whatever the others")]
pub struct Seen {
    /// An event that is part of an answer: no error, no keep-alive, not malformed.
    pub content: bool,
    /// The answer is complete: a `finish_reason` for every choice that has begun, or the closing event of a response.
    pub finish: bool,
    /// `data: [DONE]`
    pub done: bool,
    /// An `id:` that is not empty.
    pub ids: bool,
}

/// One event, shown while its chunk is at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// The `event:` field; empty when there is none.
    pub name: &'a str,
    /// The `data:` lines, joined by line feeds.
    pub data: &'a str,
    /// What the event says in OpenAI's terms.
    pub heard: Heard,
    /// The tokens that it counts, if it does.
    pub usage: Option<Usage>,
}

/// How far a chunk was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fed {
    /// This many bytes of the chunk, together with everything before them, are whole events (or comments).
    pub complete: usize,
    /// The callback broke off, and where `complete` lies because of that.
    pub stopped: Option<Stop>,
}

/// Where a callback ends the reading of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Before the event that it was shown.
    Before,
    /// Behind it.
    Behind,
}

/// A stream that must not be relayed any further. What was complete before the fault still may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// A line, or an event, has no end within the limit.
    #[error("an event of the stream is longer than {limit} bytes")]
    TooLong {
        /// The limit in bytes.
        limit: usize,
        /// As in [`Fed::complete`].
        complete: usize,
    },
    /// Clients decode strictly and would die of it.
    #[error("an event of the stream is not valid UTF-8")]
    InvalidUtf8 {
        /// As in [`Fed::complete`].
        complete: usize,
    },
}

// === impl ScanError ===

impl ScanError {
    /// As in [`Fed::complete`].
    pub fn complete(&self) -> usize {
        match *self {
            Self::TooLong { complete, .. } | Self::InvalidUtf8 { complete } => complete,
        }
    }
}

/// One chunk being read.
struct Pass<'c> {
    chunk: &'c [u8],
    /// The only data line of the current event, when it lies in this chunk and was not copied.
    here: Option<&'c [u8]>,
    complete: usize,
}

enum Line<'a> {
    Blank,
    Comment,
    Data(&'a [u8]),
    Other,
}

// === impl Scanner ===

impl Default for Scanner {
    fn default() -> Self {
        Self::new(DEFAULT_MAX_EVENT_BYTES)
    }
}

impl Scanner {
    /// A scanner at the start of a stream whose events have at most `max_event_bytes`.
    pub fn new(max_event_bytes: usize) -> Self {
        Self {
            limit: max_event_bytes,
            line: Vec::new(),
            data: Vec::new(),
            data_lines: 0,
            name: String::new(),
            open: false,
            pending: 0,
            after_cr: false,
            first_line: true,
            choices: Choices::default(),
            seen: Seen::default(),
        }
    }

    /// Reads the next chunk and shows each event that ends in it. After an error, or once the callback broke off,
    /// the stream is over for the scanner.
    pub fn feed(
        &mut self,
        chunk: &[u8],
        mut on_event: impl FnMut(Event<'_>) -> ControlFlow<Stop>,
    ) -> Result<Fed, ScanError> {
        let mut pass = Pass { chunk, here: None, complete: 0 };
        let mut at = self.skip_line_feed(&mut pass);
        while let Some((line, next)) = self.next_line(chunk, at) {
            self.grow(line.len(), pass.complete)?;
            at = next;
            if let ControlFlow::Break(stop) = self.take_line(line, next, &mut pass, &mut on_event)? {
                return Ok(Fed { complete: pass.complete, stopped: Some(stop) });
            }
        }
        let rest = chunk.get(at..).unwrap_or_default();
        self.grow(rest.len(), pass.complete)?;
        self.line.extend_from_slice(rest);
        if let Some(here) = pass.here {
            self.data.extend_from_slice(here);
        }
        Ok(Fed { complete: pass.complete, stopped: None })
    }

    /// Tells the scanner that the stream is over. An event that only lacks its closing blank line is shown, too; see
    /// [`Scanner::at_boundary`] (beforehand) for whether there is one.
    pub fn finish(
        &mut self,
        mut on_event: impl FnMut(Event<'_>) -> ControlFlow<Stop>,
    ) -> Result<(), ScanError> {
        for closing in [&b"\n"[..], b"\n"] {
            if !self.at_boundary() {
                self.after_cr = false;
                self.feed(closing, &mut on_event)?;
            }
        }
        Ok(())
    }

    /// Whether everything so far is whole events: an event appended now would be understood.
    pub fn at_boundary(&self) -> bool {
        !self.open && self.line.is_empty()
    }

    /// What went by so far.
    pub fn seen(&self) -> Seen {
        self.seen
    }

    fn skip_line_feed(&mut self, pass: &mut Pass<'_>) -> usize {
        let Some(first) = pass.chunk.first() else { return 0 };
        let skip = usize::from(mem::take(&mut self.after_cr) && *first == b'\n');
        if self.at_boundary() {
            pass.complete = skip;
        }
        skip
    }

    /// The line that begins at `at`, as far as it lies in this chunk, and where the next one begins.
    fn next_line<'c>(&mut self, chunk: &'c [u8], at: usize) -> Option<(&'c [u8], usize)> {
        let rest = chunk.get(at..)?;
        let len = memchr::memchr2(b'\n', b'\r', rest)?;
        let is_cr = rest.get(len) == Some(&b'\r');
        let following = rest.get(len + 1);
        self.after_cr = is_cr && following.is_none();
        let ending = if is_cr && following == Some(&b'\n') { 2 } else { 1 };
        Some((rest.get(..len)?, at + len + ending))
    }

    fn grow(&mut self, by: usize, complete: usize) -> Result<(), ScanError> {
        self.pending += by;
        if self.pending > self.limit {
            return Err(ScanError::TooLong { limit: self.limit, complete });
        }
        Ok(())
    }

    fn take_line<'c>(
        &mut self,
        line: &'c [u8],
        next: usize,
        pass: &mut Pass<'c>,
        on_event: &mut impl FnMut(Event<'_>) -> ControlFlow<Stop>,
    ) -> Result<ControlFlow<Stop>, ScanError> {
        let read = if self.line.is_empty() {
            self.read_line(line, pass)?
        } else {
            let mut carried = mem::take(&mut self.line);
            carried.extend_from_slice(line);
            let read = match self.read_line(&carried, pass)? {
                Line::Data(value) => {
                    self.append(value, pass);
                    Line::Other
                }
                Line::Blank => Line::Blank,
                Line::Comment => Line::Comment,
                Line::Other => Line::Other,
            };
            carried.clear();
            self.line = carried;
            self.line.shrink_to(KEEP_CAPACITY);
            read
        };
        match read {
            Line::Data(value) if self.data_lines == 0 => {
                pass.here = Some(value);
                self.data_lines = 1;
            }
            Line::Data(value) => self.append(value, pass),
            Line::Blank => return self.dispatch(next, pass, on_event),
            Line::Comment | Line::Other => {}
        }
        if !self.open {
            self.pending = 0;
            pass.complete = next;
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Notes what a whole line says. Data is returned, because only the caller knows how long it lives.
    fn read_line<'l>(&mut self, line: &'l [u8], pass: &Pass<'_>) -> Result<Line<'l>, ScanError> {
        let line = match line.strip_prefix(b"\xEF\xBB\xBF") {
            Some(rest) if self.first_line => rest,
            _ => line,
        };
        self.first_line = false;
        if line.is_empty() {
            return Ok(Line::Blank);
        }
        let colon = memchr::memchr(b':', line).unwrap_or(line.len());
        let (field, value) = line.split_at(colon);
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        if field == b"data" {
            self.open = true;
            return Ok(Line::Data(value));
        }
        let invalid = ScanError::InvalidUtf8 { complete: pass.complete };
        std::str::from_utf8(field).map_err(|_| invalid)?;
        let value = std::str::from_utf8(value).map_err(|_| invalid)?;
        if field.is_empty() {
            return Ok(Line::Comment);
        }
        self.open = true;
        self.seen.ids |= field == b"id" && !value.is_empty();
        if field == b"event" {
            value.clone_into(&mut self.name);
        }
        Ok(Line::Other)
    }

    fn append(&mut self, value: &[u8], pass: &mut Pass<'_>) {
        if self.data_lines > 0 {
            self.data.extend_from_slice(pass.here.take().unwrap_or_default());
            self.data.push(b'\n');
        }
        self.data.extend_from_slice(value);
        self.data_lines += 1;
    }

    /// A blank line: shows the event, if it has data, and starts the next one.
    fn dispatch(
        &mut self,
        next: usize,
        pass: &mut Pass<'_>,
        on_event: &mut impl FnMut(Event<'_>) -> ControlFlow<Stop>,
    ) -> Result<ControlFlow<Stop>, ScanError> {
        let mut flow = ControlFlow::Continue(());
        if self.data_lines > 0 {
            let data = pass.here.take().unwrap_or(&self.data);
            let invalid = ScanError::InvalidUtf8 { complete: pass.complete };
            let data = simdutf8::basic::from_utf8(data).map_err(|_| invalid)?;
            let Said { heard, usage } = hear(&self.name, data, &mut self.choices);
            flow = on_event(Event { name: &self.name, data, heard, usage });
            if flow == ControlFlow::Break(Stop::Before) {
                return Ok(flow);
            }
            // An event before which the callback broke off goes nowhere, so it has not gone by.
            self.seen.done |= heard == Heard::Done;
            self.seen.finish = self.choices.are_finished();
            self.seen.content |= matches!(heard, Heard::Content | Heard::Finish | Heard::Failed);
        }
        self.data.clear();
        self.data.shrink_to(KEEP_CAPACITY);
        self.data_lines = 0;
        self.name.clear();
        self.open = false;
        self.pending = 0;
        pass.complete = next;
        Ok(flow)
    }
}

#[cfg(test)]
mod tests;
