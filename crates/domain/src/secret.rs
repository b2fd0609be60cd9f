use std::fmt;

/// A value that must never be printed: `Debug` shows `[secret]`, there is no `Display`.
///
/// The only way to the value is [`Secret::expose`], so every use can be found by one search.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret<T>(T);

// === impl Secret ===

impl<T> Secret<T> {
    /// Wraps a value.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself. What it is given to must not print it.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl Secret<String> {
    /// How the secret is shown to people: `sk-…wxyz`, the last four characters of a secret of twelve or more, else
    /// `…` alone. Empty stays empty, so that "no key" can be told from "a key".
    pub fn masked(&self) -> String {
        let text = &self.0;
        if text.is_empty() {
            return String::new();
        }
        let count = text.chars().count();
        if count < 12 {
            return "…".to_owned();
        }
        let last: String = text.chars().skip(count - 4).collect();
        let prefix = if text.starts_with("sk-") { "sk-" } else { "" };
        format!("{prefix}…{last}")
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_of_the_value() {
        let secret = Secret::new("sk-canary".to_owned());
        assert_eq!(format!("{secret:?}"), "[secret]");
        assert_eq!(format!("{:?}", Some(&secret)), "Some([secret])");
    }

    #[test]
    fn the_mask_shows_four_characters_of_a_long_secret_and_none_of_a_short_one() {
        let mask = |text: &str| Secret::new(text.to_owned()).masked();
        assert_eq!(mask("sk-proj-abcdefgh1234"), "sk-…1234");
        assert_eq!(mask("abcdefghijkl"), "…ijkl");
        assert_eq!(mask("sk-12345678"), "…");
        assert_eq!(mask(""), "");
    }
}
