//! Reads a JSON object once and fast, as long as there is nothing to say about it.
//!
//! What is read here is exactly what another parser would read; where that is in doubt, or where something is wrong, the
//! reading stops without a word, and whoever asked reads again with a parser that can say what it is. So all that is
//! unusual may be left out here: escapes in the names of members, objects nested too deeply, words for errors.

mod block;

use super::peek::MAX_DEPTH;
use block::{BLOCK, Look, Reach};

/// How many blocks of a string without anything in them are looked at one by one before larger steps are worth it.
const NEAR: usize = 4;

/// How much of a long string is looked at at a time, in bytes: it fits well into a processor's nearest memory.
const PIECE: usize = 8 << 10;

/// The highest bit of each byte of a word.
const HIGH_BITS: u64 = (u64::MAX / 255) << 7;

/// What is told of an object while it is read.
pub(super) trait Reader<'t> {
    /// A member of the object itself begins: its name without quotes.
    fn begins(&mut self, _name: &'t [u8]) {}
    /// A member of the object itself: its name without quotes, and its value as it stands in the text.
    fn member(&mut self, name: &'t [u8], value: &'t [u8]);
    /// The name, without quotes but with its escapes, of a member of a value within.
    fn inner_name(&mut self, name: &'t [u8]);
    /// A value, or a part of one, begins that is an object or an array.
    fn opens(&mut self, _is_object: bool) {}
    /// It ends.
    fn closes(&mut self) {}
    /// A value, or a part of one, that is neither, as it stands in the text.
    fn scalar(&mut self, _text: &'t [u8]) {}
}

/// Reads the object that `text` is. `None` where it is none, or is for another parser to judge: then what was told of it
/// counts for nothing.
pub(super) fn read<'t>(text: &'t [u8], reader: &mut impl Reader<'t>) -> Option<()> {
    let mut plain = Plain { text, at: 0, seen: 0 };
    plain.blank();
    plain.take(b'{')?;
    plain.blank();
    if plain.take(b'}').is_none() {
        loop {
            let name = plain.name()?;
            if name.contains(&b'\\') {
                return None;
            }
            let from = plain.at;
            reader.begins(name);
            plain.value(reader)?;
            reader.member(name, text.get(from..plain.at)?);
            plain.blank();
            if plain.take(b',').is_none() {
                plain.take(b'}')?;
                break;
            }
            plain.blank();
        }
    }
    plain.blank();
    let ends = plain.at == text.len();
    let is_text = plain.seen & HIGH_BITS == 0 || simdutf8::basic::from_utf8(text).is_ok();
    (ends && is_text).then_some(())
}

struct Plain<'t> {
    text: &'t [u8],
    at: usize,
    /// All bytes of strings, one over the other: tells whether any is not ASCII.
    seen: u64,
}

/// Objects and arrays within each other: one bit for each, the innermost last, set for objects.
#[derive(Default)]
struct Levels {
    objects: u128,
    depth: usize,
}

// === impl Plain ===

impl<'t> Plain<'t> {
    /// One value with all that is in it.
    fn value(&mut self, reader: &mut impl Reader<'t>) -> Option<()> {
        let mut levels = Levels::default();
        loop {
            // A value begins.
            let from = self.at;
            match self.text.get(from)? {
                b'{' => {
                    self.open();
                    levels.enter(true)?;
                    reader.opens(true);
                    if self.take(b'}').is_none() {
                        reader.inner_name(self.name()?);
                        continue;
                    }
                    levels.leave();
                    reader.closes();
                }
                b'[' => {
                    self.open();
                    levels.enter(false)?;
                    reader.opens(false);
                    if self.take(b']').is_none() {
                        continue;
                    }
                    levels.leave();
                    reader.closes();
                }
                first => {
                    match first {
                        b'"' => drop(self.string()?),
                        b't' => self.word(b"true")?,
                        b'f' => self.word(b"false")?,
                        b'n' => self.word(b"null")?,
                        _ => self.number()?,
                    }
                    reader.scalar(self.text.get(from..self.at)?);
                }
            }
            // A value has ended, and those that end with it.
            loop {
                let Some(in_object) = levels.innermost() else { return Some(()) };
                self.blank();
                if self.take(b',').is_some() {
                    self.blank();
                    if in_object {
                        reader.inner_name(self.name()?);
                    }
                    break;
                }
                self.take(if in_object { b'}' } else { b']' })?;
                levels.leave();
                reader.closes();
            }
        }
    }

    /// The name of a member, and all that stands between it and its value.
    fn name(&mut self) -> Option<&'t [u8]> {
        if self.text.get(self.at) != Some(&b'"') {
            return None;
        }
        let name = self.string()?;
        self.blank();
        self.take(b':')?;
        self.blank();
        Some(name)
    }

    /// A string whose opening quote is here: what stands between its quotes.
    fn string(&mut self) -> Option<&'t [u8]> {
        let from = self.at + 1;
        self.at = from;
        let (mut is_escaped, mut without_any) = (false, 0);
        loop {
            let rest = self.text.get(self.at..)?;
            let Some(block) = rest.first_chunk() else {
                // Back to the backslash, if there was one.
                self.at -= usize::from(is_escaped);
                return self.end_of_string(from);
            };
            let look = Look::at(*block);
            if look.has_not_ascii() {
                self.seen |= HIGH_BITS;
            }
            without_any = if look.is_blank() { without_any + 1 } else { 0 };
            match look.reach(is_escaped) {
                Reach::Ends(place) => {
                    let end = self.at + place;
                    self.at = end + 1;
                    return self.text.get(from..end);
                }
                Reach::GoesOn { is_escaped: goes_on } => {
                    self.at += BLOCK;
                    is_escaped = goes_on;
                }
                Reach::Digits(place) => {
                    // Its backslash may stand in the block before.
                    self.at = self.at + place - 1;
                    self.escape()?;
                    // Whoever writes one writes rows of them.
                    while self.text.get(self.at..)?.starts_with(b"\\u") {
                        self.escape()?;
                    }
                    is_escaped = false;
                }
                Reach::Bad => return None,
            }
            if without_any > NEAR && !is_escaped {
                self.at += self.run()?;
                without_any = 0;
            }
        }
    }

    /// The same for what is left of a text that is nearly over.
    fn end_of_string(&mut self, from: usize) -> Option<&'t [u8]> {
        loop {
            match self.text.get(self.at)? {
                b'"' => {
                    let inside = self.text.get(from..self.at);
                    self.at += 1;
                    return inside;
                }
                b'\\' => self.escape()?,
                // A control character.
                ..b' ' => return None,
                byte => {
                    self.seen |= u64::from(*byte);
                    self.at += 1;
                }
            }
        }
    }

    /// How many bytes there are up to the next one that means something in a string, or is not allowed in one. For those that
    /// may be very long: they are looked at twice, piece by piece, so that the second look finds what the first has fetched.
    fn run(&mut self) -> Option<usize> {
        let mut length = 0;
        for piece in self.text.get(self.at..)?.chunks(PIECE) {
            let end = memchr::memchr2(b'"', b'\\', piece);
            let piece = piece.get(..end.unwrap_or(piece.len()))?;
            match highest(piece) {
                0..NOT_ASCII => {}
                NOT_ASCII..CONTROL => self.seen |= HIGH_BITS,
                CONTROL.. => return None,
            }
            length += piece.len();
            if end.is_some() {
                return Some(length);
            }
        }
        None
    }

    /// An escape, which may well stand for half a character.
    fn escape(&mut self) -> Option<()> {
        match self.text.get(self.at + 1)? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 2,
            b'u' => {
                let digits = self.text.get(self.at + 2..self.at + 6)?;
                if !digits.iter().all(u8::is_ascii_hexdigit) {
                    return None;
                }
                self.at += 6;
            }
            _ => return None,
        }
        Some(())
    }

    fn number(&mut self) -> Option<()> {
        let _ = self.take(b'-');
        if self.take(b'0').is_none() {
            self.digits()?;
        }
        if self.take(b'.').is_some() {
            self.digits()?;
        }
        if self.take(b'e').or_else(|| self.take(b'E')).is_some() {
            let _ = self.take(b'+').or_else(|| self.take(b'-'));
            self.digits()?;
        }
        Some(())
    }

    /// One digit at least.
    fn digits(&mut self) -> Option<()> {
        let from = self.at;
        while self.text.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        (self.at > from).then_some(())
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.text.get(self.at..)?.starts_with(word).then(|| self.at += word.len())
    }

    /// A brace or bracket, and what stands between it and what is inside.
    fn open(&mut self) {
        self.at += 1;
        self.blank();
    }

    fn blank(&mut self) {
        while matches!(self.text.get(self.at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.text.get(self.at) == Some(&byte)).then(|| self.at += 1)
    }
}

// === impl Levels ===

impl Levels {
    fn enter(&mut self, is_object: bool) -> Option<()> {
        self.objects = self.objects << 1 | u128::from(is_object);
        self.depth += 1;
        // The object that is read is one level, too.
        (self.depth < MAX_DEPTH).then_some(())
    }

    fn leave(&mut self) {
        self.objects >>= 1;
        self.depth -= 1;
    }

    /// Whether the innermost one is an object; `None` outside of all.
    fn innermost(&self) -> Option<bool> {
        (self.depth > 0).then_some(self.objects & 1 == 1)
    }
}

/// What [`highest`] gives where a byte is not ASCII, and where one is a control character.
const NOT_ASCII: u8 = 0x80 - b' ';
const CONTROL: u8 = 0u8.wrapping_sub(b' ');

/// The highest of some bytes, all counted from the blank on: behind the last of them the control characters follow.
///
/// So much at a time that compilers make of it what processors do best.
fn highest(bytes: &[u8]) -> u8 {
    const LANES: usize = 128;
    let from_blank = |byte: u8| byte.wrapping_sub(b' ');
    let (rows, rest) = bytes.as_chunks::<LANES>();
    let mut highest = [0; LANES];
    for row in rows {
        for (highest, byte) in highest.iter_mut().zip(row) {
            *highest = from_blank(*byte).max(*highest);
        }
    }
    let rest = rest.iter().map(|byte| from_blank(*byte));
    highest.into_iter().chain(rest).max().unwrap_or(0)
}

#[cfg(test)]
mod tests;
