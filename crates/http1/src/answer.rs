//! The heads of answers.

use bytes::BufMut;
use http::header::{CONNECTION, CONTENT_LENGTH, DATE, TRANSFER_ENCODING};
use http::response::Parts;
use http::{HeaderName, HeaderValue, Method, StatusCode, Version};
use http_body::SizeHint;

use crate::numbers::put_decimal;
use crate::{date, spare};

/// How an answer's body is marked off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    /// There is none, whatever the head announces.
    None,
    /// So many bytes are still to come.
    Length(u64),
    Chunked,
    /// By the end of the connection.
    ToTheEnd,
}

/// What an answer has to know of its request.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub method: Method,
    pub version: Version,
}

// === impl Coding ===

impl Coding {
    /// How the body of an answer is to be marked off; the length that its head announces counts more than what the body
    /// knows of itself.
    pub(crate) fn of(asked: &Asked, parts: &Parts, body: &SizeHint) -> Self {
        let bodiless = asked.method == Method::HEAD
            || matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
            || parts.status.is_informational();
        if bodiless {
            return Self::None;
        }
        match announced(parts).or_else(|| body.exact()) {
            Some(length) => Self::Length(length),
            None if asked.version == Version::HTTP_11 => Self::Chunked,
            None => Self::ToTheEnd,
        }
    }
}

/// The length that a head announces.
fn announced(parts: &Parts) -> Option<u64> {
    std::str::from_utf8(parts.headers.get(CONTENT_LENGTH)?.as_bytes()).ok()?.trim().parse().ok()
}

/// Writes the head of an answer.
pub(crate) fn write(
    asked: &Asked,
    parts: Parts,
    (coding, body): (Coding, &SizeHint),
    keep: bool,
    into: &mut Vec<u8>,
) {
    let is_11 = asked.version == Version::HTTP_11;
    if is_11 && parts.status == StatusCode::OK {
        into.put_slice(b"HTTP/1.1 200 OK\r\n");
    } else {
        into.put_slice(if is_11 { b"HTTP/1.1 " } else { b"HTTP/1.0 " });
        into.put_slice(parts.status.as_str().as_bytes());
        into.put_u8(b' ');
        into.put_slice(parts.status.canonical_reason().unwrap_or_default().as_bytes());
        into.put_slice(b"\r\n");
    }
    let switches = parts.status == StatusCode::SWITCHING_PROTOCOLS;
    let mut dated = false;
    for (name, value) in &parts.headers {
        match *name {
            // These are the connection's to say.
            CONTENT_LENGTH | TRANSFER_ENCODING => continue,
            CONNECTION if !switches => continue,
            DATE => dated = true,
            _ => {}
        }
        header(name, value, into);
    }
    let length = match coding {
        Coding::Length(length) => Some(length),
        // What a GET would have.
        Coding::None if asked.method == Method::HEAD => {
            announced(&parts).or_else(|| body.exact().filter(|length| *length > 0))
        }
        Coding::None | Coding::Chunked | Coding::ToTheEnd => None,
    };
    if let Some(length) = length {
        into.put_slice(b"content-length: ");
        put_decimal(length, into);
        into.put_slice(b"\r\n");
    }
    if coding == Coding::Chunked {
        into.put_slice(b"transfer-encoding: chunked\r\n");
    }
    // Each version has its own habit, and only what departs from it is said.
    if is_11 && !keep && !switches {
        into.put_slice(b"connection: close\r\n");
    } else if !is_11 && keep {
        into.put_slice(b"connection: keep-alive\r\n");
    }
    if !dated {
        into.put_slice(b"date: ");
        date::put(into);
        into.put_slice(b"\r\n");
    }
    into.put_slice(b"\r\n");
    spare::keep_headers(parts.headers);
}

fn header(name: &HeaderName, value: &HeaderValue, into: &mut Vec<u8>) {
    into.put_slice(name.as_str().as_bytes());
    into.put_slice(b": ");
    into.put_slice(value.as_bytes());
    into.put_slice(b"\r\n");
}
