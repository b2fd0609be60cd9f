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
