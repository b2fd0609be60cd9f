//! Random bodies for property tests: JSON documents and forms in every spelling that is allowed, and near misses. What a
//! body says, and where, is known from its making, so that a test needs no second reader.
//!
//! **Must never know:** the product. What it reads wrongly must not be wrong here too.

mod cuts;
mod form;
mod json;
mod run;

use std::ops::Range;

pub use cuts::{in_pieces, pieces};
pub use form::{CRUMBS, Form, form, form_about, form_within};
pub use json::{Document, damaged, document, document_about, model_name, noise, tree, value};
pub use run::{cases, holds};

/// Where a body names its model, and what the name is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// The name, decoded.
    pub value: String,
    /// The bytes in which it stands: a JSON string with its quotes, or the value of a part.
    pub span: Range<usize>,
}
