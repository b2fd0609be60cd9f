//! One run: requests come, routers choose, channels answer.
//!
//! Events are handled in the order of their time; of two at the same time the one that was foreseen first goes first.
//! Chance is drawn per attempt, from the run's seed and what is tried where: two policies that send the same attempt
//! to the same channel meet the same luck.

mod agenda;

use std::collections::HashSet;

use crate::chance::{mix, unit};
use crate::numbered::Numbered;
use crate::router::{Kind, Outcome, Pick, Question, Router, View};
use crate::upstream::{Reception, Service, Spec, Upstream};
use crate::workload::Request;
use agenda::{Agenda, Event};

/// Longer than this, in seconds, no gateway waits for a first token.
const PATIENCE: f64 = 15.0;
/// In place of the attempt's number: attempts that had to queue draw their luck apart.
const QUEUED: u64 = 77;

/// What happened in a run.
#[derive(Debug)]
pub struct Run {
    /// The requests, in the order they came.
    pub records: Vec<Record>,
    /// Every attempt, in the order they were sent.
    pub picks: Vec<Picked>,
}

/// What became of a request.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    /// When it came, in seconds.
    pub at: f64,
    /// Seconds until its first token, attempts that failed included; `None` when none succeeded.
    pub first_token: Option<f64>,
    /// How many attempts were made.
    pub attempts: u32,
    /// Where the first one went.
    pub first_channel: Option<usize>,
    /// Tokens of the prompt.
    pub prompt_tokens: u32,
    /// Of these, how many came from a cache.
    pub cached_tokens: u32,
    /// Tokens of the answer.
    pub output_tokens: u32,
    /// Whether its conversation had asked before.
    pub continues: bool,
}

/// One attempt that was sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Picked {
    /// When, in seconds.
    pub at: f64,
    /// Where to.
    pub channel: usize,
    /// Whether it was the first of its request.
    pub first: bool,
}

/// Lets the routers, one per replica, serve a trace on channels like these. Every request may be tried
/// `most_attempts` times.
pub fn run(
    trace: &[Request],
    specs: &[Spec],
    replicas: Vec<Box<dyn Router>>,
    most_attempts: u32,
    seed: u64,
) -> Run {
    let mut simulation = Simulation::new(trace, specs, replicas, most_attempts, seed);
    while let Some((now, event)) = simulation.agenda.next() {
        simulation.handle(now, event);
    }
    Run { records: simulation.calls.iter().map(|call| call.record).collect(), picks: simulation.picks }
}

struct Simulation<'t> {
    seed: u64,
    most_attempts: u32,
    upstreams: Numbered<Upstream>,
    replicas: Numbered<Box<dyn Router>>,
    calls: Numbered<Call<'t>>,
    attempts: Numbered<Attempt>,
    agenda: Agenda,
    picks: Vec<Picked>,
}

/// A request on its way.
struct Call<'t> {
    request: &'t Request,
    tried: Numbered<bool>,
    record: Record,
}

struct Attempt {
    call: usize,
    channel: usize,
    sent: f64,
    view: View,
    stage: Stage,
    /// Until the first token; foreseen while it is served, measured once it streams.
    first_token: f64,
    writing: f64,
    cached: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Holds no slot and waits for none: it will be refused, or nothing will ever come.
    Outside,
    Queued,
    Served,
    Streaming,
    Over,
}

// === impl Simulation ===

impl<'t> Simulation<'t> {
    fn new(
        trace: &'t [Request],
        specs: &[Spec],
        replicas: Vec<Box<dyn Router>>,
        most_attempts: u32,
        seed: u64,
    ) -> Self {
        let mut known = HashSet::new();
        let calls: Numbered<_> = trace
            .iter()
            .map(|request| Call {
                request,
                tried: Numbered::filled(false, specs.len()),
                record: Record::of(request, !known.insert(request.conversation)),
            })
            .collect();
        let mut agenda = Agenda::default();
        for number in calls.numbers() {
            agenda.note(calls[number].request.at, Event::Try(number));
        }
        Self {
            seed,
            most_attempts,
            upstreams: specs.iter().cloned().map(Upstream::new).collect(),
            replicas: replicas.into_iter().collect(),
            calls,
            attempts: Numbered::default(),
            agenda,
            picks: Vec::new(),
        }
    }

    fn handle(&mut self, now: f64, event: Event) {
        match event {
            Event::Try(call) => self.attempt(now, call),
            Event::FirstToken(attempt) => self.first_token(now, attempt),
            Event::LastToken(attempt) => self.last_token(now, attempt),
            Event::Failure { attempt, kind, retry_after } => self.failure(now, attempt, kind, retry_after),
            Event::Deadline(attempt) => self.deadline(now, attempt),
        }
    }

    fn attempt(&mut self, now: f64, number: usize) {
        let call = &mut self.calls[number];
        let request = call.request;
        let view = View::of(request, call.record.attempts);
        let question = Question { now, request: view, tried: &call.tried, upstreams: &self.upstreams };
        let Some(pick) = self.replicas[request.replica].pick(&question) else { return };
        let first = call.record.attempts == 0;
        if first {
            call.record.first_channel = Some(pick.channel);
        }
        call.record.attempts += 1;
        call.tried[pick.channel] = true;
        self.picks.push(Picked { at: now, channel: pick.channel, first });
        self.send(now, number, view, pick);
    }

    fn send(&mut self, now: f64, call: usize, view: View, pick: Pick) {
        let request = self.calls[call].request;
        let attempt = self.attempts.push(Attempt {
            call,
            channel: pick.channel,
            sent: now,
            view,
            stage: Stage::Outside,
            first_token: 0.0,
            writing: 0.0,
            cached: 0,
        });
        let hash = self.luck(request, pick.channel, u64::from(view.attempt));
        let deadline = now + pick.deadline.unwrap_or(PATIENCE).min(PATIENCE);
        match self.upstreams[pick.channel].receive(now, attempt, request, hash) {
            Reception::Silence => {}
            Reception::Refused { kind, retry_after, after } => {
                self.agenda.note(now + after, Event::Failure { attempt, kind, retry_after });
                return;
            }
            Reception::Served(service) => self.begin(now, attempt, service),
            Reception::Queued => self.attempts[attempt].stage = Stage::Queued,
        }
        self.agenda.note(deadline, Event::Deadline(attempt));
    }

    /// An attempt has a slot.
    fn begin(&mut self, now: f64, number: usize, service: Service) {
        let attempt = &mut self.attempts[number];
        attempt.stage = Stage::Served;
        attempt.first_token = service.first_token;
        attempt.writing = service.writing;
        attempt.cached = service.cached;
        let event = if service.fails {
            Event::Failure { attempt: number, kind: Kind::Error, retry_after: None }
        } else {
            Event::FirstToken(number)
        };
        self.agenda.note(now + service.first_token, event);
    }

    fn first_token(&mut self, now: f64, number: usize) {
        let attempt = &mut self.attempts[number];
        if attempt.stage != Stage::Served {
            return;
        }
        attempt.stage = Stage::Streaming;
        attempt.first_token = now - attempt.sent;
        let call = &mut self.calls[attempt.call];
        call.record.first_token = Some(now - call.request.at);
        call.record.cached_tokens = attempt.cached;
        let router = &mut self.replicas[call.request.replica];
        router.first_token(now, attempt.channel, &attempt.view, attempt.first_token);
        self.agenda.note(now + attempt.writing, Event::LastToken(number));
    }

    fn last_token(&mut self, now: f64, number: usize) {
        let attempt = &mut self.attempts[number];
        attempt.stage = Stage::Over;
        let (channel, request) = (attempt.channel, self.calls[attempt.call].request);
        self.upstreams[channel].remember(now, request);
        self.vacate(now, channel);
        self.finish(now, number, Kind::Ok, None);
    }

    fn failure(&mut self, now: f64, number: usize, kind: Kind, retry_after: Option<f64>) {
        let attempt = &mut self.attempts[number];
        let (stage, channel) = (attempt.stage, attempt.channel);
        if stage == Stage::Over {
            return;
        }
        attempt.stage = Stage::Over;
        if stage == Stage::Served {
            self.vacate(now, channel);
        }
        self.finish(now, number, kind, retry_after);
    }

    fn deadline(&mut self, now: f64, number: usize) {
        let attempt = &mut self.attempts[number];
        if matches!(attempt.stage, Stage::Streaming | Stage::Over) {
            return;
        }
        let last = attempt.sent + PATIENCE;
        let router = &mut self.replicas[self.calls[attempt.call].request.replica];
        if now < last - 1e-9 && !router.confirm_cut(now, &attempt.view) {
            self.agenda.note(last, Event::Deadline(number));
            return;
        }
        if attempt.stage == Stage::Queued {
            self.upstreams[attempt.channel].dequeue(number);
        }
        self.failure(now, number, Kind::Timeout, None);
    }

    /// A slot becomes free, and whoever waits longest takes it.
    fn vacate(&mut self, now: f64, channel: usize) {
        self.upstreams[channel].leave();
        while let Some(attempt) = self.upstreams[channel].next(now) {
            let request = self.calls[self.attempts[attempt].call].request;
            let service = self.upstreams[channel].serve(now, request, self.luck(request, channel, QUEUED));
            self.begin(now, attempt, service);
        }
    }

    /// Tells the router, and tries again where that makes sense.
    fn finish(&mut self, now: f64, number: usize, kind: Kind, retry_after: Option<f64>) {
        let attempt = &self.attempts[number];
        let call = &mut self.calls[attempt.call];
        let request = call.request;
        let total = now - attempt.sent;
        let outcome = Outcome {
            kind,
            first_token: if kind == Kind::Ok { attempt.first_token } else { total },
            total,
            retry_after,
            prompt_tokens: request.prompt_tokens,
            cached_tokens: attempt.cached,
            output_tokens: request.output_tokens,
        };
        self.replicas[request.replica].finished(now, attempt.channel, &attempt.view, &outcome);
        if kind != Kind::Ok && call.record.attempts < self.most_attempts {
            if call.tried.iter().all(|tried| *tried) {
                call.tried.iter_mut().for_each(|tried| *tried = false);
            }
            let luck = unit(mix(self.seed ^ request.id ^ (u64::from(call.record.attempts) << 40)));
            self.agenda.note(now + 0.02 + 0.05 * luck, Event::Try(attempt.call));
        }
    }

    /// A hash of the run and of what is tried where.
    fn luck(&self, request: &Request, channel: usize, attempt: u64) -> u64 {
        let place = (channel as u64).wrapping_mul(7919).wrapping_add(attempt);
        mix(self.seed ^ mix(request.id.wrapping_mul(31).wrapping_add(place)))
    }
}

// === impl Record ===

impl Record {
    fn of(request: &Request, continues: bool) -> Self {
        Self {
            at: request.at,
            first_token: None,
            attempts: 0,
            first_channel: None,
            prompt_tokens: request.prompt_tokens,
            cached_tokens: 0,
            output_tokens: request.output_tokens,
            continues,
        }
    }
}
