//! Goes once through JSON text and stops at its strings, without building values.

use std::borrow::Cow;

use crate::openai::{string_end, unquoted};

/// What a walk looks for: `R` says what a value is by the way that leads to it.
pub(super) trait Map<R> {
    /// What a member of an object is.
    fn member(&self, of: R, key: &str) -> R;
    /// What the elements of an array are.
    fn element(&self, of: R) -> R;
}

/// An object or array that is open.
struct Open<R> {
    role: R,
    is_object: bool,
    /// What the next value in it is; in an object, `None` while a key is awaited.
    next: Option<R>,
}

/// Calls `take` with each string value and what it is. Text that ends early or is no JSON is walked as far as it goes;
/// a string that is cut off is not taken. Nothing here recurses, so deep nesting costs a few bytes for each level.
pub(super) fn walk<'t, R: Copy, M: Map<R>>(
    text: &'t [u8],
    top: R,
    map: &M,
    mut take: impl FnMut(R, Cow<'t, str>),
) {
    let mut open: Vec<Open<R>> = Vec::new();
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => {
                let Some(end) = string_end(text, at + 1) else { return };
                string(text.get(at..=end).unwrap_or_default(), &mut open, map, &mut take);
                at = end;
            }
            b'{' | b'[' => {
                let role = open.last().map_or(Some(top), |inside| inside.next).unwrap_or(top);
                let is_object = *byte == b'{';
                open.push(Open { role, is_object, next: (!is_object).then(|| map.element(role)) });
            }
            b'}' | b']' => {
                open.pop();
            }
            b',' => {
                if let Some(inside) = open.last_mut().filter(|inside| inside.is_object) {
                    inside.next = None;
                }
            }
            _ => {}
        }
        at += 1;
    }
}

/// All of them, whatever they are.
#[cfg(feature = "fuzz")]
pub(crate) fn strings_in(text: &[u8]) -> Vec<String> {
    struct Alike;
    impl Map<()> for Alike {
        fn member(&self, (): (), _: &str) {}
        fn element(&self, (): ()) {}
    }
    let mut strings = Vec::new();
    walk(text, (), &Alike, |(), string| strings.push(string.into_owned()));
    strings
}

fn string<'t, R: Copy, M: Map<R>>(
    quoted: &'t [u8],
    open: &mut [Open<R>],
    map: &M,
    take: &mut impl FnMut(R, Cow<'t, str>),
) {
    let Some(inside) = open.last_mut() else { return };
    let text = std::str::from_utf8(quoted).ok().and_then(unquoted);
    if let Some(role) = inside.next {
        if let Some(value) = text {
            take(role, value);
        }
    } else {
        inside.next = Some(map.member(inside.role, &text.unwrap_or_default()));
    }
}

#[cfg(test)]
mod tests {
    use gateway_random_wire::tree;
    use proptest::prelude::*;

    use super::*;

    /// Knows where it is by the keys that lead there.
    struct Ways;

    impl Map<u64> for Ways {
        fn member(&self, of: u64, key: &str) -> u64 {
            key.bytes().fold(of.wrapping_mul(31), |sum, byte| sum.wrapping_mul(31) ^ u64::from(byte))
        }

        fn element(&self, of: u64) -> u64 {
            of.wrapping_mul(7)
        }
    }

    fn walked(text: &[u8]) -> Vec<(u64, String)> {
        let mut found = Vec::new();
        walk(text, 1, &Ways, |way, value| found.push((way, value.into_owned())));
        found
    }

    /// The same by way of a tree.
    fn climbed(value: &serde_json::Value, way: u64, into: &mut Vec<(u64, String)>) {
        if let Some(text) = value.as_str() {
            into.push((way, text.to_owned()));
        }
        for value in value.as_array().into_iter().flatten() {
            climbed(value, Ways.element(way), into);
        }
        for (key, value) in value.as_object().into_iter().flatten() {
            climbed(value, Ways.member(way, key), into);
        }
    }

    proptest! {
        #[test]
        fn a_walk_meets_the_strings_that_a_tree_has(value in tree(), pretty: bool) {
            prop_assume!(value.is_object() || value.is_array());
            let text = if pretty { serde_json::to_vec_pretty(&value) } else { serde_json::to_vec(&value) }.unwrap();
            let mut expected = Vec::new();
            climbed(&value, 1, &mut expected);
            prop_assert_eq!(walked(&text), expected);
        }

        #[test]
        fn text_that_ends_early_gives_the_beginning_of_what_the_whole_gives(value in tree(), part in 0.0..1.0_f64) {
            let text = serde_json::to_vec(&value).unwrap();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss,
                reason = "any place in a short text will do")]
            let end = (text.len() as f64 * part) as usize;
            prop_assert!(walked(&text).starts_with(&walked(&text[..end])));
        }

        #[test]
        fn no_bytes_make_it_fail(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            walked(&bytes);
        }
    }

    #[test]
    fn keys_and_values_that_are_spelled_with_escapes_are_what_they_mean() {
        assert_eq!(walked(br#"{"\u0069d":"f\u0069le"}"#), walked(br#"{"id":"file"}"#));
        assert_eq!(walked(br#"{"id":"\ud800"}"#), [], "a lone surrogate is no text, and nobody's id");
    }
}
