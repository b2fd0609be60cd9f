//! Files that can be searched.

use super::EndpointKind::VectorStores;
use super::ObjectKind::{File, FileBatch, VectorStore};
use super::row::{delete, get, post};
use super::{Endpoint, Takes};

pub(super) static ROWS: &[Endpoint] = &[
    get("/v1/vector_stores", VectorStores, &[]).lists(VectorStore),
    post("/v1/vector_stores", VectorStores, &[]).makes(VectorStore),
    get("/v1/vector_stores/{vector_store_id}", VectorStores, &[("vector_store_id", VectorStore)]),
    post("/v1/vector_stores/{vector_store_id}", VectorStores, &[("vector_store_id", VectorStore)]),
    delete("/v1/vector_stores/{vector_store_id}", VectorStores, &[("vector_store_id", VectorStore)]),
    post("/v1/vector_stores/{vector_store_id}/search", VectorStores, &[("vector_store_id", VectorStore)])
        .repeatable(),
    get("/v1/vector_stores/{vector_store_id}/files", VectorStores, &[("vector_store_id", VectorStore)]),
    post("/v1/vector_stores/{vector_store_id}/files", VectorStores, &[("vector_store_id", VectorStore)]),
    get(
        "/v1/vector_stores/{vector_store_id}/files/{file_id}",
        VectorStores,
        &[("vector_store_id", VectorStore), ("file_id", File)],
    ),
    post(
        "/v1/vector_stores/{vector_store_id}/files/{file_id}",
        VectorStores,
        &[("vector_store_id", VectorStore), ("file_id", File)],
    ),
    delete(
        "/v1/vector_stores/{vector_store_id}/files/{file_id}",
        VectorStores,
        &[("vector_store_id", VectorStore), ("file_id", File)],
    ),
    get(
        "/v1/vector_stores/{vector_store_id}/files/{file_id}/content",
        VectorStores,
        &[("vector_store_id", VectorStore), ("file_id", File)],
    ),
    post(
        "/v1/vector_stores/{vector_store_id}/file_batches",
        VectorStores,
        &[("vector_store_id", VectorStore)],
    )
    .makes(FileBatch),
    get(
        "/v1/vector_stores/{vector_store_id}/file_batches/{batch_id}",
        VectorStores,
        &[("vector_store_id", VectorStore), ("batch_id", FileBatch)],
    ),
    post(
        "/v1/vector_stores/{vector_store_id}/file_batches/{batch_id}/cancel",
        VectorStores,
        &[("vector_store_id", VectorStore), ("batch_id", FileBatch)],
    )
    .takes(Takes::Nothing),
    get(
        "/v1/vector_stores/{vector_store_id}/file_batches/{batch_id}/files",
        VectorStores,
        &[("vector_store_id", VectorStore), ("batch_id", FileBatch)],
    ),
];
