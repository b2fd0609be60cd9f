//! The story of each call, told once. An [`Entry`] goes with the call wherever it goes; whatever happens to the call,
//! the entry's drop sends the finished record. It is also the one place from which an attempt's end is told to those
//! who learn from it: the pool's ticket, the health board, the metrics.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use gateway_domain::{Attempt, AttemptOutcome, Exchange, ExchangeOutcome, KeyId, Usage, UserId};
use gateway_health::{Board, Observation, Scope};
use gateway_routing::{Decision, Kind, Micros, Outcome, Ticket};

use crate::clock::Clock;
use crate::metrics::{EndpointMetrics, Metrics};
use crate::plane::Route;
use crate::request_id::RequestId;

/// The status of calls whose client left before it got one (nginx's word for it).
const CLIENT_CLOSED_REQUEST: u16 = 499;

/// The status of calls whose handling panicked.
const INTERNAL_ERROR: u16 = 500;

/// Takes finished stories. Must not block: it is called on the request path.
pub type Sink = Arc<dyn Fn(Exchange) + Send + Sync>;

/// Opens entries.
#[derive(Clone)]
pub(crate) struct Journal {
    pub clock: Clock,
    pub board: Arc<Board>,
    pub metrics: Metrics,
    pub sink: Sink,
}

/// One call's story while it is being told.
pub(crate) struct Entry(Box<Open>);

struct Open {
    journal: Arc<Journal>,
    exchange: Exchange,
    began: Micros,
    endpoint: Arc<EndpointMetrics>,
    trying: Option<Trying>,
    streaming: bool,
}

/// The attempt under way.
struct Trying {
    route: Arc<Route>,
    ticket: Ticket,
    began: Micros,
    record: Attempt,
}

/// How an attempt ended.
#[derive(Clone, Debug)]
pub(crate) struct Ending {
    pub outcome: AttemptOutcome,
    pub status: Option<u16>,
    pub retry_after: Option<Duration>,
    /// For the health board: what went wrong, without secrets.
    pub why: String,
}

// === impl Journal ===

impl Journal {
    /// Begins a story. `endpoint` is a template of the endpoint table, never a raw path.
    pub(crate) fn open(
        self: &Arc<Self>,
        id: &RequestId,
        method: &'static str,
        endpoint: &'static str,
    ) -> Entry {
        self.metrics.entered();
        Entry(Box::new(Open {
            journal: Arc::clone(self),
            began: self.clock.now(),
            endpoint: self.metrics.endpoint(method, endpoint),
            trying: None,
            streaming: false,
            exchange: Exchange {
                request_id: id.shared(),
                started_at: self.clock.unix(),
                user: None,
                key: None,
                endpoint,
                model: None,
                streamed: false,
                attempts: Vec::new(),
                outcome: ExchangeOutcome::ClientGone,
                status: CLIENT_CLOSED_REQUEST,
                first_byte: None,
                total: Duration::ZERO,
                bytes_in: 0,
                bytes_out: 0,
                usage: Usage::default(),
                session_source: "",
            },
        }))
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Journal")
    }
}

// === impl Entry ===

impl Entry {
    /// The key was recognised.
    pub(crate) fn identified(&mut self, user: UserId, key: KeyId) {
        self.0.exchange.user = Some(user);
        self.0.exchange.key = Some(key);
    }

    /// The body was read.
    pub(crate) fn received(&mut self, bytes: usize) {
        self.0.exchange.bytes_in = bytes as u64;
    }

    /// The model is one that the gateway serves.
    pub(crate) fn asks_for(&mut self, model: &Arc<str>) {
        self.0.exchange.model = Some(Arc::clone(model));
    }

    /// An attempt begins.
    pub(crate) fn begin(&mut self, route: &Arc<Route>, decision: Decision) {
        let channel = route.target.channel();
        self.0.trying = Some(Trying {
            route: Arc::clone(route),
            began: self.0.journal.clock.now(),
            record: Attempt {
                channel: channel.id,
                channel_name: Arc::clone(&channel.name),
                reason: decision.reason.as_str(),
                status: None,
                first_byte: None,
                total: Duration::ZERO,
                outcome: AttemptOutcome::Cancelled,
                home: None,
                health: 1.0,
                hedge: false,
            },
            ticket: decision.ticket,
        });
    }

    /// How many attempts there were, the one under way included.
    pub(crate) fn attempts(&self) -> usize {
        self.0.exchange.attempts.len() + usize::from(self.0.trying.is_some())
    }

    /// The name of the channel that was tried last.
    pub(crate) fn last_channel(&self) -> Option<&str> {
        self.0.exchange.attempts.last().map(|attempt| &*attempt.channel_name)
    }

    /// The first byte of the answer's body has come.
    pub(crate) fn first_byte(&mut self) {
        if let Some(trying) = &mut self.0.trying {
            let now = self.0.journal.clock.now();
            trying.record.first_byte = Some(span(trying.began, now));
            trying.ticket.first_token(now);
        }
    }

    /// The attempt under way has ended.
    pub(crate) fn end(&mut self, ending: Ending) {
        let Some(mut trying) = self.0.trying.take() else { return };
        let journal = &self.0.journal;
        let now = journal.clock.now();
        trying.record.total = span(trying.began, now);
        trying.record.status = ending.status;
        trying.record.outcome = ending.outcome;
        trying.route.metrics.attempted(trying.record.total, trying.record.first_byte);
        trying.route.metrics.used(&self.0.exchange.usage);
        trying.route.channel_metrics.attempted(ending.outcome);
        let usage = &self.0.exchange.usage;
        trying.ticket.finish(
            Outcome {
                kind: kind_of(ending.outcome, ending.status),
                retry_after: ending.retry_after.map(micros),
                prompt_tokens: clamp(usage.prompt),
                cached_tokens: clamp(usage.cached),
                output_tokens: clamp(usage.completion),
            },
            now,
        );
        if let Some(observation) = Observation::of_attempt(ending.outcome, || ending.why) {
            let scope = self.0.exchange.model.as_ref().map_or(Scope::Channel, Scope::Model);
            journal.board.observe(trying.record.channel, scope, observation, journal.clock.unix());
        }
        self.0.exchange.attempts.push(trying.record);
    }

    /// What the upstream counted, as far as it is known by now.
    pub(crate) fn used(&mut self, usage: Usage) {
        self.0.exchange.usage = usage;
    }

    /// The client gets a stream.
    pub(crate) fn streams(&mut self) {
        self.0.exchange.streamed = true;
        self.0.streaming = true;
        self.0.journal.metrics.stream_began();
    }

    /// The client gets this status, and what the attempt under way has brought, if there is one. The outcome stays
    /// "client gone" until [`Entry::settle`].
    pub(crate) fn answers(&mut self, status: u16) {
        self.0.exchange.status = status;
        self.0.exchange.first_byte = self.0.trying.as_ref().and_then(|trying| {
            let first = trying.record.first_byte?;
            Some(span(self.0.began, trying.began) + first)
        });
    }

    /// Bytes of the answer's body went to the client.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.0.exchange.bytes_out += bytes as u64;
    }

    /// How it ended.
    pub(crate) fn settle(&mut self, outcome: ExchangeOutcome) {
        self.0.exchange.outcome = outcome;
    }

    /// The good end.
    pub(crate) fn complete(&mut self, status: u16) {
        self.end(Ending::ok(status));
        self.settle(ExchangeOutcome::Ok);
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.end(Ending::cancelled());
        let open = &mut self.0;
        if std::thread::panicking() && open.exchange.status == CLIENT_CLOSED_REQUEST {
            // Whoever catches the panic answers so.
            open.exchange.status = INTERNAL_ERROR;
            open.exchange.outcome = ExchangeOutcome::GatewayError;
        }
        open.exchange.total = span(open.began, open.journal.clock.now());
        open.endpoint.finished(open.exchange.status, open.exchange.total);
        if open.exchange.status >= 400 {
            open.journal.metrics.http_error();
        }
        if open.streaming {
            open.journal.metrics.stream_ended();
        }
        open.journal.metrics.left();
        let attempts = std::mem::take(&mut open.exchange.attempts);
        (open.journal.sink)(Exchange { attempts, ..open.exchange.clone() });
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Entry").field(&self.0.exchange.request_id).finish()
    }
}

// === impl Ending ===

impl Ending {
    pub(crate) fn ok(status: u16) -> Self {
        Self { outcome: AttemptOutcome::Ok, status: Some(status), retry_after: None, why: String::new() }
    }

    fn cancelled() -> Self {
        Self { outcome: AttemptOutcome::Cancelled, status: None, retry_after: None, why: String::new() }
    }
}

/// What the pool learns from an outcome.
fn kind_of(outcome: AttemptOutcome, status: Option<u16>) -> Kind {
    match outcome {
        AttemptOutcome::Ok => Kind::Ok,
        AttemptOutcome::CallerError | AttemptOutcome::Unserved => Kind::CallerError(status.unwrap_or(400)),
        AttemptOutcome::RateLimited => Kind::RateLimited,
        AttemptOutcome::Credentials | AttemptOutcome::Quota => Kind::Credentials,
        AttemptOutcome::ServerError => Kind::ServerError(status.unwrap_or(500)),
        AttemptOutcome::Connect => Kind::Connect,
        AttemptOutcome::Timeout => Kind::Timeout,
        AttemptOutcome::Broken => Kind::BrokenStream,
        AttemptOutcome::BadAnswer => Kind::BadAnswer,
        AttemptOutcome::Cancelled | AttemptOutcome::Superseded => Kind::Cancelled,
        AttemptOutcome::Cut => Kind::Cut,
    }
}

fn span(from: Micros, to: Micros) -> Duration {
    Duration::from_micros(to.since(from).0)
}

fn micros(duration: Duration) -> Micros {
    Micros(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
}

fn clamp(tokens: Option<u64>) -> u32 {
    u32::try_from(tokens.unwrap_or(0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Mutex;

    use gateway_health::Rules;

    use super::*;

    fn told(tell: impl FnOnce(Entry)) -> Exchange {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ear = Arc::clone(&heard);
        let journal = Arc::new(Journal {
            clock: Clock::start(),
            board: Board::new(Rules::default()),
            metrics: Metrics::new(Arc::new(metrics::NoopRecorder)),
            sink: Arc::new(move |exchange| ear.lock().unwrap().push(exchange)),
        });
        tell(journal.open(&RequestId::fresh(), "POST", "/v1/chat/completions"));
        let mut exchanges = std::mem::take(&mut *heard.lock().unwrap());
        assert_eq!(exchanges.len(), 1, "each story is told once");
        exchanges.remove(0)
    }

    #[test]
    fn a_call_that_is_dropped_before_its_answer_was_left_by_its_client() {
        let exchange = told(drop);
        assert_eq!((exchange.status, exchange.outcome), (499, ExchangeOutcome::ClientGone));
    }

    #[test]
    fn a_panic_is_the_gateways_failure_and_not_the_clients_leaving() {
        let exchange = told(|entry| {
            let panicked = catch_unwind(AssertUnwindSafe(move || {
                let _entry = entry;
                panic!("on the way");
            }));
            assert!(panicked.is_err());
        });
        assert_eq!((exchange.status, exchange.outcome), (500, ExchangeOutcome::GatewayError));
    }
}
