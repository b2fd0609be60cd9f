//! Videos.

use super::EndpointKind::Videos;
use super::ObjectKind::{Character, Video};
use super::row::{delete, get, post};
use super::{Endpoint, Gives, ModelAt, Takes};

pub(super) static ROWS: &[Endpoint] = &[
    get("/v1/videos", Videos, &[]).lists(Video),
    post("/v1/videos", Videos, &[])
        .model(ModelAt::Body { required: false })
        .takes(Takes::JsonOrMultipart)
        .makes(Video),
    post("/v1/videos/characters", Videos, &[]).takes(Takes::Multipart).files(&["video"]).makes(Character),
    get("/v1/videos/characters/{character_id}", Videos, &[("character_id", Character)]),
    post("/v1/videos/edits", Videos, &[]).takes(Takes::JsonOrMultipart).makes(Video),
    post("/v1/videos/extensions", Videos, &[]).takes(Takes::JsonOrMultipart).makes(Video),
    get("/v1/videos/{video_id}", Videos, &[("video_id", Video)]),
    delete("/v1/videos/{video_id}", Videos, &[("video_id", Video)]),
    get("/v1/videos/{video_id}/content", Videos, &[("video_id", Video)]).gives(Gives::Bytes),
    post("/v1/videos/{video_id}/remix", Videos, &[("video_id", Video)])
        .takes(Takes::JsonOrMultipart)
        .makes(Video),
];
