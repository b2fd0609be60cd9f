//! Takes secrets out of what an upstream said, before people see it.

/// Longest excerpt, in characters.
const MAX_EXCERPT: usize = 600;

/// The beginning of an upstream's reply, without the channel's key, anything else that looks like one, and control
/// characters.
pub(crate) fn excerpt(reply: &[u8], key: &str) -> String {
    // Scrub before cutting: half a key at the cut would no longer be recognised.
    let text = scrub(&String::from_utf8_lossy(reply), key);
    let shown = text.chars().filter(|c| !c.is_control() || *c == '\n' || *c == '\t');
    let mut excerpt: String = shown.take(MAX_EXCERPT).collect();
    if text.chars().count() > MAX_EXCERPT {
        excerpt.push('…');
    }
    excerpt
}

/// Replaces the key, and every `sk-…` of eight characters or more.
pub(crate) fn scrub(text: &str, key: &str) -> String {
    let text = if key.is_empty() { text.to_owned() } else { text.replace(key, "[secret]") };
    let mut clean = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find("sk-") {
        let (before, found) = rest.split_at(at);
        clean.push_str(before);
        let is_key = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let end = found.find(|c| !is_key(c)).unwrap_or(found.len());
        let (word, after) = found.split_at(end);
        clean.push_str(if word.len() >= 11 { "[secret]" } else { word });
        rest = after;
    }
    clean.push_str(rest);
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_the_channels_key_nor_any_other_survives() {
        let text = scrub("key=abc123 and sk-other-key-99 but sk-1 stays", "abc123");
        assert_eq!(text, "key=[secret] and [secret] but sk-1 stays");
    }

    #[test]
    fn a_key_at_the_cut_is_not_shown_in_half() {
        let reply = format!("{}sk-canary-0123456789abcdef", "x".repeat(MAX_EXCERPT - 10));
        let shown = excerpt(reply.as_bytes(), "");
        assert!(!shown.contains("canary"), "{shown}");
    }

    #[test]
    fn bytes_that_are_no_text_and_control_characters_do_no_harm() {
        assert_eq!(excerpt(b"\x1b[2Ja\xffb", ""), "[2Ja\u{fffd}b");
    }
}
