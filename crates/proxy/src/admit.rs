//! Who may come in, and with what: key → user, then the body within its limits.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use gateway_config::{ServerSettings, Settings, Snapshot};
use gateway_domain::{KeyDigest, KeyId, UnixMillis, User};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName};
use http_body::Body;
use sha2::{Digest, Sha256};
use tokio::time::{Instant, timeout_at};

use crate::call::Payload;
use crate::error::ProxyError;
use crate::headers;
use crate::openai::{BatchLines, Endpoint, Gives, MultipartPeek, ObjectKind, Takes, is_multipart};
use crate::request_body::Gather;
use crate::room::Room;
use crate::socket::key_in_protocols;
use crate::spare;
use crate::upload;

/// Asks for [`crate::ROUTE`] in the answer.
const EXPLAIN: HeaderName = HeaderName::from_static("x-gateway-explain");

const JSON: &str = "JSON: send it with content-type: application/json";
const A_FORM: &str = "a form: send it with content-type: multipart/form-data";
const JSON_OR_FORM: &str =
    "JSON or a form: send it with content-type: application/json or multipart/form-data";

/// An extension of requests whose sender the caller of [`crate::Worker::handle`] knows to be an administrator.
#[derive(Clone, Copy, Debug)]
pub struct MayExplain;

/// Reserved at once for a body whose length is announced; the rest as it comes, so that announcing costs nothing.
const RESERVE_AT_MOST: u64 = 1 << 20;

/// Whose this key is.
pub(crate) fn identify(
    snapshot: &Snapshot,
    key: Option<&[u8]>,
    now: UnixMillis,
) -> Result<(Arc<User>, KeyId), ProxyError> {
    let key = key.ok_or(ProxyError::InvalidKey)?;
    let digest = KeyDigest(Sha256::digest(key).into());
    let (key, user) = snapshot.identify(&digest, now).ok_or(ProxyError::InvalidKey)?;
    Ok((Arc::clone(user), key.id))
}

/// The one key of a request. Where several headers bear one they must agree: another gateway before or behind this one
/// might take the other.
pub(crate) fn presented_key(headers: &HeaderMap) -> Option<&[u8]> {
    the_one(keys_in(headers))
}

/// The same for a row of the table: programs in browsers, which open sockets, have nowhere to show a key but among the
/// subprotocols.
pub(crate) fn presented_key_to<'h>(endpoint: &Endpoint, headers: &'h HeaderMap) -> Option<&'h [u8]> {
    if endpoint.gives == Gives::Socket {
        the_one(keys_in(headers).chain(key_in_protocols(headers).map(Some)))
    } else {
        presented_key(headers)
    }
}

/// What the headers show as keys; `None` for what is none. One pass is cheaper than a look for each name.
fn keys_in(headers: &HeaderMap) -> impl Iterator<Item = Option<&[u8]>> {
    headers.iter().filter_map(|(name, value)| match name.as_str() {
        "authorization" => Some(bearer(value.as_bytes())),
        // Anthropic's and Azure's habits.
        "x-api-key" | "api-key" => Some(Some(value.as_bytes().trim_ascii())),
        _ => None,
    })
}

fn the_one<'h>(mut keys: impl Iterator<Item = Option<&'h [u8]>>) -> Option<&'h [u8]> {
    let key = keys.next()??;
    (!key.is_empty() && keys.all(|other| other == Some(key))).then_some(key)
}

fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, key) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| key.trim_ascii())
}

/// A body that has come whole.
#[derive(Debug)]
pub(crate) struct Received {
    pub body: Payload,
    /// What it says, if it is a form.
    pub form: Option<MultipartPeek>,
}

/// Reads the body as the endpoint takes it.
pub(crate) async fn receive<B>(
    endpoint: &Endpoint,
    headers: &HeaderMap,
    body: B,
    user: &User,
    (settings, room): (&Settings, &Arc<Room>),
) -> Result<Received, ProxyError>
where
    B: Gather,
{
    refuse_coding(headers)?;
    let content_type = headers.get(CONTENT_TYPE);
    let is_form = content_type.is_some_and(|value| is_multipart(value.as_bytes()));
    match endpoint.takes {
        Takes::Multipart | Takes::JsonOrMultipart if is_form => {
            // Its lines say where a batch may run, and for some keys whether it may.
            let is_file = endpoint.makes == Some(ObjectKind::File);
            let lines = is_file.then(|| BatchLines::new(user.allowed_models.is_some()));
            let (spool, form) = Box::pin(upload::read_form(body, headers, lines, (settings, room))).await?;
            Ok(Received { body: Payload::Kept(spool), form: Some(form) })
        }
        Takes::Multipart => Err(ProxyError::ContentType { wanted: A_FORM }),
        Takes::Json | Takes::JsonOrMultipart if !headers::is_json(content_type) => {
            let wanted = if endpoint.takes == Takes::Json { JSON } else { JSON_OR_FORM };
            Err(ProxyError::ContentType { wanted })
        }
        Takes::Anything if content_type.is_none() || !headers::is_json(content_type) => {
            let body = Payload::Kept(Box::pin(upload::read_unseen(body, (settings, room))).await?);
            Ok(Received { body, form: None })
        }
        Takes::Json | Takes::JsonOrMultipart | Takes::Nothing | Takes::Anything => {
            let body = Payload::Whole(read_body(body, &settings.server, room).await?);
            Ok(Received { body, form: None })
        }
    }
}

/// Refuses a compressed body.
fn refuse_coding(headers: &HeaderMap) -> Result<(), ProxyError> {
    match headers.get(CONTENT_ENCODING) {
        Some(coding) if !coding.as_bytes().eq_ignore_ascii_case(b"identity") => {
            Err(ProxyError::ContentEncoding)
        }
        _ => Ok(()),
    }
}

/// Reads the whole body: it is needed whole to find the model, and kept whole so that another channel can be tried.
async fn read_body<B>(mut body: B, limits: &ServerSettings, room: &Arc<Room>) -> Result<Bytes, ProxyError>
where
    B: Gather,
{
    let limit = limits.max_body_bytes as u64;
    let too_large = || ProxyError::BodyTooLarge { limit, key: "server.max_body_bytes" };
    let announced = body.size_hint().exact();
    if announced.is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let mut share = room.share(announced.unwrap_or(0), limits.max_body_memory)?;
    let mut end = None;
    // Most bodies are there already, and cost no look at a clock.
    let mut end = || *end.get_or_insert_with(|| Instant::now() + limits.body_timeout);
    let Some(first) = next_data(&mut body, 0, limits.read_timeout, &mut end).await? else {
        return Ok(Bytes::new());
    };
    if first.len() as u64 > limit {
        return Err(too_large());
    }
    share.grow(room, first.len())?;
    // The common case: the body came in one piece, and is not copied.
    if body.is_end_stream() {
        return Ok(share.keep(first));
    }
    // One byte more: see `gateway_http1::Body::poll_gather`.
    let reserve = usize::try_from(announced.unwrap_or(0).min(RESERVE_AT_MOST)).unwrap_or(0) + 1;
    let mut whole = spare::take(reserve.max(first.len()));
    whole.extend_from_slice(&first);
    drop(first);
    loop {
        let come = whole.len() as u64;
        let gather = |cx: &mut Context<'_>| body.poll_gather(cx, &mut whole);
        if in_time(gather, come, limits.read_timeout, &mut end).await?.is_none() {
            return Ok(share.keep(whole.freeze()));
        }
        if whole.len() as u64 > limit {
            return Err(too_large());
        }
        share.grow(room, whole.len())?;
    }
}

/// The next bytes of a body of which this many have come; none of them may be silent for longer than `idle`, nor come after `end`.
pub(crate) async fn next_data<B>(
    body: &mut B,
    come: u64,
    idle: Duration,
    end: impl FnOnce() -> Instant,
) -> Result<Option<Bytes>, ProxyError>
where
    B: Body<Data = Bytes> + Unpin,
{
    let frame = in_time(|cx| Pin::new(&mut *body).poll_frame(cx), come, idle, end).await?;
    // Trailers are read and dropped: nothing below /v1 has any. Nothing stands behind them.
    Ok(frame.and_then(|frame| frame.into_data().ok()))
}

/// What comes next of a body, if it comes in time.
async fn in_time<T, E>(
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<Option<Result<T, E>>>,
    come: u64,
    idle: Duration,
    end: impl FnOnce() -> Instant,
) -> Result<Option<T>, ProxyError> {
    let polled = match poll_fn(|cx| Poll::Ready(poll(cx))).await {
        Poll::Ready(polled) => polled,
        Poll::Pending => {
            let limit = end().min(Instant::now() + idle);
            timeout_at(limit, poll_fn(poll)).await.map_err(|_| ProxyError::BodyTimeout { come })?
        }
    };
    polled.transpose().map_err(|_| ProxyError::BodyBroken { come })
}

/// Whether the request asks why it goes where it goes. Not everybody gets an answer.
pub fn wants_explanation(headers: &HeaderMap) -> bool {
    headers.get(&EXPLAIN).is_some_and(|value| value == "1" || value == "true")
}

/// How long the client waits before it gives up, as OpenAI's SDKs and some proxies tell it: in seconds.
pub(crate) fn patience(headers: &HeaderMap) -> Option<Duration> {
    headers
        .iter()
        // Those of OpenAI's Python and Node libraries, and a common one of proxies.
        .filter(|(name, _)| {
            matches!(name.as_str(), "x-stainless-read-timeout" | "x-stainless-timeout" | "x-request-timeout")
        })
        .filter_map(|(_, value)| value.to_str().ok()?.trim().parse::<f64>().ok())
        .filter_map(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|patience| !patience.is_zero())
        .min()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::AUTHORIZATION;

    use super::*;
    use crate::openai::endpoints;

    fn key_in(pairs: &[(&'static str, &'static str)]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        presented_key(&headers).map(|key| String::from_utf8_lossy(key).into_owned())
    }

    #[test]
    fn the_key_is_taken_from_any_of_the_three_headers() {
        for pair in [("authorization", "bEARER  k"), ("x-api-key", "k"), ("api-key", " k ")] {
            assert_eq!(key_in(&[pair]).as_deref(), Some("k"), "{pair:?}");
        }
        assert_eq!(key_in(&[("authorization", "Bearer k"), ("x-api-key", "k")]).as_deref(), Some("k"));
    }

    #[test]
    fn a_socket_may_show_its_key_among_the_subprotocols_and_others_may_not() {
        let mut headers = HeaderMap::new();
        let protocols = HeaderValue::from_static("realtime, openai-insecure-api-key.k");
        headers.insert("sec-websocket-protocol", protocols);
        let mut sockets = endpoints().filter(|row| row.gives == Gives::Socket);
        let mut others = endpoints().filter(|row| row.gives != Gives::Socket);
        assert!(sockets.all(|row| presented_key_to(row, &headers) == Some(b"k")));
        assert!(others.all(|row| presented_key_to(row, &headers).is_none()));
        let socket = endpoints().find(|row| row.gives == Gives::Socket).unwrap();
        headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer k"));
        assert_eq!(presented_key_to(socket, &headers), Some(&b"k"[..]));
        headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer other"));
        assert_eq!(presented_key_to(socket, &headers), None);
    }

    #[test]
    fn the_clients_patience_is_the_shortest_that_it_tells() {
        let told = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            patience(&headers)
        };
        assert_eq!(told(&[("x-stainless-read-timeout", "600")]), Some(Duration::from_mins(10)));
        let both = [("x-stainless-timeout", "2.5"), ("x-request-timeout", "30")];
        assert_eq!(told(&both), Some(Duration::from_millis(2_500)));
        for nonsense in ["", "soon", "-1", "NaN", "inf", "0", "1e400"] {
            assert_eq!(told(&[("x-request-timeout", nonsense)]), None, "{nonsense}");
        }
    }

    #[test]
    fn headers_that_disagree_bear_no_key() {
        assert_eq!(key_in(&[("authorization", "Bearer a"), ("x-api-key", "b")]), None);
        assert_eq!(key_in(&[("authorization", "Bearer a"), ("authorization", "Bearer b")]), None);
        assert_eq!(key_in(&[("authorization", "Basic a"), ("x-api-key", "b")]), None);
        assert_eq!(key_in(&[("authorization", "Bearer ")]), None);
        assert_eq!(key_in(&[]), None);
    }
}
