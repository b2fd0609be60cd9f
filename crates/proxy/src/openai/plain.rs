//! Reads a JSON object once and fast, as long as there is nothing to say about it.
//!
//! What is read here is exactly what another parser would read; where that is in doubt, or where something is wrong, the
//! reading stops without a word, and whoever asked reads again with a parser that can say what it is. So all that is
//! unusual may be left out here: escapes in the names of members, objects nested too deeply, words for errors.

#![expect(clippy::inline_always, reason = "a call costs as much as a short string, of which there are many")]

mod string;

use fearless_simd::Level;

use self::string::Found;
use super::peek::MAX_DEPTH;

/// What is told of an object while it is read.
pub(super) trait Reader<'t> {
    /// A member of the object itself begins: its name without quotes.
    fn begins(&mut self, _name: &'t [u8]) {}
    /// A member of the object itself: its name without quotes, and its value as it stands in the text.
    fn member(&mut self, name: &'t [u8], value: &'t [u8]);
    /// The name, without quotes, of a member of a value within.
    fn inner_name(&mut self, name: &'t [u8]);
    /// The same of a name that is spelled with escapes, and so may be any.
    fn escaped_name(&mut self);
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
    let mut plain = Plain { text, at: 0, level: Level::new(), is_ascii: true };
    plain.blank();
    plain.take(b'{')?;
    plain.blank();
    if plain.take(b'}').is_none() {
        loop {
            let Name::Spelled(name) = plain.name()? else { return None };
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
    let is_text = plain.is_ascii || simdutf8::basic::from_utf8(text).is_ok();
    (ends && is_text).then_some(())
}

struct Plain<'t> {
    text: &'t [u8],
    at: usize,
    /// What this processor can do.
    level: Level,
    /// Whether all bytes of strings are, as far as was seen.
    is_ascii: bool,
}

/// The name of a member.
enum Name<'t> {
    /// As it stands, without quotes.
    Spelled(&'t [u8]),
    /// With escapes in it.
    Escaped,
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
                        self.inner_name(reader)?;
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
                        b'"' => {
                            self.string()?;
                        }
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
                        self.inner_name(reader)?;
                    }
                    break;
                }
                self.take(if in_object { b'}' } else { b']' })?;
                levels.leave();
                reader.closes();
            }
        }
    }

    #[inline(always)]
    fn inner_name(&mut self, reader: &mut impl Reader<'t>) -> Option<()> {
        match self.name()? {
            Name::Spelled(name) => reader.inner_name(name),
            Name::Escaped => reader.escaped_name(),
        }
        Some(())
    }

    /// The name of a member, and all that stands between it and its value.
    #[inline(always)]
    fn name(&mut self) -> Option<Name<'t>> {
        if self.text.get(self.at) != Some(&b'"') {
            return None;
        }
        let from = self.at + 1;
        let found = self.string()?;
        let name = self.text.get(from..from + found.length)?;
        let is_escaped = found.may_escape && memchr::memchr(b'\\', name).is_some();
        self.blank();
        self.take(b':')?;
        self.blank();
        Some(if is_escaped { Name::Escaped } else { Name::Spelled(name) })
    }

    /// A string whose opening quote is here.
    #[inline(always)]
    fn string(&mut self) -> Option<Found> {
        let found = string::measure(self.level, self.text.get(self.at + 1..)?)?;
        self.is_ascii &= found.is_ascii;
        self.at += found.length + 2;
        Some(found)
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

#[cfg(test)]
mod tests;
