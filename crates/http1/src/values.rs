use bytes::Bytes;
use http::HeaderValue;

use crate::Malformed;

/// What stands in nearly every head: shared by all, so that nobody counts who holds it.
static USUAL: [HeaderValue; 12] = [
    HeaderValue::from_static("*/*"),
    HeaderValue::from_static("0"),
    HeaderValue::from_static("application/json"),
    HeaderValue::from_static("chunked"),
    HeaderValue::from_static("false"),
    HeaderValue::from_static("gzip, deflate"),
    HeaderValue::from_static("gzip, deflate, br"),
    HeaderValue::from_static("gzip, deflate, zstd"),
    HeaderValue::from_static("keep-alive"),
    HeaderValue::from_static("no-cache"),
    HeaderValue::from_static("text/event-stream"),
    HeaderValue::from_static("text/event-stream; charset=utf-8"),
];

/// The value of a header that was read: `text`, which begins at `start` in the copy `head` of its head.
///
/// # Errors
///
/// It has a byte in it that no value may have.
pub fn header_value(head: &Bytes, start: usize, text: &[u8]) -> Result<HeaderValue, Malformed> {
    if let Some(usual) = place(text).and_then(|place| USUAL.get(place)) {
        return Ok(usual.clone());
    }
    HeaderValue::from_maybe_shared(head.slice(start..start + text.len()))
        .map_err(|_| Malformed("the value of a header is none"))
}

/// Where a value stands among the usual ones; most others are told by their length.
const fn place(text: &[u8]) -> Option<usize> {
    Some(match text {
        b"*/*" => 0,
        b"0" => 1,
        b"application/json" => 2,
        b"chunked" => 3,
        b"false" => 4,
        b"gzip, deflate" => 5,
        b"gzip, deflate, br" => 6,
        b"gzip, deflate, zstd" => 7,
        b"keep-alive" => 8,
        b"no-cache" => 9,
        b"text/event-stream" => 10,
        b"text/event-stream; charset=utf-8" => 11,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_what_was_read_whether_it_is_usual_or_not() {
        let mut usual = 0;
        for text in USUAL.iter().map(HeaderValue::as_bytes).chain([&b""[..], b"1", b"Chunked", b"\xff"]) {
            let head = Bytes::from([b"name: ", text, b"\r\n"].concat());
            assert_eq!(header_value(&head, 6, text).unwrap().as_bytes(), text);
            usual += usize::from(place(text).is_some());
        }
        assert_eq!(usual, USUAL.len());
        assert!(header_value(&Bytes::from_static(b"\n"), 0, b"\n").is_err());
    }
}
