use gateway_random_wire::{damaged, tree};
use proptest::prelude::*;
use serde::de::IgnoredAny;

use super::*;
use crate::openai::fields::each_field;

/// What is told of an object.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    members: Vec<(String, String)>,
    inner: usize,
}

impl Reader<'_> for Told {
    fn member(&mut self, name: &[u8], value: &[u8]) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        self.members.push((text(name), text(value)));
    }

    fn inner_name(&mut self, _: &[u8]) {
        self.inner += 1;
    }
}

fn told(text: &[u8]) -> Option<Told> {
    let mut told = Told::default();
    read(text, &mut told).map(|()| told)
}

/// How many members there are within the members of a value.
fn names_in(value: &serde_json::Value) -> usize {
    let of_array: usize = value.as_array().into_iter().flatten().map(names_in).sum();
    let of_object: usize =
        value.as_object().into_iter().flatten().map(|(_, value)| 1 + names_in(value)).sum();
    of_array + of_object
}

#[test]
fn usual_text_is_read_and_what_is_wrong_or_unusual_is_left_to_others() {
    for text in [
        "{}",
        " { \"a\" : [ ] , \"b\" : { } , \"c\":[1,-0.5e+7,0,true,false,null,\"\\u00e9 \\n\",[{}]] }\r\n",
        "{\"a\":\"\u{e9}\u{1f980} and a text that is longer than what is looked at word by word, by far\"}",
    ] {
        assert!(told(text.as_bytes()).is_some(), "{text}");
    }
    for text in [
        "",
        "[]",
        "{",
        "{}x",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{,}",
        "{\"a\":01}",
        "{\"a\":1.}",
        "{\"a\":-}",
        "{\"a\":1e}",
        "{\"a\":tru}",
        "{\"a\":[1,]}",
        "{\"a\":[1}}",
        "{\"a\":{\"b\":1]}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\u12g4\"}",
        "{\"a\":\"\t\"}",
        "{\"\\u0061\":1}",
        "{\"a\":\"no end",
        "{\"a\":\"\\",
    ] {
        assert!(told(text.as_bytes()).is_none(), "{text}");
    }
    assert!(told(b"{\"a\":\"\xff\"}").is_none());
}

#[test]
fn what_is_not_allowed_in_a_string_is_found_wherever_it_stands() {
    for length in 0..120 {
        for at in 0..=length {
            let mut text = vec![b'x'; length];
            text.insert(at, b'\n');
            assert!(told(&[b"{\"a\":\"", &text[..], b"\"}"].concat()).is_none(), "{at} of {length}");
            text[at] = 0xC3;
            text.insert(at + 1, 0xA9);
            assert!(told(&[b"{\"a\":\"", &text[..], b"\"}"].concat()).is_some(), "{at} of {length}");
            text.remove(at + 1);
            assert!(told(&[b"{\"a\":\"", &text[..], b"\"}"].concat()).is_none(), "{at} of {length}");
        }
    }
}

proptest! {
    #[test]
    fn the_members_are_those_that_another_parser_finds(value in tree(), pretty: bool) {
        prop_assume!(value.is_object());
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let mut members = Vec::new();
        each_field(&text, |name, value| members.push((name.to_owned(), value.get().to_owned()))).unwrap();
        let inner = names_in(&value) - members.len();
        if let Some(told) = told(text.as_bytes()) {
            prop_assert_eq!(told, Told { members, inner });
        } else {
            let mut names = value.as_object().unwrap().keys();
            prop_assert!(names.any(|name| serde_json::to_string(name).unwrap().contains('\\')));
        }
    }

    #[test]
    fn a_string_full_of_escapes_is_what_another_parser_finds(pieces in prop::collection::vec(
        prop::sample::select(vec!["\\\\", "\\\"", "\\n", "\\/", "\\u00e9", "\\ud83d", "\\u12", "x", "é", "\\", "\"", "\u{1}", "seventeen letters"]),
        0..40,
    )) {
        // Without the rare ones, most are good.
        let good = pieces.iter().filter(|piece| !matches!(**piece, "\\u12" | "\\" | "\"" | "\u{1}"));
        for string in [pieces.concat(), good.copied().collect()] {
            let text = format!("{{\"a\":\"{string}\",\"b\":\"{string}{string}\",\"c\":1}}");
            let mut members = Vec::new();
            let read = each_field(&text, |name, value| members.push((name.to_owned(), value.get().to_owned())));
            match told(text.as_bytes()) {
                Some(told) => {
                    prop_assert!(read.is_ok());
                    prop_assert_eq!(told.members, members);
                }
                // A quote may make names of what was meant as a value.
                None => prop_assert!(read.is_err() || members.iter().any(|(name, _)| !["a", "b", "c"].contains(&&**name))),
            }
        }
    }

    #[test]
    fn nothing_is_read_that_another_parser_refuses(bytes in prop_oneof![
        damaged(),
        "\\{\"a\":[-+.eE0-9a-z\\[\\]{}:,\"\\\\ ]{0,12}\\}".prop_map(String::into_bytes),
    ]) {
        if told(&bytes).is_some() {
            prop_assert!(serde_json::from_slice::<IgnoredAny>(&bytes).is_ok());
            prop_assert!(std::str::from_utf8(&bytes).is_ok());
        }
    }
}
