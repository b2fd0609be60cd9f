//! Lets a stream tell its usage that was not asked for it.

use super::edit::Edit;
use super::fields::{each_field, is_object, place_in};

const ASKING: &str = r#"{"include_usage":true}"#;

/// What has to be put into the body of a streamed chat, or of a legacy completion, so that the last event before the
/// end tells the usage.
///
/// `None` when there is nothing to be done: it asks already, or its `stream_options` are neither an object nor null, which is
/// the upstream's to judge.
pub fn ask_for_usage(body: &[u8]) -> Option<Edit> {
    let text = std::str::from_utf8(body).ok()?;
    let mut options = None;
    each_field(text, |key, value| {
        if key == "stream_options" {
            options = Some(value);
        }
    })
    .ok()?;
    let Some(options) = options else {
        let brace = memchr::memchr(b'{', body)?;
        return Some(Edit::insert(brace + 1, format!(r#""stream_options":{ASKING},"#)));
    };
    let place = place_in(text, options);
    if options.get() == "null" {
        return Some(Edit::replace(place, ASKING));
    }
    if !is_object(options) {
        return None;
    }
    let mut asked = None;
    each_field(options.get(), |key, value| {
        if key == "include_usage" {
            asked = Some(value);
        }
    })
    .ok()?;
    match asked {
        Some(asked) if asked.get() == "true" => None,
        Some(asked) => Some(Edit::replace(place_in(text, asked), "true")),
        None => {
            let is_empty = options.get().get(1..).is_some_and(|rest| rest.trim_ascii_start() == "}");
            let comma = if is_empty { "" } else { "," };
            Some(Edit::insert(place.start + 1, format!(r#""include_usage":true{comma}"#)))
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::edit::pieces;
    use super::super::peek;
    use super::*;

    fn asking(body: &'static str) -> String {
        let pieces =
            pieces(&Bytes::from_static(body.as_bytes()), [ask_for_usage(body.as_bytes()), None, None]);
        String::from_utf8(pieces.concat()).unwrap()
    }

    #[test]
    fn whatever_a_body_says_of_it_the_usage_is_asked_for_afterwards_and_no_other_byte_is_changed() {
        let rows = [
            (
                r#" {"model":"m","stream":true}"#,
                r#" {"stream_options":{"include_usage":true},"model":"m","stream":true}"#,
            ),
            (
                r#"{"stream_options": null ,"stream":true}"#,
                r#"{"stream_options": {"include_usage":true} ,"stream":true}"#,
            ),
            (r#"{"stream_options":{},"a":1}"#, r#"{"stream_options":{"include_usage":true},"a":1}"#),
            (
                r#"{"stream_options":{ "include_obfuscation":false}}"#,
                r#"{"stream_options":{"include_usage":true, "include_obfuscation":false}}"#,
            ),
            (
                r#"{"stream_options":{"include_usage": false }}"#,
                r#"{"stream_options":{"include_usage": true }}"#,
            ),
            (r#"{"stream_options":{ }}"#, r#"{"stream_options":{"include_usage":true }}"#),
            (r#"{"stream_options":{"\ud800":1}}"#, r#"{"stream_options":{"include_usage":true,"\ud800":1}}"#),
            (r#"{"stream_options":{"include_usage":null}}"#, r#"{"stream_options":{"include_usage":true}}"#),
            (
                r#"{"stream\u005foptions":{"include\u005fusage":false}}"#,
                r#"{"stream\u005foptions":{"include\u005fusage":true}}"#,
            ),
        ];
        for (body, expected) in rows {
            let asking = asking(body);
            assert_eq!(asking, expected);
            assert!(peek(asking.as_bytes()).unwrap().include_usage, "{asking}");
        }
    }

    #[test]
    fn a_body_that_asks_already_or_says_nonsense_is_left_alone() {
        for body in [
            r#"{"stream_options":{"include_usage":true}}"#,
            r#"{"stream_options":"yes"}"#,
            r#"{"stream_options":[]}"#,
            "[]",
            "",
        ] {
            assert_eq!(asking(body), body);
        }
    }
}
