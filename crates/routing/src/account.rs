//! Tells what decisions are made from: explanations, views and refusals.

use crate::decide::{Choice, Pick};
use crate::fleet::Fleet;
use crate::hash::{loyalty, place};
use crate::health::{Crowd, threshold};
use crate::layout::{Layout, Seat};
use crate::view::State;
use crate::{
    Candidate, ChannelSet, ChannelView, Chosen, Explain, Limited, Micros, NoRoute, Request, Verdict,
};

/// The account of a decision. Takes what the decision takes: meant for a copy of the pool.
pub(crate) fn explain(choice: &Choice<'_>) -> Explain {
    let (key, keyed) = choice.key();
    let mut candidates = Vec::new();
    let mut home = None;
    for tier in &choice.layout.tiers {
        let scan = choice.scan(tier, key);
        home = home.or(scan.home);
        candidates.extend(tier.iter().map(|seat| candidate(choice, seat, key, scan.crowd)));
    }
    let chosen = choice.pick().map(|pick| pick.chosen(choice.hedge_after())).ok_or_else(|| choice.refusal());
    Explain {
        policy: choice.layout.policy,
        seed: choice.seed,
        key,
        keyed,
        home: home.map(|seat| seat.id),
        chosen,
        reference_ms: choice.fleet.reference() * 1000.0,
        candidates,
    }
}

/// Every channel as it stands.
pub(crate) fn views(layout: &Layout, fleet: &Fleet, now: Micros) -> Vec<ChannelView> {
    let excluded = ChannelSet::new();
    let request = Request {
        session: None,
        pinned: None,
        streaming: true,
        prompt_tokens: 0,
        attempt: 0,
        excluded: &excluded,
        filter: None,
    };
    let choice = Choice { layout, fleet, request: &request, now, seed: 0 };
    let mut views = Vec::new();
    let mut expected = 1.0;
    for tier in &layout.tiers {
        let crowd = choice.scan(tier, 0).crowd;
        let weight: f64 = tier.iter().map(|seat| seat.weight).sum();
        for seat in tier {
            let share = if weight > 0.0 { expected * seat.weight / weight } else { 0.0 };
            views.push(ChannelView { expected_share: share, ..view(&choice, seat, crowd) });
        }
        if weight > 0.0 {
            expected = 0.0;
        }
    }
    let all: f64 = views.iter().map(|view| view.share).sum();
    if all > 0.0 {
        for view in &mut views {
            view.share /= all;
        }
    }
    views
}

fn candidate(choice: &Choice<'_>, seat: &Seat, key: u64, crowd: Crowd) -> Candidate {
    let factors = choice.factors(seat, crowd);
    let threshold = threshold(loyalty(key, seat.key64));
    let limited = choice.limited(seat);
    Candidate {
        id: seat.id,
        weight: seat.weight,
        tier: seat.tier,
        u: place(key, seat.key64),
        race: seat.race(key),
        latency_ms: seat.slot.latency(choice.fleet.reference()) * 1000.0,
        f_lat: factors.latency,
        p: seat.slot.success(),
        f_err: factors.errors,
        refused: seat.slot.refused(),
        inflight: seat.slot.inflight(),
        limit: seat.known_limit(),
        f_load: factors.load,
        h: factors.health(),
        threshold,
        state: seat.slot.gate().get().state(choice.now),
        blocked_ms: limited.map_or(0, |(until, _)| until.since(choice.now).millis_up()),
        limited_by: limited.map(|(_, by)| by),
        verdict: choice.verdict(seat, factors.health() >= threshold),
    }
}

/// With the recent first attempts themselves in place of their share.
fn view(choice: &Choice<'_>, seat: &Seat, crowd: Crowd) -> ChannelView {
    let factors = choice.factors(seat, crowd);
    let position = seat.slot.gate().get();
    let limited = choice.limited(seat);
    let mut record = seat.slot.lock();
    record.firsts.count(seat.slot.firsts(), choice.now);
    ChannelView {
        id: seat.id,
        weight: seat.weight,
        tier: seat.tier,
        admitted: seat.slot.is_admitted(),
        state: position.state(choice.now),
        cause: record.breaker.cause(),
        open_ms: position.remaining(choice.now).millis_up(),
        blocked_ms: limited.map_or(0, |(until, _)| until.since(choice.now).millis_up()),
        limited_by: limited.map(|(_, by)| by),
        latency_ms: seat.slot.latency(choice.fleet.reference()) * 1000.0,
        error_rate: 1.0 - seat.slot.success(),
        refused: seat.slot.refused(),
        inflight: seat.slot.inflight(),
        waiting: seat.slot.waiting(),
        limit: seat.known_limit(),
        f_lat: factors.latency,
        f_err: factors.errors,
        f_load: factors.load,
        h: factors.health(),
        score: if choice.is_candidate(seat) { seat.weight * factors.health() } else { 0.0 },
        share: record.firsts.recent(),
        expected_share: 0.0,
    }
}

impl Choice<'_> {
    /// Until when a limit keeps the request from a channel, and which.
    pub(crate) fn limited(&self, seat: &Seat) -> Option<(Micros, Limited)> {
        seat.slot.limited(seat.rates, self.request.prompt_tokens, self.now)
    }

    /// What keeps a channel out, or whether it is `well` enough for the key.
    pub(crate) fn verdict(&self, seat: &Seat, well: bool) -> Verdict {
        if seat.weight <= 0.0 {
            Verdict::ZeroWeight
        } else if !self.is_served_by(seat) {
            Verdict::Filtered
        } else if self.request.excluded.contains(seat.id) {
            Verdict::Excluded
        } else if !seat.slot.is_admitted() {
            Verdict::NotAdmitted
        } else if self.limited(seat).is_some() {
            Verdict::Limited
        } else if seat.is_full() {
            Verdict::Full
        } else if seat.slot.gate().get().state(self.now) != State::Closed {
            Verdict::Open
        } else if well {
            Verdict::Accepted
        } else {
            Verdict::BelowThreshold
        }
    }

    /// Why no channel can be chosen.
    #[cold]
    pub(crate) fn refusal(&self) -> NoRoute {
        let mut serving = self.layout.seats().filter(|seat| self.is_served_by(seat)).peekable();
        if serving.peek().is_none() {
            return NoRoute::Empty;
        }
        let mut left = serving.filter(|seat| !self.request.excluded.contains(seat.id)).peekable();
        if left.peek().is_none() {
            return NoRoute::AllExcluded;
        }
        let until = left.try_fold(Micros(u64::MAX), |first, seat| {
            let (until, _) = self.limited(seat)?;
            Some(first.min(until))
        });
        match until {
            Some(until) => NoRoute::AllLimited { retry_after: until.since(self.now) },
            None => NoRoute::Unavailable {
                exclusions: self.layout.seats().map(|seat| (seat.id, self.verdict(seat, true))).collect(),
            },
        }
    }
}

impl Pick<'_> {
    /// Undoes the decision: no attempt was sent.
    pub(crate) fn give_back(&self, now: Micros) {
        if self.probe {
            self.seat.slot.gate().give_back(now, now);
        }
    }

    fn chosen(&self, hedge_after: Option<Micros>) -> Chosen {
        Chosen {
            channel: self.seat.id,
            reason: self.reason,
            first_token_deadline: self.deadline,
            probe: self.probe,
            panic: self.panic,
            home: self.home,
            health: self.health,
            hedge_after,
        }
    }
}

impl Seat {
    fn known_limit(&self) -> Option<f64> {
        let limit = self.limit();
        limit.is_finite().then_some(limit)
    }
}
