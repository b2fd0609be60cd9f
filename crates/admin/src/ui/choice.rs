//! Which form of a file a browser gets, and whether it has it already.

use http::HeaderMap;
use http::header::{ACCEPT_ENCODING, HeaderName, IF_NONE_MATCH};

/// Whether the caller takes gzip: it is named, or everything is, with a weight above 0.
pub(super) fn takes_gzip(headers: &HeaderMap) -> bool {
    let mut any = false;
    for part in parts(headers, ACCEPT_ENCODING) {
        let (coding, weight) = part.split_once(';').unwrap_or((part, "q=1"));
        let weight = weight.trim().strip_prefix("q=").and_then(|text| text.trim().parse::<f32>().ok());
        let wanted = weight.is_some_and(|weight| weight > 0.0);
        match coding.trim() {
            coding if coding.eq_ignore_ascii_case("gzip") => return wanted,
            "*" => any = wanted,
            _ => {}
        }
    }
    any
}

/// Whether the caller says that it holds what this tag names.
pub(super) fn holds(headers: &HeaderMap, tag: &str) -> bool {
    parts(headers, IF_NONE_MATCH)
        .any(|given| given == "*" || given.strip_prefix("W/").unwrap_or(given) == tag)
}

/// The members of a list, over all headers of the name.
fn parts(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &HeaderName, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn gzip_is_given_to_those_that_ask_for_it() {
        for (values, expected) in [
            (&[][..], false),
            (&["gzip"][..], true),
            (&["gzip, deflate, br, zstd"][..], true),
            (&["br", "GZIP;q=0.5"][..], true),
            (&["gzip;q=0"][..], false),
            (&["gzip; q=0.0, *"][..], false),
            (&["*"][..], true),
            (&["*;q=0"][..], false),
            (&["identity"][..], false),
            (&["gzipped"][..], false),
            (&["gzip;q=high"][..], false),
        ] {
            assert_eq!(takes_gzip(&with(&ACCEPT_ENCODING, values)), expected, "{values:?}");
        }
    }

    #[test]
    fn a_tag_is_found_in_any_list_however_weak() {
        for (values, expected) in [
            (&[][..], false),
            (&["\"a\""][..], true),
            (&["W/\"a\""][..], true),
            (&["\"b\", \"a\""][..], true),
            (&["\"b\"", "\"a\""][..], true),
            (&["*"][..], true),
            (&["\"b\""][..], false),
            (&["a"][..], false),
        ] {
            assert_eq!(holds(&with(&IF_NONE_MATCH, values), "\"a\""), expected, "{values:?}");
        }
    }
}
