use std::sync::Arc;

use gateway_domain::Channel;
use http::header::{AUTHORIZATION, HOST};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Request, Uri};
use rustls::pki_types::ServerName;

use super::Outgoing;

/// A channel made ready for calling: everything that does not change from call to call is computed once, when a
/// snapshot is adopted.
#[derive(Debug)]
pub(crate) struct Target {
    channel: Arc<Channel>,
    /// `scheme://authority`: calls to the same origin share connections.
    origin: Arc<str>,
    authority: Authority,
    host_header: HeaderValue,
    /// The host to connect to, without brackets.
    host: String,
    port: u16,
    /// The name that the certificate must bear; `None` without TLS.
    server_name: Option<ServerName<'static>>,
    /// `Bearer …`; `None` for upstreams that want no key.
    authorization: Option<HeaderValue>,
}

/// Why a channel cannot be called at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TargetError {
    #[error("its base_url does not name a host that can be called")]
    Host,
    #[error("its api_key holds a character that a header cannot have")]
    Key,
}

// === impl Target ===

impl Target {
    /// Prepares a channel.
    pub(crate) fn new(channel: Arc<Channel>) -> Result<Self, TargetError> {
        let url = &channel.base_url;
        let authority: Authority = url.authority().parse().map_err(|_| TargetError::Host)?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let server_name = if url.is_https() {
            Some(ServerName::try_from(host.clone()).map_err(|_| TargetError::Host)?)
        } else {
            None
        };
        let authorization = match channel.api_key.expose().as_str() {
            "" => None,
            key => {
                let mut value =
                    HeaderValue::from_str(&format!("Bearer {key}")).map_err(|_| TargetError::Key)?;
                value.set_sensitive(true);
                Some(value)
            }
        };
        Ok(Self {
            origin: format!("{}://{authority}", if url.is_https() { "https" } else { "http" }).into(),
            host_header: HeaderValue::from_str(url.authority()).map_err(|_| TargetError::Host)?,
            port: authority.port_u16().unwrap_or(if url.is_https() { 443 } else { 80 }),
            authority,
            host,
            server_name,
            authorization,
            channel,
        })
    }

    /// The channel that is called.
    pub(crate) fn channel(&self) -> &Arc<Channel> {
        &self.channel
    }

    pub(super) fn origin(&self) -> Arc<str> {
        Arc::clone(&self.origin)
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn server_name(&self) -> Option<&ServerName<'static>> {
        self.server_name.as_ref()
    }

    /// The path of an endpoint at this channel; `endpoint` stands below `/v1` and begins with a slash, `query` is
    /// what the client gave after `?`.
    pub(crate) fn uri(&self, endpoint: &str, query: Option<&str>) -> Result<Uri, http::uri::InvalidUri> {
        let path = self.channel.base_url.path();
        match query {
            Some(query) => format!("{path}{endpoint}?{query}").parse(),
            None => format!("{path}{endpoint}").parse(),
        }
    }

    /// Adds the channel's key.
    pub(crate) fn authorize(&self, headers: &mut HeaderMap) {
        if let Some(value) = &self.authorization {
            headers.insert(AUTHORIZATION, value.clone());
        }
    }

    /// Puts the target's name where the protocol wants it: the `Host` header of HTTP/1.1, the authority of HTTP/2.
    pub(super) fn address(&self, request: &mut Request<Outgoing>, h2: bool) {
        if h2 {
            *request.version_mut() = http::Version::HTTP_2;
            let path = request.uri().path_and_query().cloned();
            let mut parts = http::uri::Parts::default();
            parts.scheme = Some(if self.server_name.is_some() { Scheme::HTTPS } else { Scheme::HTTP });
            parts.authority = Some(self.authority.clone());
            parts.path_and_query = Some(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
            if let Ok(uri) = Uri::from_parts(parts) {
                *request.uri_mut() = uri;
            }
            request.headers_mut().remove(HOST);
        } else {
            request.headers_mut().insert(HOST, self.host_header.clone());
        }
    }
}
