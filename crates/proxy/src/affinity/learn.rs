//! What a good answer teaches: who made what, and where.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use gateway_domain::{ChannelId, UnixMillis, UserId};
use gateway_objects::Record;
use http::HeaderValue;
use http::header::LOCATION;

use super::call::deleted_by;
use super::made::{Made, made_by_answer, made_by_event, made_by_events};
use super::{Directory, Pull};
use crate::attempt::{Answer, Content};
use crate::call::Call;
use crate::openai::{EndpointKind, ObjectKind, StreamDialect};
use crate::own_lists::made_at;

// === impl Directory ===

impl Directory {
    /// Takes down what the answer has made, and forgets what it has deleted.
    pub(crate) fn learn(&self, call: &Call, answer: &mut Answer, now: UnixMillis) {
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
        if call.endpoint.makes == Some(ObjectKind::ClientSecret) {
            if let Content::Whole { body, .. } = &answer.content {
                self.learn_secret(call, channel, now, body);
            }
            return;
        }
        let (makes, from) = (call.endpoint.makes, (channel, owner(call)));
        let note = |made: Vec<Made<'_>>, made_at| self.note(makes, from, (now, made_at), made);
        if call.endpoint.makes == Some(ObjectKind::RealtimeCall) {
            return note(answer.headers.get(LOCATION).and_then(last_segment).into_iter().collect(), None);
        }
        let (held, events) = match &mut answer.content {
            Content::Whole { body, .. } => (body.clone(), None),
            Content::Coming(coming) => (joined(&coming.held), coming.events.as_mut()),
            // What is made over it is yet to come.
            Content::Socket(_) => return,
        };
        let responses = call.endpoint.dialect == StreamDialect::Responses;
        let Some(events) = events else {
            // Responses are not listed, so nobody asks when they were made.
            let made_at = if responses { None } else { made_at(&held) };
            return note(made_by_answer(&held), made_at);
        };
        note(made_by_events(&held, responses), None);
        if responses {
            events.teach(Lesson { directory: self.clone(), channel, user: owner(call), now });
        }
    }

    /// Takes down what a list says of one of the objects that it lists.
    pub(crate) fn relearn(&self, record: &Record, kind: ObjectKind, made_at: Option<i64>, item: &[u8]) {
        if record.made_at.is_none() && made_at.is_some() {
            self.objects.note(Record { made_at, ..record.clone() });
        }
        if !matches!(kind, ObjectKind::Batch | ObjectKind::FineTuningJob) {
            return;
        }
        for (kind, id) in made_by_answer(item).into_iter().filter_map(Made::beside) {
            let (id, kind) = (Arc::from(&*id), Cow::Borrowed(kind.as_str()));
            self.objects.note(Record { id, kind, made_at: None, ..record.clone() });
        }
    }

    fn note(
        &self,
        makes: Option<ObjectKind>,
        (channel, user): (ChannelId, UserId),
        (now, made_at): (UnixMillis, Option<i64>),
        made: Vec<Made<'_>>,
    ) {
        for made in made {
            let itself = if let Made::Itself(id) = &made { Some(id.clone()) } else { None };
            let made_at = made_at.filter(|_| itself.is_some());
            let Some((kind, id)) = makes.zip(itself).or_else(|| made.beside()) else {
                continue;
            };
            let record = Record {
                id: Arc::from(&*id),
                kind: Cow::Borrowed(kind.as_str()),
                channel,
                user,
                created_at: self.objects.moment(now),
                made_at,
            };
            self.take_down(record);
        }
    }

    fn take_down(&self, record: Record) {
        if record.kind == ObjectKind::ConversationItem.as_str() {
            // There are too many to write down each; after a restart they are found by the session of their calls.
            return self.objects.restore([record]);
        }
        let kind = record.kind.clone();
        if !self.objects.note(record) {
            tracing::warn!(%kind, "an upstream gave out an id that another user has already");
        }
    }
}

/// What events teach that come behind the first ones: the end of a stream of a response, and all that is said over a
/// socket.
#[derive(Debug)]
pub(crate) struct Lesson {
    pub directory: Directory,
    pub channel: ChannelId,
    pub user: UserId,
    pub now: UnixMillis,
}

// === impl Lesson ===

impl Lesson {
    /// Takes down what the last event tells to have come of the response.
    pub(crate) fn learn(&self, event: &[u8]) {
        self.note(None, event);
    }

    /// Takes down what an event tells of a response, itself among it.
    pub(crate) fn learn_whole(&self, event: &[u8]) {
        self.note(Some(ObjectKind::Response), event);
    }

    fn note(&self, makes: Option<ObjectKind>, event: &[u8]) {
        self.directory.note(makes, (self.channel, self.user), (self.now, None), made_by_event(event));
    }
}

// === impl Made ===

impl<'a> Made<'a> {
    /// What came of an object, and is none that the call was for.
    fn beside(self) -> Option<(ObjectKind, Cow<'a, str>)> {
        match self {
            Self::Itself(_) => None,
            Self::File(id) => Some((ObjectKind::File, id)),
            Self::Container(id) => Some((ObjectKind::Container, id)),
            Self::Thread(id) => Some((ObjectKind::Thread, id)),
            Self::Piece(id) => Some((ObjectKind::ConversationItem, id)),
            Self::Model(name) => Some((ObjectKind::FineTunedModel, name)),
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
    // A list tells of everybody's; whose each of it is is looked up where it is filtered.
    if call.endpoint.lists.is_some() {
        return false;
    }
    if kind == EndpointKind::ChatCompletions {
        // Kept only where the client wants it.
        return call.store == Some(true);
    }
    if kind == EndpointKind::Responses {
        return call.store != Some(false);
    }
    // What was made before goes on: files, models and containers come of it.
    let goes_on = matches!(
        kind,
        EndpointKind::Batches
            | EndpointKind::Uploads
            | EndpointKind::FineTuning
            | EndpointKind::StoredResponses
    );
    call.endpoint.makes.is_some() || goes_on
}

/// What is held, in one piece.
fn joined(held: &[Bytes]) -> Bytes {
    if let [only] = held { only.clone() } else { Bytes::from(held.concat()) }
}

/// The id at the end of a location.
fn last_segment(location: &HeaderValue) -> Option<Made<'_>> {
    let path = location.to_str().ok()?.split(['?', '#']).next()?;
    let id = path.rsplit('/').next().filter(|id| !id.is_empty())?;
    Some(Made::Itself(Cow::Borrowed(id)))
}
