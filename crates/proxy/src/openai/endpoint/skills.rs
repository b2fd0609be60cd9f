//! Skills.

use super::EndpointKind::Skills;
use super::ObjectKind::Skill;
use super::row::{delete, get, post};
use super::{Endpoint, Gives, Takes};

pub(super) static ROWS: &[Endpoint] = &[
    get("/v1/skills", Skills, &[]).lists(Skill),
    post("/v1/skills", Skills, &[]).takes(Takes::JsonOrMultipart).makes(Skill),
    get("/v1/skills/{skill_id}", Skills, &[("skill_id", Skill)]),
    post("/v1/skills/{skill_id}", Skills, &[("skill_id", Skill)]),
    delete("/v1/skills/{skill_id}", Skills, &[("skill_id", Skill)]),
    get("/v1/skills/{skill_id}/content", Skills, &[("skill_id", Skill)]).gives(Gives::Bytes),
    get("/v1/skills/{skill_id}/versions", Skills, &[("skill_id", Skill)]),
    post("/v1/skills/{skill_id}/versions", Skills, &[("skill_id", Skill)]).takes(Takes::JsonOrMultipart),
    get("/v1/skills/{skill_id}/versions/{version}", Skills, &[("skill_id", Skill)]),
    delete("/v1/skills/{skill_id}/versions/{version}", Skills, &[("skill_id", Skill)]),
    get("/v1/skills/{skill_id}/versions/{version}/content", Skills, &[("skill_id", Skill)])
        .gives(Gives::Bytes),
];
