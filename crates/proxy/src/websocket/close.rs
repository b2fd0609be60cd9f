use super::Opcode;

/// The longest reason that fits beside a code.
pub const MAX_REASON: usize = 123;

/// Why a connection is closed. The words are the gateway's own; codes that pass through it are not looked up here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Close {
    /// The code, as the standard or its registry defines it.
    pub code: u16,
    /// What it is about; at most [`MAX_REASON`] bytes are sent.
    pub reason: &'static str,
}

/// A closing frame with this code and reason, or with neither. A client's frame needs a `mask`.
pub fn close_frame(why: Option<Close>, mask: Option<[u8; 4]>) -> Vec<u8> {
    let mut payload = Vec::new();
    if let Some(Close { code, reason }) = why {
        let mut end = reason.len().min(MAX_REASON);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        payload.extend_from_slice(&code.to_be_bytes());
        payload.extend_from_slice(reason.as_bytes().get(..end).unwrap_or_default());
    }
    // Never more than 125, so it is a length by itself.
    let length = u8::try_from(payload.len()).unwrap_or_default();
    let mut frame = vec![0x80 | Opcode::Close.bits()];
    match mask {
        None => {
            frame.push(length);
            frame.extend_from_slice(&payload);
        }
        Some(mask) => {
            frame.push(0x80 | length);
            frame.extend_from_slice(&mask);
            frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
        }
    }
    frame
}

/// The code in a whole closing frame, if it has one.
pub fn code_in(frame: &[u8]) -> Option<u16> {
    let (_, rest) = frame.split_first()?;
    let (second, rest) = rest.split_first()?;
    let (mask, payload) = if second & 0x80 == 0 {
        ([0; 4], rest)
    } else {
        rest.split_first_chunk().map(|(mask, payload)| (*mask, payload))?
    };
    let [high, low] = *payload.first_chunk()?;
    Some(u16::from_be_bytes([high ^ mask[0], low ^ mask[1]]))
}

#[cfg(test)]
mod tests {
    use super::super::{Frames, Part, Sender};
    use super::*;

    #[test]
    fn a_closing_frame_is_one_that_passes() {
        let why = Close { code: 1001, reason: "bye" };
        assert_eq!(close_frame(Some(why), None), b"\x88\x05\x03\xe9bye");
        assert_eq!(close_frame(None, None), b"\x88\x00");
        assert_eq!([code_in(b"\x88\x00"), code_in(b""), code_in(b"\x88\x82\0")], [None; 3]);
        let masked = close_frame(Some(why), Some([1, 2, 3, 4]));
        assert_eq!(masked, [0x88, 0x85, 1, 2, 3, 4, 0x03 ^ 1, 0xe9 ^ 2, b'b' ^ 3, b'y' ^ 4, b'e' ^ 1]);
        assert_eq!([code_in(&masked), code_in(&close_frame(Some(why), None))], [Some(1001); 2]);
        for (sender, frame) in [(Sender::Client, masked), (Sender::Server, close_frame(Some(why), None))] {
            let piece = Frames::new(sender).next(&frame).unwrap().unwrap();
            assert!(
                matches!(piece.part, Part::Head(head) if head.opcode == Opcode::Close && head.length == 5)
            );
        }
    }

    #[test]
    fn a_reason_that_is_too_long_is_cut_between_two_characters() {
        let long = Close {
            code: 1000,
            reason: concat!(
                "aééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééé",
                "ééééééééééééééééééééé"
            ),
        };
        let frame = close_frame(Some(long), None);
        assert_eq!(frame.len(), 2 + 2 + MAX_REASON);
        assert!(std::str::from_utf8(&frame[4..]).is_ok());
    }
}
