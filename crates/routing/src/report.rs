//! What the progress and the end of an attempt teach about its channel.
//!
//! | what happened | latency | errors | breaker | rate limit |
//! |---|---|---|---|---|
//! | first token after T | S += T, N += 1 | | no more failures in a row; a good trial, if fast | |
//! | good answer | | A += 1 | | |
//! | 5xx, no connection, broken stream, no answer | | B += 1 | failure | 503, 529: if `Retry-After` |
//! | hard timeout | S += T | B += 1 | failure | |
//! | cut by us | S += T | | failed trial, if one | |
//! | client left | S += T beyond L | | undecided | |
//! | 401, 402, 403, or the model is not served | | | open for a minute | |
//! | 429 | | | undecided | until `Retry-After`, or backing off; a refusal |
//! | headers say that the upstream's budget is used up | | | | until they say, but no more than two minutes |
//! | the caller's own error | | | undecided | |
//!
//! T counts only while no token had come. A failure is no latency: failing fast does not look fast. A cut is no error:
//! the channel did not fail, we lost patience; counting cuts as errors made a channel under load look broken.
//!
//! Attempts sent before the breaker last closed teach nothing: they speak of the channel as it was.

use crate::breaker::{Change, Evidence};
use crate::budget::Taken;
use crate::health::UNNOTICED;
use crate::slot::{Record, Slot};
use crate::sync::MutexGuard;
use crate::waiting::Place;
use crate::{Cause, Kind, Micros, Outcome, Pool};

/// A trial must be this many times as fast as the slack allows, relative to the fastest channel.
const FAST_ENOUGH: f64 = 2.5;

/// An attempt as its ticket knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    pub(crate) at: Micros,
    pub(crate) place: Place,
    pub(crate) taken: Taken,
    pub(crate) streaming: bool,
    pub(crate) trial: bool,
    pub(crate) jitter: u64,
}

/// Something that an attempt has come to, and whom it concerns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Report<'a> {
    pub(crate) pool: &'a Pool,
    pub(crate) slot: &'a Slot,
    pub(crate) sent: &'a Sent,
    pub(crate) now: Micros,
}

// === impl Sent ===

impl Sent {
    /// A trial is decided by its first token: after that it is an attempt like any other.
    const fn evidence(&self, had_token: bool, now: Micros) -> Evidence {
        Evidence { sent: self.at, trial: self.trial && !had_token, jitter: self.jitter, now }
    }
}

// === impl Report ===

impl Report<'_> {
    /// The first token came. Returns its time in seconds, scaled to that of streams.
    pub(crate) fn first_token(&self) -> f64 {
        let Self { slot, sent, now, .. } = *self;
        let fleet = self.pool.fleet();
        let seconds = now.since(sent.at).seconds();
        fleet.learn_typical(sent.streaming, seconds);
        let seconds = seconds * fleet.scale(sent.streaming);
        let mut record = slot.lock();
        if slot.room(sent.streaming).leave(sent.place) {
            record.latency.token(seconds, now);
            record.refusals.let_in(now);
            let is_fast = || fleet.best().is_none_or(|best| self.is_fast(seconds, best));
            if record.breaker.token(slot.gate(), sent.evidence(false, now), is_fast) == Change::Closed {
                slot.begin_anew(&mut record, now);
            }
        }
        self.settle(record);
        seconds
    }

    /// The attempt is over. `token` is what [`Report::first_token`] returned, if it was called.
    pub(crate) fn finish(&self, token: Option<f64>, outcome: Outcome) {
        self.slot.leave(self.sent.taken, &outcome);
        self.learn_lateness(token, outcome.kind);
        let token = match (token, outcome.kind) {
            // A good answer of which no token was reported came as a whole.
            (None, Kind::Ok) => Some(self.first_token()),
            (token, _) => token,
        };
        self.conclude(token, outcome);
    }

    /// There was no attempt.
    pub(crate) fn take_back(&self) {
        // As of one that never arrived.
        self.slot.leave(self.sent.taken, &Outcome::of(Kind::Connect));
        self.conclude(None, Outcome::of(Kind::Cancelled));
    }

    fn conclude(&self, token: Option<f64>, outcome: Outcome) {
        let Self { slot, sent, .. } = *self;
        let room = slot.room(sent.streaming);
        let mut record = slot.lock();
        let is_current = if token.is_none() { room.leave(sent.place) } else { room.is_current(sent.place) };
        if is_current {
            self.learn(&mut record, token, outcome);
        }
        self.settle(record);
    }

    fn is_fast(&self, seconds: f64, best: f64) -> bool {
        seconds <= FAST_ENOUGH * self.pool.layout().params.slack * (best + UNNOTICED)
    }

    fn learn_lateness(&self, token: Option<f64>, kind: Kind) {
        let lateness = self.pool.fleet().lateness(self.sent.streaming);
        let total = self.now.since(self.sent.at);
        if kind == Kind::Ok {
            // A stream's scale is 1: its time until the first token is what it was.
            let token = token.filter(|_| self.sent.streaming).map(Micros::from_seconds);
            lateness.answered(token.unwrap_or(total));
        } else if token.is_none() && matches!(kind, Kind::Cancelled | Kind::Cut) {
            lateness.given_up(total);
        }
    }

    /// Draws the conclusions for the channel, and then for the fleet.
    fn settle(&self, mut record: MutexGuard<'_, Record>) {
        let (layout, fleet) = (self.pool.layout(), self.pool.fleet());
        self.slot.settle(&mut record, self.now, layout.surroundings(fleet, self.sent.jitter));
        drop(record);
        layout.reported(fleet);
    }

    fn learn(&self, record: &mut Record, token: Option<f64>, outcome: Outcome) {
        let Self { slot, sent, now, .. } = *self;
        let fleet = self.pool.fleet();
        let evidence = sent.evidence(token.is_some(), now);
        let waited = now.since(sent.at).seconds() * fleet.scale(sent.streaming);
        match outcome.kind {
            Kind::Ok => {
                record.errors.good(now);
                if sent.streaming {
                    record.limit.answered(waited - token.unwrap_or(waited));
                }
            }
            Kind::ServerError(_) | Kind::Connect | Kind::BrokenStream | Kind::BadAnswer => {
                record.errors.bad(now);
                record.breaker.bad(slot.gate(), evidence);
                if matches!(outcome.kind, Kind::ServerError(503 | 529)) && outcome.retry_after.is_some() {
                    slot.block_until(record.block.refused(sent.at, outcome.retry_after, now));
                }
            }
            Kind::Timeout => {
                if token.is_none() {
                    record.latency.nothing(waited, now);
                }
                record.errors.bad(now);
                record.breaker.bad(slot.gate(), evidence);
            }
            Kind::Cut => {
                if token.is_none() {
                    record.latency.nothing(waited, now);
                }
                if sent.trial {
                    record.breaker.bad(slot.gate(), evidence);
                }
            }
            Kind::Cancelled => {
                if token.is_none() {
                    record.latency.nothing((waited - slot.latency(fleet.reference())).max(0.0), now);
                }
                record.breaker.undecided(slot.gate(), evidence);
            }
            Kind::Credentials => record.breaker.refused(slot.gate(), evidence, Cause::Credentials),
            Kind::Unserved => record.breaker.refused(slot.gate(), evidence, Cause::Unserved),
            Kind::RateLimited => {
                slot.block_until(record.block.refused(sent.at, outcome.retry_after, now));
                record.refusals.refused(now);
                record.breaker.undecided(slot.gate(), evidence);
            }
            Kind::CallerError(_) => record.breaker.undecided(slot.gate(), evidence),
        }
    }
}
