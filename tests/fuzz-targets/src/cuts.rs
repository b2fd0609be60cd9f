//! Cuts a text where its own first byte says.

/// The rest of the input, and the same in pieces: their lengths follow from the first byte, down to single bytes.
pub(crate) fn cut(input: &[u8]) -> (&[u8], Vec<&[u8]>) {
    let Some((first, text)) = input.split_first() else { return (input, Vec::new()) };
    let mut pieces = Vec::new();
    let (mut rest, mut turn) = (text, usize::from(*first));
    while !rest.is_empty() {
        // A small walk that visits lengths from 1 to 17 in an order of its own for each first byte.
        turn = (turn * 5 + 3) % 257;
        let length = if *first == 0 { 1 } else { turn % 17 + 1 };
        let (piece, behind) = rest.split_at(length.min(rest.len()));
        pieces.push(piece);
        rest = behind;
    }
    (text, pieces)
}
