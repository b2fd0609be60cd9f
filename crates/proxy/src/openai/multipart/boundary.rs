//! The boundary that a request's content type announces.

use super::parameters::Parameters;
use crate::openai::PeekError;

/// How long a boundary may be (RFC 2046 §5.1.1).
pub const MAX_BOUNDARY: usize = 70;

/// Whether a content type means parts of a form, whatever its parameters.
pub fn is_multipart(content_type: &[u8]) -> bool {
    let essence = content_type.split(|b| *b == b';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case(b"multipart/form-data")
}

/// The boundary named by the value of a `content-type` header.
pub fn boundary_of(content_type: &[u8]) -> Result<&[u8], PeekError> {
    let refuse = PeekError::content_type;
    let parameters = Parameters::read(content_type).map_err(refuse)?;
    if !parameters.essence.eq_ignore_ascii_case(b"multipart/form-data") {
        return Err(refuse("is not multipart/form-data"));
    }
    if parameters.has("boundary*") {
        return Err(refuse("has an encoded boundary"));
    }
    let boundary = parameters.one("boundary").map_err(refuse)?.ok_or_else(|| refuse("has no boundary"))?;
    check(boundary.value)?;
    Ok(boundary.value)
}

/// Refuses what is no boundary.
pub(super) fn check(boundary: &[u8]) -> Result<(), PeekError> {
    if boundary.is_empty() {
        return Err(PeekError::content_type("has an empty boundary"));
    }
    if boundary.len() > MAX_BOUNDARY {
        return Err(PeekError::content_type("has a boundary of more than 70 characters"));
    }
    let known = |b: &u8| b.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(b);
    if !boundary.iter().all(known) || boundary.ends_with(b" ") {
        return Err(PeekError::content_type("has a boundary with characters that no boundary may have"));
    }
    Ok(())
}
