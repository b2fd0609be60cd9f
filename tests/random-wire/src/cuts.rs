//! Bodies in pieces.

use proptest::collection::vec;
use proptest::prelude::*;

/// Lengths of pieces, to be used in turn: many short ones, some long ones, now and then a body in one piece.
pub fn pieces() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![
        2 => Just(vec![1]),
        1 => Just(vec![usize::MAX]),
        4 => vec(prop_oneof![3 => 1_usize..4, 2 => 4_usize..40, 1 => 40_usize..400], 1..12),
    ]
}

/// `body` in pieces of these lengths, which are used in turn until nothing is left.
pub fn in_pieces<'b>(body: &'b [u8], lengths: &[usize]) -> Vec<&'b [u8]> {
    let mut pieces = Vec::new();
    let mut rest = body;
    for length in lengths.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, behind) = rest.split_at((*length).clamp(1, rest.len()));
        pieces.push(piece);
        rest = behind;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest! {
        #[test]
        fn pieces_make_the_whole_and_none_is_empty(body in vec(any::<u8>(), 0..200), lengths in pieces()) {
            let pieces = in_pieces(&body, &lengths);
            prop_assert!(pieces.iter().all(|piece| !piece.is_empty()));
            prop_assert_eq!(pieces.concat(), body);
        }
    }
}
