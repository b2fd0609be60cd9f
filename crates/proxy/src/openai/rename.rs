//! Puts another model name into a request body without touching, or copying, any other byte.

use std::ops::Range;

use bytes::Bytes;

use super::edit::Edit;

/// Replaces the JSON string at `span` of `body` by `model`.
///
/// `None` for a body that names the model already, in whatever spelling: it stays as it is.
///
/// # Panics
/// When `span` does not lie in `body`. It has to come from [`peek`](super::peek()) of this very body.
pub fn rename(body: &Bytes, span: Range<usize>, model: &str) -> Option<Edit> {
    let old = body.slice(span.clone());
    if serde_json::from_slice::<String>(&old).is_ok_and(|old| old == model) {
        return None;
    }
    Some(Edit::replace(span, serde_json::Value::from(model).to_string()))
}

#[cfg(test)]
mod tests;
