use proptest::prelude::*;

use super::*;

/// The same, byte by byte.
fn slowly(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match text.get(at)? {
            b'"' => return Some(at),
            b'\\' => match text.get(at + 1)? {
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => at += 2,
                b'u' if text.get(at + 2..at + 6)?.iter().all(u8::is_ascii_hexdigit) => at += 6,
                _ => return None,
            },
            ..b' ' => return None,
            _ => at += 1,
        }
    }
}

/// The kinds of instructions that this processor has.
fn levels() -> Vec<Level> {
    let best = Level::new();
    let mut levels = vec![best, Level::baseline()];
    #[cfg(target_arch = "x86_64")]
    levels.extend(best.as_avx2().map(Level::Avx2).into_iter().chain(best.as_sse4_2().map(Level::Sse4_2)));
    levels
}

/// How long the string is that `text` begins with: the same with all of them, and byte by byte.
#[track_caller]
fn assert_measured(text: &[u8]) {
    for level in levels() {
        let found = measure(level, text);
        assert_eq!(
            found.map(|found| found.length),
            slowly(text),
            "{level:?}: {}",
            String::from_utf8_lossy(text)
        );
        // All of the string is ASCII where it is said to be.
        assert!(found.is_none_or(|found| !found.is_ascii || text[..found.length].is_ascii()), "{level:?}");
        // Nothing is escaped where nothing is said to be.
        let escapes = |found: Found| text[..found.length].contains(&b'\\');
        assert!(found.is_none_or(|found| found.may_escape || !escapes(found)), "{level:?}");
    }
}

#[test]
fn every_byte_is_taken_for_what_it_is_in_every_place() {
    for length in [0, 1, 62, 63, 64, 65, 127, 128, 200] {
        for at in 0..=length {
            for byte in 0..=u8::MAX {
                let mut text = vec![b'x'; length];
                text.insert(at, byte);
                text.push(b'"');
                assert_measured(&text);
            }
        }
    }
}

#[test]
fn every_letter_is_taken_for_what_it_is_behind_a_backslash_in_every_place() {
    for at in 0..130 {
        for byte in 0..=u8::MAX {
            let text = [&vec![b'x'; at][..], &[b'\\', byte], b"0aF9 x\""].concat();
            assert_measured(&text);
        }
    }
}

#[test]
fn an_escape_has_four_digits_in_every_place() {
    for at in 0..130 {
        for digit in 0..4 {
            for byte in 0..=u8::MAX {
                let mut escape = *b"\\u12aF";
                escape[2 + digit] = byte;
                assert_measured(&[&vec![b'x'; at][..], &escape, b"xx\"\""].concat());
            }
        }
    }
}

#[test]
fn what_is_not_ascii_is_seen_wherever_it_stands() {
    for length in 0..200 {
        for at in 0..=length {
            let text = ["x".repeat(at), "é".to_owned(), "x".repeat(length - at), "\"".to_owned()].concat();
            for level in levels() {
                assert_eq!(
                    measure(level, text.as_bytes()),
                    Some(Found { length: length + 2, is_ascii: false, may_escape: true })
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]
    #[test]
    fn rows_of_escapes_are_told_apart_wherever_they_begin(
        pieces in prop::collection::vec(
            prop::sample::select(vec!["\\", "\\", "\\\\", "n", "u", "\\u12aF", "0", "\"", "x", "\u{1}", "letters of a text"]),
            0..100,
        ),
        before in 0..64_usize,
    ) {
        assert_measured(format!("{}{}", "x".repeat(before), pieces.concat()).as_bytes());
        // Those that are good longest.
        let good = pieces.iter().filter(|piece| !matches!(**piece, "\\" | "\"" | "\u{1}"));
        assert_measured(format!("{}{}\"", "x".repeat(before), good.copied().collect::<String>()).as_bytes());
    }
}
