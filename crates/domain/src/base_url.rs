use std::fmt;

/// Where an upstream account answers: scheme, authority and path prefix.
///
/// Operators write `https://api.openai.com`, `https://api.openai.com/v1` or `http://127.0.0.1:8000/v1/`, and all
/// three mean the same kind of place: with a path it is used as it is, with an empty path `/v1` is appended, and
/// trailing slashes do not matter.
///
/// ```
/// use gateway_domain::BaseUrl;
/// let url = BaseUrl::parse("https://api.openai.com").unwrap();
/// assert_eq!(url.join("/chat/completions"), "https://api.openai.com/v1/chat/completions");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BaseUrl {
    /// `scheme://authority/path`, normalised, never ending in a slash.
    text: String,
    /// Where the authority begins.
    authority_start: usize,
    /// Where the path begins.
    path_start: usize,
}

/// Why a text is not a base URL. The text itself is not repeated: it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BaseUrlError {
    /// Neither `http://` nor `https://`.
    #[error("must begin with http:// or https://")]
    Scheme,
    /// Nothing between `://` and the path.
    #[error("names no host")]
    Host,
    /// The part after the host's colon is not a number from 1 to 65535.
    #[error("has a port that is not a number from 1 to 65535")]
    Port,
    /// `user:password@host`.
    #[error("must not hold a user name or password: give the key in api_key")]
    UserInfo,
    /// `?query` or `#fragment`.
    #[error("must not hold a query or a fragment")]
    Query,
    /// White space, control or non-ASCII characters.
    #[error("holds a character that a URL cannot have (write it percent-encoded)")]
    Character,
}

// === impl BaseUrl ===

impl BaseUrl {
    /// Reads and normalises a base URL.
    pub fn parse(text: &str) -> Result<Self, BaseUrlError> {
        let text = text.trim();
        if !text.bytes().all(|b| b.is_ascii_graphic() && !br#""<>\^`{|}"#.contains(&b)) {
            return Err(BaseUrlError::Character);
        }
        let (scheme, rest) = text.split_once("://").ok_or(BaseUrlError::Scheme)?;
        let scheme = scheme.to_ascii_lowercase();
        if scheme != "http" && scheme != "https" {
            return Err(BaseUrlError::Scheme);
        }
        if rest.contains(['?', '#']) {
            return Err(BaseUrlError::Query);
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        check_authority(authority)?;
        let path = match path.trim_end_matches('/') {
            "" => "/v1",
            path => path,
        };
        let authority_start = scheme.len() + 3;
        let path_start = authority_start + authority.len();
        let text = format!("{scheme}://{}{path}", authority.to_ascii_lowercase());
        Ok(Self { text, authority_start, path_start })
    }

    /// The whole URL, without a trailing slash.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// `host` or `host:port`, as it stands in the URL.
    pub fn authority(&self) -> &str {
        self.text.get(self.authority_start..self.path_start).unwrap_or_default()
    }

    /// The path prefix: begins with a slash, does not end with one.
    pub fn path(&self) -> &str {
        self.text.get(self.path_start..).unwrap_or_default()
    }

    /// Whether calls are made over TLS.
    pub fn is_https(&self) -> bool {
        self.text.starts_with("https:")
    }

    /// The URL of one endpoint; `endpoint` begins with a slash and stands below `/v1`.
    pub fn join(&self, endpoint: &str) -> String {
        format!("{}{endpoint}", self.text)
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn check_authority(authority: &str) -> Result<(), BaseUrlError> {
    if authority.contains('@') {
        return Err(BaseUrlError::UserInfo);
    }
    let (host, port) = if let Some(bracketed) = authority.strip_prefix('[') {
        let (host, after) = bracketed.split_once(']').ok_or(BaseUrlError::Host)?;
        (host, after.strip_prefix(':').or(if after.is_empty() { None } else { Some("") }))
    } else {
        match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        }
    };
    if host.is_empty() {
        return Err(BaseUrlError::Host);
    }
    match port {
        Some(port) => match port.parse::<u16>() {
            Ok(number) if number > 0 => Ok(()),
            _ => Err(BaseUrlError::Port),
        },
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(text: &str) -> String {
        BaseUrl::parse(text).unwrap().as_str().to_owned()
    }

    #[test]
    fn an_empty_path_becomes_v1_and_trailing_slashes_go() {
        assert_eq!(normal("https://api.openai.com"), "https://api.openai.com/v1");
        assert_eq!(normal("https://api.openai.com/"), "https://api.openai.com/v1");
        assert_eq!(normal("https://API.openai.com/v1//"), "https://api.openai.com/v1");
        assert_eq!(normal("http://127.0.0.1:8000/openai/v1/"), "http://127.0.0.1:8000/openai/v1");
        assert_eq!(normal("http://[::1]:80"), "http://[::1]:80/v1");
    }

    #[test]
    fn the_parts_can_be_read_back() {
        let url = BaseUrl::parse("http://127.0.0.1:8000/v1/").unwrap();
        assert_eq!((url.authority(), url.path(), url.is_https()), ("127.0.0.1:8000", "/v1", false));
    }

    #[test]
    fn what_is_no_base_url_is_refused_with_its_reason() {
        for (text, why) in [
            ("api.openai.com", BaseUrlError::Scheme),
            ("ftp://host", BaseUrlError::Scheme),
            ("https://", BaseUrlError::Host),
            ("https:///v1", BaseUrlError::Host),
            ("http://:80", BaseUrlError::Host),
            ("http://host:0", BaseUrlError::Port),
            ("http://host:99999", BaseUrlError::Port),
            ("http://[::1]x", BaseUrlError::Port),
            ("http://user:pw@host", BaseUrlError::UserInfo),
            ("http://host/v1?x=1", BaseUrlError::Query),
            ("http://ho st/", BaseUrlError::Character),
            ("http://höst/", BaseUrlError::Character),
            ("http://host/\r\nX: y", BaseUrlError::Character),
        ] {
            assert_eq!(BaseUrl::parse(text), Err(why), "{text:?}");
        }
    }
}
