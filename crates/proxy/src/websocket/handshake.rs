//! How an HTTP/1.1 request becomes a WebSocket.

use http::header::{
    CONNECTION, CONTENT_LENGTH, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION,
    TRANSFER_ENCODING, UPGRADE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Version};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

/// What the standard has every server append to a key.
const MAGIC: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// How many random bytes a key is made of.
pub const KEY_BYTES: usize = 16;

/// Why a request opens no WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// It does not ask for one.
    #[error(
        "this endpoint is a WebSocket: open it over HTTP/1.1 with `connection: upgrade`, `upgrade: websocket`, \
         `sec-websocket-version: 13` and a `sec-websocket-key`"
    )]
    NotAsked,
    /// It asks over another version of HTTP.
    #[error("WebSockets are opened over HTTP/1.1 here: not over HTTP/2 (RFC 8441), and not over HTTP/1.0")]
    Http,
    /// It speaks another version of the protocol.
    #[error("the version of the WebSocket protocol must be 13 (`sec-websocket-version: 13`)")]
    Version,
    /// `upgrade: websocket` without `connection: upgrade`.
    #[error(
        "`upgrade: websocket` needs `connection: upgrade` beside it; a proxy in between may have taken it off"
    )]
    Connection,
    /// The key is missing, there twice, or not 16 bytes in base64.
    #[error("`sec-websocket-key` must be there once, and hold 16 random bytes in base64")]
    Key,
    /// It announces a body.
    #[error("a request that opens a WebSocket has no body")]
    Body,
}

/// Checks a client's request and says what to answer it with in `sec-websocket-accept`.
///
/// # Errors
///
/// What is missing or wrong; the first thing only.
pub fn check(head: &Parts) -> Result<String, HandshakeError> {
    let headers = &head.headers;
    if head.version != Version::HTTP_11 {
        return Err(HandshakeError::Http);
    }
    if !tokens(headers, &UPGRADE).any(|token| token.eq_ignore_ascii_case("websocket")) {
        return Err(HandshakeError::NotAsked);
    }
    if !tokens(headers, &CONNECTION).any(|token| token.eq_ignore_ascii_case("upgrade")) {
        return Err(HandshakeError::Connection);
    }
    if only(headers, &SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(HandshakeError::Version);
    }
    let has_body = headers.contains_key(TRANSFER_ENCODING)
        || headers.get_all(CONTENT_LENGTH).iter().any(|length| length != "0");
    if has_body {
        return Err(HandshakeError::Body);
    }
    let key = only(headers, &SEC_WEBSOCKET_KEY).map(|key| key.as_bytes().trim_ascii());
    key.filter(|key| is_key(key)).map(accept_for).ok_or(HandshakeError::Key)
}

/// What a server answers a key with.
pub fn accept_for(key: &[u8]) -> String {
    let whole = [key, MAGIC].concat();
    base64(digest(&SHA1_FOR_LEGACY_USE_ONLY, &whole).as_ref())
}

/// A client's key of these random bytes.
pub fn encode_key(random: [u8; KEY_BYTES]) -> String {
    base64(&random)
}

/// The subprotocols that a request offers, in its order; the headers' values that are no text are left out.
pub fn protocols(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    tokens(headers, &SEC_WEBSOCKET_PROTOCOL)
}

fn tokens<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|token| !token.is_empty())
}

fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h HeaderValue> {
    let mut values = headers.get_all(name).into_iter();
    let first = values.next()?;
    values.next().is_none().then_some(first)
}

/// 16 bytes in base64 are 22 characters, of which the last says two bits only, and two that fill up.
fn is_key(key: &[u8]) -> bool {
    let Some((text, b"==")) = key.split_last_chunk() else { return false };
    text.len() == 22
        && text.iter().all(|byte| ALPHABET.contains(byte))
        && text.last().is_some_and(|last| b"AQgw".contains(last))
}

fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let at = |index: usize| u32::from(chunk.get(index).copied().unwrap_or_default());
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for digit in 0..4 {
            let value = (bits >> (18 - 6 * digit)) as usize % 64;
            let letter = ALPHABET.get(value).copied().filter(|_| digit <= chunk.len());
            text.push(char::from(letter.unwrap_or(b'=')));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    const GOOD: [(&str, &str); 4] = [
        ("upgrade", "websocket"),
        ("connection", "keep-alive, Upgrade"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];

    fn checked(version: Version, pairs: &[(&str, &str)]) -> Result<String, HandshakeError> {
        let request = pairs.iter().fold(Request::get("/v1/realtime").version(version), |request, pair| {
            request.header(pair.0, pair.1)
        });
        check(&request.body(()).unwrap().into_parts().0)
    }

    /// With one header in place of the one of its name; an empty value takes it away.
    fn but(name: &'static str, value: &'static str) -> Vec<(&'static str, &'static str)> {
        let others = GOOD.into_iter().filter(|pair| pair.0 != name);
        others.chain(Some((name, value)).filter(|pair| !pair.1.is_empty())).collect()
    }

    #[test]
    fn the_example_of_the_standard_is_answered_as_there() {
        assert_eq!(checked(Version::HTTP_11, &GOOD).as_deref(), Ok("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        assert_eq!(encode_key(*b"the sample nonce"), "dGhlIHNhbXBsZSBub25jZQ==");
    }

    #[test]
    fn base64_is_that_of_its_standard() {
        for (plain, coded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
        {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
        assert_eq!(base64(&[0xfb, 0xff, 0xbf]), "+/+/");
    }

    #[test]
    fn each_flaw_is_told_apart() {
        use HandshakeError::{Body, Connection, Http, Key, NotAsked, Version as Spoken};
        let rows = [
            ("upgrade", "", NotAsked),
            ("upgrade", "h2c", NotAsked),
            ("connection", "", Connection),
            ("connection", "keep-alive", Connection),
            ("sec-websocket-version", "", Spoken),
            ("sec-websocket-version", "8", Spoken),
            ("sec-websocket-version", "13, 8", Spoken),
            ("sec-websocket-key", "", Key),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ", Key),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZR==", Key),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25j!Q==", Key),
            ("sec-websocket-key", "dGhlIHNhbXBsZQ==", Key),
            ("content-length", "3", Body),
            ("transfer-encoding", "chunked", Body),
        ];
        for (name, value, error) in rows {
            assert_eq!(checked(Version::HTTP_11, &but(name, value)), Err(error), "{name}: {value}");
        }
        let twice = [GOOD.as_slice(), &[GOOD[3]]].concat();
        assert_eq!(checked(Version::HTTP_11, &twice), Err(Key));
        assert_eq!(checked(Version::HTTP_2, &GOOD), Err(Http));
        assert_eq!(checked(Version::HTTP_10, &GOOD), Err(Http));
        assert!(checked(Version::HTTP_11, &but("content-length", "0")).is_ok());
        assert!(checked(Version::HTTP_11, &but("upgrade", "h2c, WebSocket")).is_ok());
    }

    #[test]
    fn subprotocols_are_read_from_all_headers_of_the_name() {
        let mut headers = HeaderMap::new();
        for value in ["realtime, a", " ,b,"] {
            headers.append(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(value));
        }
        assert_eq!(protocols(&headers).collect::<Vec<_>>(), ["realtime", "a", "b"]);
    }
}
