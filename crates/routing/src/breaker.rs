//! Takes a channel out when it fails, and lets it back by trial.
//!
//! ```text
//!            4 failures in a row, or far slower than another; refused key or model (60 s)
//!   Closed ────────────────────────────────────────────────────────────────────► Open { until }
//!     ▲                                                                            │    ▲
//!     │ 2 good trials: all is forgotten, slow start                   until passed,│    │ bad trial:
//!     │                                                               one request  ▼    │ 1.6 × longer, ≤ 6 s
//!     └──────────────────────────────────────────────────────────────────────── Trial ──┘
//! ```
//!
//! A trial is a real request, so it must not be a sacrifice: the first request whose home the channel is takes it
//! (its prompt may still be in the cache there), it has a short deadline, at most 2 % of requests are trials, and a
//! retry never is one. Two seconds after a trial fell due any request takes it; ten seconds after, even one whose
//! session is at home elsewhere. A trial is decided by its first token: the rest of the stream takes ten times as long
//! and tells nothing more of whether the channel is there and quick. What breaks later is a failure like any other.
//! A trial of which nothing is heard for ten seconds decides nothing any more, and keeps nobody from taking the next one:
//! it may hang until its call is out of time, long after the channel is well again.
//! Between the first and the second good trial the channel is Open again with a time
//! that has passed. A 429, a caller's error or a cancelled trial decides nothing.
//!
//! The good end of a stream does not interrupt a row of failures, only a first token does: streams that began before
//! an outage go on ending well all through it.
//!
//! Waiting times are spread by ±20 % so that replicas do not try together. Backing off is short (6 s at most),
//! because a trial costs one request a retry at most, and half the time between trials is lost after an outage.
//!
//! What decides is read and taken with one atomic word; the rest is kept under the slot's lock.

use crate::hash::unit;
use crate::sync::{AtomicU64, Ordering};
use crate::{Cause, Micros, State};

/// Failures in a row that open.
const FAILURES: u32 = 4;
/// The first waiting time, in seconds.
const FIRST_WAIT: f64 = 1.0;
/// By how much a waiting time grows with each bad trial.
const BACK_OFF: f64 = 1.6;
/// The longest waiting time, in seconds.
const LONGEST_WAIT: f64 = 6.0;
/// How far a waiting time is spread to either side.
const JITTER: f64 = 0.2;
/// How long a refused key or model keeps a channel out, in seconds.
const REFUSED_WAIT: f64 = 60.0;
/// How long a trial keeps others from trying. An answer that comes whole may take longer; a second trial beside it costs
/// little.
const TRIAL_ALONE: Micros = Micros::from_millis(10_000);
/// Good trials that close.
const GOOD_TRIALS: u8 = 2;

/// What a decision sees of a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Position {
    /// In use.
    Closed,
    /// Out of use; a trial is due from `until` on.
    Open { until: Micros },
    /// Out of use, and a trial is on its way since then.
    Trial { since: Micros },
}

/// A breaker's position, read and changed without a lock.
#[derive(Debug, Default)]
pub(crate) struct Gate(AtomicU64);

/// The part of a breaker that reports change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Breaker {
    failures: u32,
    wait: f64,
    good_trials: u8,
    cause: Option<Cause>,
    opened_at: Micros,
    /// Until when a refusal keeps the channel out. A good trial overrules it.
    refused_until: Micros,
}

/// What a report has done to a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Nothing that others must know of.
    None,
    /// The channel is back: what was known of it is of the past.
    Closed,
}

/// An attempt, as far as a breaker cares.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Evidence {
    /// When it was sent.
    pub(crate) sent: Micros,
    /// Whether it was a trial.
    pub(crate) trial: bool,
    /// What spreads a waiting time that follows from it.
    pub(crate) jitter: u64,
    /// The moment of the report.
    pub(crate) now: Micros,
}

// === impl Gate ===

impl Gate {
    pub(crate) fn get(&self) -> Position {
        decode(self.0.load(Ordering::Relaxed))
    }

    pub(crate) fn set(&self, position: Position) {
        self.0.store(encode(position), Ordering::Relaxed);
    }

    /// Takes the trial that is due; false when somebody else has.
    pub(crate) fn take_trial(&self, due: Position, now: Micros) -> bool {
        let trial = encode(Position::Trial { since: now });
        self.0.compare_exchange(encode(due), trial, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Makes the trial that was taken at `sent` due again; nothing when others have decided meanwhile.
    pub(crate) fn give_back(&self, sent: Micros, due: Micros) {
        let due = encode(Position::Open { until: due });
        let _decided = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |word| {
            decode(word).is_trial_of(sent).then_some(due)
        });
    }

    /// Opens until then, unless a trial is on its way, which may be taken at this very moment.
    fn open_unless_tried(&self, until: Micros) {
        let open = encode(Position::Open { until });
        let _tried = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |word| {
            (!matches!(decode(word), Position::Trial { .. })).then_some(open)
        });
    }
}

impl Clone for Gate {
    fn clone(&self) -> Self {
        Self(AtomicU64::new(self.0.load(Ordering::Relaxed)))
    }
}

// === impl Position ===

impl Position {
    /// Since when a trial is due, if it is.
    pub(crate) fn due(self, now: Micros) -> Option<Micros> {
        match self {
            Self::Open { until } if until <= now => Some(until),
            Self::Trial { since } if now.since(since) >= TRIAL_ALONE => Some(since.after(TRIAL_ALONE)),
            Self::Open { .. } | Self::Closed | Self::Trial { .. } => None,
        }
    }

    /// Whether the trial that is on its way is the one that was taken at that time, and not one that came after it.
    fn is_trial_of(self, sent: Micros) -> bool {
        matches!(self, Self::Trial { since } if sent >= since)
    }

    pub(crate) fn state(self, now: Micros) -> State {
        match self {
            Self::Closed => State::Closed,
            Self::Open { until } if until > now => State::Open,
            Self::Open { .. } | Self::Trial { .. } => State::Half,
        }
    }

    /// How long until a trial is due.
    pub(crate) fn remaining(self, now: Micros) -> Micros {
        match self {
            Self::Open { until } => until.since(now),
            Self::Closed | Self::Trial { .. } => Micros(0),
        }
    }
}

const fn encode(position: Position) -> u64 {
    match position {
        Position::Closed => 0,
        Position::Open { until } => (until.0 << 2) | 1,
        Position::Trial { since } => (since.0 << 2) | 2,
    }
}

const fn decode(word: u64) -> Position {
    match word & 3 {
        1 => Position::Open { until: Micros(word >> 2) },
        2 => Position::Trial { since: Micros(word >> 2) },
        _ => Position::Closed,
    }
}

// === impl Breaker ===

impl Breaker {
    pub(crate) const fn new() -> Self {
        Self {
            failures: 0,
            wait: FIRST_WAIT,
            good_trials: 0,
            cause: None,
            opened_at: Micros(0),
            refused_until: Micros(0),
        }
    }

    pub(crate) const fn cause(&self) -> Option<Cause> {
        self.cause
    }

    /// A first token, which came as fast as the others' or not: failures are not in a row any more, and a trial is decided.
    pub(crate) fn token(
        &mut self,
        gate: &Gate,
        evidence: Evidence,
        is_fast: impl FnOnce() -> bool,
    ) -> Change {
        self.failures = 0;
        if gate.get() == Position::Closed || !self.concerns(evidence) {
            return Change::None;
        }
        if !is_fast() {
            if is_trial(gate, evidence) {
                self.wait_longer(gate, evidence);
            }
            return Change::None;
        }
        self.good_trials += 1;
        if self.good_trials < GOOD_TRIALS {
            if is_trial(gate, evidence) {
                self.refused_until = Micros(0);
                gate.set(Position::Open { until: evidence.now });
            }
            return Change::None;
        }
        *self = Self::new();
        gate.set(Position::Closed);
        Change::Closed
    }

    /// A failure. Opens when it is one too many in a row.
    pub(crate) fn bad(&mut self, gate: &Gate, evidence: Evidence) {
        self.failures = self.failures.saturating_add(1);
        if is_trial(gate, evidence) {
            self.wait_longer(gate, evidence);
        } else if gate.get() == Position::Closed && self.failures >= FAILURES {
            self.open(gate, Cause::Failures, evidence.now, evidence.jitter);
        }
    }

    /// The channel is far slower than another.
    pub(crate) fn slow(&mut self, gate: &Gate, now: Micros, jitter: u64) {
        self.open(gate, Cause::Slow, now, jitter);
    }

    /// The channel's key was refused, or it does not know the model.
    pub(crate) fn refused(&mut self, gate: &Gate, evidence: Evidence, cause: Cause) {
        self.opened_at = evidence.now;
        self.cause = Some(cause);
        self.good_trials = 0;
        self.refused_until = evidence.now.after(Micros::from_seconds(REFUSED_WAIT));
        if is_trial(gate, evidence) {
            gate.set(Position::Open { until: self.refused_until });
        } else {
            // Were the gate opened under a trial that is still on its way, a second would overlap it in a minute.
            gate.open_unless_tried(self.refused_until);
        }
    }

    /// The attempt decided nothing; a trial is due again.
    pub(crate) fn undecided(&self, gate: &Gate, evidence: Evidence) {
        if evidence.trial {
            gate.give_back(evidence.sent, evidence.now.max(self.refused_until));
        }
    }

    /// Trials concern an open breaker, and so does whatever else was sent since it opened (in panic, everything).
    fn concerns(&self, evidence: Evidence) -> bool {
        evidence.trial || evidence.sent >= self.opened_at
    }

    fn open(&mut self, gate: &Gate, cause: Cause, now: Micros, jitter: u64) {
        self.wait = FIRST_WAIT;
        self.good_trials = 0;
        self.cause = Some(cause);
        self.opened_at = now;
        gate.set(Position::Open { until: self.until(now, jitter) });
    }

    fn wait_longer(&mut self, gate: &Gate, evidence: Evidence) {
        self.wait = (self.wait * BACK_OFF).min(LONGEST_WAIT);
        self.good_trials = 0;
        let until = self.until(evidence.now, evidence.jitter).max(self.refused_until);
        gate.set(Position::Open { until });
    }

    fn until(&self, now: Micros, jitter: u64) -> Micros {
        let spread = 1.0 + 2.0 * JITTER * (unit(jitter) - 0.5);
        now.after(Micros::from_seconds(self.wait * spread))
    }
}

/// Whether the attempt is the trial that is on its way: one whose channel came back meanwhile is any other attempt, and so is
/// one that another has followed.
fn is_trial(gate: &Gate, evidence: Evidence) -> bool {
    evidence.trial && gate.get().is_trial_of(evidence.sent)
}

#[cfg(test)]
mod tests;
