//! Bodies of requests in JSON.

use bytes::Bytes;
use gateway_proxy::openai::{
    BackendModel, Edit, MAX_DEPTH, MAX_MODEL_CHARS, ModelSpan, ask_for_usage, nested_model, peek, pieces,
    rename,
};
use serde::de::IgnoredAny;
use serde_json::Value;

/// What is called no JSON is none, and the other way round; what is said of a good body is true of it.
pub(crate) fn peek_agrees_with_another_parser(body: &[u8]) {
    let is_json = std::str::from_utf8(body).is_ok()
        && body.trim_ascii_start().starts_with(b"{")
        && serde_json::from_slice::<IgnoredAny>(body).is_ok();
    match peek(body) {
        Ok(peek) => {
            assert!(is_json, "it is no JSON, and was taken for it");
            if let Some(model) = &peek.model {
                is_where_it_says(body, model);
            }
            let Ok(tree) = serde_json::from_slice::<Value>(body) else { return };
            // A tree has the last of those that are given twice; of what is read, nothing is.
            assert_eq!(peek.model.as_ref().map(|model| &*model.value), tree["model"].as_str());
            assert_eq!(peek.stream, tree["stream"] == true);
            assert_eq!(peek.store, tree["store"].as_bool());
            assert_eq!(peek.background, tree["background"] == true);
            assert_eq!(peek.user.as_deref(), tree["user"].as_str());
        }
        Err(error) if error.code() == "invalid_json" => {
            assert!(!is_json || depth(body) > MAX_DEPTH, "it is JSON: {error}");
        }
        Err(error) => {
            assert!(is_json, "a syntax error comes first: {error}");
            assert!(error.param().is_some(), "{error}");
        }
    }
}

/// A model is found where the path leads, and is written there.
pub(crate) fn a_nested_model_stands_where_it_is_said_to(body: &[u8]) {
    if peek(body).is_err() {
        return;
    }
    let Ok(Some(model)) = nested_model(body, &["data_source", "model"]) else { return };
    is_where_it_says(body, &model);
    if let Ok(tree) = serde_json::from_slice::<Value>(body) {
        assert_eq!(Some(&*model.value), tree["data_source"]["model"].as_str());
    }
}

/// The upstream gets every byte but the model's, and reads the new name there.
pub(crate) fn only_the_model_is_renamed(body: &[u8]) {
    const NAME: &str = "a/\"new\"\\name\u{1}é";
    let Ok(before) = peek(body) else { return };
    let Some(ModelSpan { span, value }) = before.model.clone() else { return };
    let body = Bytes::copy_from_slice(body);
    assert_eq!(
        rename(&body, span.clone(), &BackendModel::new((*value).into())),
        None,
        "it is called so already"
    );
    let renamed =
        pieces(&body, [None, rename(&body, span.clone(), &BackendModel::new(NAME.into())), None]).concat();
    let escaped = Value::from(NAME).to_string();
    let expected = [&body[..span.start], escaped.as_bytes(), &body[span.end..]].concat();
    assert_eq!(renamed, expected);
    // A control character is in the name to see it escaped; no client may send one.
    let shown = pieces(&body, [None, Some(Edit::replace(span, "\"shown\"")), None]).concat();
    let after = peek(&shown).expect("another name makes no difference");
    assert_eq!(after.model.map(|model| model.value.into_owned()).as_deref(), Some("shown"));
    assert_eq!((after.stream, after.user, after.store), (before.stream, before.user, before.store));
}

/// A body that was made to ask for the usage asks for it, and says all else as before.
pub(crate) fn usage_is_asked_for(body: &[u8]) {
    let Ok(before) = peek(body) else { return };
    let Some(edit) = ask_for_usage(body) else { return };
    assert!(!before.include_usage, "it asks already");
    if before.model.is_none() {
        // Nothing is put into a body without members: calls that stream name a model.
        return;
    }
    let asking = pieces(&Bytes::copy_from_slice(body), [Some(edit), None, None]).concat();
    let after = peek(&asking).expect("it is still JSON");
    assert!(after.include_usage);
    assert_eq!(after.model.map(|model| model.value), before.model.map(|model| model.value));
}

/// The strings that objects are looked for in are those that a parser finds.
pub(crate) fn a_walk_meets_the_strings_of_a_tree(text: &[u8]) {
    let walked = gateway_proxy::fuzz::strings(text);
    let Ok(tree) = serde_json::from_slice::<Value>(text) else { return };
    if !tree.is_object() && !tree.is_array() {
        return;
    }
    let mut climbed = Vec::new();
    climb(&tree, &mut climbed);
    // A tree has the last of the members that are given twice.
    assert!(climbed.iter().all(|string| walked.contains(string)), "{walked:?} lacks some of {climbed:?}");
}

fn climb(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::String(text) => into.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| climb(item, into)),
        Value::Object(members) => members.values().for_each(|member| climb(member, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn is_where_it_says(body: &[u8], model: &ModelSpan<'_>) {
    let written = body.get(model.span.clone()).expect("a span lies in its body");
    let read: String = serde_json::from_slice(written).expect("a span holds a string");
    assert_eq!(read, model.value);
    let count = read.chars().count();
    assert!((1..=MAX_MODEL_CHARS).contains(&count) && !read.chars().any(char::is_control), "{read:?}");
}

/// How deep the brackets of a valid text nest.
fn depth(text: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}
