//! How well models do.

use super::EndpointKind::Evals;
use super::ObjectKind::EvalRun;
use super::row::{delete, get, post};
use super::{Endpoint, ModelAt, ObjectKind, Takes};

pub(super) static ROWS: &[Endpoint] = &[
    get("/v1/evals", Evals, &[]).lists(ObjectKind::Eval),
    post("/v1/evals", Evals, &[]).makes(ObjectKind::Eval),
    get("/v1/evals/{eval_id}", Evals, &[("eval_id", ObjectKind::Eval)]),
    post("/v1/evals/{eval_id}", Evals, &[("eval_id", ObjectKind::Eval)]),
    delete("/v1/evals/{eval_id}", Evals, &[("eval_id", ObjectKind::Eval)]),
    get("/v1/evals/{eval_id}/runs", Evals, &[("eval_id", ObjectKind::Eval)]),
    post("/v1/evals/{eval_id}/runs", Evals, &[("eval_id", ObjectKind::Eval)])
        .model(ModelAt::Nested(&["data_source", "model"]))
        .makes(EvalRun),
    get("/v1/evals/{eval_id}/runs/{run_id}", Evals, &[("eval_id", ObjectKind::Eval), ("run_id", EvalRun)]),
    post("/v1/evals/{eval_id}/runs/{run_id}", Evals, &[("eval_id", ObjectKind::Eval), ("run_id", EvalRun)])
        .takes(Takes::Nothing),
    delete("/v1/evals/{eval_id}/runs/{run_id}", Evals, &[("eval_id", ObjectKind::Eval), ("run_id", EvalRun)]),
    get(
        "/v1/evals/{eval_id}/runs/{run_id}/output_items",
        Evals,
        &[("eval_id", ObjectKind::Eval), ("run_id", EvalRun)],
    ),
    get(
        "/v1/evals/{eval_id}/runs/{run_id}/output_items/{output_item_id}",
        Evals,
        &[("eval_id", ObjectKind::Eval), ("run_id", EvalRun)],
    ),
];
