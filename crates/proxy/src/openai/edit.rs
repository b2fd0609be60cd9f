//! Puts other bytes in some places of a body, and leaves the rest as it is.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

/// A place in a body, and what is to stand there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// What goes, in bytes from the body's beginning; empty where something is only put in.
    pub range: Range<usize>,
    /// What comes.
    pub instead: Bytes,
}

// === impl Edit ===

impl Edit {
    /// Something new before the byte at `at`.
    pub fn insert(at: usize, instead: impl Into<Bytes>) -> Self {
        Self { range: at..at, instead: instead.into() }
    }

    /// Something else where `range` is.
    pub fn replace(range: Range<usize>, instead: impl Into<Bytes>) -> Self {
        Self { range, instead: instead.into() }
    }
}

/// The body with all edits made, in up to seven pieces that share its bytes; the others are empty. What is put in at the
/// same place stays in the order in which it is given.
///
/// Edits that overlap one before them, and those that lie outside of the body, are made as far as they do not.
pub fn pieces(body: &Bytes, mut edits: [Option<Edit>; 3]) -> [Bytes; 7] {
    edits.sort_by_key(|edit| edit.as_ref().map_or(usize::MAX, |edit| edit.range.start));
    let mut pieces: [Bytes; 7] = Default::default();
    let mut places = pieces.iter_mut();
    let mut put = |piece: Bytes| {
        if let Some(place) = places.next() {
            *place = piece;
        }
    };
    let mut at = 0;
    for Edit { range, instead } in edits.into_iter().flatten() {
        let start = range.start.clamp(at, body.len());
        put(body.slice(at..start));
        put(instead);
        at = range.end.clamp(start, body.len());
    }
    put(body.slice(at..));
    pieces
}

/// A copy of `text` with all edits made, which are given in the order of their places.
pub(super) fn edited(text: &[u8], edits: &[Edit], into: &mut BytesMut) {
    let mut at = 0;
    for Edit { range, instead } in edits {
        into.extend_from_slice(text.get(at..range.start).unwrap_or_default());
        into.extend_from_slice(instead);
        at = range.end.max(at);
    }
    into.extend_from_slice(text.get(at..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn made(body: &'static str, edits: [Option<Edit>; 3]) -> String {
        let pieces = pieces(&Bytes::from_static(body.as_bytes()), edits);
        String::from_utf8(pieces.concat()).unwrap()
    }

    #[test]
    fn edits_are_made_in_the_order_of_their_places_and_insertions_in_theirs() {
        let late = Edit::replace(6..9, "X");
        let early = Edit::insert(1, "a");
        let also_early = Edit::insert(1, "b");
        assert_eq!(made("0123456789", [Some(late), Some(early), Some(also_early)]), "0ab12345X9");
        assert_eq!(made("0123", [None, None, None]), "0123");
    }

    #[test]
    fn edits_that_overlap_or_lie_outside_change_what_is_left_to_change() {
        let both = [Some(Edit::replace(1..5, "A")), Some(Edit::replace(3..6, "B")), None];
        assert_eq!(made("0123456789", both), "0AB6789");
        assert_eq!(made("01", [Some(Edit::replace(5..9, "A")), None, None]), "01A");
    }

    proptest! {
        #[test]
        fn pieces_are_what_editing_from_behind_gives(body in "[ -~]{0,40}", cuts in prop::collection::vec(0_usize..=40, 6)) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(body.len())).collect();
            cuts.sort_unstable();
            let edits: Vec<Edit> = cuts
                .chunks(2)
                .enumerate()
                .map(|(n, at)| Edit::replace(at[0]..at[1], format!("<{n}>")))
                .collect();
            let mut expected = body.clone();
            for edit in edits.iter().rev() {
                expected.replace_range(edit.range.clone(), std::str::from_utf8(&edit.instead).unwrap());
            }
            let mut copy = BytesMut::new();
            edited(body.as_bytes(), &edits, &mut copy);
            prop_assert_eq!(&copy[..], expected.as_bytes());
            let [first, second, third] = <[Edit; 3]>::try_from(edits).unwrap().map(Some);
            let in_order = pieces(&Bytes::from(body.clone()), [first.clone(), second.clone(), third.clone()]);
            prop_assert_eq!(&in_order.concat()[..], expected.as_bytes());
            if cuts[0] < cuts[2] && cuts[2] < cuts[4] {
                let in_any_order = pieces(&Bytes::from(body), [third, first, second]);
                prop_assert_eq!(&in_any_order.concat()[..], expected.as_bytes());
            }
        }
    }
}
