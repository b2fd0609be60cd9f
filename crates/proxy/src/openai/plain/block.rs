//! A few bytes of a string at a time: which of them mean something.

use wide::u8x32;

/// How many.
pub(super) const BLOCK: usize = 32;

/// What was seen of a block. One bit for each byte, the first one's lowest.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    bytes: u8x32,
    quotes: u32,
    backslashes: u32,
    controls: u32,
}

/// How far a string goes within a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Its closing quote is here.
    Ends(usize),
    /// Beyond. Whether the next byte is escaped, by a backslash that is the last one here.
    GoesOn { is_escaped: bool },
    /// Here is the `u` of an escape that has digits; all before it is well.
    Digits(usize),
    /// There is something in it that may not be.
    Bad,
}

// === impl Look ===

impl Look {
    pub(super) fn at(block: [u8; BLOCK]) -> Self {
        const LAST_CONTROL: u8 = b' ' - 1;
        let bytes = u8x32::new(block);
        Self {
            bytes,
            quotes: are(bytes, b'"'),
            backslashes: are(bytes, b'\\'),
            controls: are(bytes.max(u8x32::splat(LAST_CONTROL)), LAST_CONTROL),
        }
    }

    /// Whether any byte is not ASCII.
    pub(super) fn has_not_ascii(&self) -> bool {
        // The highest bit of each.
        self.bytes.to_bitmask() != 0
    }

    /// Whether nothing here means anything.
    pub(super) const fn is_blank(&self) -> bool {
        self.quotes | self.backslashes | self.controls == 0
    }

    /// How far a string goes whose first byte here may be escaped.
    pub(super) fn reach(&self, is_escaped: bool) -> Reach {
        let (escaped, goes_on) = escaped(self.backslashes, is_escaped);
        let ends = (self.quotes & !escaped).trailing_zeros();
        let inside = 1_u32.checked_shl(ends).map_or(u32::MAX, |bit| bit - 1);
        let odd = if escaped & inside == 0 { 0 } else { escaped & inside & !self.may_be_escaped() };
        let bad = (self.controls & inside) | odd;
        if bad == 0 {
            return if ends < u32::BITS {
                Reach::Ends(ends as usize)
            } else {
                Reach::GoesOn { is_escaped: goes_on }
            };
        }
        let first = bad.trailing_zeros();
        let has_digits = odd >> first & 1 == 1 && are(self.bytes, b'u') >> first & 1 == 1;
        if has_digits { Reach::Digits(first as usize) } else { Reach::Bad }
    }

    /// What stands behind a backslash and means a character.
    fn may_be_escaped(&self) -> u32 {
        let others = *b"/bfnrt";
        others.iter().fold(self.quotes | self.backslashes, |found, byte| found | are(self.bytes, *byte))
    }
}

fn are(bytes: u8x32, byte: u8) -> u32 {
    bytes.simd_eq(u8x32::splat(byte)).to_bitmask()
}

/// Which bytes are escaped by a backslash before them, and whether the one behind the block is. Backslashes escape each other in
/// pairs, so it depends on where a row of them begins: subtraction carries that through the row, for rows that begin in even
/// and in odd places at once (as in simdjson, Langdale and Lemire, "Parsing gigabytes of JSON per second", 2019).
fn escaped(backslashes: u32, first: bool) -> (u32, bool) {
    const ODD: u32 = 0xaaaa_aaaa;
    let first = u32::from(first);
    if backslashes == 0 {
        return (first, false);
    }
    let escaping = backslashes & !first;
    let codes = ((escaping << 1 | ODD).wrapping_sub(escaping)) ^ ODD;
    (codes ^ (backslashes | first), codes & backslashes & 1 << 31 != 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same, byte by byte.
    fn slowly(block: &[u8], mut is_escaped: bool) -> Reach {
        for (place, byte) in block.iter().enumerate() {
            match byte {
                b'u' if is_escaped => return Reach::Digits(place),
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' if is_escaped => is_escaped = false,
                _ if is_escaped || *byte < b' ' => return Reach::Bad,
                b'"' => return Reach::Ends(place),
                b'\\' => is_escaped = true,
                _ => {}
            }
        }
        Reach::GoesOn { is_escaped }
    }

    #[test]
    fn every_byte_is_taken_for_what_it_is_in_every_place() {
        for byte in 0..=u8::MAX {
            for place in 0..BLOCK {
                let mut block = [b'x'; BLOCK];
                block[place] = byte;
                let look = Look::at(block);
                assert_eq!(look.has_not_ascii(), byte >= 128);
                assert_eq!(look.reach(false), slowly(&block, false), "{byte} at {place}");
                assert_eq!(look.reach(true), slowly(&block, true), "{byte} at {place}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]
        #[test]
        fn rows_of_backslashes_are_told_apart_wherever_they_begin(
            block in prop::collection::vec(prop::sample::select(b"\\\\\\\\nu\"x\x01".to_vec()), BLOCK),
            is_escaped in any::<bool>(),
        ) {
            let array: [u8; BLOCK] = block.clone().try_into().unwrap();
            prop_assert_eq!(Look::at(array).reach(is_escaped), slowly(&block, is_escaped));
        }
    }
}
