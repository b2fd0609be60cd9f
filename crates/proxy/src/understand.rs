//! What a request asks for, as far as the gateway must know: the model, a stream, a session, and whether it may be done
//! twice.

use std::sync::Arc;

use gateway_config::ProxySettings;
use gateway_domain::User;
use gateway_sessions::{Naming, SessionKey};
use http::{HeaderName, HeaderValue, Method};

use crate::admit::{MayExplain, Received, patience, presented_key, wants_explanation};
use crate::affinity::Pull;
use crate::call::{Call, Payload, Place};
use crate::commit::Promise;
use crate::error::ProxyError;
use crate::headers;
use crate::openai::{
    AnswerEdits, Edit, Endpoint, ModelAt, ObjectKind, PathParams, Peek, PeekError, Takes, ask_for_usage,
    nested_model, peek, uri,
};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A model's name, and where a call says it.
type Named = (Arc<str>, Place);

/// Makes a call of a request. `found` is the row of the table that it is for, and its path.
pub(crate) fn understand(
    found: (&'static Endpoint, PathParams),
    head: &http::request::Parts,
    received: Received,
    user: Arc<User>,
    settings: &ProxySettings,
) -> Result<Call, ProxyError> {
    let (endpoint, path) = found;
    let Received { body, form } = received;
    let seen = match (&form, &body) {
        (Some(form), _) => form.to_peek(),
        (None, Payload::Whole(bytes)) => read_json(endpoint, bytes)?,
        (None, Payload::Kept(_)) => Peek::default(),
    };
    let key = presented_key(&head.headers).and_then(|key| std::str::from_utf8(key).ok()).unwrap_or_default();
    let query = head.uri.query().and_then(|query| headers::query_for_upstream(query, key));
    let model = match endpoint.model {
        ModelAt::Body { required } => model_in_body(&seen, required)?,
        ModelAt::Nested(members) => nested(&body, members)?,
        ModelAt::Query => query.as_deref().and_then(model_in_query),
        ModelAt::Path => model_in_path(endpoint, &path),
        ModelAt::Nowhere => None,
    };
    let naming = Naming {
        prompt_cache_key: seen.prompt_cache_key.as_deref(),
        header: head.headers.get(&*settings.session_header).map(HeaderValue::as_bytes),
        metadata: seen.session.as_deref(),
        user: seen.user.as_deref(),
    };
    let name = model.as_ref().map_or_else(Arc::default, |(name, _)| Arc::clone(name));
    let public_name = model.as_ref().map(|(name, _)| &**name);
    let public_name = public_name.filter(|_| settings.rewrite_response_model && endpoint.asks());
    let ask_for_usage = usage_to_ask_for(endpoint, &seen, &body, settings);
    let (session, session_source) = SessionKey::named(user.id, name, &naming);
    let stream = seen.stream || (head.method == Method::GET && asks_for_events(query.as_deref()));
    Ok(Call {
        headers: headers::for_upstream(&head.headers, key),
        lacks_cache_key: endpoint.takes_cache_key() && !seen.has_prompt_cache_key && model.is_some(),
        repeatable: is_repeatable(endpoint, head, &seen),
        store: seen.store,
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
        promise: if stream { Promise::of_stream() } else { Promise::default() },
        method: head.method.clone(),
        stream,
        endpoint,
        path,
        query,
        model,
        user,
        session,
        session_source,
        body,
    })
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

/// What a body says that came whole.
fn read_json<'a>(endpoint: &Endpoint, body: &'a [u8]) -> Result<Peek<'a>, PeekError> {
    match endpoint.takes {
        Takes::Nothing => Ok(Peek::default()),
        // Whatever it is, it is not for the gateway to judge.
        Takes::Anything => Ok(peek(body).unwrap_or_default()),
        // Much that could be said in a body need not be said at all.
        Takes::Json | Takes::JsonOrMultipart | Takes::Multipart
            if body.is_empty() && !matches!(endpoint.model, ModelAt::Body { .. }) =>
        {
            Ok(Peek::default())
        }
        Takes::Json | Takes::JsonOrMultipart | Takes::Multipart => peek(body),
    }
}

fn model_in_body(seen: &Peek<'_>, required: bool) -> Result<Option<Named>, PeekError> {
    if required {
        seen.require_model()?;
    }
    Ok(seen.model.as_ref().map(|model| (Arc::from(&*model.value), Place::Body(model.span.clone()))))
}

fn nested(body: &Payload, members: &[&str]) -> Result<Option<Named>, PeekError> {
    let Payload::Whole(body) = body else { return Ok(None) };
    let found = nested_model(body, members)?;
    Ok(found.map(|model| (Arc::from(&*model.value), Place::Body(model.span))))
}

fn model_in_query(query: &str) -> Option<Named> {
    let span = uri::in_query(query, "model")?;
    let name = uri::decoded(query.get(span.clone())?)?;
    Some((Arc::from(name), Place::Query(span)))
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
