use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gateway_domain::{AttemptOutcome, Channel, ProbePlan};
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::ClientConfig;
use tokio::time::Instant;

use crate::clean::clean;
use crate::{Probe, ProbeReport, is_out_of_files};

mod answer;
mod names;
mod question;
mod stream;

use answer::Answer;
pub use names::Lookup;
use names::Names;
use question::Question;

/// How much of a probe's answer is read and kept.
const MAX_BODY: usize = 64 * 1024;

/// Asks channels over HTTP, on a fresh connection every time: a probe proves that the address resolves, that TLS holds
/// and that the key is taken, which a connection from the pool would not.
///
/// - [`ProbePlan::Models`] is `GET {base}/models`. 404 and 405 count as well too: a server that answers so is alive
///   and merely has no model list.
/// - [`ProbePlan::Path`] is `GET {base}{path}`.
/// - [`ProbePlan::Chat`] is a chat completion of one token; well when it has `choices`.
/// - [`ProbePlan::ChatStream`] is the same as a stream; well with the first event in which the model says something or
///   ends. The connection is dropped then.
/// - [`ProbePlan::Embeddings`] is the embedding of one word; well when there is a vector.
/// - [`ProbePlan::Responses`] is a response of at most 16 tokens, not stored; well when there is `output`.
/// - [`ProbePlan::Off`] is not asked by the prober; asked by a person, it is asked like `Models`.
///
/// What the answer means is said in the words that attempts are recorded with:
///
/// | answer | [`AttemptOutcome`] | well |
/// |---|---|---|
/// | 2xx that holds what was asked for | `Ok` | yes, and proves the key where the account paid for it |
/// | 429 | `RateLimited` | yes: who limits, lives |
/// | 401, 403 | `Credentials` | no |
/// | 402; 403, 429 with `insufficient_quota` | `Quota` | no |
/// | another 4xx | `CallerError` | no: the question is wrong, a model that is not there perhaps |
/// | none, because no file is left here for a connection | `CallerError` | the channel was not asked, which says nothing of it |
/// | 5xx | `ServerError` | no |
/// | 2xx without what was asked for, 3xx | `BadAnswer` | no |
/// | no connection | `Connect` | no |
/// | nothing whole in time, 408 | `Timeout` | no |
/// | an answer that broke off | `Broken` | no |
///
/// An error object that comes with 2xx counts by its code. Redirects are not followed, or the key would go where nobody
/// configured it to.
pub struct HttpProbe {
    client: Client<HttpsConnector<HttpConnector<Names>>, Full<Bytes>>,
}

/// Why there is no whole answer.
struct Failure {
    asked: bool,
    outcome: AttemptOutcome,
    why: String,
}

// === impl HttpProbe ===

impl HttpProbe {
    /// A probe that trusts what the given TLS configuration trusts. Its ALPN list is replaced by HTTP/2 and HTTP/1.1.
    /// Names are the system's to resolve.
    pub fn new(tls: Arc<ClientConfig>) -> Self {
        Self::resolving(tls, names::system())
    }

    /// The same with names resolved by `lookup`.
    pub fn resolving(tls: Arc<ClientConfig>, lookup: Lookup) -> Self {
        let mut tls = Arc::unwrap_or_clone(tls);
        // The connector sets it, and insists on being the only one who does.
        tls.alpn_protocols.clear();
        let mut http = HttpConnector::new_with_resolver(Names(lookup));
        // Only then does it leave https to the connector around it.
        http.enforce_http(false);
        let builder = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
        let connector = builder.enable_all_versions().wrap_connector(http);
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        Self { client }
    }

    /// Asks a channel by this plan, whatever its own plan is.
    pub async fn ask(&self, channel: &Channel, plan: &ProbePlan, timeout: Duration) -> ProbeReport {
        let key = channel.api_key.expose();
        match self.timed(key, Question::of(channel, plan), timeout).await {
            (Ok(answer), latency) => answer.report(key, latency),
            (Err(failure), latency) => failure.report(key, latency),
        }
    }

    /// Asks which models the channel serves, in its own order and under its own names.
    ///
    /// # Errors
    /// With a report, when no list came: here 404, 405 and 429 are failures too.
    pub async fn models(&self, channel: &Channel, timeout: Duration) -> Result<Vec<String>, ProbeReport> {
        let key = channel.api_key.expose();
        let (answer, latency) = self.timed(key, Question::models(channel), timeout).await;
        match answer {
            Ok(answer) => match answer.model_ids() {
                Some(ids) => Ok(ids),
                None => Err(answer.no_model_list(key, latency)),
            },
            Err(failure) => Err(failure.report(key, latency)),
        }
    }

    async fn timed(
        &self,
        key: &str,
        question: Question,
        timeout: Duration,
    ) -> (Result<Answer, Failure>, Duration) {
        let started = Instant::now();
        let answer = match tokio::time::timeout(timeout, self.exchange(key, question)).await {
            Ok(answer) => answer,
            Err(_) => {
                Err(Failure::new(AttemptOutcome::Timeout, format!("no whole answer within {timeout:?}")))
            }
        };
        (answer, started.elapsed())
    }

    async fn exchange(&self, key: &str, question: Question) -> Result<Answer, Failure> {
        // With room for a key across the cut, which would else lose its end and pass unrecognised.
        let (wants, max_body) = (question.wants, question.max_body + key.len());
        let unasked = |why| Failure::new(AttemptOutcome::Connect, why);
        let request = question.request(key).map_err(unasked)?;
        let response = self.client.request(request).await.map_err(|error| {
            let why = chain(&error);
            if is_out_of_files(&error) {
                return Failure { asked: false, outcome: AttemptOutcome::CallerError, why };
            }
            let is_connect = error.is_connect();
            Failure::new(if is_connect { AttemptOutcome::Connect } else { AttemptOutcome::Broken }, why)
        })?;
        Answer::read(response, wants, max_body).await.map_err(|error| {
            Failure::new(AttemptOutcome::Broken, format!("the answer broke off: {}", chain(&error)))
        })
    }
}

impl Probe for HttpProbe {
    async fn probe(&self, channel: Arc<Channel>, timeout: Duration) -> ProbeReport {
        self.ask(&channel, &channel.probe, timeout).await
    }
}

impl fmt::Debug for HttpProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpProbe").finish_non_exhaustive()
    }
}

// === impl Failure ===

impl Failure {
    const fn new(outcome: AttemptOutcome, why: String) -> Self {
        Self { asked: true, outcome, why }
    }

    fn report(&self, key: &str, latency: Duration) -> ProbeReport {
        let why = Some(clean(&self.why, key));
        let Self { asked, outcome, .. } = *self;
        ProbeReport { asked, outcome, proves_key: false, status: None, latency, why, body: None }
    }
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
