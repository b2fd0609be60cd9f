use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gateway_domain::{Channel, ProbePlan};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, USER_AGENT};
use http::{Method, Request};
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::ClientConfig;
use tokio::time::Instant;

use crate::clean::clean;
use crate::{Probe, ProbeReport};

mod answer;

use answer::Answer;

/// How much of a probe's answer is read and kept.
const MAX_BODY: usize = 64 * 1024;

/// How much of a model list is read: large accounts list thousands.
const MAX_MODEL_LIST: usize = 4 * 1024 * 1024;

/// Asks channels over HTTP, on a fresh connection every time: a probe proves that the address resolves, that TLS holds
/// and that the key is taken, which a connection from the pool would not.
///
/// - [`ProbePlan::Models`] is `GET {base}/models`. 404 and 405 count as well too: a server that answers so is alive
///   and merely has no model list.
/// - [`ProbePlan::Path`] is `GET {base}{path}`.
/// - [`ProbePlan::Chat`] is a chat completion of one token.
/// - [`ProbePlan::Off`] is not asked by the prober; asked by a person, it is asked like `Models`.
///
/// 2xx is well. 429 is well: who limits, lives. 401, 402 and 403 are refused credentials. All else is not well,
/// redirects included: they are not followed, or the key would go where nobody configured it to.
pub struct HttpProbe {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

/// What to ask, and how the answer is read.
struct Question {
    method: Method,
    url: String,
    body: Option<String>,
    /// Whether 404 and 405 are good answers.
    missing_is_well: bool,
    max_body: usize,
}

// === impl HttpProbe ===

impl HttpProbe {
    /// A probe that trusts what the given TLS configuration trusts. Its ALPN list is replaced by HTTP/2 and HTTP/1.1.
    pub fn new(tls: Arc<ClientConfig>) -> Self {
        let mut tls = Arc::unwrap_or_clone(tls);
        // The connector sets it, and insists on being the only one who does.
        tls.alpn_protocols.clear();
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_all_versions().build();
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        Self { client }
    }

    /// Asks for a chat completion of one token.
    pub async fn chat(&self, channel: &Channel, model: &str, timeout: Duration) -> ProbeReport {
        self.ask(channel, Question::chat(channel, model), timeout).await
    }

    /// Asks which models the channel serves, in its own order and under its own names.
    ///
    /// # Errors
    /// With a report that is not ok, when no list came: here 404, 405 and 429 are failures too.
    pub async fn models(&self, channel: &Channel, timeout: Duration) -> Result<Vec<String>, ProbeReport> {
        let question = Question { max_body: MAX_MODEL_LIST, ..Question::models(channel) };
        let key = channel.api_key.expose();
        let (answer, latency) = self.timed(key, question, timeout).await;
        match answer {
            Ok(answer) => match answer.model_ids() {
                Some(ids) => Ok(ids),
                None => Err(answer.no_model_list(key, latency)),
            },
            Err(why) => Err(unanswered(&why, key, latency)),
        }
    }

    async fn ask(&self, channel: &Channel, question: Question, timeout: Duration) -> ProbeReport {
        let key = channel.api_key.expose();
        let missing_is_well = question.missing_is_well;
        match self.timed(key, question, timeout).await {
            (Ok(answer), latency) => answer.report(key, missing_is_well, latency),
            (Err(why), latency) => unanswered(&why, key, latency),
        }
    }

    async fn timed(
        &self,
        key: &str,
        question: Question,
        timeout: Duration,
    ) -> (Result<Answer, String>, Duration) {
        let started = Instant::now();
        let answer = match tokio::time::timeout(timeout, self.exchange(key, question)).await {
            Ok(answer) => answer,
            Err(_) => Err(format!("no whole answer within {timeout:?}")),
        };
        (answer, started.elapsed())
    }

    async fn exchange(&self, key: &str, question: Question) -> Result<Answer, String> {
        // With room for a key across the cut, which would else lose its end and pass unrecognised.
        let max_body = question.max_body + key.len();
        let request = question.request(key)?;
        let response = self.client.request(request).await.map_err(|error| chain(&error))?;
        Answer::read(response, max_body)
            .await
            .map_err(|error| format!("the answer broke off: {}", chain(&error)))
    }
}

impl Probe for HttpProbe {
    async fn probe(&self, channel: Arc<Channel>, timeout: Duration) -> ProbeReport {
        let question = match &channel.probe {
            ProbePlan::Models | ProbePlan::Off => Question::models(&channel),
            ProbePlan::Path(path) => Question::path(&channel, path),
            ProbePlan::Chat { model }
            | ProbePlan::ChatStream { model }
            | ProbePlan::Embeddings { model }
            | ProbePlan::Responses { model } => Question::chat(&channel, model),
        };
        self.ask(&channel, question, timeout).await
    }
}

impl fmt::Debug for HttpProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpProbe").finish_non_exhaustive()
    }
}

// === impl Question ===

impl Question {
    fn models(channel: &Channel) -> Self {
        Self { missing_is_well: true, ..Self::path(channel, "/models") }
    }

    fn path(channel: &Channel, path: &str) -> Self {
        let url = channel.base_url.join(path);
        Self { method: Method::GET, url, body: None, missing_is_well: false, max_body: MAX_BODY }
    }

    fn chat(channel: &Channel, model: &str) -> Self {
        let body = serde_json::json!({
            "model": model,
            "messages": [{"role": "user", "content": "ping"}],
            "max_tokens": 1,
        });
        let question = Self::path(channel, "/chat/completions");
        Self { method: Method::POST, body: Some(body.to_string()), ..question }
    }

    fn request(self, key: &str) -> Result<Request<Full<Bytes>>, String> {
        let agent = HeaderValue::from_static(concat!("openai-gateway/", env!("CARGO_PKG_VERSION")));
        let mut request = Request::builder()
            .method(self.method)
            .uri(self.url)
            .header(ACCEPT, HeaderValue::from_static("application/json"))
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
        let body = Full::from(self.body.unwrap_or_default());
        request.body(body).map_err(|error| format!("the probe's address cannot be asked: {error}"))
    }
}

fn unanswered(why: &str, key: &str, latency: Duration) -> ProbeReport {
    ProbeReport { ok: false, status: None, latency, why: Some(clean(why, key)), body: None }
}

/// An error with its causes: the outermost text alone is only `client error (Connect)`.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}
