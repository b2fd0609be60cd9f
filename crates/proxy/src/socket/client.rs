use std::time::Duration;

use gateway_domain::ChannelId;
use gateway_http1::{OnUpgrade, Upgraded};
use http::header::{
    SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION,
};
use http::{HeaderMap, HeaderValue};

use super::Pupil;
use crate::affinity::Directory;
use crate::call::Call;
use crate::clock::Clock;
use crate::websocket::{HandshakeError, check, protocols};

/// Programs in browsers cannot set headers, so OpenAI takes their keys as a subprotocol that begins so.
const KEY: &str = "openai-insecure-api-key.";
/// Subprotocols that name the client's account; the channel's key belongs to another one.
const ACCOUNT: [&str; 2] = ["openai-organization.", "openai-project."];

/// The client's end of a socket that is being opened.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    upgrade: OnUpgrade,
    accept: HeaderValue,
    around: Around,
}

/// What a socket needs to know of the gateway.
#[derive(Clone, Debug)]
pub(crate) struct Around {
    /// How long both sides may be silent.
    pub idle: Duration,
    /// Who remembers what is made.
    pub directory: Directory,
    pub clock: Clock,
}

// === impl Client ===

impl Client {
    /// Checks the client's request.
    pub(crate) fn of(head: &http::request::Parts, around: Around) -> Result<Self, HandshakeError> {
        let accept = check(head)?;
        let upgrade = head.extensions.get::<OnUpgrade>().cloned().ok_or(HandshakeError::NotAsked)?;
        let accept = HeaderValue::try_from(accept).map_err(|_| HandshakeError::Key)?;
        Ok(Self { upgrade, accept, around })
    }

    /// What the client's key is to be answered with.
    pub(crate) fn accept(&self) -> HeaderValue {
        self.accept.clone()
    }

    /// How long both sides may be silent.
    pub(super) fn idle(&self) -> Duration {
        self.around.idle
    }

    /// Who learns what this channel makes over the call's socket; nobody where it can not be asked for again.
    pub(crate) fn pupil_at(&self, call: &Call, channel: ChannelId) -> Option<Pupil> {
        call.endpoint.makes?;
        let Around { directory, clock, .. } = self.around.clone();
        Some(Pupil { directory, clock, channel, user: call.user.id })
    }

    /// The connection, where the answer has gone out.
    pub(super) fn upgraded(&self) -> Option<Upgraded> {
        self.upgrade.take()
    }
}

/// The key that a browser's program shows among its subprotocols.
pub(crate) fn key_in_protocols(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    protocols(headers).filter_map(|protocol| protocol.strip_prefix(KEY)).map(str::as_bytes)
}

/// Leaves of a client's headers what another handshake may have: the subprotocols that are none of the gateway's
/// business. Extensions are not offered on, so that frames can be read.
pub(crate) fn prepare(passed: &mut HeaderMap, client: &HeaderMap) {
    for name in [SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_ACCEPT] {
        passed.remove(name);
    }
    let is_own = |protocol: &&str| {
        !protocol.starts_with(KEY) && !ACCOUNT.iter().any(|prefix| protocol.starts_with(prefix))
    };
    let offered: Vec<&str> = protocols(client).filter(is_own).collect();
    passed.remove(SEC_WEBSOCKET_PROTOCOL);
    if let Ok(offered) = HeaderValue::try_from(offered.join(", "))
        && !offered.is_empty()
    {
        passed.insert(SEC_WEBSOCKET_PROTOCOL, offered);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_accounts_do_not_go_up_and_other_subprotocols_do() {
        let mut client = HeaderMap::new();
        client.insert(
            SEC_WEBSOCKET_PROTOCOL,
            HeaderValue::from_static(
                "realtime, openai-insecure-api-key.sk-user, openai-organization.org-1, openai-project.p, \
                 openai-beta.realtime-v1",
            ),
        );
        client.insert(SEC_WEBSOCKET_EXTENSIONS, HeaderValue::from_static("permessage-deflate"));
        client.insert("openai-beta", HeaderValue::from_static("realtime=v1"));
        let mut passed = client.clone();
        prepare(&mut passed, &client);
        assert_eq!(passed.get(SEC_WEBSOCKET_PROTOCOL).unwrap(), "realtime, openai-beta.realtime-v1");
        assert_eq!(passed.len(), 2);
        assert_eq!(key_in_protocols(&client).collect::<Vec<_>>(), [b"sk-user"]);
        client.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("openai-insecure-api-key.sk-user"));
        prepare(&mut passed, &client);
        assert_eq!(passed.get(SEC_WEBSOCKET_PROTOCOL), None);
    }
}
