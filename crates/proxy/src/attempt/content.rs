//! An upstream's 2xx answer: read as far as it takes to know that it is one.
//!
//! JSON is read whole and checked, so that half a document can still be had whole from another channel. Of a stream
//! the first event is awaited, so that an upstream that says 200 and dies has not cost the client its answer. Other
//! bodies, and JSON too large to keep, are let through after their first bytes.

use bytes::{Bytes, BytesMut};
use gateway_domain::{AttemptOutcome, Usage};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, Method, Response, StatusCode};
use http_body::Body as _;
use http_body_util::BodyExt;
use tokio::time::timeout_at;

use super::{Coming, Content, Failure, Limits, Pace, Repeat};
use crate::call::Call;
use crate::error::{ProxyError, UpstreamAnswer};
use crate::events::{Events, Turn};
use crate::headers;
use crate::openai::{Document, Endpoint, Gives, UsageScan, error_of, is_error_body};
use crate::plane::Route;
use crate::scrub::scrub;
use crate::upstream::{AnswerBody, AnswerError};

/// JSON up to this size is read whole before the client gets any of it.
const KEEP_WHOLE: usize = 1 << 20;
/// How much of a stream is held back while its first word is awaited. Its first event is awaited however long it is: a
/// response that is announced repeats what was asked, and tells its id, which must be known before anybody uses it.
const HOLD_AT_MOST: usize = 64 << 10;

/// A body as far as it was read.
#[derive(Debug)]
pub(super) enum Collected {
    /// All of it.
    Whole(Bytes),
    /// More than the limit: what was read, and the rest.
    Over(Bytes, AnswerBody),
}

/// Takes a 2xx answer.
pub(crate) async fn take(
    response: Response<AnswerBody>,
    call: &Call,
    route: &Route,
    limits: Limits,
    pace: &Pace,
) -> Result<(StatusCode, HeaderMap, Content), Failure> {
    let key = route.target.channel().api_key.expose();
    let (head, body) = response.into_parts();
    let (status, headers) = (head.status, head.headers);
    let taken = match shape_of(call.endpoint, status, &headers) {
        Shape::Nothing => Ok(nothing(pace)),
        Shape::Events => {
            let _given = call.promise.give();
            let events =
                Events::new(limits.max_event_bytes, call.edits.clone()).retold(!call.endpoint.asks());
            // Boxed, as what is much larger than the rest and not needed by every call.
            Box::pin(first_output(events, body, key, limits, pace)).await
        }
        Shape::Bytes => first_bytes(body, call.endpoint, &headers, limits, pace).await,
        Shape::Json => whole_json(body, key, call.endpoint, limits, pace).await,
    };
    let content = taken.map_err(|failure| failure.with_status(status))?;
    let content = edited(content, call);
    Ok((status, client_headers(headers, key, &content), content))
}

/// A whole document as its client is to get it. Streams edit themselves.
fn edited(content: Content, call: &Call) -> Content {
    match (content, &call.edits) {
        (Content::Whole { body, usage }, Some(edits)) => Content::Whole { body: edits.document(body), usage },
        (content, _) => content,
    }
}

/// Whether a status comes with an answer for the client: 2xx, and "not modified" for whoever asked that way.
pub(super) fn is_good(status: StatusCode, call: &Call) -> bool {
    status.is_success() || (status == StatusCode::NOT_MODIFIED && call.method == Method::GET)
}

/// How the body of an answer is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// There is none.
    Nothing,
    Events,
    /// It is passed on without a look into it.
    Bytes,
    Json,
}

/// What an endpoint gives, and what this answer says of itself. Speech and its like have JSON to say only when they
/// failed; what somebody has stored may say of itself whatever it likes.
fn shape_of(endpoint: &Endpoint, status: StatusCode, headers: &HeaderMap) -> Shape {
    let says_json = || headers.get(CONTENT_TYPE).is_some_and(|value| headers::is_json(Some(value)));
    // "Nothing" is an answer about an object; a model that was asked has not answered with it.
    let has_none =
        matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED);
    if has_none && !endpoint.asks() {
        return Shape::Nothing;
    }
    match endpoint.gives {
        Gives::Bytes => Shape::Bytes,
        _ if headers::is_event_stream(headers) => Shape::Events,
        _ if headers.contains_key(CONTENT_ENCODING) => Shape::Bytes,
        Gives::Media | Gives::Little if !says_json() => Shape::Bytes,
        Gives::Json | Gives::Events | Gives::Media | Gives::Little | Gives::Socket => Shape::Json,
    }
}

/// Whether a good answer may have no body at all.
fn may_be_empty(endpoint: &Endpoint) -> bool {
    matches!(endpoint.gives, Gives::Bytes | Gives::Little)
}

/// An answer that is all in its head.
fn nothing(pace: &Pace) -> Content {
    pace.first_byte();
    Content::Whole { body: Bytes::new(), usage: Usage::default() }
}

/// A stream as far as the first event that says something, with whatever came before it: until then the call can still
/// be made elsewhere. A stream that has begun is shown as it is once its client has waited long enough.
async fn first_output(
    mut events: Events,
    mut body: AnswerBody,
    key: &str,
    limits: Limits,
    pace: &Pace,
) -> Result<Content, Failure> {
    let mut held = Vec::new();
    let mut size = 0;
    let mut turn = Turn::GoesOn;
    while !events.has_output()
        && (size < HOLD_AT_MOST || (!events.has_begun() && size < limits.max_event_bytes))
    {
        let shown_at = limits.commit.filter(|_| events.has_begun());
        let data = match shown_at {
            None => next(&mut body, limits).await?,
            Some(shown_at) => match timeout_at(shown_at, next(&mut body, limits)).await {
                Ok(data) => data?,
                Err(_) => break,
            },
        };
        let Some(data) = data else { return Err(no_event(events, key)) };
        size += data.len();
        let (whole, next) = events.feed(data, key);
        held.extend(whole.into_iter().filter(|piece| !piece.is_empty()));
        turn = match (events.has_output(), next) {
            (false, Turn::Failed(error)) => return Err(error_inside(&error, key)),
            (false, Turn::Broken(why)) => return Err(invalid(&why)),
            (_, next) => next,
        };
    }
    if events.has_output() {
        pace.first_byte();
    }
    Ok(Content::Coming(Box::new(Coming {
        held,
        events: Some(events),
        usage: None,
        turn,
        deadline: None,
        rest: body,
    })))
}

/// The stream ended before its first event. It may have been about to tell why.
fn no_event(mut events: Events, key: &str) -> Failure {
    match events.close(key) {
        (_, Turn::Failed(error)) => error_inside(&error, key),
        (_, Turn::GoesOn | Turn::Broken(_)) => Failure::blamed(
            ProxyError::Closed,
            AttemptOutcome::Broken,
            Repeat::PerhapsExecuted,
            "the stream ended before it said anything".to_owned(),
        ),
    }
}

/// The first bytes of a body that is not looked into.
async fn first_bytes(
    mut body: AnswerBody,
    endpoint: &Endpoint,
    headers: &HeaderMap,
    limits: Limits,
    pace: &Pace,
) -> Result<Content, Failure> {
    let html = endpoint.gives != Gives::Bytes
        && headers.get(CONTENT_TYPE).is_some_and(|v| v.as_bytes().starts_with(b"text/html"));
    match next(&mut body, limits).await? {
        None if may_be_empty(endpoint) => Ok(nothing(pace)),
        Some(first) if !html => {
            pace.first_byte();
            Ok(Content::Coming(Box::new(Coming {
                held: vec![first],
                events: None,
                usage: None,
                turn: Turn::GoesOn,
                deadline: None,
                rest: body,
            })))
        }
        _ => Err(invalid("the answer is empty or a web page")),
    }
}

/// A whole JSON document, or the beginning of a very long one.
async fn whole_json(
    mut body: AnswerBody,
    key: &str,
    endpoint: &Endpoint,
    limits: Limits,
    pace: &Pace,
) -> Result<Content, Failure> {
    let Some(first) = next(&mut body, limits).await? else {
        let fits = may_be_empty(endpoint);
        return if fits { Ok(nothing(pace)) } else { Err(invalid("the answer is empty")) };
    };
    pace.first_byte();
    if first.trim_ascii_start().first().is_some_and(|byte| *byte != b'{' && *byte != b'[') {
        return Err(invalid("the answer is not a JSON document"));
    }
    let collected = if body.is_end_stream() {
        Collected::Whole(first)
    } else {
        timeout_at(limits.deadline, collect_after(first, body, KEEP_WHOLE))
            .await
            .map_err(|_| limits.out_of_time())?
            .map_err(|error| broken(&error))?
    };
    match collected {
        Collected::Whole(body) => {
            let document = Document::read(&body)
                .map_err(|error| invalid(&format!("the answer is not JSON: {error}")))?;
            // The `error` of an object is part of its story: the job failed, not the question after it.
            if endpoint.asks() && document.is_failure() {
                return Err(error_inside(&body, key));
            }
            let usage = if endpoint.counts() { document.usage() } else { None }.unwrap_or_default();
            Ok(Content::Whole { body, usage })
        }
        Collected::Over(read, rest) => Ok(Content::Coming(Box::new(Coming {
            usage: endpoint.counts().then(|| Box::new(UsageScan::begun_with(&read))),
            held: vec![read],
            events: None,
            turn: Turn::GoesOn,
            deadline: None,
            rest,
        }))),
    }
}

/// An error in the clothes of a 200: treated as the status it stands for.
fn error_inside(json: &[u8], key: &str) -> Failure {
    let status = error_of(json).and_then(|error| error.status()).unwrap_or(502);
    let (outcome, repeat) = match status {
        402 => (AttemptOutcome::Quota, Repeat::NotExecuted),
        401 | 403 => (AttemptOutcome::Credentials, Repeat::NotExecuted),
        429 => (AttemptOutcome::RateLimited, Repeat::NotExecuted),
        400..=499 => (AttemptOutcome::CallerError, Repeat::Never),
        503 | 529 => (AttemptOutcome::ServerError, Repeat::NotExecuted),
        _ => (AttemptOutcome::ServerError, Repeat::PerhapsExecuted),
    };
    let body = is_error_body(json).then(|| scrub(Bytes::copy_from_slice(json), key));
    let error = if matches!(outcome, AttemptOutcome::Credentials | AttemptOutcome::Quota) {
        ProxyError::UpstreamCredentials
    } else {
        ProxyError::Upstream(Box::new(UpstreamAnswer {
            status: if status >= 500 { 502 } else { status },
            headers: HeaderMap::new(),
            body,
            retry_after: None,
        }))
    };
    Failure::blamed(error, outcome, repeat, "an error inside an answer of 200".to_owned())
}

async fn next(body: &mut AnswerBody, limits: Limits) -> Result<Option<Bytes>, Failure> {
    // Nearly every small document comes with its head: nobody waits for it.
    if let Some(arrived) = body.take_arrived() {
        return Ok(Some(arrived));
    }
    loop {
        match timeout_at(limits.first_byte, body.frame()).await {
            Err(_) => return Err(limits.out_of_time()),
            Ok(None) => return Ok(None),
            Ok(Some(Err(error))) => return Err(broken(&error)),
            Ok(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) if !data.is_empty() => return Ok(Some(data)),
                _ => {}
            },
        }
    }
}

/// Reads a body until its end or until it is longer than `limit` bytes.
pub(super) async fn collect(body: AnswerBody, limit: usize) -> Result<Collected, AnswerError> {
    collect_after(Bytes::new(), body, limit).await
}

async fn collect_after(first: Bytes, mut body: AnswerBody, limit: usize) -> Result<Collected, AnswerError> {
    let mut size = first.len();
    // Most come in one piece, which is neither copied nor put into a list.
    let (mut first, mut more) = (first, Vec::new());
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            size += data.len();
            if first.is_empty() {
                first = data;
            } else {
                more.push(data);
            }
            if size > limit {
                return Ok(Collected::Over(join(first, &more), body));
            }
        }
    }
    Ok(Collected::Whole(join(first, &more)))
}

/// One buffer of several.
fn join(first: Bytes, more: &[Bytes]) -> Bytes {
    if more.is_empty() {
        return first;
    }
    let mut whole = BytesMut::with_capacity(first.len() + more.iter().map(Bytes::len).sum::<usize>());
    whole.extend_from_slice(&first);
    for piece in more {
        whole.extend_from_slice(piece);
    }
    whole.freeze()
}

fn client_headers(mut headers: HeaderMap, key: &str, content: &Content) -> HeaderMap {
    headers::for_client(&mut headers, key);
    // A body that is read whole gets its length from itself. A stream is given none: its end may have to be told.
    match content {
        Content::Coming(coming) if coming.events.is_none() => {}
        Content::Whole { .. } | Content::Coming(_) | Content::Socket(_) => {
            headers.remove(CONTENT_LENGTH);
        }
    }
    headers
}

fn invalid(why: &str) -> Failure {
    let outcome = AttemptOutcome::BadAnswer;
    Failure::blamed(ProxyError::InvalidAnswer, outcome, Repeat::PerhapsExecuted, why.to_owned())
}

fn broken(error: &AnswerError) -> Failure {
    let why = format!("the answer broke off: {error}");
    Failure::blamed(ProxyError::Protocol, AttemptOutcome::Broken, Repeat::PerhapsExecuted, why)
}
