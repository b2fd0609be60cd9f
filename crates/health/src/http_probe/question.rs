use bytes::Bytes;
use gateway_domain::{Channel, ProbePlan};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, USER_AGENT};
use http::{Method, Request};
use http_body_util::Full;
use serde_json::{Value, json};

use super::MAX_BODY;

/// How much of a model list is read: large accounts list thousands.
const MAX_MODEL_LIST: usize = 4 * 1024 * 1024;

/// How much of an embedding is read: the longest have some thousand numbers of up to 25 characters.
const MAX_EMBEDDING: usize = 1024 * 1024;

/// The fewest tokens that `/responses` may be limited to.
const RESPONSE_TOKENS: u32 = 16;

/// What to ask, and what answer proves that it was understood.
pub(super) struct Question {
    method: Method,
    url: String,
    body: Option<Value>,
    pub(super) wants: Wants,
    pub(super) max_body: usize,
}

/// What a good answer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wants {
    /// Anything that comes with 2xx.
    Anything,
    /// The same, and 404 and 405 are as good.
    AnythingOrMissing,
    /// `choices`.
    Chat,
    /// A stream in which the model says something or ends.
    Stream,
    /// A vector.
    Embedding,
    /// `output`.
    Response,
}

// === impl Question ===

impl Question {
    pub(super) fn of(channel: &Channel, plan: &ProbePlan) -> Self {
        let max_body = MAX_BODY;
        match plan {
            ProbePlan::Models | ProbePlan::Off => Self { max_body, ..Self::models(channel) },
            ProbePlan::Path(path) => Self::get(channel, path, Wants::Anything, max_body),
            ProbePlan::Chat { model } => {
                Self::post(channel, "/chat/completions", chat(model, false), Wants::Chat, max_body)
            }
            ProbePlan::ChatStream { model } => {
                Self::post(channel, "/chat/completions", chat(model, true), Wants::Stream, max_body)
            }
            ProbePlan::Embeddings { model } => {
                let body = json!({"model": model, "input": "ping"});
                Self::post(channel, "/embeddings", body, Wants::Embedding, MAX_EMBEDDING)
            }
            ProbePlan::Responses { model } => {
                let body = json!({
                    "model": model, "input": "ping", "max_output_tokens": RESPONSE_TOKENS, "store": false,
                });
                Self::post(channel, "/responses", body, Wants::Response, max_body)
            }
        }
    }

    pub(super) fn models(channel: &Channel) -> Self {
        Self::get(channel, "/models", Wants::AnythingOrMissing, MAX_MODEL_LIST)
    }

    fn get(channel: &Channel, path: &str, wants: Wants, max_body: usize) -> Self {
        Self { method: Method::GET, url: channel.base_url.join(path), body: None, wants, max_body }
    }

    fn post(channel: &Channel, path: &str, body: Value, wants: Wants, max_body: usize) -> Self {
        Self { method: Method::POST, body: Some(body), ..Self::get(channel, path, wants, max_body) }
    }

    pub(super) fn request(self, key: &str) -> Result<Request<Full<Bytes>>, String> {
        let agent = HeaderValue::from_static(concat!("openai-gateway/", env!("CARGO_PKG_VERSION")));
        let accept = if self.wants == Wants::Stream { "text/event-stream" } else { "application/json" };
        let mut request = Request::builder()
            .method(self.method)
            .uri(self.url)
            .header(ACCEPT, HeaderValue::from_static(accept))
            .header(USER_AGENT, agent);
        if !key.is_empty() {
            let mut value = HeaderValue::try_from(format!("Bearer {key}"))
                .map_err(|_| "the channel's key holds a character that no header can carry")?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        if self.body.is_some() {
            request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let body = Full::from(self.body.map(|body| body.to_string()).unwrap_or_default());
        request.body(body).map_err(|error| format!("the probe's address cannot be asked: {error}"))
    }
}

fn chat(model: &str, stream: bool) -> Value {
    let messages = json!([{"role": "user", "content": "ping"}]);
    if stream {
        json!({"model": model, "messages": messages, "max_tokens": 1, "stream": true})
    } else {
        json!({"model": model, "messages": messages, "max_tokens": 1})
    }
}

// === impl Wants ===

impl Wants {
    /// Whether a good answer is one that the account pays for, so that its key and its money are proved.
    pub(super) const fn proves_key(self) -> bool {
        match self {
            Self::Anything | Self::AnythingOrMissing => false,
            Self::Chat | Self::Stream | Self::Embedding | Self::Response => true,
        }
    }

    /// What a body lacks of what was asked for, if anything.
    pub(super) fn missing_in(self, body: &Value) -> Option<&'static str> {
        let filled =
            |value: Option<&Value>| value.and_then(Value::as_array).is_some_and(|all| !all.is_empty());
        let (there, what) = match self {
            Self::Anything | Self::AnythingOrMissing => (true, ""),
            Self::Chat => (filled(body.get("choices")), "choices"),
            Self::Stream => (false, "a stream"),
            Self::Embedding => {
                let vector = body.pointer("/data/0/embedding");
                let packed = vector.and_then(Value::as_str).is_some_and(|base64| !base64.is_empty());
                (packed || filled(vector), "an embedding")
            }
            // A model that thinks may have used up its tokens before it said anything.
            Self::Response => (body.get("output").is_some_and(Value::is_array), "output"),
        };
        (!there).then_some(what)
    }
}
