//! Responses.

use super::EndpointKind::{Compact, InputTokens, Responses, StoredResponses};
use super::ObjectKind::Response;
use super::row::{ask, delete, get, post, socket};
use super::{Endpoint, ModelAt, StreamDialect, StreamEnd, Takes};

pub(super) static ROWS: &[Endpoint] = &[
    ask("/v1/responses", Responses)
        .model(ModelAt::Body { required: false })
        .streams(StreamDialect::Responses, StreamEnd::Response)
        .makes(Response),
    socket("/v1/responses", Responses, &[]).makes(Response),
    ask("/v1/responses/input_tokens", InputTokens).model(ModelAt::Body { required: false }),
    ask("/v1/responses/compact", Compact),
    get("/v1/responses/{response_id}", StoredResponses, &[("response_id", Response)])
        .streams(StreamDialect::Responses, StreamEnd::Response),
    delete("/v1/responses/{response_id}", StoredResponses, &[("response_id", Response)]),
    post("/v1/responses/{response_id}/cancel", StoredResponses, &[("response_id", Response)])
        .takes(Takes::Nothing),
    get("/v1/responses/{response_id}/input_items", StoredResponses, &[("response_id", Response)]),
];
