//! `/api/sessions`: which channel served whom last. The table in memory is the truth; storage follows it.

use std::cmp::Reverse;

use gateway_config::Snapshot;
use gateway_domain::SessionId;
use gateway_sessions::Session;
use serde::Serialize;

use crate::Parts;
use crate::clock::rfc3339;
use crate::error::ApiError;
use crate::page::Page;
use crate::route::{Answer, Answered, Call};
use crate::schema::{Field, Schema};

/// A session in answers.
pub(crate) static SESSION: Schema = Schema {
    name: "Session",
    about: "A remembered user → channel binding for one model, or for one conversation.",
    fields: &[
        Field::integer("id", "Its number.").required(),
        Field::integer("user_id", "Whose it is.").required(),
        Field::text("user_name", "The user's name.").required().nullable(),
        Field::integer("channel_id", "The channel that served it last.").required(),
        Field::text("channel_name", "The channel's name.").required().nullable(),
        Field::text("model", "The public model name.").required(),
        Field::text("conversation", "A hash of the conversation's id; null: the user's calls in general.")
            .required()
            .nullable(),
        Field::moment("last_used_at", "When it was last served.").required(),
        Field::moment("created_at", "When it began.").required(),
    ],
};

#[derive(Debug, Serialize)]
struct SessionOut<'a> {
    id: i64,
    user_id: i64,
    user_name: Option<&'a str>,
    channel_id: i64,
    channel_name: Option<&'a str>,
    model: &'a str,
    conversation: Option<String>,
    last_used_at: String,
    created_at: String,
}

/// `GET /api/sessions`: the one used last first.
pub(crate) fn list(parts: &Parts, call: &Call) -> Answered {
    let page = Page::read(call)?;
    let snapshot = parts.live.load();
    let mut sessions = parts.sessions.list();
    let place = |session: &Session| Reverse((session.last_used_at.0, session.id.0));
    sessions.sort_by_key(place);
    let wanted = |session: &Session| {
        if !page.searches() {
            return true;
        }
        let shown = SessionOut::of(session, &snapshot);
        let (user, channel) = (shown.user_name.unwrap_or_default(), shown.channel_name.unwrap_or_default());
        page.wants(&[user, channel, shown.model, shown.conversation.as_deref().unwrap_or_default()])
    };
    let cut = page.cut(&sessions, place, wanted)?;
    let shown: Vec<SessionOut<'_>> =
        cut.rows.iter().map(|session| SessionOut::of(session, &snapshot)).collect();
    Ok(cut.tell(Answer::json(&shown)?))
}

/// `GET /api/sessions/{id}`.
pub(crate) fn show(parts: &Parts, call: &Call) -> Answered {
    let session = parts.sessions.get(id_of(call)?).ok_or(ApiError::NotFound { what: "session" })?;
    Answer::json(&SessionOut::of(&session, &parts.live.load()))
}

/// `DELETE /api/sessions/{id}`: its next call draws a channel by chance, wherever its home is.
pub(crate) fn delete(parts: &Parts, call: &Call) -> Answered {
    if parts.sessions.remove(id_of(call)?, call.now) {
        Ok(Answer::nothing())
    } else {
        Err(ApiError::NotFound { what: "session" })
    }
}

fn id_of(call: &Call) -> Result<SessionId, ApiError> {
    call.id("id", "session").map(SessionId)
}

// === impl SessionOut ===

impl<'a> SessionOut<'a> {
    fn of(session: &'a Session, snapshot: &'a Snapshot) -> Self {
        let key = &session.key;
        Self {
            id: session.id.0,
            user_id: key.user.0,
            user_name: snapshot.users.get(&key.user).map(|user| &*user.name),
            channel_id: session.channel.0,
            channel_name: snapshot.channels.get(&session.channel).map(|channel| &*channel.name),
            model: &key.model,
            conversation: (key.name != 0).then(|| format!("{:016x}", key.name)),
            last_used_at: rfc3339(session.last_used_at),
            created_at: rfc3339(session.created_at),
        }
    }
}
