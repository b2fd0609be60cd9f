//! `/api/events`: what happens, as it happens.
//!
//! `rates`: the second that has just ended, in all and by channel (every second). `health`: how a channel stands, when
//! that has changed. `exchange`: a finished call, as `/api/exchanges` shows it; `dropped`: how many of them were left
//! out because there were too many. `config`: there is another snapshot, or an attempt to make one failed. `reset`: what
//! was missed is not known any more, so everything is to be read again.

use http::HeaderName;

use crate::route::{Answer, Answered, Call};
use crate::{Body, Parts, news};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Keeps nginx from collecting the answer before it passes it on.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// `GET /api/events`.
pub(crate) fn listen(parts: &Parts, call: &Call) -> Answered {
    let last = call.headers.get(&LAST_EVENT_ID).map(|id| id.to_str().unwrap_or_default());
    let listener = news::listen(parts, last)?.while_signed_in(call.sign_in.clone(), parts.clock);
    let headers = vec![(X_ACCEL_BUFFERING, "no".to_owned())];
    Ok(Answer { body: Body::feed(listener), headers, ..Answer::default() })
}
