use std::sync::Arc;

use gateway_domain::Channel;
use http::header::{AUTHORIZATION, HOST};
use http::uri::{Authority, InvalidUri, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Uri, Version};
use rustls::pki_types::ServerName;

/// A channel made ready for calling: everything that does not change from call to call is computed once, when a
/// snapshot is adopted.
#[derive(Debug)]
pub(crate) struct Target {
    channel: Arc<Channel>,
    /// `scheme://authority`: calls to the same origin share connections.
    origin: Arc<str>,
    authority: Authority,
    host_header: HeaderValue,
    /// The channel's name; `None` where it has a character that a header cannot have.
    name_header: Option<HeaderValue>,
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
            name_header: HeaderValue::from_str(&channel.name).ok(),
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

    /// The channel's name, for whoever is to know who has answered.
    pub(crate) fn name_header(&self) -> Option<&HeaderValue> {
        self.name_header.as_ref()
    }

    pub(super) const fn origin(&self) -> &Arc<str> {
        &self.origin
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

    /// The name for the `Host` header.
    pub(super) fn host_header(&self) -> &HeaderValue {
        &self.host_header
    }

    /// What shows the channel's key; `None` for upstreams that want none.
    pub(super) fn authorization(&self) -> Option<&HeaderValue> {
        self.authorization.as_ref()
    }

    /// The path of an endpoint at this channel; `endpoint` stands below `/v1` and begins with a slash, `query` is
    /// what the client gave after `?`. In HTTP/2 the target's name is a part of it.
    pub(super) fn uri(
        &self,
        endpoint: &str,
        query: Option<&str>,
        version: Version,
    ) -> Result<Uri, InvalidUri> {
        let path = self.channel.base_url.path();
        let path: PathAndQuery = match query {
            Some(query) => format!("{path}{endpoint}?{query}").try_into()?,
            None => format!("{path}{endpoint}").try_into()?,
        };
        if version < Version::HTTP_2 {
            return Ok(path.into());
        }
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(if self.server_name.is_some() { Scheme::HTTPS } else { Scheme::HTTP });
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(path);
        Ok(Uri::from_parts(parts).expect("nothing is missing"))
    }

    /// Adds the key, and the target's name where HTTP/1.1 wants it.
    pub(super) fn address(&self, headers: &mut HeaderMap, key: Option<&HeaderValue>, version: Version) {
        if let Some(key) = key {
            headers.insert(AUTHORIZATION, key.clone());
        }
        if version < Version::HTTP_2 {
            headers.insert(HOST, self.host_header.clone());
        }
    }
}

/// A channel with this base URL, and a key.
#[cfg(test)]
pub(crate) fn target_of(base_url: &str) -> Target {
    use gateway_domain::{BaseUrl, ChannelId, ChannelTuning, ManagedBy, ProbePlan, Secret};

    let channel = Channel {
        id: ChannelId(1),
        name: "a".into(),
        base_url: BaseUrl::parse(base_url).expect("a base URL"),
        api_key: Secret::new("sk-channel".to_owned()),
        weight: 1,
        enabled: true,
        serves_any_model: false,
        max_concurrency: None,
        probe: ProbePlan::default(),
        tuning: ChannelTuning::default(),
        managed_by: ManagedBy::Api,
    };
    Target::new(Arc::new(channel)).expect("a target")
}
