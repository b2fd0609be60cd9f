//! Frames of WebSockets.

use gateway_proxy::fuzz::{Frames, Head, Opcode, Part, Sender, code_in};

use crate::cuts::cut;

/// Frames begin and end at the same places in whatever pieces they come, and are broken at the same ones.
pub(crate) fn cut_anywhere_frames_are_the_same(input: &[u8]) {
    let (bytes, pieces) = cut(input);
    for sender in [Sender::Client, Sender::Server] {
        let whole = heads(sender, &[bytes]);
        assert_eq!(heads(sender, &pieces), whole);
        let mut end = 0;
        for (at, head) in &whole.0 {
            assert!(*at >= end, "frames do not overlap");
            end = at + 2 + usize::try_from(head.length).unwrap_or(usize::MAX - at - 2);
            assert!(!head.opcode.is_control() || (head.fin && head.length <= 125));
            let frame = bytes.get(*at..).unwrap_or_default();
            if head.opcode == Opcode::Close && head.length == 0 {
                assert_eq!(code_in(&frame[..2 + head.mask.map_or(0, |mask| mask.len())]), None);
            }
        }
    }
}

/// Where each frame begins, as far as they were read, and whether the standard is broken behind the last.
fn heads(sender: Sender, pieces: &[&[u8]]) -> (Vec<(usize, Head)>, bool) {
    let mut frames = Frames::new(sender);
    let (mut heads, mut held, mut at) = (Vec::new(), Vec::new(), 0);
    for piece in pieces {
        held.extend_from_slice(piece);
        loop {
            let read = match frames.next(&held) {
                Ok(Some(read)) => read,
                Ok(None) => break,
                Err(_broken) => return (heads, true),
            };
            if let Part::Head(head) = read.part {
                heads.push((at, head));
            }
            assert!(read.bytes > 0 && read.bytes <= held.len());
            at += read.bytes;
            held.drain(..read.bytes);
        }
        assert!(held.len() < Head::MAX_BYTES, "a head has come and was not read");
    }
    (heads, false)
}
