//! Where the body of a message ends (RFC 9112 §6.3).

use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, Method, StatusCode, Version};

use crate::Malformed;
use crate::chunked::Chunked;

const NO_NUMBER: &str = "the content-length is no number";
const TWO_ENDS: &str = "the head announces both a length and chunks";

/// The rest of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// So many bytes; none is the end.
    Length(u64),
    /// Until the last chunk.
    Chunked(Chunked),
    /// Until the connection is closed.
    ToTheEnd,
}

/// What was read of some bytes.
#[derive(Debug)]
pub struct Unframed {
    /// So many bytes of data stand at the front now.
    pub data: usize,
    /// So many bytes were read; fewer than there were only where the body has ended, or is broken.
    pub read: usize,
    /// What is wrong behind the data.
    pub flaw: Option<Malformed>,
}

// === impl Framing ===

impl Framing {
    /// How the body of a request is framed.
    ///
    /// # Errors
    ///
    /// The head could mean two ends, or chunks where there are none.
    pub fn of_request(version: Version, headers: &HeaderMap) -> Result<Self, Malformed> {
        // A list of equal lengths is something that only careless proxies write.
        match (transfer_coding(headers)?, content_length(headers, Lists::Refused)?) {
            (true, _) if version < Version::HTTP_11 => {
                Err(Malformed("chunks came before there were any, in HTTP/1.0"))
            }
            (true, Some(_)) => Err(Malformed(TWO_ENDS)),
            (true, None) => Ok(Self::Chunked(Chunked::new())),
            (false, length) => Ok(Self::Length(length.unwrap_or_default())),
        }
    }

    /// How the body of an answer to `method` is framed.
    ///
    /// # Errors
    ///
    /// The head could mean two ends.
    pub fn of_answer(method: &Method, status: StatusCode, headers: &HeaderMap) -> Result<Self, Malformed> {
        let coding = transfer_coding(headers)?;
        let length = content_length(headers, Lists::Taken)?;
        let has_none = *method == Method::HEAD
            || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
            || status.is_informational();
        match (coding, length) {
            _ if has_none => Ok(Self::Length(0)),
            // Whoever sends both may be two who disagree.
            (true, Some(_)) => Err(Malformed(TWO_ENDS)),
            (true, None) => Ok(Self::Chunked(Chunked::new())),
            (false, Some(length)) => Ok(Self::Length(length)),
            (false, None) => Ok(Self::ToTheEnd),
        }
    }

    /// Whether nothing of the body is missing.
    #[must_use]
    pub fn is_over(self) -> bool {
        match self {
            Self::Length(left) => left == 0,
            Self::Chunked(chunked) => chunked.is_over(),
            Self::ToTheEnd => false,
        }
    }

    /// The length of the rest, where it is known.
    #[must_use]
    pub fn left(self) -> Option<u64> {
        match self {
            Self::Length(left) => Some(left),
            Self::Chunked(_) | Self::ToTheEnd => None,
        }
    }

    /// Reads what came, and moves the data in it to the front.
    pub fn read(&mut self, bytes: &mut [u8]) -> Unframed {
        match self {
            Self::Length(left) => {
                let here = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= here as u64;
                Unframed { data: here, read: here, flaw: None }
            }
            Self::Chunked(chunked) => chunked.read(bytes),
            Self::ToTheEnd => Unframed { data: bytes.len(), read: bytes.len(), flaw: None },
        }
    }
}

/// Whether the connection can be used again after a message with this head.
#[must_use]
pub fn keeps_alive(version: Version, headers: &HeaderMap) -> bool {
    let says = |word: &str| {
        let values = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|token| token.trim().eq_ignore_ascii_case(word))
    };
    if version == Version::HTTP_11 { !says("close") } else { says("keep-alive") && !says("close") }
}

/// Whether the body comes in chunks. There is no other coding that anybody may send to whoever did not ask for it.
fn transfer_coding(headers: &HeaderMap) -> Result<bool, Malformed> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(false),
        (Some(coding), None) if coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked") => Ok(true),
        (Some(_), _) => Err(Malformed("the head names a transfer coding other than chunked")),
    }
}

/// Whether a length may be announced as a list of equal ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lists {
    Taken,
    Refused,
}

/// The announced length. The same one given several times is given once; two that differ are none.
fn content_length(headers: &HeaderMap, lists: Lists) -> Result<Option<u64>, Malformed> {
    let mut found = None;
    let mut note = |text: &[u8]| {
        let length = digits(text.trim_ascii()).ok_or(Malformed(NO_NUMBER))?;
        match found.replace(length) {
            Some(other) if other != length => Err(Malformed("the head announces two lengths")),
            _ => Ok(()),
        }
    };
    for value in headers.get_all(CONTENT_LENGTH) {
        match lists {
            Lists::Taken => value.as_bytes().split(|byte| *byte == b',').try_for_each(&mut note)?,
            Lists::Refused => note(value.as_bytes())?,
        }
    }
    Ok(found)
}

/// A number as RFC 9110 §8.6 has it: digits and nothing else.
fn digits(text: &[u8]) -> Option<u64> {
    let digit = |byte: u8| byte.is_ascii_digit().then(|| u64::from(byte - b'0'));
    let (first, rest) = text.split_first()?;
    rest.iter().try_fold(digit(*first)?, |number, byte| number.checked_mul(10)?.checked_add(digit(*byte)?))
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers
    }

    fn framing(pairs: &[(&'static str, &'static str)]) -> Option<Framing> {
        Framing::of_answer(&Method::POST, StatusCode::OK, &headers(pairs)).ok()
    }

    #[test]
    fn a_body_ends_where_its_head_says() {
        assert_eq!(framing(&[("content-length", "12")]), Some(Framing::Length(12)));
        assert_eq!(framing(&[("content-length", "12"), ("content-length", "12")]), Some(Framing::Length(12)));
        assert_eq!(framing(&[("content-length", "12, 12")]), Some(Framing::Length(12)));
        assert_eq!(framing(&[("transfer-encoding", "Chunked")]), Some(Framing::Chunked(Chunked::new())));
        assert_eq!(framing(&[]), Some(Framing::ToTheEnd));
    }

    #[test]
    fn heads_that_could_mean_two_ends_are_refused() {
        for pairs in [
            &[("content-length", "12"), ("content-length", "13")][..],
            &[("content-length", "12, 13")],
            &[("content-length", "+12")],
            &[("content-length", "")],
            &[("content-length", "1e1")],
            &[("content-length", "18446744073709551616")],
            &[("content-length", "12"), ("transfer-encoding", "chunked")],
            &[("transfer-encoding", "gzip, chunked")],
            &[("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")],
            &[("transfer-encoding", "identity")],
        ] {
            assert_eq!(framing(pairs), None, "{pairs:?}");
        }
    }

    #[test]
    fn a_request_without_any_word_of_a_body_has_none() {
        let request = |version, pairs| Framing::of_request(version, &headers(pairs));
        assert_eq!(request(Version::HTTP_11, &[]), Ok(Framing::Length(0)));
        assert_eq!(request(Version::HTTP_10, &[("content-length", "3")]), Ok(Framing::Length(3)));
        assert!(request(Version::HTTP_11, &[("content-length", "3, 3")]).is_err());
        let chunks = [("transfer-encoding", "chunked")];
        assert_eq!(request(Version::HTTP_11, &chunks), Ok(Framing::Chunked(Chunked::new())));
        assert!(request(Version::HTTP_10, &chunks).is_err());
        assert!(
            request(Version::HTTP_11, &[("transfer-encoding", "chunked"), ("content-length", "3")]).is_err()
        );
    }

    #[test]
    fn answers_without_a_body_have_none_whatever_they_announce() {
        let announced = headers(&[("content-length", "12")]);
        for (method, status) in [(Method::HEAD, 200), (Method::GET, 304), (Method::DELETE, 204)] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(Framing::of_answer(&method, status, &announced).unwrap(), Framing::Length(0));
        }
    }

    #[test]
    fn a_connection_is_kept_unless_its_version_or_its_head_says_otherwise() {
        let keeps = |version, pairs| keeps_alive(version, &headers(pairs));
        assert!(keeps(Version::HTTP_11, &[]));
        assert!(!keeps(Version::HTTP_11, &[("connection", "x, Close")]));
        assert!(!keeps(Version::HTTP_10, &[]));
        assert!(keeps(Version::HTTP_10, &[("connection", "keep-alive")]));
    }
}
