//! A JSON string as it stands in a text: where it ends, and what it says.

use std::borrow::Cow;

/// The index of the quote that closes the string whose text starts at `from`. `None` where it never ends.
pub(crate) fn string_end(text: &[u8], from: usize) -> Option<usize> {
    let mut from = from;
    loop {
        let at = from + memchr::memchr2(b'"', b'\\', text.get(from..)?)?;
        if text.get(at) == Some(&b'"') {
            return Some(at);
        }
        from = at + 2;
    }
}

/// What a string says, given with its quotes; borrowed when it holds no escapes. `None` for another kind of value, and
/// for a string that is no Unicode text (it holds a lone surrogate).
pub(crate) fn unquoted(string: &str) -> Option<Cow<'_, str>> {
    let inner = string.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        serde_json::from_str(string).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_ends_at_the_first_quote_that_is_not_escaped() {
        for (text, end) in [
            (r#"a" b"#, Some(1)),
            (r#"" "#, Some(0)),
            (r#"\"\\" "#, Some(4)),
            (r#"\\\""#, None),
            ("a", None),
            ("a\\", None),
        ] {
            assert_eq!(string_end(text.as_bytes(), 0), end, "{text}");
        }
        assert_eq!(string_end(b"x", 5), None);
    }

    #[test]
    fn a_string_says_what_its_escapes_mean() {
        assert_eq!(unquoted(r#""plain""#), Some(Cow::Borrowed("plain")));
        assert_eq!(unquoted(r#""\u0061\/\n\ud83e\udd80""#).as_deref(), Some("a/\n🦀"));
        for other in [r#""\ud800""#, "1", "\"", "", "null", r#"{"a":"b"}"#] {
            assert_eq!(unquoted(other), None, "{other}");
        }
    }
}
