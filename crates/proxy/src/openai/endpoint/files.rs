//! Files.

use super::EndpointKind::Files;
use super::ObjectKind::File;
use super::row::{delete, get, post};
use super::{Endpoint, Gives, Takes};

pub(super) static ROWS: &[Endpoint] = &[
    get("/v1/files", Files, &[]).lists(File),
    post("/v1/files", Files, &[]).takes(Takes::Multipart).files(&["file"]).makes(File),
    get("/v1/files/{file_id}", Files, &[("file_id", File)]),
    delete("/v1/files/{file_id}", Files, &[("file_id", File)]),
    get("/v1/files/{file_id}/content", Files, &[("file_id", File)]).gives(Gives::Bytes),
];
