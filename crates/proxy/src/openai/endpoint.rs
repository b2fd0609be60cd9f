//! The endpoints of the OpenAI API that the gateway serves, as one table: a row for each operation of OpenAI's
//! document, in files by group. A test holds it against the document.

mod assistants;
mod audio;
mod batches;
mod chat;
mod chatkit;
mod containers;
mod conversations;
mod evals;
mod files;
mod fine_tuning;
mod images;
mod lookup;
mod models;
mod object;
mod path;
mod realtime;
mod responses;
mod row;
mod simple;
mod skills;
mod threads;
mod uploads;
mod vector_stores;
mod videos;

use http::Method;

pub use lookup::{ADMINISTRATION, Lookup, OTHER, endpoints, lookup};
pub use object::ObjectKind;
pub use path::PathParams;

/// One operation that is carried to an upstream.
#[derive(Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// GET, POST or DELETE.
    pub method: Method,
    /// The path as documented: for logs and as a metric label, so never what a client sent.
    pub template: &'static str,
    /// Which group it belongs to.
    pub kind: EndpointKind,
    /// Where a call says which model it is for.
    pub model: ModelAt,
    /// The body of a request.
    pub takes: Takes,
    /// The body of a good answer.
    pub gives: Gives,
    /// How an error is told once an answer streams.
    pub dialect: StreamDialect,
    /// How a stream says that it is whole.
    pub ends: StreamEnd,
    /// The parameters of the path, or of a socket's query, that name objects, the outermost first.
    pub names: &'static [(&'static str, ObjectKind)],
    /// What the `id` at the top of the answer names, when it is new.
    pub makes: Option<ObjectKind>,
    /// What the answer lists.
    pub lists: Option<ObjectKind>,
    /// Whether doing it twice does no more than cost twice.
    pub repeatable: bool,
    /// The parts of which a form must have one, the first being what the API calls it; none for endpoints that can do
    /// without a file.
    pub files: &'static [&'static str],
}

/// Where a call says which model it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelAt {
    /// At the top of the body, JSON or multipart.
    Body {
        /// Without one the call is refused; otherwise it goes to the default channel.
        required: bool,
    },
    /// `?model=`, if anywhere.
    Query,
    /// The last parameter of the path but those that name something within the model.
    Path,
    /// In a member of members of a JSON body, if anywhere.
    Nested(&'static [&'static str]),
    /// The call is for no model.
    Nowhere,
}

/// The body of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// None is needed.
    Nothing,
    /// A JSON object.
    Json,
    /// A form with files.
    Multipart,
    /// Either.
    JsonOrMultipart,
    /// Whatever it is.
    Anything,
}

/// The body of a good answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gives {
    /// A JSON document.
    Json,
    /// The same, or events when the client has asked for them.
    Events,
    /// A JSON document or nothing at all.
    Little,
    /// Sound, text or another document of the endpoint's own making; JSON when it says so, or events.
    Media,
    /// What somebody has put there, whatever its type says: it is not looked into, may be asked for in ranges, and may
    /// be empty.
    Bytes,
    /// Frames in both directions, once the connection has become a WebSocket.
    Socket,
}

/// The groups of operations; those that ask a model stand alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(
    missing_docs,
    reason = "each is the name of a group in OpenAI's documentation, but for what is in none"
)]
pub enum EndpointKind {
    Administration,
    Assistants,
    Batches,
    ChatCompletions,
    ChatKit,
    Compact,
    Completions,
    Containers,
    Conversations,
    Embeddings,
    Evals,
    Files,
    FineTuning,
    ImageEdits,
    ImageGenerations,
    ImageVariations,
    InputTokens,
    Models,
    Moderations,
    Other,
    Provenance,
    Realtime,
    Responses,
    Skills,
    Speech,
    StoredCompletions,
    StoredResponses,
    Threads,
    Transcriptions,
    Translations,
    Uploads,
    VectorStores,
    Videos,
    Voices,
}

/// The two ways in which OpenAI's streams tell an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamDialect {
    /// An event without a name that holds `{"error":{…}}`.
    Chat,
    /// An event named `error` whose data is flat.
    Responses,
}

/// How a stream says that it is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamEnd {
    /// `data: [DONE]`, which clients wait for.
    Done,
    /// The closing event of a response, after which clients listen no more.
    Response,
    /// An event whose type says that the answer is complete; the only one of its kind.
    Named,
    /// The same, but more of the kind may follow.
    LastOfSeveral,
    /// Not at all.
    Unannounced,
}

// === impl Endpoint ===

impl Endpoint {
    /// Whether its requests may have a `prompt_cache_key`.
    pub fn takes_cache_key(&self) -> bool {
        matches!(self.kind, EndpointKind::ChatCompletions | EndpointKind::Responses)
    }

    /// Whether its streams tell their usage only when `stream_options` asks for it.
    pub fn takes_stream_options(&self) -> bool {
        matches!(self.kind, EndpointKind::ChatCompletions | EndpointKind::Completions)
    }

    /// Whether what its answers say of tokens is what this call has used; others tell of what was used before, or of
    /// what would be.
    pub fn counts(&self) -> bool {
        use EndpointKind::{InputTokens, Moderations, Threads};
        // Of the calls about runs only those that let one run stream.
        (self.asks() && !matches!(self.kind, InputTokens | Moderations))
            || (self.kind == Threads && self.gives == Gives::Events)
    }

    /// Whether text is asked and nothing else is answered, so that text and events tell about how many tokens it takes.
    pub fn speaks(&self) -> bool {
        use EndpointKind::{ChatCompletions, Compact, Completions, Embeddings, Responses};
        matches!(self.kind, ChatCompletions | Compact | Completions | Embeddings | Responses)
    }

    /// Whether a model is asked and answers at once: its answers cost tokens, and an `error` inside one is a failure,
    /// not the story of an object.
    pub fn asks(&self) -> bool {
        use EndpointKind::{
            ChatCompletions, Compact, Completions, Embeddings, ImageEdits, ImageGenerations, ImageVariations,
            InputTokens, Moderations, Responses, Speech, Transcriptions, Translations,
        };
        matches!(
            self.kind,
            ChatCompletions
                | Compact
                | Completions
                | Embeddings
                | ImageEdits
                | ImageGenerations
                | ImageVariations
                | InputTokens
                | Moderations
                | Responses
                | Speech
                | Transcriptions
                | Translations
        )
    }
}

#[cfg(test)]
mod tests;
