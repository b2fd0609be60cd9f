//! Puts another model name into a request body without touching, or copying, any other byte.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::edit::Edit;
use super::string::unquoted;

/// What a channel calls a model, ready to be put into any body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendModel {
    name: Arc<str>,
    /// The same as a JSON string, with its quotes.
    json: Bytes,
}

// === impl BackendModel ===

impl BackendModel {
    /// A model of this name.
    pub fn new(name: Arc<str>) -> Self {
        let json = serde_json::Value::from(&*name).to_string().into();
        Self { name, json }
    }

    /// Its name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }
}

/// Replaces the JSON string at `span` of `body` by the name of `model`.
///
/// `None` for a body that names the model already, in whatever spelling: it stays as it is.
///
/// # Panics
/// When `span` does not lie in `body`. It has to come from [`peek`](super::peek()) of this very body.
pub fn rename(body: &Bytes, span: Range<usize>, model: &BackendModel) -> Option<Edit> {
    let old = std::str::from_utf8(body.get(span.clone()).expect("the span is one of this body")).ok();
    let is_same = old.and_then(unquoted).is_some_and(|old| *old == *model.name);
    (!is_same).then(|| Edit::replace(span, model.json.clone()))
}

#[cfg(test)]
mod tests;
