//! A model that stands deeper in a body than at its top.

use serde_json::value::RawValue;

use super::fields::{each_field, is_object, place_in};
use super::peek::{ModelSpan, PeekError, model_in};

/// The model at `path`, a list of members from the top of `body` down. `None` when it leads nowhere.
///
/// Like [`peek`](super::peek()) this allows no second opinion: a member on the way that is given twice is refused.
/// The body must have been peeked into before.
pub fn nested_model<'a>(body: &'a [u8], path: &[&str]) -> Result<Option<ModelSpan<'a>>, PeekError> {
    let Ok(text) = std::str::from_utf8(body) else { return Ok(None) };
    let mut inner: Option<&'a RawValue> = None;
    for name in path {
        let within = match inner {
            None => text,
            Some(raw) if is_object(raw) => raw.get(),
            Some(_) => return Ok(None),
        };
        let (mut found, mut twice) = (None, None);
        let read = each_field(within, |key, value| {
            if key == *name && found.replace(value).is_some() {
                twice.get_or_insert(place_in(text, value).start);
            }
        });
        if let Some(at) = twice {
            return Err(PeekError::duplicate("model", at));
        }
        let (Ok(()), Some(value)) = (read, found) else { return Ok(None) };
        inner = Some(value);
    }
    inner.map_or(Ok(None), |raw| model_in(text, raw))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &[&str] = &["data_source", "model"];

    #[test]
    fn a_nested_model_is_found_where_it_stands() {
        let body = br#" {"model":1, "data_source" : {"x":{"model":"no"},"model" : "g\u0070t"}} "#;
        let found = nested_model(body, PATH).unwrap().unwrap();
        assert_eq!(found.value, "gpt");
        assert_eq!(body.get(found.span), Some(&br#""g\u0070t""#[..]));
    }

    #[test]
    fn a_path_that_leads_nowhere_names_no_model() {
        for body in [
            "{}",
            r#"{"data_source":null}"#,
            r#"{"data_source":"model"}"#,
            r#"{"data_source":{"model":null}}"#,
            "[",
        ] {
            assert_eq!(nested_model(body.as_bytes(), PATH), Ok(None), "{body}");
        }
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        for (body, code) in [
            (r#"{"data_source":{},"data_source":{"model":"a"}}"#, "duplicate_parameter"),
            (r#"{"data_source":{"model":"a","\u006dodel":"b"}}"#, "duplicate_parameter"),
            (r#"{"data_source":{"model":1}}"#, "invalid_type"),
            (r#"{"data_source":{"model":""}}"#, "invalid_value"),
        ] {
            assert_eq!(nested_model(body.as_bytes(), PATH).unwrap_err().code(), code, "{body}");
        }
    }
}
