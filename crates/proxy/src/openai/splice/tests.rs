use proptest::prelude::*;

use super::*;
use crate::openai::peek;
use crate::openai::random_json::{document, model_name};

fn spliced(body: &str, model: &str) -> Spliced {
    let body = Bytes::copy_from_slice(body.as_bytes());
    let span = peek(&body).unwrap().model.unwrap().span;
    splice(&body, span, model)
}

#[test]
fn only_the_value_of_model_is_replaced() {
    let new = spliced(r#"{ "temperature":0.70,"model" : "a" , "big":1e400}"#, "gpt-4o");
    assert_eq!(new.to_bytes(), r#"{ "temperature":0.70,"model" : "gpt-4o" , "big":1e400}"#);
    assert_eq!(new.len(), new.to_bytes().len());
}

#[test]
fn the_new_name_is_escaped_as_json_wants_it() {
    let new = spliced(r#"{"model":"a"}"#, "a\"b\\c\n\u{1}é");
    assert_eq!(new.to_bytes(), "{\"model\":\"a\\\"b\\\\c\\n\\u0001é\"}");
}

#[test]
fn a_body_that_names_the_model_already_stays_as_it_is() {
    let body = r#"{"model":"gpt\u002d4o"}"#;
    let new = spliced(body, "gpt-4o");
    assert_eq!(new.to_bytes(), body);
    assert_eq!(new.into_iter().collect::<Vec<_>>(), [body]);
}

#[test]
fn the_pieces_are_slices_of_the_original() {
    let body = Bytes::from_static(br#"{"model":"a"}"#);
    let new = splice(&body, 9..12, "b");
    assert_eq!(new.head.as_ptr(), body.as_ptr());
    assert_eq!(new.tail.as_ptr().addr(), body.as_ptr().addr() + 12);
    assert_eq!(new.into_iter().collect::<Vec<_>>(), [&br#"{"model":"#[..], br#""b""#, b"}"]);
}

#[test]
fn nothing_is_empty_only_when_it_is() {
    assert!(!spliced(r#"{"model":"a"}"#, "b").is_empty());
    assert!(splice(&Bytes::new(), 0..0, "").to_bytes() == "\"\"");
}

proptest! {
    #[test]
    fn every_byte_outside_the_span_is_kept(document in document(), (_, name) in model_name()) {
        let Some(old) = document.model else { return Ok(()) };
        let new = spliced(&document.text, &name).to_bytes();
        prop_assert!(new.starts_with(&document.text.as_bytes()[..old.start]));
        prop_assert!(new.ends_with(&document.text.as_bytes()[old.end..]));
        let middle = &new[old.start..new.len() - (document.text.len() - old.end)];
        prop_assert_eq!(serde_json::from_slice::<String>(middle).unwrap(), name.as_str());
        prop_assert_eq!(peek(&new).unwrap().model.unwrap().value, name.as_str());
        if old.value == name {
            prop_assert_eq!(new, document.text);
        }
    }
}
