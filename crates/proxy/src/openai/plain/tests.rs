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
    escaped: usize,
}

impl Reader<'_> for Told {
    fn member(&mut self, name: &[u8], value: &[u8]) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        self.members.push((text(name), text(value)));
    }

    fn inner_name(&mut self, _: &[u8]) {
        self.inner += 1;
    }

    fn escaped_name(&mut self) {
        self.inner += 1;
        self.escaped += 1;
    }
}

fn told(text: &[u8]) -> Option<Told> {
    let mut told = Told::default();
    read(text, &mut told).map(|()| told)
}

/// The names of all members within the members of an object, and within the items of an array.
fn names_within(value: &serde_json::Value) -> Vec<&str> {
    let items = value.as_array().into_iter().flatten();
    let inner = items.chain(value.as_object().into_iter().flat_map(serde_json::Map::values));
    let names = |inner| {
        let own = serde_json::Value::as_object(inner).into_iter().flat_map(serde_json::Map::keys);
        own.map(String::as_str).chain(names_within(inner))
    };
    inner.flat_map(names).collect()
}

fn is_escaped(name: &str) -> bool {
    serde_json::to_string(name).unwrap().contains('\\')
}

#[test]
fn names_with_escapes_are_told_apart_however_long_they_are() {
    for length in 0..100 {
        let (plain, behind) = ("n".repeat(length), "\\\\".repeat(40));
        for at in 0..=length {
            let (before, after) = plain.split_at(at);
            let text = format!(r#"{{"a":[{{"{before}\u0061{after}":1,"{plain}":"{behind}"}}]}}"#);
            let told = told(text.as_bytes()).unwrap();
            assert_eq!((told.inner, told.escaped), (2, 1), "{text}");
        }
    }
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
        let within = names_within(&value);
        let escaped = within.iter().filter(|name| is_escaped(name)).count();
        if let Some(told) = told(text.as_bytes()) {
            prop_assert_eq!(told, Told { members, inner: within.len(), escaped });
        } else {
            prop_assert!(value.as_object().unwrap().keys().any(|name| is_escaped(name)));
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
