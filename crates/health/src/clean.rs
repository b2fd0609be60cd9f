/// The longest text about a failure that is kept, in characters.
pub(crate) const MAX_WHY: usize = 300;

const MASK: &str = "[secret]";

/// Makes a text that others wrote fit for logs and pages: without the key, without control characters, not too long.
///
/// The order matters. Invisible characters go first, or a key with one inside would pass and look whole; the cut comes
/// last, or a key across it would leave its first half.
pub(crate) fn clean(text: &str, key: &str) -> String {
    let visible: String = text.chars().filter_map(visible).collect();
    let scrubbed = if key.is_empty() { visible } else { visible.replace(key, MASK) };
    let words = scrubbed.trim();
    if words.chars().count() <= MAX_WHY {
        return words.to_owned();
    }
    words.chars().take(MAX_WHY - 1).chain(['…']).collect()
}

/// Puts a mask in place of the key wherever the bytes hold it.
pub(crate) fn mask_bytes(bytes: &[u8], key: &[u8]) -> Option<Vec<u8>> {
    if key.is_empty() || key.len() > bytes.len() || !bytes.windows(key.len()).any(|part| part == key) {
        return None;
    }
    let mut masked = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&first, after)) = rest.split_first() {
        if let Some(behind) = rest.strip_prefix(key) {
            masked.extend_from_slice(MASK.as_bytes());
            rest = behind;
        } else {
            masked.push(first);
            rest = after;
        }
    }
    Some(masked)
}

/// Line breaks and tabs become spaces, other control characters go, and so do the marks that turn or hide text.
fn visible(c: char) -> Option<char> {
    match c {
        '\n' | '\r' | '\t' => Some(' '),
        '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{ad}' => None,
        c if c.is_control() => None,
        c => Some(c),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_text_smuggles_a_key_a_control_character_or_too_much(
            parts in prop::collection::vec(any::<String>(), 0..8),
            key in "[a-zA-Z0-9-]{9,40}",
        ) {
            let cleaned = clean(&parts.join(&key), &key);
            prop_assert!(!cleaned.contains(&key));
            prop_assert!(!cleaned.contains(char::is_control));
            prop_assert!(cleaned.chars().count() <= MAX_WHY);
            prop_assert_eq!(clean(&cleaned, &key), cleaned.clone());
        }
    }

    #[test]
    fn the_key_is_masked_wherever_it_stands() {
        assert_eq!(clean("sk-1 and Bearer sk-1.", "sk-1"), "[secret] and Bearer [secret].");
        assert_eq!(clean("nothing to hide", ""), "nothing to hide");
    }

    #[test]
    fn a_key_with_invisible_characters_inside_is_masked_too() {
        assert_eq!(clean("a sk-\u{200b}can\u{0}ary\u{1b}[2J b", "sk-canary"), "a [secret][2J b");
    }

    #[test]
    fn a_key_across_the_cut_leaves_nothing_of_itself() {
        let text = format!("{}sk-canary-long", "x".repeat(MAX_WHY - 5));
        let cleaned = clean(&text, "sk-canary-long");
        assert!(!cleaned.contains("sk"), "{cleaned}");
        assert_eq!(cleaned.chars().count(), MAX_WHY);
    }

    #[test]
    fn control_characters_are_removed_and_lines_are_joined() {
        assert_eq!(clean("one\ntwo\r\n\tthree\u{7}\u{202e}", ""), "one two   three");
    }

    #[test]
    fn long_texts_are_cut_at_characters_not_bytes() {
        let cleaned = clean(&"ü".repeat(1000), "");
        assert_eq!(cleaned.chars().count(), MAX_WHY);
        assert!(cleaned.ends_with('…'));
    }

    #[test]
    fn bytes_are_masked_only_where_they_hold_the_key() {
        assert_eq!(
            mask_bytes(b"{\"k\":\"sk-1sk-1\",\"\xff\"", b"sk-1").unwrap(),
            b"{\"k\":\"[secret][secret]\",\"\xff\""
        );
        assert_eq!(mask_bytes(b"sk-", b"sk-1"), None);
        assert_eq!(mask_bytes(b"anything", b""), None);
    }
}
