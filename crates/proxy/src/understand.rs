//! What a request asks for, as far as the gateway must know: the model, a stream, a session, and whether it may be done
//! twice.

use std::ops::Range;
use std::sync::Arc;

use gateway_config::ProxySettings;
use gateway_domain::User;
use gateway_sessions::{Naming, SessionKey};
use http::{HeaderName, HeaderValue, Method};

use crate::admit::{MayExplain, Received, patience, wants_explanation};
use crate::affinity::{Pull, Secret};
use crate::call::{Call, Payload, Place};
use crate::commit::Promise;
use crate::error::ProxyError;
use crate::headers;
use crate::openai::{
    AnswerEdits, Edit, Endpoint, ModelAt, MultipartPeek, ObjectKind, PathParams, Peek, PeekError, Takes,
    ask_for_usage, nested_model, peek, uri,
};
use crate::socket::{Client, prepare};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Who makes a call.
#[derive(Debug)]
pub(crate) struct Caller<'h> {
    pub user: Arc<User>,
    /// With which key: it must not go up.
    pub key: &'h [u8],
    /// What the key is, if it is not the user's own.
    pub secret: Option<Secret>,
    /// The session that the header for sessions names.
    pub session: Option<&'h [u8]>,
    /// What its end of a WebSocket is, if it asks for one.
    pub socket: Option<Box<Client>>,
}

/// A model's name, and where a call says it.
type Named = (Arc<str>, Place);

/// Makes a call of a request. `found` is the row of the table that it is for, and its path.
pub(crate) fn understand(
    found: (&'static Endpoint, PathParams),
    head: &http::request::Parts,
    received: Received,
    caller: Caller<'_>,
    settings: &ProxySettings,
) -> Result<Box<Call>, ProxyError> {
    let Caller { user, key, secret, session, socket } = caller;
    let secret = secret.and_then(|_| bearer(key));
    let (endpoint, path) = found;
    let Received { body, form } = received;
    if let Some(form) = &form
        && form.lacks(endpoint.files)
    {
        let file = endpoint.files.first().copied().unwrap_or("file");
        return Err(ProxyError::BadForm(PeekError::missing_file(file, body.len())));
    }
    let seen = match (&form, &body) {
        (Some(form), _) => form.to_peek(),
        (None, Payload::Whole(bytes)) => read_json(endpoint, bytes)?,
        (None, Payload::Kept(_)) => Peek::default(),
    };
    let key = std::str::from_utf8(key).unwrap_or_default();
    let query = head.uri.query().and_then(|query| headers::query_for_upstream(query, key));
    let model = match endpoint.model {
        ModelAt::Body { required } => model_in_body(&seen, form.as_ref(), required)?,
        ModelAt::Nested(members) => nested(&body, members)?,
        ModelAt::Query => query.as_deref().map_or(Ok(None), model_in_query)?,
        ModelAt::Path => model_in_path(endpoint, &path),
        ModelAt::Nowhere => None,
    };
    if socket.is_some() {
        for (name, _) in endpoint.names {
            only_in_query(query.as_deref().unwrap_or_default(), name)?;
        }
    }
    let naming = Naming {
        prompt_cache_key: seen.prompt_cache_key.as_deref(),
        header: session,
        metadata: seen.session.as_deref(),
        user: seen.user.as_deref(),
    };
    let name = model.as_ref().map_or_else(Arc::default, |(name, _)| Arc::clone(name));
    let public_name = model.as_ref().map(|(name, _)| &**name);
    let public_name = public_name.filter(|_| settings.rewrite_response_model && endpoint.asks());
    let ask_for_usage = usage_to_ask_for(endpoint, &seen, &body, settings);
    let (session, session_source) = SessionKey::named(user.id, name, &naming);
    let mut headers = headers::for_upstream(&head.headers, key);
    if socket.is_some() {
        let mut offered = headers.to_map();
        prepare(&mut offered, &head.headers);
        headers = offered.iter().collect();
    }
    let asked = seen.stream || (head.method == Method::GET && asks_for_events(query.as_deref()));
    Ok(Box::new(Call {
        headers,
        lacks_cache_key: endpoint.takes_cache_key() && !seen.has_prompt_cache_key && model.is_some(),
        repeatable: is_repeatable(endpoint, head, &seen),
        store: seen.store,
        names_objects: seen.names_objects,
        edits: AnswerEdits::new(public_name, ask_for_usage.is_some()),
        ask_for_usage,
        form_ids: form.as_ref().map(|form| form.ids.clone()).unwrap_or_default(),
        pull: Pull::None { unknown: false },
        own_model: false,
        among: None,
        asks_around: false,
        patience: patience(&head.headers),
        explain: head.extensions.get::<MayExplain>().is_some()
            || (user.may_explain && wants_explanation(&head.headers)),
        promise: if asked { Promise::of_stream() } else { Promise::default() },
        method: head.method.clone(),
        stream: asked || socket.is_some(),
        secret,
        socket,
        endpoint,
        path,
        query,
        model,
        user,
        session,
        session_source,
        body,
    }))
}

/// What makes a stream tell its usage whose client did not ask for it.
fn usage_to_ask_for(
    endpoint: &Endpoint,
    seen: &Peek<'_>,
    body: &Payload,
    settings: &ProxySettings,
) -> Option<Edit> {
    let is_wanted = settings.force_include_usage && endpoint.takes_stream_options();
    (is_wanted && seen.stream && !seen.include_usage).then(|| ask_for_usage(body.text())).flatten()
}

/// The header that shows a key.
fn bearer(key: &[u8]) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_bytes(&[b"Bearer ", key].concat()).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// What a body says that came whole.
fn read_json<'a>(endpoint: &Endpoint, body: &'a [u8]) -> Result<Peek<'a>, PeekError> {
    match endpoint.takes {
        Takes::Nothing => Ok(Peek::default()),
        // Whatever it is, it is not for the gateway to judge.
        Takes::Anything => Ok(peek(body).unwrap_or(Peek { names_objects: true, ..Peek::default() })),
        // Much that could be said in a body need not be said at all.
        Takes::Json | Takes::JsonOrMultipart | Takes::Multipart
            if body.is_empty() && !matches!(endpoint.model, ModelAt::Body { .. }) =>
        {
            Ok(Peek::default())
        }
        Takes::Json | Takes::JsonOrMultipart | Takes::Multipart => peek(body),
    }
}

fn model_in_body(
    seen: &Peek<'_>,
    form: Option<&MultipartPeek>,
    required: bool,
) -> Result<Option<Named>, PeekError> {
    if required {
        seen.require_model()?;
    }
    if let Some((name, value)) = form.and_then(|form| form.model.as_ref()) {
        return Ok(Some((Arc::from(&**name), Place::Part(value.clone()))));
    }
    Ok(seen.model.as_ref().map(|model| (Arc::from(&*model.value), Place::Body(model.span.clone()))))
}

fn nested(body: &Payload, members: &[&str]) -> Result<Option<Named>, PeekError> {
    let Payload::Whole(body) = body else { return Ok(None) };
    let found = nested_model(body, members)?;
    Ok(found.map(|model| (Arc::from(&*model.value), Place::Body(model.span))))
}

/// A name that is there twice, or written so that only others would read it, might be one thing for us and another for
/// the upstream.
fn model_in_query(query: &str) -> Result<Option<Named>, ProxyError> {
    let Some(span) = only_in_query(query, "model")? else { return Ok(None) };
    let name = query.get(span.clone()).and_then(uri::decoded);
    Ok(name.map(|name| (Arc::from(name), Place::Query(span))))
}

/// Where the value stands of what may be said once.
fn only_in_query(query: &str, name: &'static str) -> Result<Option<Range<usize>>, ProxyError> {
    let span = uri::in_query(query, name);
    if uri::times_in_query(query, name) > usize::from(span.is_some()) {
        return Err(ProxyError::BadRequest {
            message: format!("`{name}` must be in the query once at most, and spelled plainly"),
            param: Some(name),
            code: "invalid_query",
        });
    }
    Ok(span)
}

fn model_in_path(endpoint: &Endpoint, path: &PathParams) -> Option<Named> {
    let (name, _) = endpoint.names.iter().find(|(_, kind)| *kind == ObjectKind::FineTunedModel)?;
    let span = path.place_of(name)?;
    let name = uri::decoded(path.as_str().get(span.clone())?)?;
    Some((Arc::from(name), Place::Path(span)))
}

/// Whether a query asks for what is stored as a stream.
fn asks_for_events(query: Option<&str>) -> bool {
    let value = query.and_then(|query| query.get(uri::in_query(query, "stream")?));
    value == Some("true")
}

/// Whether doing the call twice does no more than cost twice.
fn is_repeatable(endpoint: &Endpoint, head: &http::request::Parts, seen: &Peek<'_>) -> bool {
    (endpoint.repeatable || head.method == Method::GET)
        && seen.store != Some(true)
        && seen.previous_response_id.is_none()
        && !seen.background
        && !seen.conversation
        && !head.headers.contains_key(&IDEMPOTENCY_KEY)
}
