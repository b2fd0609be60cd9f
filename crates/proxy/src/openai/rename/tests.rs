use gateway_random_wire::{document, model_name};
use proptest::prelude::*;

use super::*;
use crate::openai::{peek, pieces};

fn renamed(body: &str, model: &str) -> [Bytes; 7] {
    let body = Bytes::copy_from_slice(body.as_bytes());
    let span = peek(&body).unwrap().model.unwrap().span;
    pieces(&body, [rename(&body, span, &BackendModel::new(model.into())), None, None])
}

#[test]
fn only_the_value_of_model_is_replaced() {
    let new = renamed(r#"{ "temperature":0.70,"model" : "a" , "big":1e400}"#, "gpt-4o");
    assert_eq!(new.concat(), br#"{ "temperature":0.70,"model" : "gpt-4o" , "big":1e400}"#);
}

#[test]
fn the_new_name_is_escaped_as_json_wants_it() {
    let new = renamed(r#"{"model":"a"}"#, "a\"b\\c\n\u{1}é");
    assert_eq!(new.concat(), "{\"model\":\"a\\\"b\\\\c\\n\\u0001é\"}".as_bytes());
}

#[test]
fn a_body_that_names_the_model_already_stays_as_it_is() {
    let body = Bytes::from_static(br#"{"model":"gpt\u002d4o"}"#);
    let span = peek(&body).unwrap().model.unwrap().span;
    assert_eq!(rename(&body, span, &BackendModel::new("gpt-4o".into())), None);
}

#[test]
fn the_pieces_are_slices_of_the_original() {
    let body = Bytes::from_static(br#"{"model":"a"}"#);
    let [head, model, tail, ..] =
        pieces(&body, [None, rename(&body, 9..12, &BackendModel::new("b".into())), None]);
    assert_eq!(head.as_ptr(), body.as_ptr());
    assert_eq!(tail.as_ptr().addr(), body.as_ptr().addr() + 12);
    assert_eq!([head, model, tail], [&br#"{"model":"#[..], br#""b""#, b"}"]);
}

proptest! {
    #[test]
    fn every_byte_outside_the_span_is_kept(document in document(), (_, name) in model_name()) {
        let Some(old) = document.model else { return Ok(()) };
        let new = renamed(&document.text, &name).concat();
        prop_assert!(new.starts_with(&document.text.as_bytes()[..old.span.start]));
        prop_assert!(new.ends_with(&document.text.as_bytes()[old.span.end..]));
        let middle = &new[old.span.start..new.len() - (document.text.len() - old.span.end)];
        prop_assert_eq!(serde_json::from_slice::<String>(middle).unwrap(), name.as_str());
        prop_assert_eq!(peek(&new).unwrap().model.unwrap().value, name.as_str());
        if old.value == name {
            prop_assert_eq!(new, document.text.as_bytes());
        }
    }
}
