//! What may be a name or a key. One rule for every field that holds one.

use crate::form::Form;

/// Longest name of a channel, model or user, in characters.
const MAX_NAME: usize = 200;

/// Longest key, in bytes: what fits into a header with room to spare.
const MAX_KEY: usize = 4096;

/// Largest weight. Weights are relative; more only loses precision.
pub(crate) const MAX_WEIGHT: i64 = 1_000_000;

/// Checks a name that may stand in headers, logs and metrics: something readable on one line.
pub(crate) fn check_name(form: &mut Form, field: &str, name: &str) {
    if let Some(message) = fault_of_name(name) {
        form.object_to(field, message);
    }
}

/// Checks the public name of a model; `*` has a meaning of its own.
pub(crate) fn check_model_name(form: &mut Form, field: &str, name: &str) {
    check_name(form, field, name);
    if name == "*" {
        form.object_to(field, "* cannot be a model; give it in a channel's models instead");
    }
}

fn fault_of_name(name: &str) -> Option<String> {
    if name.trim().is_empty() {
        Some("must not be empty".to_owned())
    } else if name.trim() != name {
        Some("must not begin or end with white space".to_owned())
    } else if name.chars().count() > MAX_NAME {
        Some(format!("must not be longer than {MAX_NAME} characters"))
    } else if name.chars().any(char::is_control) {
        Some("must not hold control characters".to_owned())
    } else {
        None
    }
}

/// Checks a key. It travels in a header, so it is visible ASCII; and so a masked key (`sk-…wxyz`), sent back by a
/// form that was filled from an answer, can never be taken for a key.
pub(crate) fn check_key(form: &mut Form, field: &str, key: &str) {
    if key.contains('…') {
        form.object_to(field, "is a masked key; leave it out to keep the present one");
    } else if key.len() > MAX_KEY {
        form.object_to(field, format!("must not be longer than {MAX_KEY} characters"));
    } else if !key.bytes().all(|b| b.is_ascii_graphic()) {
        form.object_to(field, "must be visible ASCII characters without spaces");
    }
}
