//! Which headers pass, in either direction. What is not named here passes unchanged.

mod passed;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

pub(crate) use passed::Passed;

use crate::request_id::REQUEST_ID;
use crate::scrub::holds;

/// Where the upstream's own request id is kept: `x-request-id` is the gateway's.
const UPSTREAM_REQUEST_ID: HeaderName = HeaderName::from_static("x-upstream-request-id");

/// Headers of one connection (RFC 9110 §7.6.1): never forwarded, in either direction. `content-length` is made anew
/// from the body that is really sent, so that no disagreement about framing can pass through.
///
/// Like the lists below it is a `match` on texts, which rules a name out by its length: every header of every call is
/// looked up in two of them.
fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
            | "expect"
    )
}

/// What a client sends for the gateway, or what would tell the upstream about the client's network.
fn is_for_gateway(name: &str) -> bool {
    matches!(
        name,
        "host"
            | "content-length"
            | "authorization"
            | "x-api-key"
            | "api-key"
            | "cookie"
            // The gateway reads answers on their way: they have to come as they are.
            | "accept-encoding"
            // They name the client's account; the channel's key belongs to another one, and OpenAI refuses a mismatch.
            | "openai-organization"
            | "openai-project"
            | "forwarded"
            | "x-forwarded-for"
            | "x-forwarded-host"
            | "x-forwarded-proto"
            | "x-real-ip"
            | "x-request-id"
    ) || name.starts_with("x-gateway-")
}

/// What an upstream sets for its own name and connection, and what would bind a browser to it.
fn is_upstreams_own(name: &str) -> bool {
    matches!(
        name,
        "set-cookie"
            | "alt-svc"
            | "strict-transport-security"
            | "server"
            | "via"
            | "www-authenticate"
            | "x-request-id"
    ) || name.starts_with("x-accel-")
        || name.starts_with("x-gateway-")
}

/// The client's headers as the upstream gets them; the channel's own key is added by the attempt. One that repeats the
/// client's `key` stays behind, whatever its name.
pub(crate) fn for_upstream(client: &HeaderMap, key: &str) -> Passed {
    let named = connection_named(client);
    let stays = |name: &HeaderName, value: &HeaderValue| {
        let text = name.as_str();
        is_hop_by_hop(text) || is_for_gateway(text) || named.contains(name) || holds(value.as_bytes(), key)
    };
    client.iter().filter(|(name, value)| !stays(name, value)).collect()
}

/// The client's query as the upstream gets it: without what repeats the client's `key`.
pub(crate) fn query_for_upstream(query: &str, key: &str) -> Option<String> {
    if !holds(query.as_bytes(), key) {
        return Some(query.to_owned());
    }
    let kept: Vec<&str> = query.split('&').filter(|pair| !holds(pair.as_bytes(), key)).collect();
    (!kept.is_empty()).then(|| kept.join("&"))
}

/// The upstream's headers as the client gets them, in place. One that repeats the channel's key is dropped.
pub(crate) fn for_client(headers: &mut HeaderMap, key: &str) {
    // No allocation where there is nothing to drop, which is how most connections are.
    let mut dropped: Vec<HeaderName> =
        if headers.contains_key(header::CONNECTION) { connection_named(headers) } else { Vec::new() };
    let stays = |name: &HeaderName, value: &HeaderValue| {
        let text = name.as_str();
        !(is_hop_by_hop(text) || is_upstreams_own(text) || holds(value.as_bytes(), key))
    };
    dropped.extend(headers.iter().filter(|(name, value)| !stays(name, value)).map(|(name, _)| name.clone()));
    let id = headers.get(REQUEST_ID).filter(|id| !holds(id.as_bytes(), key)).cloned();
    for name in dropped {
        headers.remove(name);
    }
    if let Some(id) = id {
        headers.insert(UPSTREAM_REQUEST_ID, id);
    }
}

/// The headers that `Connection` declares to be of this connection only.
fn connection_named(headers: &HeaderMap) -> Vec<HeaderName> {
    headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::from_bytes(name.trim().as_bytes()).ok())
        .collect()
}

/// Whether a content type means JSON. A missing one is taken as JSON: what is inside is checked anyway.
pub(crate) fn is_json(value: Option<&HeaderValue>) -> bool {
    value.is_none_or(|value| {
        let essence = value.as_bytes().split(|b| *b == b';').next().unwrap_or_default().trim_ascii();
        essence.eq_ignore_ascii_case(b"application/json")
            || essence.last_chunk::<5>().is_some_and(|end| end.eq_ignore_ascii_case(b"+json"))
    })
}

/// Whether a content type means a stream of server-sent events.
pub(crate) fn is_event_stream(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|value| {
        value.as_bytes().get(..17).is_some_and(|v| v.eq_ignore_ascii_case(b"text/event-stream"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v))).collect()
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn the_clients_key_and_connection_stay_behind_and_the_rest_goes_up() {
        let client = map(&[
            ("authorization", "Bearer user"),
            ("x-api-key", "user"),
            ("api-key", "user"),
            ("connection", "keep-alive, x-private"),
            ("x-private", "1"),
            ("host", "gateway"),
            ("accept-encoding", "gzip"),
            ("x-gateway-explain", "1"),
            ("openai-organization", "org-client"),
            ("openai-beta", "assistants=v2"),
            ("x-stainless-lang", "python"),
            ("idempotency-key", "k"),
            ("x-unheard-of", "1"),
            ("x-goog-api-key", "sk-user-key"),
        ]);
        assert_eq!(
            names(&for_upstream(&client, "sk-user-key").to_map()),
            ["idempotency-key", "openai-beta", "x-stainless-lang", "x-unheard-of"]
        );
    }

    #[test]
    fn a_query_goes_up_without_the_clients_key() {
        let query = |text| query_for_upstream(text, "sk-user-key");
        assert_eq!(query("api-version=1&x=%20").as_deref(), Some("api-version=1&x=%20"));
        assert_eq!(query("a=1&key=sk-user-key&b=2").as_deref(), Some("a=1&b=2"));
        assert_eq!(query("sk-user-key"), None);
    }

    #[test]
    fn the_upstreams_request_id_is_kept_under_another_name() {
        let mut headers = map(&[
            ("x-request-id", "up-1"),
            ("x-ratelimit-remaining-requests", "9"),
            ("set-cookie", "a=b"),
            ("x-accel-buffering", "no"),
            ("keep-alive", "timeout=5"),
            ("openai-processing-ms", "12"),
            ("x-debug", "sent sk-canary-1"),
        ]);
        for_client(&mut headers, "sk-canary-1");
        assert_eq!(
            names(&headers),
            ["openai-processing-ms", "x-ratelimit-remaining-requests", "x-upstream-request-id"]
        );
    }

    #[test]
    fn json_is_told_from_other_content() {
        let json = |v: &'static str| is_json(Some(&HeaderValue::from_static(v)));
        assert!(is_json(None) && json("application/json") && json("Application/JSON; charset=utf-8"));
        assert!(json("application/problem+json"));
        assert!(
            !json("text/plain") && !json("application/x-www-form-urlencoded") && !json("multipart/form-data")
        );
    }
}
