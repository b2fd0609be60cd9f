//! What is said to assistants, and their runs.

use super::EndpointKind::Threads;
use super::ObjectKind::{Message, Run, Thread};
use super::row::{delete, get, post};
use super::{Endpoint, ModelAt, StreamDialect, StreamEnd, Takes};

pub(super) static ROWS: &[Endpoint] = &[
    post("/v1/threads", Threads, &[]).makes(Thread),
    post("/v1/threads/runs", Threads, &[])
        .model(ModelAt::Body { required: false })
        .streams(StreamDialect::Chat, StreamEnd::Done)
        .makes(Run),
    get("/v1/threads/{thread_id}", Threads, &[("thread_id", Thread)]),
    post("/v1/threads/{thread_id}", Threads, &[("thread_id", Thread)]),
    delete("/v1/threads/{thread_id}", Threads, &[("thread_id", Thread)]),
    get("/v1/threads/{thread_id}/messages", Threads, &[("thread_id", Thread)]),
    post("/v1/threads/{thread_id}/messages", Threads, &[("thread_id", Thread)]).makes(Message),
    get(
        "/v1/threads/{thread_id}/messages/{message_id}",
        Threads,
        &[("thread_id", Thread), ("message_id", Message)],
    ),
    post(
        "/v1/threads/{thread_id}/messages/{message_id}",
        Threads,
        &[("thread_id", Thread), ("message_id", Message)],
    ),
    delete(
        "/v1/threads/{thread_id}/messages/{message_id}",
        Threads,
        &[("thread_id", Thread), ("message_id", Message)],
    ),
    get("/v1/threads/{thread_id}/runs", Threads, &[("thread_id", Thread)]),
    post("/v1/threads/{thread_id}/runs", Threads, &[("thread_id", Thread)])
        .model(ModelAt::Body { required: false })
        .streams(StreamDialect::Chat, StreamEnd::Done)
        .makes(Run),
    get("/v1/threads/{thread_id}/runs/{run_id}", Threads, &[("thread_id", Thread), ("run_id", Run)]),
    post("/v1/threads/{thread_id}/runs/{run_id}", Threads, &[("thread_id", Thread), ("run_id", Run)]),
    post("/v1/threads/{thread_id}/runs/{run_id}/cancel", Threads, &[("thread_id", Thread), ("run_id", Run)])
        .takes(Takes::Nothing),
    post(
        "/v1/threads/{thread_id}/runs/{run_id}/submit_tool_outputs",
        Threads,
        &[("thread_id", Thread), ("run_id", Run)],
    )
    .streams(StreamDialect::Chat, StreamEnd::Done),
    get("/v1/threads/{thread_id}/runs/{run_id}/steps", Threads, &[("thread_id", Thread), ("run_id", Run)]),
    get(
        "/v1/threads/{thread_id}/runs/{run_id}/steps/{step_id}",
        Threads,
        &[("thread_id", Thread), ("run_id", Run)],
    ),
];
