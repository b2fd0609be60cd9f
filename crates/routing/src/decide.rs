//! The whole decision, as a function of what the pool was told and of the arguments.
//!
//! ```text
//! one channel only?  ──► it, unless it is rate limited or full
//! tier by tier:
//!   trial     the breaker of the key's home is due for one, and the budget allows it
//!   pinned    the session's last channel, while its health passes the key's threshold
//!   walk      channels in the key's order; the first whose health passes
//! nobody passed      ──► the one with the greatest weight · health, in the key's draw
//! nobody is in use   ──► panic: the least bad of all that is left
//! nobody is left     ──► why
//! ```
//!
//! The key is the session's, or drawn. A request without a session walks with two keys and takes the emptier of the
//! two channels, relative to their weight and health: two random choices bring most of the balance that looking at
//! all of them would (Mitzenmacher 1996), they keep the weights, and they do not herd.
//!
//! The policies other than the adaptive one replace only the walk, see `policies.rs`.

use gateway_domain::ChannelId;

use crate::fleet::Fleet;
use crate::hash::{Purpose, draw};
use crate::health::{Crowd, Factors, error_factor, latency_factor, load_factor, rate_factor};
use crate::layout::{Layout, Seat};
use crate::walk::{Walk, accepts, greater};
use crate::{Micros, PolicyKind, Reason, Request, breaker};

/// How long a trial waits for a request that is at home before any request takes it…
const TRIAL_FOR_ANY: Micros = Micros::from_millis(2_000);
/// … and before even a request whose session has a channel takes it.
const TRIAL_FOR_PINNED: Micros = Micros::from_millis(10_000);
/// First-token deadlines, in seconds and in multiples: at least, of the channel's latency, of the best latency.
const DEADLINE: (f64, f64, f64) = (3.0, 6.0, 3.0);
/// Deadlines of trials, in seconds and in multiples of the best latency.
const TRIAL_DEADLINE: (f64, f64) = (0.8, 2.5);

/// One decision in the making.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choice<'a> {
    pub(crate) layout: &'a Layout,
    pub(crate) fleet: &'a Fleet,
    pub(crate) request: &'a Request<'a>,
    pub(crate) now: Micros,
    pub(crate) seed: u64,
}

/// A decision made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pick<'a> {
    pub(crate) seat: &'a Seat,
    pub(crate) reason: Reason,
    pub(crate) probe: bool,
    pub(crate) panic: bool,
    pub(crate) deadline: Option<Micros>,
    pub(crate) home: Option<ChannelId>,
    /// h.
    pub(crate) health: f64,
}

/// What one pass over a tier found for one key.
#[derive(Debug)]
pub(crate) struct Scan<'a> {
    /// The first in the key's order, whatever its state.
    pub(crate) home: Option<&'a Seat>,
    /// The first of those that may be chosen.
    first: Option<(f64, &'a Seat)>,
    pub(crate) crowd: Crowd,
    /// The home, when a trial of it is due.
    home_due: Option<&'a Seat>,
    /// The pinned channel, when a trial of it is due.
    pinned_due: Option<&'a Seat>,
    /// The trial that has been due the longest, and since when.
    longest_due: Option<(Micros, &'a Seat)>,
}

// === impl Choice ===

impl<'a> Choice<'a> {
    /// The key of the session, or else one drawn from the seed; and whether it is the session's.
    pub(crate) fn key(&self) -> (u64, bool) {
        match self.request.session {
            Some(session) if self.layout.params.sticky && self.is_adaptive() => (session.0, true),
            _ => (draw(self.seed, Purpose::FirstKey), false),
        }
    }

    /// Chooses a channel; `None` when none may be chosen. Takes a trial and its budget when it decides for one.
    pub(crate) fn pick(&self) -> Option<Pick<'a>> {
        if let Some(only) = self.only_one() {
            return self.pick_only(only);
        }
        let (key, keyed) = self.key();
        let mut home = None;
        let mut best: Option<(f64, &Seat)> = None;
        for tier in &self.layout.tiers {
            let scan = self.scan(tier, key);
            home = home.or(scan.home);
            if let Some(seat) = self.trial(&scan) {
                return Some(self.trial_pick(seat, scan.crowd, home.filter(|_| keyed)));
            }
            if let Some(chosen) = self.pinned(tier, key, scan.crowd) {
                return Some(self.chosen(chosen, home, keyed));
            }
            let walk = self.prefer(tier, &scan, key, keyed);
            if let Some(chosen) = walk.accepted {
                return Some(self.chosen(chosen, home, keyed));
            }
            best = greater(best, walk.best);
        }
        match best {
            Some((_, seat)) => Some(self.chosen((self.health(seat), seat), home, keyed)),
            None => self.panic(key, home.filter(|_| keyed)),
        }
    }

    /// Whether the request may use the channel in principle.
    pub(crate) fn is_served_by(&self, seat: &Seat) -> bool {
        seat.weight > 0.0 && self.request.filter.is_none_or(|filter| filter.contains(seat.id))
    }

    /// Whether the channel was not tried yet and has room.
    #[inline]
    fn is_free(&self, seat: &Seat) -> bool {
        let excluded = self.request.excluded;
        (excluded.is_empty() || !excluded.contains(seat.id)) && !seat.is_full()
    }

    /// Whether a channel that serves the request may be asked, its breaker apart.
    #[inline]
    fn is_askable(&self, seat: &Seat) -> bool {
        self.is_free(seat)
            && seat.slot.is_admitted()
            && seat.slot.blocked_until() <= self.now
            && self.is_within_budget(seat)
    }

    /// Whether the channel's own budgets have what the request needs.
    fn is_within_budget(&self, seat: &Seat) -> bool {
        seat.slot.over_budget(seat.rates, self.request.prompt_tokens, self.now).is_none()
    }

    /// See [`Decision::hedge_after`](crate::Decision::hedge_after).
    pub(crate) fn hedge_after(&self) -> Option<Micros> {
        self.fleet.lateness(self.request.streaming).late()
    }

    /// Whether the channel may be chosen.
    pub(crate) fn is_candidate(&self, seat: &Seat) -> bool {
        self.is_served_by(seat)
            && self.is_askable(seat)
            && seat.slot.gate().get() == breaker::Position::Closed
    }

    /// Health as it is now.
    pub(crate) fn factors(&self, seat: &Seat, crowd: Crowd) -> Factors {
        let slot = &seat.slot;
        let reference = self.fleet.reference();
        Factors {
            latency: latency_factor(slot.latency(reference), reference, self.layout.params.slack),
            errors: error_factor(slot.success()),
            load: rate_factor(slot.refused())
                * load_factor(f64::from(slot.inflight()), seat.limit(), seat.weight, crowd),
        }
    }

    /// h, where there was no pass over the channel's tier that it follows from.
    fn health(&self, seat: &Seat) -> f64 {
        let mut crowd = Crowd::default();
        let neighbours = self.layout.seats().filter(|other| other.tier == seat.tier);
        neighbours.filter(|other| self.is_candidate(other)).for_each(|other| crowd.add(other));
        self.factors(seat, crowd).health()
    }

    /// One pass over a tier.
    pub(crate) fn scan(&self, tier: &'a [Seat], key: u64) -> Scan<'a> {
        let mut scan = Scan {
            home: None,
            first: None,
            crowd: Crowd::default(),
            home_due: None,
            pinned_due: None,
            longest_due: None,
        };
        let (mut home_race, mut first_race) = (f64::NEG_INFINITY, f64::NEG_INFINITY);
        for seat in tier.iter().filter(|seat| self.is_served_by(seat)) {
            // The home is never behind the first of those that may be chosen.
            let race = seat.race_above(key, first_race).unwrap_or(f64::NEG_INFINITY);
            let is_home = race > home_race;
            if is_home {
                (home_race, scan.home, scan.home_due) = (race, Some(seat), None);
            }
            if !self.is_askable(seat) {
                continue;
            }
            match seat.slot.gate().get() {
                breaker::Position::Closed => {
                    scan.crowd.add(seat);
                    if race > first_race {
                        (first_race, scan.first) = (race, Some((race, seat)));
                    }
                }
                position @ (breaker::Position::Open { .. } | breaker::Position::Trial { .. }) => {
                    if let Some(since) = position.due(self.now) {
                        scan.due(seat, since, is_home, self.request.pinned == Some(seat.id));
                    }
                }
            }
        }
        scan
    }

    fn is_adaptive(&self) -> bool {
        self.layout.policy == PolicyKind::Adaptive
    }

    /// The only channel that serves the request, if there is but one.
    fn only_one(&self) -> Option<&'a Seat> {
        if self.request.filter.is_none() && self.layout.serving > 1 {
            return None;
        }
        let mut serving = self.layout.seats().filter(|seat| self.is_served_by(seat));
        let first = serving.next()?;
        serving.next().is_none().then_some(first)
    }

    /// With one channel the breaker only informs; its trials are whatever comes.
    fn pick_only(&self, seat: &'a Seat) -> Option<Pick<'a>> {
        if !self.is_free(seat) || seat.slot.blocked_until() > self.now || !self.is_within_budget(seat) {
            return None;
        }
        let position = seat.slot.gate().get();
        let probe = position.due(self.now).is_some() && seat.slot.gate().take_trial(position, self.now);
        Some(Pick {
            seat,
            reason: Reason::OnlyOne,
            probe,
            panic: !seat.slot.is_in_use(),
            deadline: None,
            home: self.key().1.then_some(seat.id),
            health: self.health(seat),
        })
    }

    /// A channel whose trial this request takes.
    fn trial(&self, scan: &Scan<'a>) -> Option<&'a Seat> {
        if self.request.attempt > 0 {
            return None;
        }
        let (mine, patience) = if self.pin().is_some() {
            (scan.pinned_due, TRIAL_FOR_PINNED)
        } else {
            (scan.home_due, TRIAL_FOR_ANY)
        };
        let overdue = scan.longest_due.filter(|(since, _)| self.now.since(*since) >= patience);
        let seat = mine.or(overdue.map(|(_, seat)| seat))?;
        let position = seat.slot.gate().get();
        let taken = position.due(self.now).is_some()
            && self.fleet.take_trial()
            && seat.slot.gate().take_trial(position, self.now);
        taken.then_some(seat)
    }

    fn pin(&self) -> Option<ChannelId> {
        self.request.pinned.filter(|_| self.layout.params.sticky)
    }

    /// The session's last channel, if it is in this tier and well enough.
    fn pinned(&self, tier: &'a [Seat], key: u64, crowd: Crowd) -> Option<(f64, &'a Seat)> {
        let pin = self.pin()?;
        let seat = tier.iter().find(|seat| seat.id == pin).filter(|seat| self.is_candidate(seat))?;
        let health = self.factors(seat, crowd).health();
        (!self.is_adaptive() || accepts(health, seat, key)).then_some((health, seat))
    }

    fn prefer(&self, tier: &'a [Seat], scan: &Scan<'a>, key: u64, keyed: bool) -> Walk<'a> {
        if !self.is_adaptive() {
            let accepted =
                self.prefer_simply(tier, key).map(|seat| (self.factors(seat, scan.crowd).health(), seat));
            return Walk { accepted, best: None };
        }
        let first = self.walk(tier, scan.first, scan.crowd, key);
        if keyed {
            return first;
        }
        let key = draw(self.seed, Purpose::SecondKey);
        let second = self.walk(tier, self.first_behind(tier, key, None), scan.crowd, key);
        let accepted = match (first.accepted, second.accepted) {
            (Some(a), Some(b)) => Some(if cost(b) < cost(a) { b } else { a }),
            (a, b) => a.or(b),
        };
        Walk { accepted, best: first.best }
    }

    fn chosen(&self, (health, seat): (f64, &'a Seat), home: Option<&Seat>, keyed: bool) -> Pick<'a> {
        let reason = if self.request.attempt > 0 {
            Reason::Retry
        } else if keyed && home.is_some_and(|home| home.id == seat.id) {
            Reason::Home
        } else if self.pin() == Some(seat.id) {
            Reason::Pinned
        } else if keyed {
            Reason::Spill
        } else {
            Reason::Keyless
        };
        let home = home.filter(|_| keyed).map(|home| home.id);
        Pick { seat, reason, probe: false, panic: false, deadline: self.deadline(seat), home, health }
    }

    /// When to ask whether the first attempt of a stream is worth waiting for.
    fn deadline(&self, seat: &Seat) -> Option<Micros> {
        if !self.has_deadlines() || self.request.attempt > 0 {
            return None;
        }
        let latency = seat.slot.latency(self.fleet.reference());
        let expected = self.fleet.best().map_or(latency, |best| latency.min(DEADLINE.2 * best));
        Some(Micros::from_seconds((DEADLINE.1 * expected).max(DEADLINE.0)))
    }

    fn trial_pick(&self, seat: &'a Seat, crowd: Crowd, home: Option<&Seat>) -> Pick<'a> {
        let best = self.fleet.best().unwrap_or(0.0);
        let deadline = Micros::from_seconds((TRIAL_DEADLINE.1 * best).max(TRIAL_DEADLINE.0));
        Pick {
            seat,
            reason: Reason::Probe,
            probe: true,
            panic: false,
            deadline: self.has_deadlines().then_some(deadline),
            home: home.map(|home| home.id),
            health: self.factors(seat, crowd).health(),
        }
    }

    fn has_deadlines(&self) -> bool {
        self.request.streaming && self.layout.params.cut && self.is_adaptive()
    }

    /// Ignores breakers and, when nothing else is left, outside verdicts.
    fn panic(&self, key: u64, home: Option<&Seat>) -> Option<Pick<'a>> {
        let seat = self.least_bad(key, true).or_else(|| self.least_bad(key, false))?;
        Some(Pick {
            seat,
            reason: Reason::Panic,
            probe: false,
            panic: true,
            deadline: None,
            home: home.map(|home| home.id),
            health: self.health(seat),
        })
    }

    /// The winner of a race by weight, draw and what is left of health. Nobody, if all are rate limited: an answer of 429 is
    /// certain there, and would only prolong the wait.
    fn least_bad(&self, key: u64, admitted: bool) -> Option<&'a Seat> {
        let mut best = None;
        let crowd = Crowd::default();
        for seat in self.layout.seats() {
            let may = self.is_served_by(seat) && self.is_free(seat) && self.is_within_budget(seat);
            if !may || seat.slot.is_admitted() != admitted || seat.slot.blocked_until() > self.now {
                continue;
            }
            let share = self.factors(seat, crowd).health() + 0.001;
            best = greater(best, Some((seat.race(key) * share, seat)));
        }
        best.map(|(_, seat)| seat)
    }
}

/// How full a channel in such health is, relative to what it should have.
fn cost((health, seat): (f64, &Seat)) -> f64 {
    (f64::from(seat.slot.inflight()) + 1.0) / (seat.weight * health)
}

// === impl Scan ===

impl<'a> Scan<'a> {
    fn due(&mut self, seat: &'a Seat, since: Micros, is_home: bool, is_pinned: bool) {
        if is_home {
            self.home_due = Some(seat);
        }
        if is_pinned {
            self.pinned_due = Some(seat);
        }
        if self.longest_due.is_none_or(|(longest, _)| since < longest) {
            self.longest_due = Some((since, seat));
        }
    }
}
