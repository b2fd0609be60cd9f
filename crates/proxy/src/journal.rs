//! The story of each call, told once. An [`Entry`] goes with the call wherever it goes; whatever happens to the call,
//! the entry's drop sends the finished record. It is also the one place from which an attempt's end is told to those
//! who learn from it: the pool's ticket, the health board, the metrics.

mod branch;
mod ending;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use gateway_domain::{
    Attempt, AttemptOutcome, Attempts, Exchange, ExchangeOutcome, KeyId, UnixMillis, Usage, UsageSource,
    UserId,
};
use gateway_health::{Board, Observation, Scope};
use gateway_routing::{Decision, Micros, Outcome, Ticket};
use gateway_sessions::Source;

use self::branch::Branches;
pub(crate) use self::ending::Ending;
use crate::clock::Clock;
use crate::commit::Promise;
use crate::metrics::{EndpointMetrics, Metrics};
use crate::plane::Route;
use crate::request_id::RequestId;
use crate::tap::Tap;

/// The status of calls whose client left before it got one (nginx's word for it).
const CLIENT_CLOSED_REQUEST: u16 = 499;

/// The status of calls whose handling panicked.
const INTERNAL_ERROR: u16 = 500;

/// Hears finished stories. Must not block: it is called on the request path.
pub type Sink = Arc<dyn Fn(&Exchange) + Send + Sync>;

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
    /// One attempt, or two where one is hedged.
    trying: [Option<Trying>; 2],
    /// What the answer says of tokens, once there is one.
    tap: Option<Tap>,
    /// About how many tokens the prompt has, where that can be told.
    prompt: Option<u32>,
    streaming: bool,
    /// When it was over, where that is known before nobody holds it any more.
    over: Option<Micros>,
    /// Whether the client has its status already, while there is no answer yet.
    promise: Promise,
    /// Why the answer comes from where it comes from, where somebody asked.
    explanation: Option<String>,
    /// The attempts of its branches, once there are any.
    branches: Option<Branches>,
    /// Whose branch it is: it tells its attempts to that one, and is no story of its own.
    branch_of: Option<Branches>,
}

/// An attempt under way. Its record stands among the exchange's attempts from the beginning.
struct Trying {
    number: AttemptNumber,
    route: Arc<Route>,
    ticket: Ticket,
    began: Micros,
}

/// Which attempt of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AttemptNumber(usize);

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
        let began = self.clock.now();
        Entry(Box::new(Open {
            journal: Arc::clone(self),
            began,
            endpoint: self.metrics.endpoint(method, endpoint),
            trying: [None, None],
            tap: None,
            prompt: None,
            streaming: false,
            over: None,
            promise: Promise::default(),
            explanation: None,
            branches: None,
            branch_of: None,
            exchange: Exchange {
                request_id: id.shared(),
                started_at: self.clock.wall(began),
                user: None,
                key: None,
                endpoint,
                model: None,
                streamed: false,
                attempts: Attempts::new(),
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
    /// The key was recognised; there is none of a user's own where it was made by an upstream.
    pub(crate) fn identified(&mut self, user: UserId, key: Option<KeyId>) {
        self.0.exchange.user = Some(user);
        self.0.exchange.key = key;
    }

    /// The body was read.
    pub(crate) fn received(&mut self, bytes: u64) {
        self.0.exchange.bytes_in = bytes;
    }

    /// The model is one that the gateway serves.
    pub(crate) fn asks_for(&mut self, model: &Arc<str>) {
        self.0.exchange.model = Some(Arc::clone(model));
    }

    /// The clock that the story is told by.
    pub(crate) fn now(&self) -> Micros {
        self.0.journal.clock.now()
    }

    /// By the wall clock: when the call came.
    pub(crate) fn came(&self) -> UnixMillis {
        self.0.exchange.started_at
    }

    /// By the wall clock: this moment of the call.
    pub(crate) fn wall(&self, moment: Micros) -> UnixMillis {
        self.0.journal.clock.wall(moment)
    }

    /// Tells whether the client gets its status before there is an answer.
    pub(crate) fn promised(&mut self, promise: Promise) {
        self.0.promise = promise;
    }

    /// What named the call's session.
    pub(crate) fn belongs(&mut self, source: Source) {
        self.0.exchange.session_source = source.as_str();
    }

    /// Why the attempt that answered, or the last one that failed, went where it went.
    pub(crate) fn explains(&mut self, explanation: Option<String>) {
        self.0.explanation = explanation;
    }

    /// What was explained, where somebody asked.
    pub(crate) fn explanation(&self) -> Option<&str> {
        self.0.explanation.as_deref()
    }

    /// An attempt begins at this moment; a `hedge` beside one that is under way.
    pub(crate) fn begin(
        &mut self,
        route: &Arc<Route>,
        decision: Decision,
        hedge: bool,
        began: Micros,
    ) -> AttemptNumber {
        let open = &mut *self.0;
        let channel = route.target.channel();
        let number = AttemptNumber(open.exchange.attempts.len());
        open.exchange.attempts.push(Attempt {
            channel: channel.id,
            channel_name: Arc::clone(&channel.name),
            reason: decision.reason.as_str(),
            status: None,
            first_byte: None,
            total: Duration::ZERO,
            outcome: AttemptOutcome::Cancelled,
            home: decision.home.filter(|home| *home != channel.id),
            health: rounded(decision.health),
            hedge,
        });
        let trying = Trying { number, route: Arc::clone(route), began, ticket: decision.ticket };
        if let Some(free) = open.trying.iter_mut().find(|place| place.is_none()) {
            *free = Some(trying);
        }
        number
    }

    /// How many attempts there were, those under way included.
    pub(crate) fn attempts(&self) -> usize {
        self.0.exchange.attempts.len()
    }

    /// The name of the channel that was tried last.
    pub(crate) fn last_channel(&self) -> Option<&str> {
        self.0.exchange.attempts.last().map(|attempt| &*attempt.channel_name)
    }

    /// The first byte of an attempt's answer that says something has come, at this moment.
    pub(crate) fn first_byte(&mut self, number: AttemptNumber, at: Micros) {
        let open = &mut *self.0;
        let Some(trying) = open.trying.iter_mut().flatten().find(|trying| trying.number == number) else {
            return;
        };
        trying.ticket.first_token(at);
        if let Some(record) = open.exchange.attempts.get_mut(number.0) {
            record.first_byte = Some(span(trying.began, at));
            open.exchange.first_byte = Some(span(open.began, at));
        }
    }

    /// The first byte that says something has come just now, if none has come before.
    pub(crate) fn speaks(&mut self, number: AttemptNumber) {
        if self.0.exchange.first_byte.is_none() {
            self.first_byte(number, self.0.journal.clock.now());
        }
    }

    /// Whether an attempt whose first token is overdue is to be given up for another one.
    pub(crate) fn confirms_cut(&self, number: AttemptNumber) -> bool {
        let now = self.0.journal.clock.now();
        self.trying(number).is_some_and(|trying| trying.ticket.confirm_cut(now))
    }

    /// The upstream of an attempt has said that its budget is used up for a while.
    pub(crate) fn exhausted(&self, number: AttemptNumber, wait: Duration) {
        if let Some(trying) = self.trying(number) {
            trying.ticket.exhausted(micros(wait), self.0.journal.clock.now());
        }
    }

    /// An attempt has ended.
    pub(crate) fn end(&mut self, number: AttemptNumber, ending: Ending) {
        self.end_at(number, ending, self.now());
    }

    fn end_at(&mut self, number: AttemptNumber, ending: Ending, now: Micros) {
        let is_it =
            |place: &&mut Option<Trying>| place.as_ref().is_some_and(|trying| trying.number == number);
        if let Some(trying) = self.0.trying.iter_mut().find(is_it).and_then(Option::take) {
            self.0.ended(trying, ending, now);
        }
    }

    /// About how many tokens the prompt has, for an upstream that does not say; `None`: nobody could tell.
    pub(crate) fn estimates(&mut self, prompt: Option<u32>) {
        self.0.prompt = prompt;
    }

    /// There is an answer, and this has been heard of its tokens by now.
    pub(crate) fn used(&mut self, tap: Tap) {
        self.0.tap = Some(tap);
    }

    /// The client gets a stream.
    pub(crate) fn streams(&mut self) {
        self.0.exchange.streamed = true;
        self.0.streaming = true;
        self.0.journal.metrics.stream_began();
    }

    /// The client gets this status. The outcome stays "client gone" until [`Entry::settle`].
    pub(crate) fn answers(&mut self, status: u16) {
        self.0.exchange.status = status;
    }

    /// What a socket has carried so far, from the client and to it.
    pub(crate) fn carried(&mut self, bytes_in: u64, bytes_out: u64) {
        self.0.exchange.bytes_in = bytes_in;
        self.0.exchange.bytes_out = bytes_out;
    }

    /// Bytes of the answer's body went to the client.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.0.exchange.bytes_out += bytes as u64;
    }

    /// How it ended.
    pub(crate) fn settle(&mut self, outcome: ExchangeOutcome) {
        self.0.exchange.outcome = outcome;
    }

    /// The good end of an attempt and of its call.
    pub(crate) fn complete(&mut self, number: AttemptNumber, status: u16) {
        self.end(number, Ending::ok(status));
        self.settle(ExchangeOutcome::Ok);
    }

    /// The good end of an attempt whose answer is whole before the client gets any of it, and so of its call, at one
    /// moment.
    pub(crate) fn complete_at_once(&mut self, number: AttemptNumber, status: u16) {
        let now = self.now();
        self.end_at(number, Ending::ok(status), now);
        self.settle(ExchangeOutcome::Ok);
        self.0.over = Some(now);
    }

    fn trying(&self, number: AttemptNumber) -> Option<&Trying> {
        self.0.trying.iter().flatten().find(|trying| trying.number == number)
    }
}

// === impl Open ===

impl Open {
    fn ended(&mut self, trying: Trying, ending: Ending, now: Micros) {
        let Trying { number, route, ticket, began } = trying;
        let Some(record) = self.exchange.attempts.get_mut(number.0) else { return };
        let journal = &self.journal;
        // An attempt without an answer has used nothing that anybody could know.
        let usage = self.tap.map(|tap| tap.settle(self.prompt)).unwrap_or_default();
        // Routing learns from what is true.
        let told = if usage.source == UsageSource::Upstream { usage } else { Usage::default() };
        self.exchange.usage = usage;
        record.total = span(began, now);
        record.status = ending.status;
        record.outcome = ending.outcome;
        route.metrics.attempted(ending.outcome, record.total, record.first_byte);
        route.metrics.used(&usage);
        route.channel_metrics.attempted(ending.outcome);
        ticket.finish(
            Outcome {
                kind: ending.kind(),
                retry_after: ending.retry_after.map(micros),
                prompt_tokens: clamp(told.prompt),
                cached_tokens: clamp(told.cached),
                output_tokens: clamp(told.completion),
            },
            now,
        );
        if let Some(observation) = Observation::of_attempt(ending.outcome, || ending.why) {
            let scope = self.exchange.model.as_ref().map_or(Scope::Channel, Scope::Model);
            journal.board.observe(record.channel, scope, observation, journal.clock.wall(now));
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let open = &mut *self.0;
        let now = open.over.unwrap_or_else(|| open.journal.clock.now());
        for trying in std::mem::take(&mut open.trying).into_iter().flatten() {
            open.ended(trying, Ending::cancelled(), now);
        }
        if open.is_told_to_another() {
            return;
        }
        open.gather();
        if std::thread::panicking() && open.exchange.status == CLIENT_CLOSED_REQUEST {
            // Whoever catches the panic answers so.
            open.exchange.status = INTERNAL_ERROR;
            open.exchange.outcome = ExchangeOutcome::GatewayError;
        }
        if open.promise.is_told() && open.exchange.status == CLIENT_CLOSED_REQUEST {
            // The client left while its answer was still searched for, but not without its status.
            open.exchange.status = 200;
            open.exchange.streamed = true;
        }
        open.exchange.total = span(open.began, now);
        open.endpoint.finished(open.exchange.status, open.exchange.total);
        if open.exchange.status >= 400 {
            open.journal.metrics.http_error();
        }
        if open.streaming {
            open.journal.metrics.stream_ended();
        }
        open.journal.metrics.left();
        (open.journal.sink)(&open.exchange);
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Entry").field(&self.0.exchange.request_id).finish()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "six digits are more than anybody looks at")]
const fn rounded(health: f64) -> f32 {
    health as f32
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
            sink: Arc::new(move |exchange| ear.lock().unwrap().push(exchange.clone())),
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
