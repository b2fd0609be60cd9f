//! Reads a request body against its schema, and says everything that is wrong with it at once.
//!
//! Not `#[derive(Deserialize)]`: that stops at the first fault and cannot name the field of a wrong value. A person
//! who edits a form wants all faults, each beside its field.

use std::fmt;

use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value};

use crate::error::{ApiError, Fault, Problem};
use crate::schema::Schema;

/// A request body whose shape is known to be right: only known fields, each of its kind, none missing.
///
/// Problems with *values* are gathered while the body is turned into words of the domain; [`Form::finish`] says
/// them all.
#[derive(Debug)]
pub(crate) struct Form {
    values: Map<String, Value>,
    problems: Vec<Problem>,
}

// === impl Form ===

impl Form {
    /// Checks the shape of a body. An empty body is an empty object: it fits when no field is required.
    pub(crate) fn read(body: &[u8], schema: &'static Schema) -> Result<Self, ApiError> {
        let body = if body.trim_ascii().is_empty() { b"{}" } else { body };
        let values = parse(body)?;
        let mut problems = Vec::new();
        check_shape(&values, schema, &mut problems);
        if problems.is_empty() { Ok(Self { values, problems }) } else { Err(ApiError::Invalid(problems)) }
    }

    /// Whether the field was given, be it as `null`.
    pub(crate) fn has(&self, field: &str) -> bool {
        self.values.contains_key(field)
    }

    /// The field's value unless it is absent or `null`.
    pub(crate) fn value(&self, field: &str) -> Option<&Value> {
        self.values.get(field).filter(|value| !value.is_null())
    }

    pub(crate) fn text(&self, field: &str) -> Option<&str> {
        self.value(field).and_then(Value::as_str)
    }

    pub(crate) fn flag(&self, field: &str) -> Option<bool> {
        self.value(field).and_then(Value::as_bool)
    }

    /// A whole number; those beyond `i64` count as `i64::MAX`, which every range check refuses.
    pub(crate) fn integer(&self, field: &str) -> Option<i64> {
        self.value(field).and_then(|value| value.as_i64().or_else(|| value.as_u64().map(|_| i64::MAX)))
    }

    /// The texts of a list; empty when the field is absent.
    pub(crate) fn texts(&self, field: &str) -> Vec<&str> {
        let list = self.value(field).and_then(Value::as_array);
        list.map(|list| list.iter().filter_map(Value::as_str).collect()).unwrap_or_default()
    }

    /// Notes that a value will not do. The text never repeats the value: it may be a secret.
    pub(crate) fn object_to(&mut self, field: &str, message: impl Into<String>) {
        self.problems.push(Problem { param: field.to_owned(), fault: Fault::Value, message: message.into() });
    }

    /// A number in a range; what is outside is objected to.
    pub(crate) fn in_range(&mut self, field: &str, range: std::ops::RangeInclusive<i64>) -> Option<u32> {
        let number = self.integer(field)?;
        if range.contains(&number) {
            return u32::try_from(number).ok();
        }
        self.object_to(field, format!("must be from {} to {}", range.start(), range.end()));
        None
    }

    /// All objections, or the value that was built meanwhile.
    pub(crate) fn finish<T>(self, value: Option<T>) -> Result<T, ApiError> {
        match value {
            Some(value) if self.problems.is_empty() => Ok(value),
            _ => Err(ApiError::Invalid(self.problems)),
        }
    }
}

fn check_shape(values: &Map<String, Value>, schema: &Schema, problems: &mut Vec<Problem>) {
    let mut note = |name: &str, fault, message| {
        problems.push(Problem { param: name.to_owned(), fault, message });
    };
    for (name, value) in values {
        match schema.field(name) {
            None => {
                let shown: String = name.chars().take(64).collect();
                let known = schema.field_names();
                note(&shown, Fault::Unknown, format!("is not a field here; the fields are {known}"));
            }
            // As everywhere in JSON APIs of this kind, null stands for "not given".
            Some(_) if value.is_null() => {}
            Some(field) => {
                if let Err(wanted) = field.accepts(value) {
                    note(name, Fault::Kind, wanted);
                }
            }
        }
    }
    for field in schema.fields.iter().filter(|field| field.required) {
        let value = values.get(field.name).filter(|value| !value.is_null());
        // As in the original gateway, an empty text is no text.
        if value.is_none_or(|value| !field.may_be_empty && value.as_str() == Some("")) {
            note(field.name, Fault::Missing, "is required".to_owned());
        }
    }
}

/// Parses a JSON object; a field given twice is refused, because readers disagree on which one counts.
fn parse(body: &[u8]) -> Result<Map<String, Value>, ApiError> {
    struct Once;

    impl<'de> Visitor<'de> for Once {
        type Value = Map<String, Value>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a JSON object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
            let mut values = Map::new();
            while let Some((name, value)) = access.next_entry::<String, Value>()? {
                if values.insert(name, value).is_some() {
                    return Err(A::Error::custom("a field is given twice"));
                }
            }
            Ok(values)
        }
    }

    let mut reader = serde_json::Deserializer::from_slice(body);
    let values = reader.deserialize_map(Once).and_then(|values| reader.end().map(|()| values));
    values.map_err(|why| ApiError::InvalidJson(describe(&why)))
}

/// Says where the body breaks, without repeating any of it: serde's own text may quote a value, and a body that is
/// not an object may be a bare key.
fn describe(why: &serde_json::Error) -> String {
    let what = match why.classify() {
        serde_json::error::Category::Eof => "the body ends too early".to_owned(),
        serde_json::error::Category::Data if why.to_string().starts_with("a field is given twice") => {
            "a field is given twice".to_owned()
        }
        serde_json::error::Category::Data => "the body must be a JSON object".to_owned(),
        serde_json::error::Category::Syntax | serde_json::error::Category::Io => {
            "the body is not valid JSON".to_owned()
        }
    };
    format!("{what} (line {}, column {})", why.line(), why.column())
}

#[cfg(test)]
mod tests;
