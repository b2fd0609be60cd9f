//! Reading and writing names in paths and queries.

use std::fmt::Write as _;
use std::ops::Range;

/// Undoes percent-encoding. `None` for what is no name: nothing at all, a broken escape, or bytes that are no text.
pub fn decoded(encoded: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let value = digit()? * 16 + digit()?;
        bytes.push(u8::try_from(value).ok()?);
    }
    String::from_utf8(bytes).ok().filter(|name| !name.is_empty())
}

/// A name as one segment of a path, or one value of a query: everything that could mean something there is escaped.
pub fn encoded(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:@,".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing into a string cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

/// The value of a query's first pair of this name: where it stands, percent-encoded as it came.
pub fn in_query(query: &str, name: &str) -> Option<Range<usize>> {
    let mut at = 0;
    for pair in query.split('&') {
        if let Some(value) = pair.strip_prefix(name).and_then(|rest| rest.strip_prefix('=')) {
            let end = at + pair.len();
            return Some(end - value.len()..end);
        }
        at += pair.len() + 1;
    }
    None
}

/// How many of a query's pairs have this name, however it is spelled.
pub fn times_in_query(query: &str, name: &str) -> usize {
    let names = query.split('&').map(|pair| pair.split('=').next().unwrap_or_default());
    names.filter(|spelled| *spelled == name || decoded(spelled).is_some_and(|read| read == name)).count()
}

/// `text` with other words at `span`.
pub fn with(text: &str, span: Range<usize>, words: &str) -> String {
    let mut changed = text.to_owned();
    changed.replace_range(span, words);
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_survives_being_written_and_read() {
        for name in ["gpt-4o", "meta/llama 3", "ft:gpt:é", "a%2Fb?c#d&e=f", "..\\"] {
            let text = encoded(name);
            assert!(!text.contains(['/', '?', '#', '&', '=', ' ', '\\']), "{text}");
            assert_eq!(decoded(&text).as_deref(), Some(name));
        }
        assert_eq!([decoded(""), decoded("%"), decoded("%zz"), decoded("%ff")], [None, None, None, None]);
    }

    #[test]
    fn a_value_of_a_query_is_found_by_its_whole_name() {
        let query = "xmodel=1&model=gpt%204&model=b";
        let span = in_query(query, "model").unwrap();
        assert_eq!(query.get(span.clone()), Some("gpt%204"));
        assert_eq!(with(query, span, "x"), "xmodel=1&model=x&model=b");
        assert_eq!(in_query("model", "model"), None);
    }

    #[test]
    fn a_name_is_counted_however_it_is_spelled() {
        for (query, times) in
            [("", 0), ("xmodel=1&models=2", 0), ("model=1", 1), ("a=model&m%6Fdel=1&model", 2)]
        {
            assert_eq!(times_in_query(query, "model"), times, "{query}");
        }
    }
}
