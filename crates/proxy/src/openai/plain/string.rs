//! How far a string goes: 64 bytes at a time, with the widest instructions that this processor has.
//!
//! Whatever is asked of many bytes at once must stand in functions that are always inlined, and in no closure: only then it is
//! compiled for the processor that `dispatch!` has found, and not for the least of its kind.

#![expect(clippy::inline_always, reason = "only so it is compiled for each kind of processor")]

use fearless_simd::prelude::*;
use fearless_simd::{Level, dispatch, u8x16, u8x64};

/// How many bytes are looked at at a time.
const BLOCK: usize = 64;
/// Strings with fewer bytes than this are short, and are looked at so many bytes at a time.
const SHORT: usize = 48;
const SHORT_BLOCK: usize = 16;

/// A string whose closing quote was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Bytes before its closing quote.
    pub(super) length: usize,
    /// Whether all of them are ASCII; not said where something behind the string, in its last block, is not.
    pub(super) is_ascii: bool,
    /// Whether there may be escapes among them.
    pub(super) may_escape: bool,
}

/// What a block leaves for the next one to do. One bit for each byte of that, the first one's lowest.
#[derive(Clone, Copy, Default)]
struct Owed {
    /// The first byte is escaped by a backslash before it.
    escaped: u64,
    /// These are the digits of an escape that began before.
    digits: u64,
}

/// What a block is.
enum Look {
    /// All of it belongs to the string.
    Within(Owed),
    /// The closing quote is here.
    Ends(usize),
    /// There is something in the string that may not be.
    Bad,
}

/// Measures the string at the beginning of `text`, which begins behind its opening quote. `None` where there is something in
/// it that may not be in a string, and where it does not end.
pub(super) fn measure(level: Level, text: &[u8]) -> Option<Found> {
    match measure_short(text) {
        Some(length) => Some(Found { length, is_ascii: true, may_escape: false }),
        None => dispatch!(level, simd => measure_with(simd, text)),
    }
}

/// The length of a string that ends soon and has nothing in it, as names of members have not. Every processor can do that
/// much, so it costs no call.
fn measure_short(text: &[u8]) -> Option<usize> {
    let (blocks, _) = text.as_chunks::<SHORT_BLOCK>();
    for (number, block) in blocks.iter().take(SHORT / SHORT_BLOCK).enumerate() {
        let meaning = dispatch!(Level::baseline(), simd => {
            let bytes = u8x16::from_slice(simd, block);
            let is_ascii_text = (bytes - b' ').simd_lt(0x80 - b' ');
            (!is_ascii_text | bytes.simd_eq(b'"') | bytes.simd_eq(b'\\')).to_bitmask()
        });
        if meaning != 0 {
            let first = meaning.trailing_zeros() as usize;
            return (block.get(first) == Some(&b'"')).then_some(number * SHORT_BLOCK + first);
        }
    }
    None
}

#[inline(always)]
fn measure_with<S: Simd>(simd: S, text: &[u8]) -> Option<Found> {
    let mut owed = Owed::default();
    let mut seen = u8x64::splat(simd, 0);
    let (blocks, rest) = text.as_chunks::<BLOCK>();
    for (number, block) in blocks.iter().enumerate() {
        let bytes = u8x64::from_slice(simd, block);
        seen |= bytes;
        match look(bytes, owed) {
            Look::Within(next) => owed = next,
            Look::Ends(place) => return Some(found(number * BLOCK + place, seen)),
            Look::Bad => return None,
        }
    }
    // Behind the text control characters follow, which no string has.
    let mut block = [0; BLOCK];
    block.get_mut(..rest.len())?.copy_from_slice(rest);
    let bytes = u8x64::from_slice(simd, &block);
    match look(bytes, owed) {
        Look::Ends(place) => Some(found(blocks.len() * BLOCK + place, seen | bytes)),
        Look::Within(_) | Look::Bad => None,
    }
}

#[inline(always)]
fn found<S: Simd>(length: usize, seen: u8x64<S>) -> Found {
    Found { length, is_ascii: !seen.simd_ge(0x80).any_true(), may_escape: true }
}

#[inline(always)]
fn look<S: Simd>(bytes: u8x64<S>, owed: Owed) -> Look {
    let (quotes, backslashes) = (bytes.simd_eq(b'"'), bytes.simd_eq(b'\\'));
    let controls = bytes.simd_lt(b' ');
    if owed.escaped | owed.digits == 0 && !(quotes | backslashes | controls).any_true() {
        return Look::Within(Owed::default());
    }
    let (quotes, backslashes) = (quotes.to_bitmask(), backslashes.to_bitmask());
    let (escaped, next_escaped) = escaped(backslashes, owed.escaped);
    let ends = quotes & !escaped;
    let mut bad = controls.to_bitmask();
    let mut next_digits = 0;
    let letters = escaped & !(quotes | backslashes);
    if letters | owed.digits != 0 {
        let with_digits = letters & bytes.simd_eq(b'u').to_bitmask();
        bad |= letters & !with_digits & !are_letters_of_escapes(bytes);
        if with_digits | owed.digits != 0 {
            let digits =
                owed.digits | with_digits << 1 | with_digits << 2 | with_digits << 3 | with_digits << 4;
            next_digits = with_digits >> 63 | with_digits >> 62 | with_digits >> 61 | with_digits >> 60;
            bad |= digits & !are_hex(bytes);
        }
    }
    // All places up to the closing quote, or all.
    let inside = ends ^ ends.wrapping_sub(1);
    if bad & inside != 0 {
        Look::Bad
    } else if ends != 0 {
        Look::Ends(ends.trailing_zeros() as usize)
    } else {
        Look::Within(Owed { escaped: next_escaped, digits: next_digits })
    }
}

/// Which may stand behind a backslash, other than a quote, a backslash and the `u` of those with digits.
#[inline(always)]
fn are_letters_of_escapes<S: Simd>(bytes: u8x64<S>) -> u64 {
    let often = bytes.simd_eq(b'n') | bytes.simd_eq(b't') | bytes.simd_eq(b'r');
    let seldom = bytes.simd_eq(b'/') | bytes.simd_eq(b'b') | bytes.simd_eq(b'f');
    (often | seldom).to_bitmask()
}

#[inline(always)]
fn are_hex<S: Simd>(bytes: u8x64<S>) -> u64 {
    let digits = (bytes - b'0').simd_lt(10);
    let letters = ((bytes | (b'a' - b'A')) - b'a').simd_lt(6);
    (digits | letters).to_bitmask()
}

/// Which bytes are escaped by a backslash before them, and whether the one behind the block is. Backslashes escape each other in
/// pairs, so it depends on where a row of them begins: subtraction carries that through the row, for rows that begin in even
/// and in odd places at once (as in simdjson, Langdale and Lemire, "Parsing gigabytes of JSON per second", 2019).
fn escaped(backslashes: u64, first: u64) -> (u64, u64) {
    const ODD: u64 = 0xaaaa_aaaa_aaaa_aaaa;
    let escaping = backslashes & !first;
    let codes = ((escaping << 1 | ODD).wrapping_sub(escaping)) ^ ODD;
    (codes ^ (backslashes | first), (codes & backslashes) >> 63)
}

#[cfg(test)]
mod tests;
