//! The headers of one part.

use std::ops::Range;

use super::parameters::{Parameters, is_token};

/// What a part's headers say.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PartHead<'a> {
    /// The form field.
    pub(super) name: &'a [u8],
    /// Whether it is a file.
    pub(super) has_filename: bool,
    /// Whether its text is in another encoding than UTF-8.
    pub(super) has_foreign_text: bool,
    /// How long its value says it is, and where in the head. Some readers go by that and not by the boundary.
    pub(super) length: Option<(u64, Range<usize>)>,
}

/// The headers that are read, each of them at most once.
#[derive(Default)]
struct Lines<'a> {
    disposition: Option<&'a [u8]>,
    content_type: Option<&'a [u8]>,
    transfer_encoding: Option<&'a [u8]>,
    encoding: Option<&'a [u8]>,
    length: Option<&'a [u8]>,
    /// Where the length stands in the head.
    length_at: Range<usize>,
}

/// Reads a head: lines that each end in CR LF, without the empty one behind them. An error says what is wrong, as the
/// end of a sentence, and how far into the head the line is that it is wrong with.
pub(super) fn read<'a>(head: &'a [u8], delimiter: &[u8]) -> Result<PartHead<'a>, (&'static str, usize)> {
    let mut lines = Lines::default();
    let mut rest = head;
    while !rest.is_empty() {
        let at = head.len() - rest.len();
        let end = memchr::memmem::find(rest, b"\r\n").ok_or(("has a header without an end", at))?;
        let (line, behind) = rest.split_at(end);
        if line.starts_with(delimiter) {
            return Err(("ends before its headers do", at));
        }
        lines.take(line, at).map_err(|why| (why, at))?;
        rest = behind.get(2..).unwrap_or_default();
    }
    lines.understand().map_err(|why| (why, 0))
}

// === impl Lines ===

impl<'a> Lines<'a> {
    /// The line begins at `at` in the head.
    fn take(&mut self, line: &'a [u8], at: usize) -> Result<(), &'static str> {
        if line.iter().any(|b| b.is_ascii_control() && *b != b'\t') {
            return Err("has a control character, or a line end that is not CR LF, in its headers");
        }
        let colon = memchr::memchr(b':', line).ok_or("has a header without a colon")?;
        let (name, value) = line.split_at(colon);
        if name.is_empty() || !name.iter().all(|b| is_token(*b)) {
            return Err("has a header whose name is none");
        }
        let value = value.get(1..).unwrap_or_default().trim_ascii_start();
        let value_at = at + line.len() - value.len();
        let value = value.trim_ascii_end();
        let place = if name.eq_ignore_ascii_case(b"content-disposition") {
            &mut self.disposition
        } else if name.eq_ignore_ascii_case(b"content-type") {
            &mut self.content_type
        } else if name.eq_ignore_ascii_case(b"content-transfer-encoding") {
            &mut self.transfer_encoding
        } else if name.eq_ignore_ascii_case(b"content-encoding") {
            &mut self.encoding
        } else if name.eq_ignore_ascii_case(b"content-length") {
            self.length_at = value_at..value_at + value.len();
            &mut self.length
        } else {
            return Ok(());
        };
        match place.replace(value) {
            None => Ok(()),
            Some(_) => Err("has the same header twice"),
        }
    }

    fn understand(self) -> Result<PartHead<'a>, &'static str> {
        let disposition = self.disposition.ok_or("has no content-disposition")?;
        let disposition = Parameters::read(disposition)?;
        if !disposition.essence.eq_ignore_ascii_case(b"form-data") {
            return Err("has a content-disposition other than form-data");
        }
        if disposition.has("name*") {
            return Err("has an encoded name");
        }
        let name = disposition.one("name")?.ok_or("has no name")?.value;
        if name.contains(&b'\\') {
            return Err("has a backslash in its name");
        }
        if self.transfer_encoding.is_some_and(|encoding| !is_identity(encoding)) {
            return Err("has a content-transfer-encoding, which the gateway does not undo");
        }
        if self.encoding.is_some_and(|encoding| !encoding.eq_ignore_ascii_case(b"identity")) {
            return Err("has a content-encoding, which the gateway does not undo");
        }
        let (file, encoded) = (disposition.one("filename")?, disposition.one("filename*")?);
        Ok(PartHead {
            name,
            has_filename: file.is_some() || encoded.is_some(),
            has_foreign_text: self.content_type.map_or(Ok(false), is_foreign)?,
            length: self.length.map(number).transpose()?.map(|length| (length, self.length_at)),
        })
    }
}

/// A length as every reader reads it.
fn number(digits: &[u8]) -> Result<u64, &'static str> {
    let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(digits).ok().filter(|_| plain).and_then(|digits| digits.parse().ok());
    number.ok_or("has a content-length that is no number")
}

/// Whether the text means its own bytes.
fn is_identity(encoding: &[u8]) -> bool {
    [&b"7bit"[..], b"8bit", b"binary"].iter().any(|known| encoding.eq_ignore_ascii_case(known))
}

/// Whether text of this type would be read otherwise than as UTF-8.
fn is_foreign(content_type: &[u8]) -> Result<bool, &'static str> {
    if content_type.get(..10).is_some_and(|start| start.eq_ignore_ascii_case(b"multipart/")) {
        return Err("holds parts of its own");
    }
    // A file's type is the upstream's to judge: only what can be read says anything here.
    let Ok(parameters) = Parameters::read(content_type) else { return Ok(true) };
    let known = |value: &[u8]| {
        [&b"utf-8"[..], b"utf8", b"us-ascii"].iter().any(|known| value.eq_ignore_ascii_case(known))
    };
    let charsets = parameters.one("charset");
    Ok(charsets.map_or(true, |charset| charset.is_some_and(|charset| !known(charset.value))))
}
