//! Chat completions, also those that are stored, and their elders.

use super::EndpointKind::{ChatCompletions, StoredCompletions};
use super::ObjectKind::StoredCompletion;
use super::row::{ask, delete, get, post};
use super::{Endpoint, StreamDialect, StreamEnd};

pub(super) static ROWS: &[Endpoint] = &[
    ask("/v1/chat/completions", ChatCompletions)
        .streams(StreamDialect::Chat, StreamEnd::Done)
        .makes(StoredCompletion),
    get("/v1/chat/completions", StoredCompletions, &[]).lists(StoredCompletion),
    get("/v1/chat/completions/{completion_id}", StoredCompletions, &[("completion_id", StoredCompletion)]),
    post("/v1/chat/completions/{completion_id}", StoredCompletions, &[("completion_id", StoredCompletion)]),
    delete("/v1/chat/completions/{completion_id}", StoredCompletions, &[("completion_id", StoredCompletion)]),
    get(
        "/v1/chat/completions/{completion_id}/messages",
        StoredCompletions,
        &[("completion_id", StoredCompletion)],
    ),
];
