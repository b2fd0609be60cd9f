//! Many calls in a file.

use super::EndpointKind::Batches;
use super::ObjectKind::Batch;
use super::row::{get, post};
use super::{Endpoint, Takes};

pub(super) static ROWS: &[Endpoint] = &[
    get("/v1/batches", Batches, &[]).lists(Batch),
    post("/v1/batches", Batches, &[]).makes(Batch),
    get("/v1/batches/{batch_id}", Batches, &[("batch_id", Batch)]),
    post("/v1/batches/{batch_id}/cancel", Batches, &[("batch_id", Batch)]).takes(Takes::Nothing),
];
