use gateway_random_wire::{damaged, noise, value};
use proptest::prelude::*;

use super::*;
use crate::openai::fields::each_field;

/// What is found when the document comes in pieces that end at these places.
fn scanned(document: &[u8], cuts: &[usize]) -> Option<Usage> {
    let mut scan = UsageScan::default();
    let mut from = 0;
    for to in cuts.iter().copied().chain([document.len()]) {
        scan.feed(&document[from..to]);
        from = to;
    }
    Some(scan.feed(&[])).filter(Usage::is_known)
}

/// What a parser finds.
fn parsed(document: &str) -> Option<Usage> {
    let member = |object: &str, name: &str| {
        let mut found = None;
        let read = each_field(object, |key, value| {
            if key == name {
                found = Some(value.to_owned());
            }
        });
        read.ok().and(found)
    };
    let usage_in = |object: &str| counts(member(object, "usage")?.get().as_bytes());
    usage_in(document).or_else(|| usage_in(member(document, "response")?.get()))
}

#[test]
fn usage_is_found_on_either_side_of_what_is_long_and_nowhere_else() {
    let long = "A\\\"{[".repeat(300_000);
    for (document, prompt) in [
        (format!(r#"{{"usage":{{"prompt_tokens":1}},"data":["{long}"]}}"#), Some(1)),
        (format!(r#"{{"data":["{long}"],"usage":{{"prompt_tokens":2}}}}"#), Some(2)),
        (format!(r#"{{"data":["{long}"], "\u0075sage" : {{ "prompt_tokens" : 3 }} }}"#), Some(3)),
        (format!(r#"{{"response":{{"output":"{long}","usage":{{"prompt_tokens":4}}}}}}"#), Some(4)),
        (format!(r#"{{"data":[{{"x":"{long}","usage":{{"prompt_tokens":5}}}}]}}"#), None),
        (format!(r#"{{"response":[{{"usage":{{"prompt_tokens":6}}}}],"x":"{long}"}}"#), None),
        (format!(r#"[{{"usage":{{"prompt_tokens":7}},"x":"{long}"}}]"#), None),
        (format!(r#"{{"x":"{long}","usage":null}}"#), None),
        (format!(r#"{{"usage":{{"prompt_tokens":8,"x":"{long}"}}}}"#), None),
    ] {
        let found = scanned(document.as_bytes(), &[1 << 20]);
        assert_eq!(found.and_then(|usage| usage.prompt), prompt, "{}", &document[..40]);
    }
}

#[test]
fn a_document_that_breaks_off_has_told_what_came_before() {
    let document = br#"{"usage":{"prompt_tokens":1,"completion_tokens":2},"data":["aaaa"#;
    assert_eq!(scanned(document, &[]).and_then(|usage| usage.completion), Some(2));
    assert_eq!(scanned(br#"{"data":[],"usage":{"prompt_tokens":1,"completion_tok"#, &[]), None);
}

#[test]
fn what_it_holds_is_bounded() {
    let mut scan = UsageScan::begun_with(br#"{"usage":{"x":""#);
    for _ in 0..100 {
        scan.feed(&[b'a'; 4096]);
    }
    assert!(scan.taken.as_ref().is_some_and(|taken| taken.bytes.len() == MAX_USAGE + 1));
    let mut scan = UsageScan::begun_with(br#"{""#);
    for _ in 0..100 {
        scan.feed(&[b'a'; 4096]);
    }
    assert!(matches!(&scan.text, Text::Inside { key: Some(key), .. } if key.len() == MAX_KEY + 1));
}

fn usage_value() -> impl Strategy<Value = String> {
    let counts = (0..50_u64, 0..50_u64).prop_map(|(prompt, completion)| {
        format!(r#"{{ "prompt_tokens":{prompt}, "completion_tokens":{completion},"x":{{"usage":[]}}}}"#)
    });
    prop_oneof![3 => counts, 1 => value()]
}

fn object(inner: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec![
        r#""usage""#,
        r#""response""#,
        r#""\u0075sage""#,
        r#""res\u0070onse""#,
        r#""data""#,
        r#""us\"age""#,
        r#""""#,
    ]);
    let space = prop::sample::select(vec!["", " ", "\n\t"]);
    prop::collection::vec((key, space, inner), 0..5).prop_map(|members| {
        let members: Vec<String> = members
            .into_iter()
            .map(|(key, space, raw)| format!("{space}{key}{space}:{space}{raw}"))
            .collect();
        format!("{{{}}}", members.join(","))
    })
}

/// Objects that hold usage where it counts and where it does not, over and over.
fn document() -> impl Strategy<Value = String> {
    let leaf = || prop_oneof![2 => usage_value(), 1 => value()];
    let list = prop::collection::vec(object(leaf()), 0..3).prop_map(|items| format!("[{}]", items.join(",")));
    object(prop_oneof![leaf(), object(leaf()), list])
}

proptest! {
    #[test]
    fn it_finds_what_a_parser_finds_however_the_document_is_cut(
        document in document(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let expected = parsed(&document);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(document.len() + 1)).collect();
        cuts.sort_unstable();
        prop_assert_eq!(scanned(document.as_bytes(), &cuts), expected);
        let every: Vec<usize> = (0..document.len()).collect();
        prop_assert_eq!(scanned(document.as_bytes(), &every), expected);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop_oneof![noise(), damaged()]) {
        let _ = scanned(&bytes, &[]);
        let _ = scanned(&[b"{\"usage\":{\"prompt_tokens\":", &bytes[..], b"}}"].concat(), &[3]);
    }
}
