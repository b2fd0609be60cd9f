use std::borrow::Cow;

use http::uri::InvalidUri;
use http::{HeaderValue, Method, Request, Version};

use super::{Outgoing, Target};
use crate::headers::Passed;

/// What a channel is asked, in parts. Towards HTTP/1.1 they are written as they are, one behind the other; only HTTP/2 and
/// whoever wants another protocol need a request that owns what it is made of.
#[derive(Debug)]
pub(crate) struct Asked<'c> {
    pub method: &'c Method,
    /// Below the channel's base URL; it begins with a slash.
    pub path: Cow<'c, str>,
    /// What stands after `?`.
    pub query: Option<Cow<'c, str>>,
    /// Those of the client that go up. Neither the host nor a key nor a length is among them.
    pub headers: &'c Passed,
    /// What goes up in place of the channel's key.
    pub secret: Option<&'c HeaderValue>,
    pub body: Outgoing,
}

// === impl Asked ===

impl Asked<'_> {
    /// What shows the key.
    pub(super) fn authorization<'a>(&'a self, target: &'a Target) -> Option<&'a HeaderValue> {
        self.secret.or(target.authorization())
    }

    /// The request, with the target's name where the version wants it: in the `Host` header, or in the URI.
    pub(crate) fn into_request(
        self,
        target: &Target,
        version: Version,
    ) -> Result<Request<Outgoing>, InvalidUri> {
        let query = self.query.as_deref();
        let mut headers = self.headers.to_map();
        target.address(&mut headers, self.authorization(target), version);
        let uri = target.uri(&self.path, query, version)?;
        let mut request = Request::new(self.body);
        *request.method_mut() = self.method.clone();
        *request.version_mut() = version;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        Ok(request)
    }
}
