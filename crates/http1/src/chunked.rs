//! Takes the chunks off a body (RFC 9112 §7.1).

use crate::Malformed;
use crate::framing::Unframed;

/// Extensions of chunks mean nothing to anybody. More of them in one chunk than this is an attack.
const MAX_EXTENSION: usize = 4 << 10;
/// Trailers are read and dropped, up to this size.
const MAX_TRAILERS: usize = 16 << 10;

/// The rest of a body that comes in chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunked(At);

/// Where in the chunks a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// In the digits of a size; how many there were.
    Size { size: u64, digits: u8 },
    /// Behind the size; how much of an extension there was.
    Extension { size: u64, length: usize },
    /// Behind the carriage return of a size.
    SizeEnd { size: u64 },
    /// In data, of which so much is left.
    Data { left: u64 },
    /// Behind data.
    DataEnd { return_seen: bool },
    /// At the beginning of a trailer, or of the last line; how much of trailers there was.
    Trailer { length: usize },
    /// Inside a trailer.
    TrailerLine { length: usize },
    /// Behind the carriage return of a trailer.
    TrailerEnd { length: usize },
    /// Behind the carriage return of the last line.
    LastEnd,
    /// Behind everything.
    Over,
}

// === impl Chunked ===

impl Chunked {
    /// The beginning of a body.
    pub(crate) const fn new() -> Self {
        Self(At::BEGINNING)
    }

    /// Whether nothing of the body is missing.
    pub(crate) fn is_over(self) -> bool {
        self.0 == At::Over
    }

    /// Reads what came, and moves the data in it to the front.
    pub(crate) fn read(&mut self, bytes: &mut [u8]) -> Unframed {
        let (mut at, mut data) = (0, 0);
        while let Some(byte) = bytes.get(at).copied().filter(|_| !self.is_over()) {
            if let At::Data { left } = self.0 {
                let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len() - at);
                if at > data {
                    bytes.copy_within(at..at + here, data);
                }
                at += here;
                data += here;
                let left = left - here as u64;
                self.0 = if left == 0 { At::DataEnd { return_seen: false } } else { At::Data { left } };
            } else {
                match self.0.step(byte) {
                    Ok(next) => self.0 = next,
                    Err(flaw) => return Unframed { data, read: at, flaw: Some(flaw) },
                }
                at += 1;
            }
        }
        Unframed { data, read: at, flaw: None }
    }
}

// === impl At ===

impl At {
    const BEGINNING: Self = Self::Size { size: 0, digits: 0 };

    /// What follows from one byte that is no data.
    fn step(self, byte: u8) -> Result<Self, Malformed> {
        match (self, byte) {
            (Self::Size { size, digits }, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                let digit = char::from(byte).to_digit(16).map_or(0, u64::from);
                if digits >= 16 {
                    return Err(Malformed("the size of a chunk is too large"));
                }
                Ok(Self::Size { size: size << 4 | digit, digits: digits + 1 })
            }
            (Self::Size { digits: 0, .. }, _) => Err(Malformed("a chunk begins without its size")),
            (Self::Size { size, .. } | Self::Extension { size, .. }, b'\r') => Ok(Self::SizeEnd { size }),
            (Self::Size { size, .. }, b';' | b' ' | b'\t') => Ok(Self::Extension { size, length: 0 }),
            (Self::Extension { length: MAX_EXTENSION, .. }, _) => {
                Err(Malformed("the extension of a chunk is too long"))
            }
            (Self::Extension { size, length }, _) if byte != b'\n' => {
                Ok(Self::Extension { size, length: length + 1 })
            }
            (Self::SizeEnd { size: 0 }, b'\n') => Ok(Self::Trailer { length: 0 }),
            (Self::SizeEnd { size }, b'\n') => Ok(Self::Data { left: size }),
            (Self::DataEnd { return_seen: false }, b'\r') => Ok(Self::DataEnd { return_seen: true }),
            (Self::DataEnd { return_seen: true }, b'\n') => Ok(Self::BEGINNING),
            (Self::Trailer { .. }, b'\r') => Ok(Self::LastEnd),
            (Self::Trailer { length } | Self::TrailerLine { length }, _) if length >= MAX_TRAILERS => {
                Err(Malformed("the trailers are too long"))
            }
            (Self::TrailerLine { length }, b'\r') => Ok(Self::TrailerEnd { length }),
            (Self::Trailer { length } | Self::TrailerLine { length }, _) if byte != b'\n' => {
                Ok(Self::TrailerLine { length: length + 1 })
            }
            (Self::TrailerEnd { length }, b'\n') => Ok(Self::Trailer { length }),
            (Self::LastEnd, b'\n') => Ok(Self::Over),
            (
                Self::Size { .. }
                | Self::Extension { .. }
                | Self::SizeEnd { .. }
                | Self::Data { .. }
                | Self::DataEnd { .. }
                | Self::Trailer { .. }
                | Self::TrailerLine { .. }
                | Self::TrailerEnd { .. }
                | Self::LastEnd
                | Self::Over,
                _,
            ) => Err(Malformed("the chunks of the body are broken")),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(pieces: &[&[u8]]) -> Result<(Vec<u8>, Chunked, usize), Malformed> {
        let (mut state, mut data, mut unread) = (Chunked::new(), Vec::new(), 0);
        for piece in pieces {
            let mut piece = piece.to_vec();
            let Unframed { data: front, read, flaw } = state.read(&mut piece);
            if let Some(flaw) = flaw {
                return Err(flaw);
            }
            data.extend_from_slice(&piece[..front]);
            unread += piece.len() - read;
        }
        Ok((data, state, unread))
    }

    #[test]
    fn chunks_with_extensions_and_trailers_give_their_data() {
        let body =
            b"4\r\nWiki\r\n5;name=\"v\"\r\npedia\r\nA \r\n0123456789\r\n0\r\nx-trailer: 1\r\ny: 2\r\n\r\n";
        let (data, state, unread) = read(&[body]).unwrap();
        assert_eq!((data.as_slice(), state.is_over(), unread), (&b"Wikipedia0123456789"[..], true, 0));
    }

    #[test]
    fn data_before_a_flaw_is_data() {
        let mut bytes = b"3\r\nabc\r\nnonsense".to_vec();
        let Unframed { data, flaw, .. } = Chunked::new().read(&mut bytes);
        assert!(flaw.is_some());
        assert_eq!(bytes[..data], *b"abc");
    }

    #[test]
    fn what_follows_the_end_is_not_read() {
        let (data, state, unread) = read(&[b"1\r\na\r\n0\r\n\r\nHTTP/1.1 200 OK"]).unwrap();
        assert_eq!((data.as_slice(), state.is_over(), unread), (&b"a"[..], true, 15));
    }

    #[test]
    fn whatever_could_be_read_in_two_ways_is_refused() {
        for body in [
            &b"\r\n"[..],
            b"x\r\n",
            b"-1\r\n",
            b"+1\r\n",
            b" 1\r\n",
            b"0x1\r\n",
            b"1\na\r\n0\r\n\r\n",
            b"1\r\nab\r\n",
            b"1\r\na\n0\r\n\r\n",
            b"1\r\na\r\r\n",
            b"1;x\n\r\n",
            b"0\r\n\n",
            b"0\r\nx\n\r\n",
            b"0\r\n\r\r\n",
            b"11112222333344445\r\n",
        ] {
            assert!(matches!(read(&[body]), Err(Malformed(_))), "{:?}", String::from_utf8_lossy(body));
        }
        assert!(read(&[b"1;", &[b'x'; MAX_EXTENSION + 1]]).is_err());
        let trailer = [&b"0\r\n"[..], &b"x: y\r\n".repeat(MAX_TRAILERS / 4)].concat();
        assert!(read(&[&trailer]).is_err());
    }

    proptest! {
        #[test]
        fn any_chunks_cut_anywhere_give_their_data(
            chunks in prop::collection::vec((prop::collection::vec(any::<u8>(), 1..300), "(;[a-z]{0,5})?", any::<bool>()), 0..8),
            cuts in prop::collection::vec(1_usize..40, 0..40),
        ) {
            let mut body = Vec::new();
            for (data, extension, upper) in &chunks {
                let size = if *upper { format!("{:X}", data.len()) } else { format!("{:03x}", data.len()) };
                body.extend_from_slice(format!("{size}{extension}\r\n").as_bytes());
                body.extend_from_slice(data);
                body.extend_from_slice(b"\r\n");
            }
            body.extend_from_slice(b"0\r\n\r\n");
            let mut pieces = Vec::new();
            let mut rest = &body[..];
            for cut in cuts {
                let (piece, behind) = rest.split_at(cut.min(rest.len()));
                pieces.push(piece);
                rest = behind;
            }
            pieces.push(rest);
            let (data, state, unread) = read(&pieces).unwrap();
            let expected: Vec<u8> = chunks.iter().flat_map(|(data, ..)| data.iter().copied()).collect();
            prop_assert_eq!(data, expected);
            prop_assert!(state.is_over() && unread == 0);
        }

        #[test]
        fn no_bytes_make_it_fail_otherwise(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut state = Chunked::new();
            let mut bytes = bytes;
            let Unframed { data, read, .. } = state.read(&mut bytes);
            prop_assert!(data <= read && read <= bytes.len());
        }
    }
}
