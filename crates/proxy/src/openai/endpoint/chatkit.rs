//! Chats inside of other people's pages.

use super::EndpointKind::ChatKit;
use super::ObjectKind::{ChatkitSession, ChatkitThread};
use super::row::{delete, get, post};
use super::{Endpoint, Takes};

pub(super) static ROWS: &[Endpoint] = &[
    post("/v1/chatkit/sessions", ChatKit, &[]).makes(ChatkitSession),
    post("/v1/chatkit/sessions/{session_id}/cancel", ChatKit, &[("session_id", ChatkitSession)])
        .takes(Takes::Nothing),
    get("/v1/chatkit/threads", ChatKit, &[]).lists(ChatkitThread),
    get("/v1/chatkit/threads/{thread_id}", ChatKit, &[("thread_id", ChatkitThread)]),
    delete("/v1/chatkit/threads/{thread_id}", ChatKit, &[("thread_id", ChatkitThread)]),
    get("/v1/chatkit/threads/{thread_id}/items", ChatKit, &[("thread_id", ChatkitThread)]),
];
