//! The endpoints of the OpenAI API that the gateway serves, as one table.

use http::Method;

/// One endpoint that is carried to an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The path as documented: for logs and as a metric label, so never what a client sent.
    pub template: &'static str,
    /// The path below a channel's base URL, which holds the version already.
    pub upstream_path: &'static str,
    /// Whether a call must name a model.
    pub model: ModelRule,
    /// Which of the endpoints it is.
    pub kind: EndpointKind,
    /// How an error is told once an answer streams.
    pub dialect: StreamDialect,
}

// === impl Endpoint ===

impl Endpoint {
    /// Whether its requests may have a `prompt_cache_key`.
    pub fn takes_cache_key(&self) -> bool {
        matches!(self.kind, EndpointKind::ChatCompletions | EndpointKind::Responses)
    }
}

/// Whether a call must name a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelRule {
    /// Without one the call is refused.
    Required,
    /// Without one the call goes to the default channel.
    Optional,
}

/// The endpoints by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndpointKind {
    /// `/v1/chat/completions`
    ChatCompletions,
    /// `/v1/completions`
    Completions,
    /// `/v1/embeddings`
    Embeddings,
    /// `/v1/responses`
    Responses,
    /// `/v1/moderations`
    Moderations,
    /// `/v1/images/generations`
    ImageGenerations,
    /// `/v1/audio/speech`
    Speech,
}

/// The two ways in which OpenAI's streams tell an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamDialect {
    /// An event without a name that holds `{"error":{…}}`.
    Chat,
    /// An event named `error` whose data is flat.
    Responses,
}

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// A call to carry to an upstream.
    Forward(&'static Endpoint),
    /// The list of models, answered by the gateway itself.
    ListModels,
    /// One model, answered by the gateway itself: the decoded name, which may hold slashes.
    Model(String),
    /// The path exists, but not for this method.
    WrongMethod {
        /// The value of the `allow` header.
        allow: &'static str,
    },
    /// Nothing.
    Unknown,
}

const CHAT: Endpoint = Endpoint {
    template: "/v1/chat/completions",
    upstream_path: "/chat/completions",
    model: ModelRule::Required,
    kind: EndpointKind::ChatCompletions,
    dialect: StreamDialect::Chat,
};

static ENDPOINTS: [Endpoint; 7] = [
    CHAT,
    Endpoint {
        template: "/v1/completions",
        upstream_path: "/completions",
        kind: EndpointKind::Completions,
        ..CHAT
    },
    Endpoint {
        template: "/v1/embeddings",
        upstream_path: "/embeddings",
        kind: EndpointKind::Embeddings,
        ..CHAT
    },
    Endpoint {
        template: "/v1/responses",
        upstream_path: "/responses",
        kind: EndpointKind::Responses,
        dialect: StreamDialect::Responses,
        ..CHAT
    },
    Endpoint {
        template: "/v1/moderations",
        upstream_path: "/moderations",
        model: ModelRule::Optional,
        kind: EndpointKind::Moderations,
        ..CHAT
    },
    Endpoint {
        template: "/v1/images/generations",
        upstream_path: "/images/generations",
        model: ModelRule::Optional,
        kind: EndpointKind::ImageGenerations,
        ..CHAT
    },
    Endpoint {
        template: "/v1/audio/speech",
        upstream_path: "/audio/speech",
        kind: EndpointKind::Speech,
        ..CHAT
    },
];

/// Finds what stands at `path` (no query). The prefix `/v1` may be left out, because a client's base URL may end
/// before it.
pub fn lookup(method: &Method, path: &str) -> Lookup {
    let rest = match path.strip_prefix("/v1") {
        Some(rest) if rest.starts_with('/') => rest,
        _ => path,
    };
    if let Some(endpoint) = ENDPOINTS.iter().find(|endpoint| endpoint.upstream_path == rest) {
        return if method == Method::POST {
            Lookup::Forward(endpoint)
        } else {
            Lookup::WrongMethod { allow: "POST" }
        };
    }
    let found = match rest.strip_prefix("/models") {
        Some("") => Some(Lookup::ListModels),
        Some(id) => id.strip_prefix('/').and_then(decode).map(Lookup::Model),
        None => None,
    };
    match found {
        Some(_) if method != Method::GET && method != Method::HEAD => {
            Lookup::WrongMethod { allow: "GET, HEAD" }
        }
        Some(found) => found,
        None => Lookup::Unknown,
    }
}

/// Undoes percent-encoding. `None` for what is no name: nothing at all, a broken escape, or bytes that are no text.
fn decode(encoded: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let value = digit()? * 16 + digit()?;
        bytes.push(u8::try_from(value).ok()?);
    }
    String::from_utf8(bytes).ok().filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests;
