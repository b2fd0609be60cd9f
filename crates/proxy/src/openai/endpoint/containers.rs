//! Where the code of models runs.

use super::EndpointKind::Containers;
use super::ObjectKind::{Container, ContainerFile};
use super::row::{delete, get, post};
use super::{Endpoint, Gives, Takes};

pub(super) static ROWS: &[Endpoint] = &[
    get("/v1/containers", Containers, &[]).lists(Container),
    post("/v1/containers", Containers, &[]).makes(Container),
    get("/v1/containers/{container_id}", Containers, &[("container_id", Container)]),
    delete("/v1/containers/{container_id}", Containers, &[("container_id", Container)]),
    get("/v1/containers/{container_id}/files", Containers, &[("container_id", Container)]),
    post("/v1/containers/{container_id}/files", Containers, &[("container_id", Container)])
        .takes(Takes::JsonOrMultipart)
        .makes(ContainerFile),
    get(
        "/v1/containers/{container_id}/files/{file_id}",
        Containers,
        &[("container_id", Container), ("file_id", ContainerFile)],
    ),
    delete(
        "/v1/containers/{container_id}/files/{file_id}",
        Containers,
        &[("container_id", Container), ("file_id", ContainerFile)],
    ),
    get(
        "/v1/containers/{container_id}/files/{file_id}/content",
        Containers,
        &[("container_id", Container), ("file_id", ContainerFile)],
    )
    .gives(Gives::Bytes),
];
