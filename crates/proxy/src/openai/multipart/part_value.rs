//! The value of a part, and what must change with it.

use std::ops::Range;

use bytes::Bytes;

/// Where a part's value stands in the form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartValue {
    /// Its bytes in the body.
    pub span: Range<u64>,
    /// The length that the part's head gives it, if it does.
    pub length: Option<GivenLength>,
}

/// A part's own `content-length`, as some clients write it (`OkHttp` before its version 5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenLength {
    /// Where in the body it begins.
    pub at: u64,
    /// What stands between it and the value.
    pub then: Bytes,
}

// === impl PartValue ===

impl PartValue {
    /// What has to stand in the form for the value to be another, and instead of which bytes.
    pub fn replaced(&self, value: &str) -> (Range<u64>, Bytes) {
        match &self.length {
            None => (self.span.clone(), Bytes::copy_from_slice(value.as_bytes())),
            Some(length) => {
                let digits = value.len().to_string();
                let instead = [digits.as_bytes(), &length.then, value.as_bytes()].concat();
                (length.at..self.span.end, instead.into())
            }
        }
    }
}
