//! Models of one's own.

use super::EndpointKind::FineTuning;
use super::ObjectKind::{FineTunedModel, FineTuningJob};
use super::row::{delete, get, post};
use super::{Endpoint, ModelAt, Takes};

pub(super) static ROWS: &[Endpoint] = &[
    get("/v1/fine_tuning/jobs", FineTuning, &[]).lists(FineTuningJob),
    post("/v1/fine_tuning/jobs", FineTuning, &[])
        .model(ModelAt::Body { required: true })
        .makes(FineTuningJob),
    get("/v1/fine_tuning/jobs/{fine_tuning_job_id}", FineTuning, &[("fine_tuning_job_id", FineTuningJob)]),
    get(
        "/v1/fine_tuning/jobs/{fine_tuning_job_id}/checkpoints",
        FineTuning,
        &[("fine_tuning_job_id", FineTuningJob)],
    ),
    get(
        "/v1/fine_tuning/jobs/{fine_tuning_job_id}/events",
        FineTuning,
        &[("fine_tuning_job_id", FineTuningJob)],
    ),
    post(
        "/v1/fine_tuning/jobs/{fine_tuning_job_id}/cancel",
        FineTuning,
        &[("fine_tuning_job_id", FineTuningJob)],
    )
    .takes(Takes::Nothing),
    post(
        "/v1/fine_tuning/jobs/{fine_tuning_job_id}/pause",
        FineTuning,
        &[("fine_tuning_job_id", FineTuningJob)],
    )
    .takes(Takes::Nothing),
    post(
        "/v1/fine_tuning/jobs/{fine_tuning_job_id}/resume",
        FineTuning,
        &[("fine_tuning_job_id", FineTuningJob)],
    )
    .takes(Takes::Nothing),
    get(
        "/v1/fine_tuning/checkpoints/{fine_tuned_model_checkpoint}/permissions",
        FineTuning,
        &[("fine_tuned_model_checkpoint", FineTunedModel)],
    )
    .model(ModelAt::Path),
    post(
        "/v1/fine_tuning/checkpoints/{fine_tuned_model_checkpoint}/permissions",
        FineTuning,
        &[("fine_tuned_model_checkpoint", FineTunedModel)],
    )
    .model(ModelAt::Path),
    delete(
        "/v1/fine_tuning/checkpoints/{fine_tuned_model_checkpoint}/permissions/{permission_id}",
        FineTuning,
        &[("fine_tuned_model_checkpoint", FineTunedModel)],
    )
    .model(ModelAt::Path),
    post("/v1/fine_tuning/alpha/graders/run", FineTuning, &[])
        .model(ModelAt::Nested(&["grader", "model"]))
        .repeatable(),
    post("/v1/fine_tuning/alpha/graders/validate", FineTuning, &[])
        .model(ModelAt::Nested(&["grader", "model"]))
        .repeatable(),
];
