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
use crate::slot::{Record, Slot, Surroundings};
use crate::waiting::Place;
use crate::{Cause, Kind, Micros, Outcome};

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

// === impl Sent ===

impl Sent {
    /// A trial is decided by its first token: after that it is an attempt like any other.
    const fn evidence(&self, had_token: bool, now: Micros) -> Evidence {
        Evidence { sent: self.at, trial: self.trial && !had_token, jitter: self.jitter, now }
    }
}

/// The first token came. Returns its time in seconds, scaled to that of streams.
pub(crate) fn first_token(slot: &Slot, sent: &Sent, now: Micros, around: Surroundings<'_>) -> f64 {
    let seconds = now.since(sent.at).seconds();
    around.fleet.learn_typical(sent.streaming, seconds);
    let seconds = seconds * around.fleet.scale(sent.streaming);
    let room = slot.room(sent.streaming);
    let mut record = slot.lock();
    if room.is_current(sent.place) {
        room.leave(sent.place);
        record.latency.token(seconds, now);
        record.refusals.let_in(now);
        let is_fast = |best| seconds <= FAST_ENOUGH * around.slack * (best + UNNOTICED);
        let fast = around.fleet.best().is_none_or(is_fast);
        if record.breaker.token(slot.gate(), sent.evidence(false, now), || fast) == Change::Closed {
            slot.begin_anew(&mut record, now);
        }
    }
    slot.settle(&mut record, now, around);
    seconds
}

/// The attempt is over. `token` is what [`first_token`] returned, if it was called.
pub(crate) fn finish(
    slot: &Slot,
    sent: &Sent,
    token: Option<f64>,
    outcome: Outcome,
    now: Micros,
    around: Surroundings<'_>,
) {
    slot.leave(sent.taken, &outcome);
    let (lateness, total) = (around.fleet.lateness(sent.streaming), now.since(sent.at));
    if outcome.kind == Kind::Ok {
        // A stream's scale is 1: its time until the first token is what it was.
        let token = token.filter(|_| sent.streaming).map(Micros::from_seconds);
        lateness.answered(token.unwrap_or(total));
    } else if token.is_none() && matches!(outcome.kind, Kind::Cancelled | Kind::Cut) {
        lateness.given_up(total);
    }
    let token = match (token, outcome.kind) {
        // A good answer of which no token was reported came as a whole.
        (None, Kind::Ok) => Some(first_token(slot, sent, now, around)),
        (token, _) => token,
    };
    let room = slot.room(sent.streaming);
    let mut record = slot.lock();
    if room.is_current(sent.place) {
        if token.is_none() {
            room.leave(sent.place);
        }
        learn(slot, &mut record, sent, token, outcome, now, around);
    }
    slot.settle(&mut record, now, around);
}

fn learn(
    slot: &Slot,
    record: &mut Record,
    sent: &Sent,
    token: Option<f64>,
    outcome: Outcome,
    now: Micros,
    around: Surroundings<'_>,
) {
    let evidence = sent.evidence(token.is_some(), now);
    let waited = now.since(sent.at).seconds() * around.fleet.scale(sent.streaming);
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
                record.latency.nothing((waited - slot.latency(around.fleet.reference())).max(0.0), now);
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
