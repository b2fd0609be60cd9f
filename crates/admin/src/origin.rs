//! From where a browser calls: which `Host` it believes to talk to, and which site's script sent the call.
//!
//! Neither check is needed for callers that hold the token on purpose. They stop a web page that is open in an
//! administrator's browser from reaching a gateway on loopback or in the same network: by a name of its own that it
//! points here (DNS rebinding), or by posting blindly (CSRF).

use std::net::IpAddr;

use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderName, ORIGIN};
use http::request::Parts as Head;

use crate::error::ApiError;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What our pages say with every change. No form can send it, and no script of another site without asking first.
const X_GATEWAY_UI: HeaderName = HeaderName::from_static("x-gateway-ui");

/// The host of an authority, without port, brackets and trailing dot, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Authority {
    host: String,
    port: Option<u16>,
}

/// Refuses a call whose `Host` is not one of ours.
///
/// With a list: loopback, IP addresses (no name, so nothing to rebind) and the names of the list. Without one:
/// anything, unless the gate is open; then only loopback, because there `Host` is all that stands between a web page
/// and the gateway.
pub(crate) fn check_host(head: &Head, allowed: &[String], gate_is_open: bool) -> Result<(), ApiError> {
    if allowed.is_empty() && !gate_is_open {
        return Ok(());
    }
    let host = host_of(head).ok_or(ApiError::ForeignHost)?;
    let ours = host.is_loopback() || (!gate_is_open && host.ip().is_some()) || host.is_listed(allowed);
    if ours { Ok(()) } else { Err(ApiError::ForeignHost) }
}

/// Refuses what another site's page sent.
pub(crate) fn check_site(head: &Head, allowed: &[String]) -> Result<(), ApiError> {
    for site in head.headers.get_all(SEC_FETCH_SITE) {
        // `same-site` is not enough: another port of localhost is the same site.
        if site != "same-origin" && site != "none" {
            return Err(ApiError::ForeignSite);
        }
    }
    let host = host_of(head);
    for origin in head.headers.get_all(ORIGIN) {
        let origin = origin.to_str().ok().and_then(|text| text.split_once("://"));
        let ours = origin.is_some_and(|(scheme, authority)| {
            let default = if scheme.eq_ignore_ascii_case("https") { 443 } else { 80 };
            Authority::parse(authority).is_some_and(|origin| {
                // Behind a proxy that renames the host, the list says under which names we are known.
                origin.is_listed(allowed) || host.as_ref().is_some_and(|host| origin.is_same(host, default))
            })
        });
        if !ours {
            return Err(ApiError::ForeignSite);
        }
    }
    Ok(())
}

/// Refuses what does not say that a page of ours sent it.
pub(crate) fn check_page(head: &Head) -> Result<(), ApiError> {
    if head.headers.get(&X_GATEWAY_UI).is_some_and(|value| value == "1") {
        Ok(())
    } else {
        Err(ApiError::NoPage)
    }
}

/// What a body is declared as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    /// JSON, or nothing, which is read as JSON.
    Json,
    /// Text, or TOML.
    Text,
}

/// Refuses a body that does not say that it is JSON, or text where that may be sent too.
///
/// `text/plain` is what a foreign page can send without asking; a body without any type is what plain tools send,
/// and no browser does without an `Origin`.
pub(crate) fn check_media(head: &Head, takes_text: bool) -> Result<Media, ApiError> {
    if head.headers.contains_key(CONTENT_ENCODING) {
        return Err(ApiError::UnsupportedMedia);
    }
    let Some(kind) = head.headers.get(CONTENT_TYPE) else {
        return if head.headers.contains_key(ORIGIN) {
            Err(ApiError::UnsupportedMedia)
        } else {
            Ok(Media::Json)
        };
    };
    let essence = kind.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let essence = essence.to_ascii_lowercase();
    let is_json = essence == "application/json"
        || essence.strip_prefix("application/").is_some_and(|rest| rest.ends_with("+json"));
    let is_text = takes_text && matches!(essence.as_str(), "text/plain" | "application/toml");
    match (is_json, is_text) {
        (true, _) => Ok(Media::Json),
        (false, true) => Ok(Media::Text),
        (false, false) => Err(ApiError::UnsupportedMedia),
    }
}

/// The host that the caller believes to talk to: `:authority` of HTTP/2, else the one `Host` header.
fn host_of(head: &Head) -> Option<Authority> {
    let mut headers = head.headers.get_all(HOST).iter();
    let header = headers.next();
    if headers.next().is_some() {
        return None;
    }
    match (head.uri.authority(), header) {
        (Some(authority), None) => Authority::parse(authority.as_str()),
        (None, Some(header)) => Authority::parse(header.to_str().ok()?),
        (Some(authority), Some(header)) => {
            let header = Authority::parse(header.to_str().ok()?)?;
            Authority::parse(authority.as_str()).filter(|authority| *authority == header)
        }
        (None, None) => None,
    }
}

// === impl Authority ===

impl Authority {
    fn parse(text: &str) -> Option<Self> {
        let (host, port) = if let Some(bracketed) = text.strip_prefix('[') {
            let (host, after) = bracketed.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            (host, if after.is_empty() { None } else { Some(after.strip_prefix(':')?) })
        } else {
            text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)))
        };
        let port = match port {
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => Some(digits.parse().ok()?),
            Some(_) => return None,
            None => None,
        };
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._:".contains(&b);
        (!host.is_empty() && host.bytes().all(plain)).then_some(Self { host, port })
    }

    fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    fn is_loopback(&self) -> bool {
        self.ip().is_some_and(|ip| ip.to_canonical().is_loopback())
            || self.host == "localhost"
            || self.host.ends_with(".localhost")
    }

    /// Whether the list names this host: with a port only this port, without one any.
    fn is_listed(&self, allowed: &[String]) -> bool {
        allowed
            .iter()
            .filter_map(|entry| Self::parse(entry.trim()))
            .any(|entry| entry.host == self.host && (entry.port.is_none() || entry.port == self.port))
    }

    fn is_same(&self, other: &Self, default: u16) -> bool {
        self.host == other.host && self.port.unwrap_or(default) == other.port.unwrap_or(default)
    }
}

#[cfg(test)]
mod tests;
