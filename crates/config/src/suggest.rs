/// The candidate that a word was most likely meant to be; `None` when nothing is near.
///
/// Case and the difference between `-` and `_` cost nothing; otherwise a third of the word may differ, three
/// characters at most: in a word of two letters, none. Long words are not compared at all: nobody misspells by accident for that long, and the
/// comparison is quadratic.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.is_empty() || word.len() > 80 {
        return None;
    }
    let plain = |text: &str| text.to_ascii_lowercase().replace('-', "_");
    let wanted = plain(word);
    let slack = (wanted.chars().count() / 3).min(3);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&wanted, &plain(candidate)), candidate))
        .filter(|(distance, _)| *distance <= slack)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// ``did you mean `port`?``, or nothing.
#[expect(single_use_lifetimes, reason = "the anonymous lifetime that the lint wants is unstable here")]
pub(crate) fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, candidates).map(|candidate| format!("did you mean `{candidate}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_recognised() {
        let keys = ["host", "port", "read_timeout", "write_timeout"];
        for (word, meant) in [
            ("prot", "port"),
            ("Port", "port"),
            ("read-timeout", "read_timeout"),
            ("wrtie_timeot", "write_timeout"),
        ] {
            assert_eq!(nearest(word, keys), Some(meant), "{word}");
        }
    }

    #[test]
    fn another_word_is_not_taken_for_one() {
        assert_eq!(nearest("colour", ["host", "port"]), None);
        assert_eq!(nearest("", ["a"]), None);
        assert_eq!(nearest("b", ["a"]), None);
        assert_eq!(nearest(&"x".repeat(100_000), ["xx"]), None);
    }
}
