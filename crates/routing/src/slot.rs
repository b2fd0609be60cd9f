//! One channel of one pool: what decisions read, and what reports write.
//!
//! Decisions read published numbers without waiting; they share no cache line with what reports write under the lock.
//! Reports compute the published numbers, so that a decision does not have to. A silent channel sends no reports, but
//! its attempts grow old: a decision that finds numbers older than [`STALE`] computes them anew, unless a report is
//! at it.
//!
//! What reports do to a slot is in `report.rs`.

use std::sync::{Arc, PoisonError, TryLockError};

use crate::atomic_f64::AtomicF64;
use crate::block::{Block, Refusals};
use crate::breaker::{Breaker, Gate, Position};
use crate::budget::{Account, Rates, Taken};
use crate::estimate::{Errors, Estimate, Latency, Waiting};
use crate::fleet::Fleet;
use crate::health::latency_factor;
use crate::limit::{Limit, Observed};
use crate::share::Firsts;
use crate::sync::{AtomicBool, AtomicU64, Mutex, MutexGuard, Ordering};
use crate::waiting::{Place, WaitingRoom};
use crate::{Limited, Micros, Outcome};

/// How old the published numbers of a channel may be.
const STALE: Micros = Micros::from_millis(50);
/// A latency factor below this opens the breaker…
const FAR_SLOWER: f64 = 0.10;
/// … when some channel in use is so many times faster…
const TIMES_FASTER: f64 = 3.0;
/// … and so many attempts have spoken.
const SPOKEN: f64 = 2.0;

/// A channel's state in one pool. Outlives its configuration while attempts are in flight.
#[derive(Debug)]
pub(crate) struct Slot {
    hot: Hot,
    record: Cold,
    /// What all pools take from.
    account: Arc<Account>,
}

/// What decisions read: of every channel the first 64 bytes, which are one cache line, and of the chosen one the rest.
#[derive(Debug)]
#[repr(C, align(128))]
struct Hot {
    admitted: AtomicBool,
    blocked_until: AtomicU64,
    gate: Gate,
    /// Attempts in flight below, first attempts ever sent above: one word, so that sending touches no other.
    traffic: AtomicU64,
    limit: AtomicF64,
    latency_own: AtomicF64,
    latency_prior: AtomicF64,
    success: AtomicF64,
    refused: AtomicF64,
    evidence: AtomicF64,
    fresh_at: AtomicU64,
    streams: WaitingRoom,
    wholes: WaitingRoom,
}

#[derive(Debug)]
#[repr(align(128))]
struct Cold(Mutex<Record>);

/// What reports write.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record {
    pub(crate) latency: Latency,
    pub(crate) errors: Errors,
    pub(crate) limit: Limit,
    pub(crate) breaker: Breaker,
    pub(crate) block: Block,
    pub(crate) refusals: Refusals,
    pub(crate) firsts: Firsts,
}

/// What a channel is judged against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surroundings<'a> {
    pub(crate) fleet: &'a Fleet,
    /// See [`Params::slack`](crate::Params::slack).
    pub(crate) slack: f64,
    /// Whether being far slower than others opens the breaker.
    pub(crate) judges_latency: bool,
    /// What spreads a waiting time that begins now.
    pub(crate) jitter: u64,
}

// === impl Slot ===

impl Slot {
    pub(crate) fn new(limit: Limit, account: Arc<Account>) -> Self {
        let record = Record {
            latency: Latency::default(),
            errors: Errors::default(),
            limit,
            breaker: Breaker::new(),
            block: Block::default(),
            refusals: Refusals::default(),
            firsts: Firsts::default(),
        };
        let hot = Hot {
            latency_own: AtomicF64::new(Estimate::UNKNOWN.own),
            latency_prior: AtomicF64::new(Estimate::UNKNOWN.prior),
            success: AtomicF64::new(1.0),
            refused: AtomicF64::new(0.0),
            evidence: AtomicF64::new(0.0),
            limit: AtomicF64::new(limit.get()),
            fresh_at: AtomicU64::new(0),
            blocked_until: AtomicU64::new(0),
            gate: Gate::default(),
            streams: WaitingRoom::default(),
            wholes: WaitingRoom::default(),
            traffic: AtomicU64::new(0),
            admitted: AtomicBool::new(true),
        };
        Self { hot, record: Cold(Mutex::new(record)), account }
    }

    /// A copy that shares nothing with this slot.
    pub(crate) fn copy(&self) -> Self {
        let record = *self.lock();
        let hot = &self.hot;
        let hot = Hot {
            latency_own: hot.latency_own.clone(),
            latency_prior: hot.latency_prior.clone(),
            success: hot.success.clone(),
            refused: hot.refused.clone(),
            evidence: hot.evidence.clone(),
            limit: hot.limit.clone(),
            fresh_at: AtomicU64::new(hot.fresh_at.load(Ordering::Relaxed)),
            blocked_until: AtomicU64::new(hot.blocked_until.load(Ordering::Relaxed)),
            gate: hot.gate.clone(),
            streams: hot.streams.clone(),
            wholes: hot.wholes.clone(),
            traffic: AtomicU64::new(hot.traffic.load(Ordering::Relaxed)),
            admitted: AtomicBool::new(hot.admitted.load(Ordering::Relaxed)),
        };
        Self { hot, record: Cold(Mutex::new(record)), account: Arc::new(self.account.copy()) }
    }

    /// L, in seconds, given the fleet's.
    pub(crate) fn latency(&self, reference: f64) -> f64 {
        Estimate { own: self.hot.latency_own.load(), prior: self.hot.latency_prior.load() }.at(reference)
    }

    /// p.
    pub(crate) fn success(&self) -> f64 {
        self.hot.success.load()
    }

    /// The share of attempts that a rate limit refused of late.
    pub(crate) fn refused(&self) -> f64 {
        self.hot.refused.load()
    }

    /// N.
    pub(crate) fn evidence(&self) -> f64 {
        self.hot.evidence.load()
    }

    /// The learned limit; infinite while unknown.
    pub(crate) fn limit(&self) -> f64 {
        self.hot.limit.load()
    }

    pub(crate) fn inflight(&self) -> u32 {
        low(self.hot.traffic.load(Ordering::Relaxed))
    }

    /// First attempts ever sent, modulo 2³².
    pub(crate) fn firsts(&self) -> u32 {
        low(self.hot.traffic.load(Ordering::Relaxed) >> 32)
    }

    pub(crate) fn waiting(&self) -> u32 {
        self.hot.streams.count() + self.hot.wholes.count()
    }

    /// Attempts in flight in all pools.
    pub(crate) fn occupancy(&self) -> u32 {
        self.account.occupancy()
    }

    /// Until when a request of so many tokens is kept out by a limit, and by which: the one that lasts longest.
    pub(crate) fn limited(&self, rates: Rates, tokens: u32, now: Micros) -> Option<(Micros, Limited)> {
        let blocked = Some((self.blocked_until(), Limited::Upstream)).filter(|(until, _)| *until > now);
        match (blocked, self.over_budget(rates, tokens, now)) {
            (Some(blocked), Some(spent)) => Some(if spent.0 > blocked.0 { spent } else { blocked }),
            (one, other) => one.or(other),
        }
    }

    /// As [`Slot::limited`], by the channel's own budgets alone.
    pub(crate) fn over_budget(&self, rates: Rates, tokens: u32, now: Micros) -> Option<(Micros, Limited)> {
        if rates.is_unlimited() { None } else { self.account.wait(rates, tokens, now) }
    }

    pub(crate) const fn gate(&self) -> &Gate {
        &self.hot.gate
    }

    pub(crate) fn blocked_until(&self) -> Micros {
        Micros(self.hot.blocked_until.load(Ordering::Relaxed))
    }

    pub(crate) fn block_until(&self, until: Micros) {
        self.hot.blocked_until.fetch_max(until.0, Ordering::Relaxed);
    }

    pub(crate) fn is_admitted(&self) -> bool {
        self.hot.admitted.load(Ordering::Relaxed)
    }

    pub(crate) fn set_admitted(&self, admitted: bool) {
        self.hot.admitted.store(admitted, Ordering::Relaxed);
    }

    /// Whether it takes part in the fleet's figures: the breaker is closed and no outside verdict is against it.
    pub(crate) fn is_in_use(&self) -> bool {
        self.is_admitted() && self.gate().get() == Position::Closed
    }

    /// An attempt that may go by its [`Account`] leaves for the channel.
    pub(crate) fn send(&self, now: Micros, streaming: bool, is_first: bool) -> Place {
        self.hot.traffic.fetch_add(1 | (u64::from(is_first) << 32), Ordering::Relaxed);
        self.room(streaming).enter(now)
    }

    /// An attempt is over.
    pub(crate) fn leave(&self, taken: Taken, outcome: &Outcome) {
        self.hot.traffic.fetch_sub(1, Ordering::Relaxed);
        self.account.leave();
        self.account.settle(taken, outcome);
    }

    pub(crate) fn account(&self) -> &Account {
        &self.account
    }

    /// The attempts of one kind that wait for their first token.
    pub(crate) const fn room(&self, streaming: bool) -> &WaitingRoom {
        if streaming { &self.hot.streams } else { &self.hot.wholes }
    }

    /// From when on the published numbers are too old.
    pub(crate) fn fresh_until(&self) -> Micros {
        Micros(self.hot.fresh_at.load(Ordering::Relaxed)).after(STALE)
    }

    /// Computes the published numbers anew, unless a report is at it.
    pub(crate) fn refresh(&self, now: Micros, around: Surroundings<'_>) {
        match self.record.0.try_lock() {
            Ok(mut record) => self.settle(&mut record, now, around),
            Err(TryLockError::Poisoned(record)) => self.settle(&mut record.into_inner(), now, around),
            Err(TryLockError::WouldBlock) => {}
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Record> {
        // A record is plain numbers, each of them valid at any time; a panic elsewhere does not spoil it.
        self.record.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Draws the conclusions from a record and publishes them.
    pub(crate) fn settle(&self, record: &mut Record, now: Micros, around: Surroundings<'_>) {
        let waiting = self.waiting_now(now, around.fleet);
        let reference = around.fleet.reference();
        record.latency.fade(now);
        let estimate = record.latency.estimate(now, waiting, reference);
        let latency = estimate.at(reference);
        let evidence = record.latency.evidence(now);
        record.firsts.count(self.firsts(), now);
        if self.gate().get() == Position::Closed {
            record.limit.observe(self.observed(latency, evidence, now), now);
            let spoken = evidence + waiting.count >= SPOKEN;
            let far_slower = latency_factor(latency, reference, around.slack) < FAR_SLOWER;
            let beaten = around.fleet.best().is_some_and(|best| TIMES_FASTER * best < latency);
            if around.judges_latency && spoken && far_slower && beaten {
                record.breaker.slow(self.gate(), now, around.jitter);
            }
        }
        self.hot.latency_own.store(estimate.own);
        self.hot.latency_prior.store(estimate.prior);
        self.hot.evidence.store(evidence);
        self.hot.success.store(record.errors.success(now));
        self.hot.refused.store(record.refusals.share(now));
        self.hot.limit.store(record.limit.get());
        // Never back, whatever the clock does: pools remember how young their oldest numbers were. Whoever is here
        // holds the lock.
        if now.0 > self.hot.fresh_at.load(Ordering::Relaxed) {
            self.hot.fresh_at.store(now.0, Ordering::Relaxed);
        }
    }

    /// The channel is back: forgets what was known of it, and of attempts sent before.
    pub(crate) fn begin_anew(&self, record: &mut Record, now: Micros) {
        record.latency = Latency::default();
        record.errors = Errors::default();
        record.limit.slow_start(now);
        self.hot.streams.forget();
        self.hot.wholes.forget();
    }

    fn observed(&self, latency: f64, evidence: f64, now: Micros) -> Observed {
        let inflight = f64::from(self.inflight());
        // Whole answers wait until they end; whatever else is in flight are streams.
        let streams = (inflight - f64::from(self.hot.wholes.count())).max(0.0);
        let Waiting { count: waiting, age } = self.hot.streams.read(now);
        Observed { latency, evidence, inflight, streams, waiting, age }
    }

    fn waiting_now(&self, now: Micros, fleet: &Fleet) -> Waiting {
        let streams = self.hot.streams.read(now);
        let wholes = self.hot.wholes.read(now);
        Waiting { count: streams.count + wholes.count, age: streams.age + fleet.scale(false) * wholes.age }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half is what is wanted")]
const fn low(word: u64) -> u32 {
    word as u32
}
