//! What the gateway knows of the OpenAI wire format: pure functions over bytes.
//!
//! Nothing here does I/O, reads a clock or knows a channel. A request body is read once ([`peek`]) and changed in one
//! place only ([`rename`]); an answer is only watched as it passes ([`Scanner`], [`usage_of`], [`UsageScan`], [`error_of`]).
//! More is changed only where the operator wants it ([`ask_for_usage`], [`AnswerEdits`]). Every function takes whatever
//! bytes the network sends and never panics on them.

mod answer_edits;
mod ask_for_usage;
mod batch_lines;
mod choices;
mod document;
mod edit;
mod endpoint;
mod error_body;
mod event;
mod fields;
mod members;
mod multipart;
mod nested;
mod objects;
mod peek;
mod plain;
mod preamble;
mod rename;
mod sse;
mod string;
mod told;
mod upstream_error;
pub mod uri;
mod usage;
mod usage_scan;

pub use answer_edits::AnswerEdits;
pub use ask_for_usage::ask_for_usage;
pub use batch_lines::{BatchLines, BatchModels};
pub use choices::Choices;
pub(crate) use document::Document;
pub use edit::{Edit, pieces};
pub use endpoint::{
    ADMINISTRATION, Endpoint, EndpointKind, Gives, Lookup, ModelAt, OTHER, ObjectKind, PathParams,
    StreamDialect, StreamEnd, Takes, endpoints, lookup,
};
pub use error_body::ErrorBody;
pub use event::{Heard, Said, hear};
pub use multipart::{
    GivenLength, MAX_BOUNDARY, MAX_PART_HEAD, MAX_PARTS, MultipartPeek, MultipartScanner, PartValue,
    boundary_of, is_multipart,
};
pub use nested::nested_model;
pub use peek::{MAX_DEPTH, MAX_MODEL_CHARS, ModelSpan, Peek, PeekError, peek};
pub use preamble::is_preamble;
pub use rename::{BackendModel, rename};
pub use sse::{DEFAULT_MAX_EVENT_BYTES, Event, Fed, ScanError, Scanner, Seen, Stop};
pub(crate) use string::{string_end, unquoted};
pub use told::{Told, told_by};
pub use upstream_error::{UpstreamError, error_of, is_error_body, is_made_response};
pub use usage::usage_of;
pub use usage_scan::UsageScan;
