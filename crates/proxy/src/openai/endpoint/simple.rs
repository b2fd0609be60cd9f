//! What asks a model, leaves nothing behind and has one path.

use super::EndpointKind::{Completions, Embeddings, Moderations, Provenance};
use super::row::ask;
use super::{Endpoint, ModelAt, StreamDialect, StreamEnd, Takes};

pub(super) static ROWS: &[Endpoint] = &[
    ask("/v1/embeddings", Embeddings),
    ask("/v1/moderations", Moderations).model(ModelAt::Body { required: false }),
    ask("/v1/completions", Completions).streams(StreamDialect::Chat, StreamEnd::Done),
    ask("/v1/content_provenance_checks", Provenance)
        .model(ModelAt::Nowhere)
        .takes(Takes::Multipart)
        .files(&["file"]),
];
