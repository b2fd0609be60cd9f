//! The heads of requests and answers.

use std::mem::MaybeUninit;

use bytes::BufMut;
use gateway_http1::{Malformed, copied, header_value, put_decimal, spare_headers};
use http::header::{AUTHORIZATION, CONTENT_LENGTH, HOST, HeaderName, HeaderValue};
use http::{Method, Response, StatusCode, Version};

use super::Error;
use crate::upstream::{Asked, Target};

/// How many headers an answer may have.
const MAX_HEADERS: usize = 128;
/// How many the gateway adds on the way to the client.
const ADDED: usize = 4;
/// How large the head of an answer may be.
pub(super) const MAX_HEAD: usize = 32 << 10;

/// The head of an answer, if all of it is in `bytes`, and its length.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<(Response<()>, usize)>, Error> {
    let mut space = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut parsed = httparse::Response::new(&mut []);
    let read = httparse::ParserConfig::default()
        .parse_response_with_uninit_headers(&mut parsed, bytes, &mut space)
        .map_err(|error| Malformed(why(error)))?;
    let httparse::Status::Complete(length) = read else {
        return if bytes.len() < MAX_HEAD { Ok(None) } else { Err(Malformed(TOO_LARGE).into()) };
    };
    if length > MAX_HEAD {
        return Err(Malformed(TOO_LARGE).into());
    }
    let mut response = Response::new(());
    *response.status_mut() = parsed
        .code
        .and_then(|code| StatusCode::from_u16(code).ok())
        .ok_or(Malformed("the answer's status is none"))?;
    *response.version_mut() = if parsed.version == Some(1) { Version::HTTP_11 } else { Version::HTTP_10 };
    // One copy, which all values share.
    let head = copied(bytes.get(..length).unwrap_or_default()).freeze();
    let mut headers = spare_headers();
    headers.reserve(parsed.headers.len() + ADDED);
    for header in &*parsed.headers {
        let name = HeaderName::from_bytes(header.name.as_bytes())
            .map_err(|_| Malformed("the name of a header is none"))?;
        let start = header.value.as_ptr().addr() - bytes.as_ptr().addr();
        headers.append(name, header_value(&head, start, header.value)?);
    }
    *response.headers_mut() = headers;
    Ok(Some((response, length)))
}

/// Writes the head of a request whose body has this length.
///
/// Path and query come out of a request that was read, or are escaped, and the base URL has no character that a path may
/// not have: nothing in them ends the line.
pub(super) fn write(asked: &Asked<'_>, target: &Target, length: u64, into: &mut Vec<u8>) {
    into.put_slice(asked.method.as_str().as_bytes());
    into.put_u8(b' ');
    into.put_slice(target.channel().base_url.path().as_bytes());
    into.put_slice(asked.path.as_bytes());
    if let Some(query) = &asked.query {
        into.put_u8(b'?');
        into.put_slice(query.as_bytes());
    }
    into.put_slice(b" HTTP/1.1\r\n");
    header(&HOST, target.host_header(), into);
    for (name, value) in asked.headers.iter() {
        header(name, value, into);
    }
    if let Some(key) = asked.authorization(target) {
        header(&AUTHORIZATION, key, into);
    }
    // RFC 9110 §8.6: a body of no bytes is announced where one could be expected.
    if length > 0 || matches!(*asked.method, Method::POST | Method::PUT | Method::PATCH) {
        into.put_slice(CONTENT_LENGTH.as_str().as_bytes());
        into.put_slice(b": ");
        put_decimal(length, into);
        into.put_slice(b"\r\n");
    }
    into.put_slice(b"\r\n");
}

fn header(name: &HeaderName, value: &HeaderValue, into: &mut Vec<u8>) {
    into.put_slice(name.as_str().as_bytes());
    into.put_slice(b": ");
    into.put_slice(value.as_bytes());
    into.put_slice(b"\r\n");
}

const TOO_LARGE: &str = "the answer's head is too large";

fn why(error: httparse::Error) -> &'static str {
    match error {
        httparse::Error::HeaderName => "the name of a header is none",
        httparse::Error::HeaderValue => "the value of a header is none",
        httparse::Error::NewLine => "a line of the answer's head has no proper end",
        httparse::Error::Status => "the answer's status is none",
        httparse::Error::Token => "the answer's status line is none",
        httparse::Error::TooManyHeaders => "the answer has too many headers",
        httparse::Error::Version => "the answer is not in HTTP/1",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::upstream::{Outgoing, target_of};

    #[test]
    fn a_head_is_read_when_it_is_whole_and_not_before() {
        let head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nx-a: 1\r\nX-A: \x80\r\n\r\n{";
        for end in 0..head.len() - 1 {
            assert!(parse(&head[..end]).unwrap().is_none(), "{end}");
        }
        let (response, length) = parse(head).unwrap().unwrap();
        assert_eq!((response.status(), length), (StatusCode::OK, head.len() - 1));
        let values: Vec<_> = response.headers().get_all("x-a").iter().map(HeaderValue::as_bytes).collect();
        assert_eq!(values, [b"1", &b"\x80"[..]]);
    }

    #[test]
    fn what_is_no_head_is_refused() {
        for head in [
            &b"SSH-2.0-x\r\n\r\n"[..],
            b"HTTP/2.0 200 OK\r\n\r\n",
            b"HTTP/1.1 20 OK\r\n\r\n",
            b"HTTP/1.1 000 OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\na : b\r\n\r\n",
            b"HTTP/1.1 200 OK\r\na: b\r\n c\r\n\r\n",
            b"HTTP/1.1 200 OK\r\na: b\x00\r\n\r\n",
        ] {
            assert!(parse(head).is_err(), "{:?}", String::from_utf8_lossy(head));
        }
        let many = [&b"HTTP/1.1 200 OK\r\n"[..], &b"a: b\r\n".repeat(MAX_HEADERS + 1), b"\r\n"].concat();
        assert!(parse(&many).is_err());
        let large = [&b"HTTP/1.1 200 OK\r\na: "[..], &b"b".repeat(MAX_HEAD)].concat();
        assert!(parse(&large).is_err());
    }

    #[test]
    fn a_request_is_written_with_the_length_of_its_body() {
        let target = target_of("http://up:8000/base");
        let headers =
            [(&HeaderName::from_static("x-a"), &HeaderValue::from_static("1"))].into_iter().collect();
        let secret = HeaderValue::from_static("Bearer secret");
        let written = |method: &Method, query: Option<&'static str>, length| {
            let asked = Asked {
                method,
                path: "/x".into(),
                query: query.map(Into::into),
                headers: &headers,
                secret: query.map(|_| &secret),
                body: Outgoing::new(Default::default()),
            };
            let mut head = Vec::new();
            write(&asked, &target, length, &mut head);
            String::from_utf8(head).unwrap()
        };
        assert_eq!(
            written(&Method::POST, Some("y=1"), 1_203),
            "POST /base/x?y=1 HTTP/1.1\r\nhost: up:8000\r\nx-a: 1\r\nauthorization: Bearer secret\r\n\
             content-length: 1203\r\n\r\n"
        );
        let key = "authorization: Bearer sk-channel\r\n";
        assert_eq!(
            written(&Method::POST, None, 0),
            format!("POST /base/x HTTP/1.1\r\nhost: up:8000\r\nx-a: 1\r\n{key}content-length: 0\r\n\r\n")
        );
        let get = format!("GET /base/x HTTP/1.1\r\nhost: up:8000\r\nx-a: 1\r\n{key}\r\n");
        assert_eq!(written(&Method::GET, None, 0), get);
        assert!(written(&Method::GET, None, u64::MAX).contains("content-length: 18446744073709551615\r\n"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_fail_otherwise(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let parsed = parse(&[b"HTTP/1.1 200 OK\r\n", &bytes[..]].concat());
            prop_assert!(parsed.is_err() || parsed.is_ok());
        }
    }
}
