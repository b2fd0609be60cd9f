//! What a good answer teaches: who made what, and where.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use gateway_domain::{ChannelId, UnixMillis, UserId};
use gateway_objects::Record;

use super::call::deleted_by;
use super::made::{LOOK_AT, Made, made_by_answer, made_by_events};
use super::{Directory, Pull};
use crate::attempt::{Answer, Content};
use crate::call::Call;
use crate::openai::{EndpointKind, ObjectKind};

// === impl Directory ===

impl Directory {
    /// Takes down what the answer has made, and forgets what it has deleted.
    pub(crate) fn learn(&self, call: &Call, answer: &Answer, now: UnixMillis) {
        if !answer.status.is_success() {
            return;
        }
        if let Some(id) = deleted_by(call.endpoint, &call.path) {
            self.objects.forget(&id);
            return;
        }
        if !teaches(call) {
            return;
        }
        let channel = answer.route.target.channel().id;
        let responses = call.endpoint.kind == EndpointKind::Responses;
        match &answer.content {
            Content::Whole { body, .. } => self.note(call, channel, now, made_by_answer(body)),
            Content::Coming(coming) => {
                let beginning = beginning_of(&coming.held);
                let made = if coming.events.is_some() {
                    made_by_events(&beginning, responses)
                } else {
                    made_by_answer(&beginning)
                };
                self.note(call, channel, now, made);
            }
        }
    }

    fn note(&self, call: &Call, channel: ChannelId, now: UnixMillis, made: Vec<Made<'_>>) {
        for made in made {
            let (kind, id) = match made {
                Made::Itself(id) => match call.endpoint.makes {
                    Some(kind) => (kind, id),
                    None => continue,
                },
                Made::File(id) => (ObjectKind::File, id),
                Made::Container(id) => (ObjectKind::Container, id),
                Made::Thread(id) => (ObjectKind::Thread, id),
            };
            let record = Record {
                id: Arc::from(&*id),
                kind: Cow::Borrowed(kind.as_str()),
                channel,
                user: owner(call),
                created_at: now,
            };
            if !self.objects.note(record) {
                tracing::warn!(
                    kind = kind.as_str(),
                    "an upstream gave out an id that another user has already"
                );
            }
        }
    }
}

/// Whose the new object is: the caller's, but the output of somebody else's batch stays with the batch.
fn owner(call: &Call) -> UserId {
    match call.pull {
        Pull::To { owner, .. } if call.endpoint.makes.is_none() => owner,
        Pull::To { .. } | Pull::None { .. } => call.user.id,
    }
}

/// Whether the answer of a call may name something new.
fn teaches(call: &Call) -> bool {
    let kind = call.endpoint.kind;
    if kind == EndpointKind::ChatCompletions {
        // Kept only where the client wants it.
        return call.store == Some(true);
    }
    if kind == EndpointKind::Responses {
        return call.store != Some(false);
    }
    let with_files = [EndpointKind::Batches, EndpointKind::Uploads, EndpointKind::FineTuning];
    call.endpoint.makes.is_some() || with_files.contains(&kind)
}

/// The first bytes of what is held, in one piece.
fn beginning_of(held: &[Bytes]) -> Bytes {
    if let [only] = held {
        return only.clone();
    }
    let mut joined = BytesMut::new();
    for piece in held {
        let room = LOOK_AT.saturating_sub(joined.len());
        joined.extend_from_slice(piece.get(..room).unwrap_or(piece));
    }
    joined.freeze()
}
