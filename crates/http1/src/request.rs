//! The heads of requests.

use std::mem::MaybeUninit;

use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderName, Method, Request, StatusCode, Uri, Version};

use crate::framing::{Framing, keeps_alive};
use crate::values::header_value;
use crate::{Malformed, spare};

/// How many headers a request may have.
const MAX_HEADERS: usize = 100;
/// The longest target that [`Uri`] can hold.
const MAX_TARGET: usize = 65_534;

/// The head of a request, and what it means for the connection.
#[derive(Debug)]
pub struct Head {
    /// Everything but the body.
    pub request: Request<()>,
    /// How the body is framed.
    pub framing: Framing,
    /// Whether another request may follow on the connection.
    pub keeps_alive: bool,
    /// Whether the body comes only when it is asked for.
    pub expects: bool,
    /// Whether another protocol is asked for.
    pub upgrades: bool,
}

/// Why a head is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// It is none of HTTP/1.1, or could be understood in two ways.
    #[error("{0}")]
    Malformed(#[from] Malformed),
    /// Its target has more than 65,534 bytes.
    #[error("the target of the request is too long")]
    TargetTooLong,
    /// It has more bytes than it may have, or more than 100 headers.
    #[error("the head of the request is too large")]
    TooLarge,
}

// === impl Flaw ===

impl Flaw {
    /// What it is answered with.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::TargetTooLong => StatusCode::URI_TOO_LONG,
            Self::TooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        }
    }
}

/// The head of a request, if all of it is in `bytes`, and its length.
///
/// # Errors
///
/// What begins there is no head, or has more than `most` bytes.
pub fn parse(bytes: &[u8], most: usize) -> Result<Option<(Head, usize)>, Flaw> {
    let mut space = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut parsed = httparse::Request::new(&mut []);
    let read =
        httparse::ParserConfig::default().parse_request_with_uninit_headers(&mut parsed, bytes, &mut space);
    let length = match read.map_err(why)? {
        httparse::Status::Complete(length) => length,
        httparse::Status::Partial if bytes.len() < most => return Ok(None),
        httparse::Status::Partial => return Err(Flaw::TooLarge),
    };
    let target = parsed.path.unwrap_or_default();
    if target.len() > MAX_TARGET {
        return Err(Flaw::TargetTooLong);
    }
    if length > most {
        return Err(Flaw::TooLarge);
    }
    let version = if parsed.version == Some(1) { Version::HTTP_11 } else { Version::HTTP_10 };
    // One copy, which the target and all values share.
    let head = spare::copied(bytes.get(..length).unwrap_or_default()).freeze();
    let start_of = |text: &[u8]| text.as_ptr().addr() - bytes.as_ptr().addr();
    let target_at = start_of(target.as_bytes());
    let mut request = Request::new(());
    *request.version_mut() = version;
    *request.method_mut() = Method::from_bytes(parsed.method.unwrap_or_default().as_bytes())
        .map_err(|_| Malformed("the method of the request is none"))?;
    *request.uri_mut() = Uri::from_maybe_shared(head.slice(target_at..target_at + target.len()))
        .map_err(|_| Malformed("the target of the request is none"))?;
    let mut headers = spare::headers();
    headers.reserve(parsed.headers.len());
    let (mut body, mut connection, mut expects, mut upgrades) = (false, false, false, false);
    for header in &*parsed.headers {
        let name = HeaderName::from_bytes(header.name.as_bytes())
            .map_err(|_| Malformed("the name of a header is none"))?;
        let value = header_value(&head, start_of(header.value), header.value)?;
        match name {
            // Said twice, it is passed on once, if it is the same.
            CONTENT_LENGTH if headers.get(&name) == Some(&value) => continue,
            CONTENT_LENGTH | TRANSFER_ENCODING => body = true,
            CONNECTION => connection = true,
            EXPECT => expects |= value.as_bytes().eq_ignore_ascii_case(b"100-continue"),
            UPGRADE => upgrades = true,
            _ => {}
        }
        headers.append(name, value);
    }
    let framing = if body { Framing::of_request(version, &headers)? } else { Framing::Length(0) };
    let is_11 = version == Version::HTTP_11;
    let keeps_alive = if connection { keeps_alive(version, &headers) } else { is_11 };
    *request.headers_mut() = headers;
    Ok(Some((
        Head { request, framing, keeps_alive, expects: expects && is_11, upgrades: upgrades && is_11 },
        length,
    )))
}

/// Whether a head may have its end in `bytes`, of which `seen` were looked at before: so one that drips in is not parsed
/// again with every drop.
pub(crate) fn may_be_whole(bytes: &[u8], seen: usize) -> bool {
    let fresh = bytes.get(seen.saturating_sub(3)..).unwrap_or_default();
    fresh.windows(2).any(|pair| pair == b"\n\n") || fresh.windows(3).any(|three| three == b"\n\r\n")
}

fn why(error: httparse::Error) -> Flaw {
    Flaw::Malformed(Malformed(match error {
        httparse::Error::HeaderName => "the name of a header is none",
        httparse::Error::HeaderValue => "the value of a header is none",
        httparse::Error::NewLine => "a line of the request's head has no proper end",
        httparse::Error::Status | httparse::Error::Token => "the request line is none",
        httparse::Error::TooManyHeaders => return Flaw::TooLarge,
        httparse::Error::Version => "the request is not in HTTP/1",
    }))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    const MOST: usize = 16 << 10;

    #[test]
    fn a_head_is_read_when_it_is_whole_and_not_before() {
        let head =
            b"POST /v1/x?y=1 HTTP/1.1\r\nHost: gw\r\nContent-Length: 3\r\nx-a: 1\r\nX-A: \x80\r\n\r\n{";
        for end in 0..head.len() - 1 {
            assert!(parse(&head[..end], MOST).unwrap().is_none(), "{end}");
            assert!(!may_be_whole(&head[..end], 0), "{end}");
        }
        for seen in 0..head.len() - 1 {
            assert!(may_be_whole(head, seen), "{seen}");
        }
        let (read, length) = parse(head, MOST).unwrap().unwrap();
        assert_eq!(length, head.len() - 1);
        assert_eq!(
            (read.request.method(), read.request.uri().to_string()),
            (&Method::POST, "/v1/x?y=1".to_owned())
        );
        assert_eq!(
            (read.framing, read.keeps_alive, read.expects, read.upgrades),
            (Framing::Length(3), true, false, false)
        );
        let values: Vec<_> =
            read.request.headers().get_all("x-a").iter().map(HeaderValue::as_bytes).collect();
        assert_eq!(values, [b"1", &b"\x80"[..]]);
    }

    #[test]
    fn what_is_no_head_is_refused_at_once() {
        for head in [
            &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
            b"SSH-2.0-x\r\n",
            b"GET / HTTP/2.0\r\n\r\n",
            b"GET / HTTP/1.2\r\n\r\n",
            b"GET /\r\n\r\n",
            b"GET /a b HTTP/1.1\r\n\r\n",
            b"GET /\xff HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\r\na : b\r\n\r\n",
            b"GET / HTTP/1.1\r\na: b\r\n c\r\n\r\n",
            b"GET / HTTP/1.1\r\na: b\x00\r\n\r\n",
            b"GET / HTTP/1.1\r\na: b\rc\r\n\r\n",
            b"GET / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
            b"GET / HTTP/1.1\r\ncontent-length: +1\r\n\r\n",
            b"GET / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n",
        ] {
            let flaw = parse(head, MOST).unwrap_err();
            assert_eq!(flaw.status(), StatusCode::BAD_REQUEST, "{:?}", String::from_utf8_lossy(head));
        }
    }

    #[test]
    fn what_is_too_much_is_refused_as_that() {
        let many = [&b"GET / HTTP/1.1\r\n"[..], &b"a: b\r\n".repeat(MAX_HEADERS + 1), b"\r\n"].concat();
        assert_eq!(parse(&many, MOST).unwrap_err(), Flaw::TooLarge);
        let large = [&b"GET / HTTP/1.1\r\na: "[..], &b"b".repeat(MOST), b"\r\n\r\n"].concat();
        assert_eq!(parse(&large, MOST).unwrap_err(), Flaw::TooLarge);
        assert_eq!(parse(&large[..MOST], MOST).unwrap_err(), Flaw::TooLarge);
        let long = [&b"GET /"[..], &b"b".repeat(MAX_TARGET), b" HTTP/1.1\r\n\r\n"].concat();
        assert_eq!(parse(&long, 1 << 20).unwrap_err(), Flaw::TargetTooLong);
    }

    #[test]
    fn what_a_connection_becomes_stands_in_the_head() {
        let read = |head: &str| parse(head.as_bytes(), MOST).unwrap().unwrap().0;
        assert!(!read("GET / HTTP/1.1\r\nconnection: x, Close\r\n\r\n").keeps_alive);
        assert!(!read("GET / HTTP/1.0\r\n\r\n").keeps_alive);
        assert!(read("GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n").keeps_alive);
        assert!(read("GET / HTTP/1.1\r\nupgrade: websocket\r\n\r\n").upgrades);
        assert!(!read("GET / HTTP/1.0\r\nupgrade: websocket\r\n\r\n").upgrades);
        assert!(read("POST / HTTP/1.1\r\nexpect: 100-Continue\r\ncontent-length: 1\r\n\r\n").expects);
        assert!(!read("POST / HTTP/1.0\r\nexpect: 100-continue\r\ncontent-length: 1\r\n\r\n").expects);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_fail_otherwise(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let parsed = parse(&[b"GET / HTTP/1.1\r\n", &bytes[..]].concat(), MOST);
            prop_assert!(parsed.is_err() || parsed.is_ok());
        }
    }
}
