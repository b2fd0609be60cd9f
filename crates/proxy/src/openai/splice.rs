//! Puts another model name into a request body without touching, or copying, any other byte.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

/// A body in up to three pieces: two slices of the original and the new name between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spliced {
    /// Everything before the name; the whole body when nothing had to change.
    pub head: Bytes,
    /// The new name as a JSON string, quotes included.
    pub model: Bytes,
    /// Everything after the name.
    pub tail: Bytes,
}

/// Replaces the JSON string at `span` of `body` by `model`.
///
/// A body that names the model already, in whatever spelling, stays as it is.
///
/// # Panics
/// When `span` does not lie in `body`. It has to come from [`peek`](super::peek()) of this very body.
pub fn splice(body: &Bytes, span: Range<usize>, model: &str) -> Spliced {
    let old = body.slice(span.clone());
    if serde_json::from_slice::<String>(&old).is_ok_and(|old| old == model) {
        return Spliced { head: body.clone(), model: Bytes::new(), tail: Bytes::new() };
    }
    Spliced {
        head: body.slice(..span.start),
        model: Bytes::from(serde_json::Value::from(model).to_string()),
        tail: body.slice(span.end..),
    }
}

// === impl Spliced ===

impl Spliced {
    /// The length of the new body in bytes, for `content-length`.
    pub fn len(&self) -> usize {
        self.head.len() + self.model.len() + self.tail.len()
    }

    /// Whether the new body has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The pieces as one buffer: a copy, unless there is only one piece.
    pub fn to_bytes(&self) -> Bytes {
        if self.model.is_empty() && self.tail.is_empty() {
            return self.head.clone();
        }
        let mut whole = BytesMut::with_capacity(self.len());
        for piece in [&self.head, &self.model, &self.tail] {
            whole.extend_from_slice(piece);
        }
        whole.freeze()
    }
}

impl IntoIterator for Spliced {
    type Item = Bytes;
    type IntoIter = std::iter::Filter<std::array::IntoIter<Bytes, 3>, fn(&Bytes) -> bool>;

    /// The pieces in order, empty ones left out.
    fn into_iter(self) -> Self::IntoIter {
        [self.head, self.model, self.tail].into_iter().filter(|piece| !piece.is_empty())
    }
}

#[cfg(test)]
mod tests;
