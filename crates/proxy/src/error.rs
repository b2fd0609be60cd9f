use std::time::Duration;

use bytes::Bytes;
use gateway_routing::NoRoute;
use http::HeaderMap;

use crate::call::Call;
use crate::openai::PeekError;
use crate::websocket::HandshakeError;

/// Everything that can end a call without a good answer. `respond.rs` alone says which status each becomes.
///
/// The texts are for the client: what is wrong, where, and what to do. They never hold a key or an upstream address.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProxyError {
    // --- the client's own doing ---
    /// No row of the endpoint table.
    #[error("unknown path {path}: the gateway serves OpenAI's /v1 endpoints")]
    UnknownPath {
        /// As it came, cut.
        path: String,
    },
    /// A known path with another method.
    #[error("this endpoint takes {allow}, not {method}")]
    WrongMethod {
        /// As it came.
        method: String,
        /// What the endpoint takes.
        allow: &'static str,
    },
    /// No key, more than one, an unknown, expired or revoked one: one text for all of them.
    #[error(
        "no valid API key: send a gateway key as `Authorization: Bearer <key>` (it is not the upstream's key)"
    )]
    InvalidKey,
    /// The upstream no longer takes the secret that it has made for the client.
    #[error(
        "the client secret has expired or was used for something that it is not good for; ask for a new one"
    )]
    SecretRefused,
    /// `/v1/organization` and `/v1/projects`, where no channel is named for them or the key is not for all models.
    #[error(
        "administration of an OpenAI organization is not routed for this key: use OpenAI's own address, or have whoever \
         runs this gateway name a channel for it (proxy.administration_channel)"
    )]
    AdministrationNotRouted,
    /// A request for a WebSocket that opens none.
    #[error("{0}")]
    Handshake(#[from] HandshakeError),
    /// A WebSocket in which any model could be named, for a key that is for some only.
    #[error(
        "this API key is for some models only, and a WebSocket on this path could name any: use POST /v1/responses"
    )]
    SocketForAll,
    /// Not of the type that the endpoint takes.
    #[error("the body must be {wanted}")]
    ContentType {
        /// What it must be, and how to say so.
        wanted: &'static str,
    },
    /// Compressed request bodies are not opened.
    #[error("the body must not be compressed: send it without content-encoding")]
    ContentEncoding,
    /// Over `server.max_body_bytes`, or `proxy.max_upload_bytes`.
    #[error("the body is larger than {limit} bytes, the most this gateway takes ({key})")]
    BodyTooLarge {
        /// The limit.
        limit: u64,
        /// Where it is set.
        key: &'static str,
    },
    /// The body stopped coming.
    #[error(
        "the body did not arrive in time, but as far as byte {come}; send as much as content-length says"
    )]
    BodyTimeout {
        /// How many bytes of it had come.
        come: u64,
    },
    /// Chunk framing broken, or cut off.
    #[error("the body could not be read behind byte {come}: its HTTP framing is broken or it was cut off")]
    BodyBroken {
        /// How many bytes of it had come.
        come: u64,
    },
    /// The body is not what the endpoint takes.
    #[error("{message}")]
    BadRequest {
        /// What is wrong, where, and what to do.
        message: String,
        /// The field.
        param: Option<&'static str>,
        /// The machine-readable word.
        code: &'static str,
    },
    /// A form that can be read in two ways, or not at all; it was not read to its end.
    #[error("{0}")]
    BadForm(PeekError),
    /// Not a model of this gateway, or not one for this key.
    #[error("the model `{model}` does not exist or you do not have access to it")]
    ModelNotFound {
        /// As the client gave it, cut.
        model: String,
    },
    /// No model named, and nobody to take such calls.
    #[error("you must provide a model parameter")]
    ModelMissing,
    /// An object that nobody knows, or that is another user's: the two look the same from outside.
    #[error("no object with the id `{id}` exists, or you do not have access to it")]
    ObjectNotFound {
        /// As the client gave it, cut.
        id: String,
    },
    /// The objects of one call are at different channels, and no channel has all of them.
    #[error(
        "`{one}` and `{other}` were made on different channels, which cannot see each other's objects; make one of them \
         again where the other is"
    )]
    ObjectsApart {
        /// One of them, cut.
        one: String,
        /// One that is elsewhere, cut.
        other: String,
    },
    /// The channel that has the call's objects is disabled.
    #[error("the channel that has the objects of this call is disabled; tell whoever runs this gateway")]
    ObjectsAway,
    /// A list that is not read whole, so that nobody can say what of it is the caller's.
    #[error("the list is too long to be looked through for your objects; ask for shorter pages with `limit`")]
    ListTooLong,

    // --- behind the gateway ---
    /// The upstream's own error answer, kept: status, body and the headers that matter.
    #[error("the upstream answered {}", _0.status)]
    Upstream(Box<UpstreamAnswer>),
    /// Refused, reset or unreachable.
    #[error("no connection to the upstream could be made")]
    Connect,
    /// The host name has no address.
    #[error("the upstream's host name could not be resolved")]
    Dns,
    /// The certificate or the handshake is bad.
    #[error("no trusted TLS connection to the upstream could be made")]
    Tls,
    /// Connect, first byte or total time is over.
    #[error("the upstream did not answer in time")]
    Timeout,
    /// Closed before an answer.
    #[error("the upstream closed the connection before it answered")]
    Closed,
    /// Framing broken, or shorter than announced.
    #[error("the upstream's answer was cut off or broke HTTP's rules")]
    Protocol,
    /// HTML, an empty body, `null`, half a document.
    #[error("the upstream's answer is not what this endpoint gives")]
    InvalidAnswer,
    /// 3xx, never followed.
    #[error("the upstream answered with a redirect, which the gateway does not follow")]
    Redirect,
    /// 401, 402, 403 of the upstream: the gateway's key, not the client's.
    #[error("the upstream refused the gateway's own credentials; tell whoever runs this gateway")]
    UpstreamCredentials,
    /// Every channel is limited.
    #[error("every channel for this model is rate limited; try again in {} s", retry_after.as_secs().max(1))]
    AllLimited {
        /// Until the first of them is free again.
        retry_after: Duration,
    },
    /// No channel can serve.
    #[error("no channel can serve the model `{model}` now ({why})")]
    NoChannel {
        /// The public name.
        model: String,
        /// How many are out, and why.
        why: String,
    },

    /// One of the channels whose lists make up one list.
    #[error("the list cannot be given whole, because the channel `{channel}` failed: {error}")]
    ListIncomplete {
        /// Its name.
        channel: String,
        /// What became of it.
        error: Box<Self>,
    },
    /// A channel's list does not fit together with those of others.
    #[error(
        "your objects are on several channels, whose lists cannot be joined: the channel `{channel}` does not list them \
         by the time at which they were made, and too many to be sorted here"
    )]
    ListDisordered {
        /// Its name.
        channel: String,
    },

    // --- the gateway's own doing ---
    /// Storage does not say whose an object is.
    #[error("whose the objects of this call are cannot be looked up at the moment; try again")]
    ObjectsUnknown,
    /// The grace of a shutdown is over, and there was no answer yet.
    #[error("the gateway is stopping; send the request again")]
    Stopping,
    /// The bodies of other calls fill the memory that there is for them.
    #[error(
        "the gateway holds as many request bodies as fit into its memory (server.max_body_memory); try again in a moment"
    )]
    NoRoom,
    /// As many files are open as may be.
    #[error(
        "the gateway may open no more connections or files (the limit of open files); try again in a moment, or tell \
         whoever runs this gateway"
    )]
    NoFile,
    /// No room to keep an upload that is too large for memory.
    #[error(
        "the gateway's disk is full, and the upload does not fit into its memory; try again later, or tell \
             whoever runs this gateway"
    )]
    DiskFull,
    /// The same for any other reason.
    #[error(
        "the gateway cannot keep the upload: its temporary folder cannot be used; tell whoever runs this gateway"
    )]
    DiskBroken,
    /// A defect: what cannot happen happened.
    #[error("the gateway failed; the request id names the log line that says why")]
    Internal,
}

/// An upstream's error answer, ready for the client.
#[derive(Debug)]
pub(crate) struct UpstreamAnswer {
    /// What the client gets.
    pub status: u16,
    /// The upstream's headers that concern the client (rate limits, its request id).
    pub headers: HeaderMap,
    /// The upstream's OpenAI-shaped body without secrets; `None` when it sent something else.
    pub body: Option<Bytes>,
    /// How long the upstream asked to wait.
    pub retry_after: Option<Duration>,
}

// === impl ProxyError ===

impl ProxyError {
    /// The model is unknown, or not for this key; the two look the same from outside.
    pub(crate) fn model_not_found(model: &str) -> Self {
        Self::ModelNotFound { model: model.chars().take(100).collect() }
    }

    /// The object is nobody's, or another user's.
    pub(crate) fn object_not_found(id: &str) -> Self {
        Self::ObjectNotFound { id: shown(id) }
    }

    /// Two objects of a call are at different channels.
    pub(crate) fn objects_apart(one: &str, other: &str) -> Self {
        Self::ObjectsApart { one: shown(one), other: shown(other) }
    }

    /// Routing found nobody, and nobody had been tried before.
    pub(crate) fn no_route(no_route: &NoRoute, call: &Call) -> Self {
        let model = call.model.as_ref().map_or("", |(name, _)| name).chars().take(100).collect();
        let why = match no_route {
            NoRoute::AllLimited { retry_after } => {
                return Self::AllLimited { retry_after: Duration::from_micros(retry_after.0) };
            }
            NoRoute::Empty => "none is configured and enabled".to_owned(),
            NoRoute::AllExcluded => "every one has been tried".to_owned(),
            NoRoute::Unavailable { exclusions } => format!("{} are out of rotation", exclusions.len()),
        };
        Self::NoChannel { model, why }
    }
}

/// The beginning of an id, short enough to be repeated to whoever sent it.
fn shown(id: &str) -> String {
    id.chars().take(100).collect()
}

impl From<PeekError> for ProxyError {
    fn from(error: PeekError) -> Self {
        Self::BadRequest { message: error.message().to_owned(), param: error.param(), code: error.code() }
    }
}
