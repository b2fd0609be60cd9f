//! Assistants.

use super::EndpointKind::Assistants;
use super::ObjectKind::Assistant;
use super::row::{delete, get, post};
use super::{Endpoint, ModelAt};

pub(super) static ROWS: &[Endpoint] = &[
    get("/v1/assistants", Assistants, &[]).lists(Assistant),
    post("/v1/assistants", Assistants, &[]).model(ModelAt::Body { required: true }).makes(Assistant),
    get("/v1/assistants/{assistant_id}", Assistants, &[("assistant_id", Assistant)]),
    post("/v1/assistants/{assistant_id}", Assistants, &[("assistant_id", Assistant)])
        .model(ModelAt::Body { required: false }),
    delete("/v1/assistants/{assistant_id}", Assistants, &[("assistant_id", Assistant)]),
];
