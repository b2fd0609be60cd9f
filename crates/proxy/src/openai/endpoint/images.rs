//! Images.

use super::EndpointKind::{ImageEdits, ImageGenerations, ImageVariations};
use super::row::ask;
use super::{Endpoint, ModelAt, StreamDialect, StreamEnd, Takes};

pub(super) static ROWS: &[Endpoint] = &[
    ask("/v1/images/generations", ImageGenerations)
        .model(ModelAt::Body { required: false })
        .streams(StreamDialect::Chat, StreamEnd::LastOfSeveral),
    ask("/v1/images/edits", ImageEdits)
        .model(ModelAt::Body { required: false })
        .takes(Takes::JsonOrMultipart)
        .files(&["image"])
        .streams(StreamDialect::Chat, StreamEnd::LastOfSeveral),
    ask("/v1/images/variations", ImageVariations)
        .model(ModelAt::Body { required: false })
        .takes(Takes::Multipart)
        .files(&["image"]),
];
