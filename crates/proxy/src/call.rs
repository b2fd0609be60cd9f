use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gateway_domain::User;
use gateway_routing::ChannelSet;
use gateway_sessions::{SessionKey, Source};
use http::{HeaderValue, Method};

use crate::affinity::Pull;
use crate::commit::Promise;
use crate::headers::Passed;
use crate::openai::{
    AnswerEdits, BackendModel, Edit, Endpoint, Gives, PartValue, PathParams, pieces, rename, uri,
};
use crate::plane::Route;
use crate::socket::Client;
use crate::spool::Spool;
use crate::upload;
use crate::upstream::Outgoing;

/// A request that was let in: everything an attempt needs, read once.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each answers one question of its own")]
pub(crate) struct Call {
    /// As the client said it.
    pub method: Method,
    /// Which endpoint.
    pub endpoint: &'static Endpoint,
    /// Its path at the upstream, and what it names.
    pub path: PathParams,
    /// What stood after `?`.
    pub query: Option<String>,
    /// The headers that go up, without the channel's key.
    pub headers: Passed,
    /// The body as the client sent it.
    pub body: Payload,
    /// The model's name and where it stands; `None` when the call names none.
    pub model: Option<(Arc<str>, Place)>,
    /// Whether the client asked for a stream.
    pub stream: bool,
    /// Who asks.
    pub user: Arc<User>,
    /// Whom the call belongs together with.
    pub session: SessionKey,
    /// What named the session.
    pub session_source: Source,
    /// Whether doing it twice does no more than cost twice: not for calls that leave something behind at the upstream or
    /// go on from there, nor for those that ask to be done once.
    pub repeatable: bool,
    /// Whether the client wants what it makes to be kept; `None`: as the endpoint does by itself.
    pub store: Option<bool>,
    /// Whether the body may name objects, or models within.
    pub names_objects: bool,
    /// The objects that a form names in its fields.
    pub form_ids: Vec<String>,
    /// Where the call belongs because of the objects that it names.
    pub pull: Pull,
    /// The only channels that may carry it, where its model does not say so.
    pub among: Option<ChannelSet>,
    /// Whether its model is one that the user has trained.
    pub own_model: bool,
    /// It names an object that nobody knows, and may be asked for at one channel after the other.
    pub asks_around: bool,
    /// Where a `prompt_cache_key` may be put, for channels that want one: the endpoint knows it and the body has none.
    pub lacks_cache_key: bool,
    /// What lets its stream tell the usage, where the gateway wants to know it and the client does not.
    pub ask_for_usage: Option<Edit>,
    /// What is to be changed in its answer.
    pub edits: Option<AnswerEdits>,
    /// How long the client itself is willing to wait.
    pub patience: Option<Duration>,
    /// Whether the answer is to say why it came from where it came from.
    pub explain: bool,
    /// Whether an upstream has promised the stream that the client asked for.
    pub promise: Promise,
    /// What goes up in place of the channel's key: the channel has made it for this user, for a session and no more.
    pub secret: Option<HeaderValue>,
    /// The client's end, where the call is for a WebSocket.
    pub socket: Option<Box<Client>>,
}

/// A body as the client sent it.
#[derive(Clone, Debug)]
pub(crate) enum Payload {
    /// JSON, or nothing.
    Whole(Bytes),
    /// An upload, large or not.
    Kept(Spool),
}

/// Where a call names its model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the body: a JSON string with its quotes.
    Body(Range<usize>),
    /// In a form.
    Part(PartValue),
    /// In the path below the version.
    Path(Range<usize>),
    /// In the query.
    Query(Range<usize>),
}

// === impl Payload ===

impl Payload {
    /// Its length in bytes.
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Whole(bytes) => bytes.len() as u64,
            Self::Kept(spool) => spool.len(),
        }
    }

    /// The bytes of a body that was read whole; empty of an upload.
    pub(crate) fn text(&self) -> &[u8] {
        match self {
            Self::Whole(bytes) => bytes,
            Self::Kept(_) => &[],
        }
    }
}

// === impl Call ===

impl Call {
    /// The body for one channel: the client's bytes, with the model's value replaced where the channel calls it
    /// otherwise, a cache key where the channel is to get one, and the wish for usage where the gateway has it.
    pub(crate) fn body_for(&self, route: &Route) -> Outgoing {
        let renamed = self.renamed(route);
        let bytes = match &self.body {
            Payload::Whole(bytes) => bytes,
            Payload::Kept(spool) => {
                let (span, instead) = match renamed {
                    Some((model, Place::Part(value))) => value.replaced(model.name()),
                    Some((_, Place::Body(_) | Place::Path(_) | Place::Query(_))) | None => {
                        (0..0, Bytes::new())
                    }
                };
                return Outgoing::spooled(spool, span, instead);
            }
        };
        let renamed = match renamed {
            Some((model, Place::Body(span))) => rename(bytes, span.clone(), model),
            Some((_, Place::Part(_) | Place::Path(_) | Place::Query(_))) | None => None,
        };
        let cache_key = (self.lacks_cache_key && route.target.channel().tuning.add_cache_key).then(|| {
            // The body is an object with a model in it, so what follows the brace is a member.
            let opened = memchr::memchr(b'{', bytes).map_or(0, |at| at + 1);
            let key = format!("\"prompt_cache_key\":\"gw-{:016x}\",", self.session.hash64());
            Edit::insert(opened, key)
        });
        Outgoing::new(pieces(bytes, [cache_key, self.ask_for_usage.clone(), renamed]))
    }

    /// The path below the version and the query for one channel, with the model's name replaced where the channel calls
    /// it otherwise.
    pub(crate) fn target_for(&self, route: &Route) -> (Cow<'_, str>, Option<Cow<'_, str>>) {
        let (path, query) = (self.path.as_str(), self.query.as_deref());
        let named = |text: &str, span: &Range<usize>, backend: &BackendModel| {
            Cow::Owned(uri::with(text, span.clone(), &uri::encoded(backend.name())))
        };
        match self.renamed(route) {
            Some((backend, Place::Path(span))) => (named(path, span, backend), query.map(Cow::Borrowed)),
            Some((backend, Place::Query(span))) => {
                (Cow::Borrowed(path), query.map(|query| named(query, span, backend)))
            }
            Some((_, Place::Body(_) | Place::Part(_))) | None => {
                (Cow::Borrowed(path), query.map(Cow::Borrowed))
            }
        }
    }

    /// Whether its answer may take as long as a stream does: what is fetched may be large.
    pub(crate) fn is_long(&self) -> bool {
        self.stream || self.endpoint.gives == Gives::Bytes
    }

    /// About how many tokens the prompt has, for budgets that are settled by the upstream's own count.
    pub(crate) fn prompt_tokens(&self) -> u32 {
        /// English prose in JSON; other text has fewer.
        const BYTES_PER_TOKEN: usize = 4;
        match &self.body {
            Payload::Whole(bytes) if self.endpoint.asks() => {
                u32::try_from(bytes.len() / BYTES_PER_TOKEN).unwrap_or(u32::MAX)
            }
            // The length of sound and pictures says nothing about it, and what goes into stores is no prompt.
            Payload::Kept(_) | Payload::Whole(_) => 0,
        }
    }

    /// The same for a call whose tokens can be told from its text, in case the upstream does not tell them.
    pub(crate) fn text_tokens(&self) -> Option<u32> {
        self.endpoint.speaks().then(|| self.prompt_tokens())
    }

    /// What the call may take longer than others for the sake of its body.
    pub(crate) fn time_to_send(&self) -> Duration {
        match &self.body {
            Payload::Whole(_) => Duration::ZERO,
            Payload::Kept(spool) => upload::allowance(spool.len()),
        }
    }

    /// The model whose name has to stand instead of the client's, and where.
    fn renamed<'a>(&'a self, route: &'a Route) -> Option<(&'a BackendModel, &'a Place)> {
        let (backend, (name, place)) = (route.backend_model.as_ref()?, self.model.as_ref()?);
        (*name != *backend.name()).then_some((backend, place))
    }
}

#[cfg(test)]
mod tests;
