use bytes::{Bytes, BytesMut};
use memchr::memmem;

/// What stands where a key stood.
const MASK: &[u8] = b"[key]";

/// A key shorter than this is no secret, and looking for it would maim innocent texts.
const SHORTEST_KEY: usize = 8;

/// Whether a text repeats a channel's key.
pub(crate) fn holds(text: &[u8], key: &str) -> bool {
    // A shorter text has no room for it, and most texts that are looked through are headers.
    (SHORTEST_KEY..=text.len()).contains(&key.len()) && memmem::find(text, key.as_bytes()).is_some()
}

/// Takes a channel's key out of a text that an upstream wrote. Upstreams repeat keys in their errors.
pub(crate) fn scrub(text: Bytes, key: &str) -> Bytes {
    if !holds(&text, key) {
        return text;
    }
    let mut clean = BytesMut::with_capacity(text.len());
    let mut copied = 0;
    for at in memmem::find_iter(&text, key.as_bytes()) {
        clean.extend_from_slice(text.get(copied..at).unwrap_or_default());
        clean.extend_from_slice(MASK);
        copied = at + key.len();
    }
    clean.extend_from_slice(text.get(copied..).unwrap_or_default());
    clean.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_occurrence_of_the_key_is_masked_and_nothing_else_changes() {
        let text = Bytes::from_static(b"key sk-canary-1 and sk-canary-1.");
        assert_eq!(scrub(text, "sk-canary-1"), "key [key] and [key].");
    }

    #[test]
    fn a_text_without_the_key_is_passed_on_as_it_is() {
        let text = Bytes::from_static(b"nothing here");
        assert_eq!(scrub(text.clone(), "sk-canary-1").as_ptr(), text.as_ptr());
        assert_eq!(scrub(text.clone(), ""), text);
    }
}
