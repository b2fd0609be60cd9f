//! Client secrets: keys that an upstream gives out for a program in a browser, good for one session and some minutes.
//!
//! Only a digest of them is kept, as the id of an object: it says whose secret it is, and which channel takes it.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

use gateway_domain::{ChannelId, UnixMillis, UserId};
use gateway_objects::Record;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{Directory, Pull};
use crate::call::Call;
use crate::error::ProxyError;
use crate::openai::{Endpoint, EndpointKind, Gives, ObjectKind};

/// How OpenAI's begin. Others are not asked for: each question may cost one to storage.
const PREFIX: &[u8] = b"ek_";
/// The longest that OpenAI lets one live, in milliseconds.
const LONGEST: i64 = 2 * 60 * 60 * 1_000;

/// Whom a client secret lets in, and where it is good for anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Secret {
    pub user: UserId,
    pub channel: ChannelId,
}

/// The answers that hold one.
#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    value: Option<Cow<'a, str>>,
    expires_at: Option<i64>,
    #[serde(borrow)]
    client_secret: Option<Inner<'a>>,
}

#[derive(Deserialize)]
struct Inner<'a> {
    #[serde(borrow)]
    value: Cow<'a, str>,
    expires_at: Option<i64>,
}

/// Whether a key that is nobody's may be a client secret: they open sessions, and do nothing else.
pub(crate) fn may_be_secret(endpoint: &Endpoint, key: &[u8]) -> bool {
    let opens = endpoint.gives == Gives::Socket || endpoint.makes == Some(ObjectKind::RealtimeCall);
    endpoint.kind == EndpointKind::Realtime && opens && key.starts_with(PREFIX)
}

// === impl Secret ===

impl Secret {
    /// Where a call belongs that shows it, beside what its objects say.
    pub(crate) fn pulls(self, objects: Pull) -> Result<Pull, ProxyError> {
        match objects {
            Pull::To { channel, .. } if channel != self.channel => {
                Err(ProxyError::objects_apart("call_id", "the client secret"))
            }
            Pull::To { .. } | Pull::None { .. } => Ok(Pull::To { channel: self.channel, owner: self.user }),
        }
    }
}

// === impl Directory ===

impl Directory {
    /// Whom this secret lets in, if it is one that has not expired.
    pub(crate) async fn secret(&self, key: &[u8], now: UnixMillis) -> Option<Secret> {
        let id = id_of(key);
        // Storage that does not answer lets nobody in.
        let record = self.find(std::iter::once(&*id)).await.known.pop()?;
        let is_valid = record.kind == ObjectKind::ClientSecret.as_str()
            && now.0 < record.created_at.0.saturating_add(LONGEST);
        is_valid.then_some(Secret { user: record.user, channel: record.channel })
    }

    /// Takes down the secret that an answer has made.
    pub(super) fn learn_secret(&self, call: &Call, channel: ChannelId, now: UnixMillis, body: &[u8]) {
        let Some((value, expires_at)) = secret_in(body) else { return };
        // A record has a beginning and no end: one that ends sooner than the longest has begun so much earlier.
        let end = expires_at.map(|seconds| seconds.saturating_mul(1_000).saturating_sub(LONGEST));
        let record = Record {
            id: Arc::from(id_of(value.as_bytes())),
            kind: Cow::Borrowed(ObjectKind::ClientSecret.as_str()),
            channel,
            user: call.user.id,
            created_at: UnixMillis(end.map_or(now.0, |begun| begun.min(now.0))),
            made_at: None,
        };
        self.objects.note(record);
    }
}

fn secret_in(body: &[u8]) -> Option<(Cow<'_, str>, Option<i64>)> {
    let answer: Answer<'_> = serde_json::from_slice(body).ok()?;
    let inner = answer.client_secret.map(|inner| (inner.value, inner.expires_at));
    let (value, expires_at) = inner.or_else(|| Some((answer.value?, answer.expires_at)))?;
    value.as_bytes().starts_with(PREFIX).then_some((value, expires_at))
}

fn id_of(key: &[u8]) -> String {
    let mut id = String::from("ek:");
    for byte in Sha256::digest(key) {
        // Writing into a string cannot fail.
        let _ = write!(id, "{byte:02x}");
    }
    id
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;
    use crate::openai::{Lookup, lookup};

    fn found(body: &str) -> Option<(String, Option<i64>)> {
        secret_in(body.as_bytes()).map(|(value, expires_at)| (value.into_owned(), expires_at))
    }

    #[test]
    fn a_secret_is_found_in_both_shapes_of_answers() {
        let new = r#"{"value":"ek_1","expires_at":1756310470,"session":{"type":"realtime"}}"#;
        let old = r#"{"id":"sess_1","client_secret":{"value":"ek_2","expires_at":7}}"#;
        assert_eq!(found(new), Some(("ek_1".to_owned(), Some(1_756_310_470))));
        assert_eq!(found(old), Some(("ek_2".to_owned(), Some(7))));
        for none in ["{}", r#"{"value":null}"#, r#"{"value":"sk-1"}"#, "[]", r#"{"value":"ek_1""#] {
            assert_eq!(found(none), None, "{none}");
        }
    }

    #[test]
    fn a_secret_opens_sessions_and_nothing_else() {
        for (method, path, may) in [
            (Method::GET, "/v1/realtime", true),
            (Method::POST, "/v1/realtime/calls", true),
            (Method::POST, "/v1/realtime/client_secrets", false),
            (Method::POST, "/v1/realtime/calls/rtc_1/hangup", false),
            (Method::GET, "/v1/responses", false),
            (Method::POST, "/v1/chat/completions", false),
        ] {
            let Lookup::Forward { endpoint, .. } = lookup(&method, path) else { panic!("{path}") };
            assert_eq!(may_be_secret(endpoint, b"ek_1"), may, "{path}");
            assert!(!may_be_secret(endpoint, b"sk-1"));
        }
    }
}
