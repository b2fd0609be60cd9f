//! A whole JSON answer, read once.

use gateway_domain::Usage;
use serde::de::IgnoredAny;

use super::plain::{self, Reader};
use super::upstream_error::{error_of, is_made_response};
use super::usage::{Counter, Places, usage_of};

/// What is to be known of an answer before its client gets it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Document<'t> {
    json: &'t [u8],
    /// What a fast look has shown; `None` where there is more to it.
    plain: Option<Plain<'t>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Plain<'t> {
    usage: Places<'t>,
    /// What the usage at the top counts.
    counted: Counter,
    in_usage: bool,
    /// Whether it may be an error: then it is worth another look.
    is_suspect: bool,
}

// === impl Document ===

impl<'t> Document<'t> {
    /// Validates all of it.
    pub(crate) fn read(json: &'t [u8]) -> Result<Self, serde_json::Error> {
        let mut plain = Plain::default();
        let is_plain = plain::read(json, &mut plain).is_some();
        if !is_plain {
            serde_json::from_slice::<IgnoredAny>(json)?;
        }
        Ok(Self { json, plain: is_plain.then_some(plain) })
    }

    /// Whether it tells a failure, and not of an object that was made and has failed since.
    pub(crate) fn is_failure(&self) -> bool {
        self.plain.is_none_or(|plain| plain.is_suspect)
            && error_of(self.json).is_some()
            && !is_made_response(self.json)
    }

    /// The tokens that it counts.
    pub(crate) fn usage(&self) -> Option<Usage> {
        self.plain.map_or_else(|| usage_of(self.json), |plain| plain.usage.with_counted(&plain.counted))
    }
}

// === impl Plain ===

impl<'t> Reader<'t> for Plain<'t> {
    fn begins(&mut self, name: &'t [u8]) {
        self.in_usage = name == b"usage";
        if self.in_usage {
            self.counted = Counter::default();
        }
    }

    fn member(&mut self, name: &'t [u8], value: &'t [u8]) {
        match name {
            b"error" => self.is_suspect |= value != b"null",
            b"type" => self.is_suspect |= memchr::memchr3(b'e', b'.', b'\\', value).is_some(),
            name => self.usage.note(name, value),
        }
    }

    fn inner_name(&mut self, name: &'t [u8]) {
        if self.in_usage {
            self.counted.name(name);
        }
    }

    fn escaped_name(&mut self) {
        if self.in_usage {
            self.counted.escaped_name();
        }
    }

    fn opens(&mut self, is_object: bool) {
        if self.in_usage {
            self.counted.opens(is_object);
        }
    }

    fn closes(&mut self) {
        if self.in_usage {
            self.counted.closes();
        }
    }

    fn scalar(&mut self, text: &'t [u8]) {
        if self.in_usage {
            self.counted.scalar(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A value such as may stand in a usage, or may not.
    fn value() -> impl Strategy<Value = String> {
        let names = [
            "prompt_tokens",
            "output_tokens",
            "prompt_tokens_details",
            "input_token_details",
            "completion_tokens_details",
            "prompt_cache_hit_tokens",
            "cached_tokens",
            "audio_tokens",
            "reasoning_tokens",
            "cached\\u005ftokens",
            "prompt_t\\u006fkens",
            "x",
        ];
        let scalar =
            prop::sample::select(vec!["0", "7", "12.0", "1.5", "-3", "null", "true", "\"9\"", "1e3"]);
        let scalar = scalar.prop_map(str::to_owned);
        scalar.prop_recursive(3, 24, 5, move |inner| {
            let member = (prop::sample::select(names.to_vec()), inner.clone());
            let object = prop::collection::vec(member, 0..5).prop_map(|members| {
                let members: Vec<_> = members.iter().map(|(n, v)| format!("\"{n}\":{v}")).collect();
                format!("{{{}}}", members.join(","))
            });
            let array =
                prop::collection::vec(inner, 0..3).prop_map(|values| format!("[{}]", values.join(",")));
            prop_oneof![5 => object, 1 => array]
        })
    }

    proptest! {
        #[test]
        fn what_is_counted_on_the_way_is_what_a_closer_look_counts(
            usages in prop::collection::vec(value(), 0..3), response in value(),
        ) {
            let members: Vec<_> = usages.iter().map(|usage| format!("\"usage\":{usage},")).collect();
            let json = format!("{{{}\"response\":{{\"usage\":{response}}}}}", members.concat());
            let document = Document::read(json.as_bytes()).unwrap();
            prop_assert_eq!(document.usage(), usage_of(json.as_bytes()), "{}", json);
        }
    }

    #[test]
    fn an_error_is_found_however_it_is_spelled_and_a_story_of_one_is_none() {
        for (json, failure) in [
            (r#"{"error":{"message":"no"}}"#, true),
            (r#"{"\u0065rror":{"message":"no","type":"error"}}"#, true),
            (r#"{"type":"error","code":"x"}"#, true),
            (r#"{"type":"response.failed","response":{"error":{"code":"x"}}}"#, true),
            (r#"{"id":"x","error":null}"#, false),
            (r#"{"object":"response","status":"completed","error":{"message":"of a tool"}}"#, false),
            (r#"{"object":"response","status":"failed","error":{"message":"no"}}"#, true),
            (r#"[{"error":{}}]"#, false),
        ] {
            assert_eq!(Document::read(json.as_bytes()).unwrap().is_failure(), failure, "{json}");
        }
        assert!(Document::read(b"{\"error\":1").is_err());
    }

    #[test]
    fn its_usage_is_that_of_the_closer_look() {
        for json in [
            r#"{"usage":{"prompt_tokens":3,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":1}}}"#,
            r#"{"usage":{"prompt_tokens":3},"a\u0062":1}"#,
            r#"{"usage":null,"response":{"usage":{"input_tokens":3}}}"#,
            r#"{"usage":"many"}"#,
            r#"{"usage":{"prompt_tokens":1,"prompt_tokens_details":{"cached_tokens":5,"cached_tokens":[]}}}"#,
            r#"{"usage":{"prompt_tokens":1,"prompt_tokens_details":[{"cached_tokens":5}],"x":{"y":{"\u0061":1}}}}"#,
            r#"{"usage":{"prompt_tokens":1,"prompt_tokens_details":{"cached\u005ftokens":5}}}"#,
            r#"{"usage":{"prompt_tokens":1},"usage":{"prompt_tokens":[2],"output_tokens":3}}"#,
            "[]",
        ] {
            assert_eq!(Document::read(json.as_bytes()).unwrap().usage(), usage_of(json.as_bytes()), "{json}");
        }
    }
}
