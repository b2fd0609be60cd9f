//! Finds an answer: decide and attempt, until one channel has one.
//!
//! Nothing has gone to the client before, so any failure may be mended, within limits:
//!
//! ```text
//! decide ──► attempt ──► answer
//!   ▲          │ fails ────────────────► may it be made again? attempts, time, nature of the call, budget ──► decide
//!   │          │ first token is late ──► routing confirms the cut ──► decide
//!   │          │ later still, and the model hedges ──► a second attempt beside the first; the first answer wins
//!   └──────────┘
//! ```

mod leg;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use gateway_config::ProxySettings;
use gateway_domain::{ChannelId, HedgeAfter};
use gateway_routing::{ChannelSet, Decision, Micros, NoRoute, Request as Wish, SessionKey as RoutingKey};
use gateway_sessions::Place;
use tokio::time::{Instant, sleep};

use self::leg::{Alarm, Leg, Second, answer_of, next_alarm};

use crate::affinity::Pull;
use crate::attempt::{Answer, Failure, Pace, Repeat, Schedule, attempt};
use crate::budget::Allowance;
use crate::call::Call;
use crate::error::ProxyError;
use crate::explain::explain;
use crate::failures::Failures;
use crate::gateway::Worker;
use crate::journal::{AttemptNumber, Ending, Entry};
use crate::plane::{Plane, Route, Served};
use crate::request_id::seed;

/// When every channel is rate limited, but one for less than this: the call waits instead of failing.
const SHORT_WAIT: Duration = Duration::from_secs(1);

/// What a search works with.
#[derive(Clone, Copy)]
pub(crate) struct Search<'a> {
    pub worker: &'a Worker,
    pub plane: &'a Plane,
    pub served: &'a Served,
    pub call: &'a Call,
}

/// How a search ended.
pub(crate) struct Found {
    pub entry: Entry,
    /// The answer, and which attempt brought it.
    pub outcome: Result<(Answer, AttemptNumber), ProxyError>,
}

/// What one call has used up so far.
struct Spent {
    schedule: Schedule,
    tried: ChannelSet,
    attempts: u8,
    failures: Failures,
}

/// What an attempt is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// The call has not been made yet.
    First,
    /// What was tried before has failed.
    Again,
    /// The one under way is late, and is left once this one is decided for.
    Instead,
    /// The one under way is late, and goes on beside this one.
    Beside,
}

/// No answer from this leg, nor from one beside it.
enum Lost {
    /// Why is noted.
    Failed,
    /// It was late, and is left for this one.
    Left(Box<Leg>),
}

// === impl Search ===

impl Search<'_> {
    /// Searches until there is an answer, or none to be had.
    pub(crate) async fn run(self, mut entry: Entry) -> Found {
        let outcome = tokio::select! {
            biased;
            outcome = self.seek(&mut entry) => outcome,
            () = self.worker.stopped() => Err(ProxyError::Stopping),
        };
        Found { entry, outcome }
    }

    async fn seek(&self, entry: &mut Entry) -> Result<(Answer, AttemptNumber), ProxyError> {
        let now = entry.now();
        self.served.budget.request(now, self.hedge_percent());
        entry.promised(self.call.promise.clone());
        let mut spent = Spent::new(self.schedule(self.worker.clock().instant(now)));
        let mut leg = match self.first_leg(&mut spent, entry, now).await {
            Ok(leg) => leg,
            Err(no_route) => return Err(spent.failures.or(&no_route, self.call)),
        };
        loop {
            leg = match self.run_leg(leg, &mut spent, entry).await {
                Ok(answer) => return Ok(answer),
                Err(Lost::Left(other)) => *other,
                Err(Lost::Failed) if self.may_go_on(&spent) => {
                    match self.next_leg(&mut spent, entry, Purpose::Again, entry.now()) {
                        Ok(leg) => leg,
                        Err(no_route) => return Err(spent.failures.or(&no_route, self.call)),
                    }
                }
                Err(Lost::Failed) => return Err(spent.failures.or(&NoRoute::AllExcluded, self.call)),
            };
        }
    }

    /// Chooses the channel of the first attempt. Waits for one that is limited for a moment only, once.
    async fn first_leg(&self, spent: &mut Spent, entry: &mut Entry, now: Micros) -> Result<Leg, NoRoute> {
        match self.next_leg(spent, entry, Purpose::First, now) {
            Err(NoRoute::AllLimited { retry_after }) if spent.may_wait(retry_after) => {
                sleep(Duration::from_micros(retry_after.0)).await;
                self.next_leg(spent, entry, Purpose::First, entry.now())
            }
            settled => settled,
        }
    }

    /// Chooses the channel of the next attempt, and pays for it if it is not the first.
    fn next_leg(
        &self,
        spent: &mut Spent,
        entry: &mut Entry,
        purpose: Purpose,
        now: Micros,
    ) -> Result<Leg, NoRoute> {
        let (budget, metrics) = (&self.served.budget, &self.served.metrics);
        // Paid before anybody is decided for: a decision that is not acted upon would be a trial that tries nothing.
        let paid = match purpose {
            Purpose::First => true,
            Purpose::Again | Purpose::Instead => budget.take_retry(now, self.allowance()),
            Purpose::Beside => budget.take_hedge(),
        };
        if !paid {
            if purpose != Purpose::Beside {
                metrics.denied();
            }
            return Err(NoRoute::AllExcluded);
        }
        let leg = self.decide_leg(spent, entry, purpose, now);
        match (purpose, &leg) {
            (Purpose::First, _) => {}
            (Purpose::Again | Purpose::Instead, Ok(_)) => metrics.retried(),
            (Purpose::Again | Purpose::Instead, Err(_)) => budget.return_retry(now),
            (Purpose::Beside, Ok(_)) => metrics.hedged(),
            (Purpose::Beside, Err(_)) => budget.return_hedge(),
        }
        leg
    }

    fn decide_leg(
        &self,
        spent: &mut Spent,
        entry: &mut Entry,
        purpose: Purpose,
        now: Micros,
    ) -> Result<Leg, NoRoute> {
        let clock = self.worker.clock();
        let place = self.worker.sessions().place_of(&self.call.session, entry.wall(now));
        let session = RoutingKey(self.call.session.hash64());
        let only = self.only(spent);
        let wish = Wish {
            // A session that an administrator has ended draws a new home by chance.
            session: (place != Place::Redraw).then_some(session),
            pinned: if let Place::Known(channel) = place { Some(channel) } else { None },
            streaming: self.call.stream,
            attempt: spent.attempts,
            excluded: &spent.tried,
            filter: only.as_ref(),
            prompt_tokens: self.call.prompt_tokens(),
        };
        let seed = seed();
        let account = self.call.explain.then(|| self.served.pool.explain(&wish, now, seed));
        let decision = if only.is_some() && self.begins_to_ask_around(spent) {
            self.decide_around(&wish, now, seed)
        } else {
            self.decide(&wish, now, seed)
        }?;
        // A pool may be a moment newer than this call's snapshot: then the channel is not this call's.
        let Some(route) = self.route(decision.channel) else {
            spent.tried.insert(decision.channel);
            decision.ticket.unsent(now);
            return self.decide_leg(spent, entry, purpose, now);
        };
        // What is only late is worth a channel that is well, and nothing less.
        if decision.panic && matches!(purpose, Purpose::Instead | Purpose::Beside) {
            decision.ticket.unsent(now);
            return Err(NoRoute::AllExcluded);
        }
        spent.tried.insert(decision.channel);
        spent.attempts += 1;
        let tried = spent.attempts;
        let explain = |account| explain(&account, self.served, self.call.session_source, tried);
        let hedge = purpose == Purpose::Beside;
        let began = clock.instant(now);
        let after = |span: Option<Micros>| span.map(|span| began + Duration::from_micros(span.0));
        let hedge_after = self.served.hedge.and_then(|hedge| match hedge.after {
            HedgeAfter::Learned => after(decision.hedge_after),
            HedgeAfter::Fixed(late) => Some(began + late),
        });
        let leg = Leg {
            route: Arc::clone(route),
            limits: spent.schedule.limits(began, self.call.stream.then_some(route.first_byte)),
            pace: Pace::new(clock),
            desperate: decision.panic,
            hedge,
            explanation: account.map(explain),
            cut_at: after(decision.first_token_deadline).filter(|_| !hedge),
            hedge_at: hedge_after.filter(|_| !hedge),
            number: entry.begin(route, decision, hedge, now),
        };
        Ok(leg)
    }

    /// The channels that the call must go to, if it may not go to all.
    fn only(&self, spent: &Spent) -> Option<ChannelSet> {
        if let (Pull::None { .. }, Some(among)) = (self.call.pull, &self.call.among) {
            return Some(among.clone());
        }
        let channel = match self.call.pull {
            Pull::To { channel, .. } => Some(channel),
            Pull::None { .. } if self.begins_to_ask_around(spent) => {
                self.plane.default()?.channels().next().map(|channel| channel.id)
            }
            Pull::None { .. } => None,
        };
        channel.map(|channel| {
            let mut only = ChannelSet::new();
            only.insert(channel);
            only
        })
    }

    /// Whoever asks around for an object begins where a call without a known object would go.
    fn begins_to_ask_around(&self, spent: &Spent) -> bool {
        let may_go_anywhere = matches!(self.call.pull, Pull::None { .. }) && self.call.among.is_none();
        may_go_anywhere && self.call.asks_around && spent.attempts == 0
    }

    /// Begins to ask around elsewhere where the first one to ask is limited or out: nothing says that it has the object.
    fn decide_around(&self, wish: &Wish<'_>, now: Micros, seed: u64) -> Result<Decision, NoRoute> {
        match self.decide(wish, now, seed) {
            Ok(decision) if !decision.panic => return Ok(decision),
            // That is how the first one to ask comes back; if it fails, the others are asked.
            Ok(trial) if trial.probe => return Ok(Decision { panic: false, ..trial }),
            Ok(desperate) => desperate.ticket.unsent(now),
            Err(_) => {}
        }
        self.decide(&Wish { filter: None, ..*wish }, now, seed)
    }

    /// Among the model's channels; where a call belongs to a channel that is none of them, among all.
    fn decide(&self, wish: &Wish<'_>, now: Micros, seed: u64) -> Result<Decision, NoRoute> {
        match (self.served.pool.decide(wish, now, seed), self.plane.everyone()) {
            (Err(NoRoute::Empty), Some(everyone)) if wish.filter.is_some() => {
                everyone.pool.decide(wish, now, seed)
            }
            (decided, _) => decided,
        }
    }

    fn route(&self, channel: ChannelId) -> Option<&Arc<Route>> {
        let beyond = || self.plane.everyone().filter(|_| self.call.pull.is_to())?.route(channel);
        self.served.route(channel).or_else(beyond)
    }

    /// Runs an attempt, and watches over it.
    async fn run_leg(
        &self,
        leg: Leg,
        spent: &mut Spent,
        entry: &mut Entry,
    ) -> Result<(Answer, AttemptNumber), Lost> {
        let mut first = pin!(self.attempt(&leg));
        let mut first_failed = false;
        let mut second: Option<Second<'_>> = None;
        let (mut cut_at, mut hedge_at) = (leg.cut_at, leg.hedge_at);
        let mut rang_meanwhile = None;
        loop {
            tokio::select! {
                biased;
                outcome = &mut first, if !first_failed => match outcome {
                    Ok(answer) => {
                        if let Some(second) = second {
                            entry.end(second.number, Ending::superseded());
                        }
                        return Ok(self.won(answer, &leg, entry));
                    }
                    Err(failure) => {
                        let is_final = spent.fail(self.tempered(failure), &leg, entry);
                        if second.is_none() || is_final {
                            return Err(Lost::Failed);
                        }
                        first_failed = true;
                    }
                },
                (leg_of_second, outcome) = answer_of(&mut second) => {
                    second = None;
                    match outcome {
                        Ok(answer) => {
                            if !first_failed {
                                entry.end(leg.number, Ending::superseded());
                            }
                            return Ok(self.won(answer, &leg_of_second, entry));
                        }
                        Err(failure) => {
                            let is_final = spent.fail(self.tempered(failure), &leg_of_second, entry);
                            if first_failed || is_final {
                                return Err(Lost::Failed);
                            }
                            cut_at = cut_at.or(rang_meanwhile.take());
                        }
                    }
                },
                alarm = next_alarm(&mut cut_at, &mut hedge_at) => match alarm {
                    Alarm::Cut if second.is_none() => {
                        if let Some(other) = self.leaves(&leg, spent, entry) {
                            return Err(Lost::Left(Box::new(other)));
                        }
                    }
                    // The second may still answer. Once it has failed, this is asked.
                    Alarm::Cut => rang_meanwhile = leg.cut_at,
                    Alarm::Hedge => second = self.hedge(spent, entry),
                },
            }
        }
    }

    async fn attempt(&self, leg: &Leg) -> Result<Answer, Failure> {
        attempt(self.worker.upstreams(), self.call, &leg.route, leg.limits, &leg.pace).await
    }

    /// Whoever asks around does not take one channel's word for it that there is no such object.
    fn tempered(&self, mut failure: Failure) -> Failure {
        if self.call.asks_around && failure.ending.status == Some(404) {
            failure.repeat = Repeat::NotExecuted;
        }
        failure
    }

    /// An attempt has an answer for the client.
    fn won(&self, mut answer: Answer, leg: &Leg, entry: &mut Entry) -> (Answer, AttemptNumber) {
        entry.explains(leg.explanation.clone());
        let first_byte = leg.pace.first_byte_at();
        if let Some(at) = first_byte {
            entry.first_byte(leg.number, at);
        }
        if let Some(wait) = answer.exhausted {
            entry.exhausted(leg.number, wait);
        }
        let now = entry.wall(first_byte.unwrap_or_else(|| entry.now()));
        let channel = leg.route.target.channel().id;
        self.worker.directory().learn(self.call, &mut answer, now);
        // Whoever only was faster this once does not take the session along, and its caches; nor does a channel that
        // has an object but not the model.
        if !leg.hedge && !self.call.asks_around && self.served.route(channel).is_some() {
            self.worker.sessions().remember(&self.call.session, channel, now);
        }
        (answer, leg.number)
    }

    /// The attempt that a late one is left for, if it is left. It is not, unless there is somewhere to go.
    fn leaves(&self, leg: &Leg, spent: &mut Spent, entry: &mut Entry) -> Option<Leg> {
        let settings = self.settings();
        let may = self.may_go_on(spent)
            && spent.failures.allow_double(self.call, settings)
            && entry.confirms_cut(leg.number);
        let other = if may { self.next_leg(spent, entry, Purpose::Instead, entry.now()).ok() } else { None }?;
        entry.end(leg.number, Ending::cut());
        spent.failures.note_cut();
        Some(other)
    }

    /// Starts a second attempt beside the first, where the model hedges and the call may be made twice.
    fn hedge<'s>(&'s self, spent: &mut Spent, entry: &mut Entry) -> Option<Second<'s>> {
        let settings = self.settings();
        if !spent.has_attempts(settings) || !spent.failures.allow_double(self.call, settings) {
            return None;
        }
        let leg = self.next_leg(spent, entry, Purpose::Beside, entry.now()).ok()?;
        let number = leg.number;
        let under_way = Box::pin(async move {
            let outcome = self.attempt(&leg).await;
            (leg, outcome)
        });
        Some(Second { number, under_way })
    }

    /// Whether an attempt may be followed by another one, budgets aside.
    fn may_go_on(&self, spent: &Spent) -> bool {
        let settings = self.settings();
        spent.has_attempts(settings)
            && spent.failures.allow_another(self.call, settings)
            && Instant::now() < spent.schedule.deadline
    }

    fn allowance(&self) -> Allowance {
        let settings = self.settings();
        Allowance { percent: settings.retry_percent, floor: settings.retry_floor }
    }

    /// Of a call that is searched for since this moment.
    fn schedule(&self, now: Instant) -> Schedule {
        let settings = self.settings();
        let own = if self.call.is_long() { settings.stream_timeout } else { settings.total_timeout };
        // A stream's client waits for the next byte, not for the last.
        let patience = self.call.patience.filter(|patience| !self.call.is_long() && *patience < own);
        let sending = self.call.time_to_send();
        Schedule {
            deadline: now + patience.unwrap_or(own + sending),
            commit: (self.call.stream && !settings.commit_after.is_zero())
                .then(|| now + settings.commit_after),
            wished: patience.is_some(),
            max_event_bytes: settings.max_event_bytes,
            may_repeat: settings.retry_executed && self.call.repeatable,
            sending,
        }
    }

    fn hedge_percent(&self) -> u8 {
        self.served.hedge.map_or(0, |hedge| hedge.max_percent)
    }

    fn settings(&self) -> &ProxySettings {
        &self.plane.snapshot.settings.proxy
    }
}

// === impl Spent ===

impl Spent {
    fn new(schedule: Schedule) -> Self {
        Self { schedule, tried: ChannelSet::new(), attempts: 0, failures: Failures::default() }
    }

    fn has_attempts(&self, settings: &ProxySettings) -> bool {
        self.attempts < settings.max_attempts
    }

    /// Whether a wait is short enough to make it.
    fn may_wait(&self, wait: Micros) -> bool {
        let wait = Duration::from_micros(wait.0);
        wait < SHORT_WAIT && Instant::now() + wait < self.schedule.deadline
    }

    /// Notes a failure; says whether it is the last word on the call.
    fn fail(&mut self, failure: Failure, leg: &Leg, entry: &mut Entry) -> bool {
        let is_final = failure.repeat == Repeat::Never;
        entry.end(leg.number, failure.ending.clone());
        entry.explains(leg.explanation.clone());
        self.failures.note(failure, leg.desperate);
        is_final
    }
}
