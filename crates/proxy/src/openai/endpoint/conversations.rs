//! Conversations that responses can go on from.

use super::Endpoint;
use super::EndpointKind::Conversations;
use super::ObjectKind::{Conversation, ConversationItem};
use super::row::{delete, get, post};

pub(super) static ROWS: &[Endpoint] = &[
    post("/v1/conversations", Conversations, &[]).makes(Conversation),
    get("/v1/conversations/{conversation_id}", Conversations, &[("conversation_id", Conversation)]),
    post("/v1/conversations/{conversation_id}", Conversations, &[("conversation_id", Conversation)]),
    delete("/v1/conversations/{conversation_id}", Conversations, &[("conversation_id", Conversation)]),
    get("/v1/conversations/{conversation_id}/items", Conversations, &[("conversation_id", Conversation)]),
    post("/v1/conversations/{conversation_id}/items", Conversations, &[("conversation_id", Conversation)]),
    get(
        "/v1/conversations/{conversation_id}/items/{item_id}",
        Conversations,
        &[("conversation_id", Conversation), ("item_id", ConversationItem)],
    ),
    delete(
        "/v1/conversations/{conversation_id}/items/{item_id}",
        Conversations,
        &[("conversation_id", Conversation), ("item_id", ConversationItem)],
    ),
];
