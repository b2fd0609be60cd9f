//! Reads the query of a list: only known parameters, each at most once.

use std::fmt::Write as _;

use crate::error::{ApiError, Fault, Problem};

/// The parameters of a query, decoded.
#[derive(Debug)]
pub(crate) struct Query {
    values: Vec<(String, String)>,
}

// === impl Query ===

impl Query {
    /// Reads a query whose parameters are among `known`.
    pub(crate) fn read(text: Option<&str>, known: &[&'static str]) -> Result<Self, ApiError> {
        let mut values: Vec<(String, String)> = Vec::new();
        let mut problems = Vec::new();
        for pair in text.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(name);
            if !known.contains(&name.as_str()) {
                let param: String = name.chars().take(64).collect();
                let message = format!("is not a parameter here; the parameters are {}", known.join(", "));
                problems.push(Problem { param, fault: Fault::Unknown, message });
            } else if values.iter().any(|(given, _)| *given == name) {
                let message = "is given twice".to_owned();
                problems.push(Problem { param: name, fault: Fault::Value, message });
            } else {
                values.push((name, decode(value)));
            }
        }
        if problems.is_empty() { Ok(Self { values }) } else { Err(ApiError::Invalid(problems)) }
    }

    /// A parameter; an empty one counts as absent.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let found = self.values.iter().find(|(given, _)| given == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// A parameter that `read` understands; `wanted` says what it must be.
    pub(crate) fn parsed<T>(
        &self,
        name: &str,
        wanted: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, ApiError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        match read(text) {
            Some(value) => Ok(Some(value)),
            None => Err(ApiError::Invalid(vec![Problem {
                param: name.to_owned(),
                fault: Fault::Value,
                message: format!("must be {wanted}"),
            }])),
        }
    }
}

/// Percent-encodes everything that could mean something in a query.
pub(crate) fn encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("a String takes everything");
        }
        encoded
    })
}

/// Percent-decodes; what is no valid escape or no UTF-8 stays visible as it is or as `U+FFFD`.
pub(crate) fn decode(text: &str) -> String {
    let hex = |b: Option<&u8>| b.and_then(|b| char::from(*b).to_digit(16)).and_then(|d| u8::try_from(d).ok());
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match (byte, hex(bytes.get(at + 1)), hex(bytes.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                decoded.push(high << 4 | low);
                at += 3;
            }
            (b'+', _, _) => {
                decoded.push(b' ');
                at += 1;
            }
            (byte, _, _) => {
                decoded.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded_and_broken_ones_kept() {
        assert_eq!(decode("a%20b+c"), "a b c");
        assert_eq!(decode("100%"), "100%");
        assert_eq!(decode("%zz%4"), "%zz%4");
        assert_eq!(decode("%c3%a4"), "ä");
        assert_eq!(decode("%ff"), "\u{fffd}");
    }

    #[test]
    fn what_was_encoded_is_decoded_to_the_same() {
        for text in ["", "a b+c&d=e%20", "ä/ü?#<>\"", "gpt-4.1_mini~"] {
            assert_eq!(decode(&encode(text)), text);
        }
        assert_eq!(encode("a b"), "a%20b");
    }

    #[test]
    fn unknown_and_repeated_parameters_are_refused_by_name() {
        let error = Query::read(Some("limit=1&drop=table&limit=2"), &["limit"]).unwrap_err().to_string();
        assert_eq!(error, "drop is not a parameter here; the parameters are limit; limit is given twice");
    }

    #[test]
    fn an_empty_parameter_is_absent() {
        let query = Query::read(Some("limit=&model=a"), &["limit", "model"]).unwrap();
        assert_eq!((query.text("limit"), query.text("model")), (None, Some("a")));
    }
}
