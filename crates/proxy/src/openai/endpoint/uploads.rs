//! Files that come in parts.

use super::EndpointKind::Uploads;
use super::ObjectKind::Upload;
use super::row::post;
use super::{Endpoint, Takes};

pub(super) static ROWS: &[Endpoint] = &[
    post("/v1/uploads", Uploads, &[]).makes(Upload),
    post("/v1/uploads/{upload_id}/parts", Uploads, &[("upload_id", Upload)])
        .takes(Takes::Multipart)
        .files(&["data"]),
    post("/v1/uploads/{upload_id}/complete", Uploads, &[("upload_id", Upload)]),
    post("/v1/uploads/{upload_id}/cancel", Uploads, &[("upload_id", Upload)]).takes(Takes::Nothing),
];
