//! The walk: through a tier in a key's order, to the first channel that the key accepts.
//!
//! Nothing is sorted. Most walks end at their first step, which the pass over the tier has found already; for the next
//! ones a pass each that mostly compares hashes is cheaper than the race of every channel.

use crate::decide::Choice;
use crate::field::Field;
use crate::hash::loyalty;
use crate::health::{Crowd, threshold};
use crate::layout::Seat;

/// How many channels a walk looks for one by one, after its first, before it gathers all that are left.
const STROLL: usize = 3;

/// What a walk came to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Walk<'a> {
    /// With its health.
    pub(crate) accepted: Option<(f64, &'a Seat)>,
    /// The greatest race times health of those that were not.
    pub(crate) best: Option<(f64, &'a Seat)>,
}

impl<'a> Choice<'a> {
    /// The first in the key's order of those that may be chosen and whose race is less than `behind`.
    pub(crate) fn first_behind(
        &self,
        tier: &'a [Seat],
        key: u64,
        behind: Option<f64>,
    ) -> Option<(f64, &'a Seat)> {
        let mut first = None;
        let mut first_race = f64::NEG_INFINITY;
        for seat in tier.iter().filter(|seat| self.is_candidate(seat)) {
            let race = seat.race_above(key, first_race).filter(|race| behind.is_none_or(|it| *race < it));
            if let Some(race) = race
                && race > first_race
            {
                (first_race, first) = (race, Some((race, seat)));
            }
        }
        first
    }

    /// Goes through a tier in the key's order to the first channel that the key accepts.
    pub(crate) fn walk(
        &self,
        tier: &'a [Seat],
        first: Option<(f64, &'a Seat)>,
        crowd: Crowd,
        key: u64,
    ) -> Walk<'a> {
        let Some((race, seat)) = first else { return Walk::default() };
        let health = self.factors(seat, crowd).health();
        if accepts(health, seat, key) {
            return Walk { accepted: Some((health, seat)), best: None };
        }
        self.walk_on(tier, key, crowd, (race, health, seat))
    }

    /// The walk when its first step, from `(race, health, seat)`, was not the last.
    #[inline(never)]
    fn walk_on(
        &self,
        tier: &'a [Seat],
        key: u64,
        crowd: Crowd,
        (mut behind, health, seat): (f64, f64, &'a Seat),
    ) -> Walk<'a> {
        let mut best = Some((behind * health, seat));
        // Most walks are short: until then it is cheaper to look for the next than to know the order of all.
        for _ in 0..STROLL {
            let Some((race, seat)) = self.first_behind(tier, key, Some(behind)) else {
                return Walk { accepted: None, best };
            };
            let health = self.factors(seat, crowd).health();
            if accepts(health, seat, key) {
                return Walk { accepted: Some((health, seat)), best };
            }
            best = greater(best, Some((race * health, seat)));
            behind = race;
        }
        let mut field = Field::for_tier(tier.len());
        for seat in tier.iter().filter(|seat| self.is_candidate(seat)) {
            let race = seat.race(key);
            if race < behind {
                field.push(race, seat);
            }
        }
        while let Some((race, seat)) = field.take_first() {
            let health = self.factors(seat, crowd).health();
            if accepts(health, seat, key) {
                return Walk { accepted: Some((health, seat)), best };
            }
            best = greater(best, Some((race * health, seat)));
        }
        Walk { accepted: None, best }
    }
}

/// Whether a key accepts a channel in such health.
pub(crate) fn accepts(health: f64, seat: &Seat, key: u64) -> bool {
    health >= threshold(loyalty(key, seat.key64))
}

/// The greater of two, the first when they are level.
pub(crate) fn greater<'a>(a: Option<(f64, &'a Seat)>, b: Option<(f64, &'a Seat)>) -> Option<(f64, &'a Seat)> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if b.0 > a.0 { b } else { a }),
        (a, b) => a.or(b),
    }
}
