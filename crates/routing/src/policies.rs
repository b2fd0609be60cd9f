//! The policies that are simpler than the adaptive one.
//!
//! They choose among the same candidates, and stay with the pinned channel while it is one. All weighted draws are
//! races: the greatest `w/E` wins with probability `w/Σw` (see `hash.rs`), so the draw needs one pass and no sum.

use crate::PolicyKind;
use crate::decide::Choice;
use crate::layout::Seat;

/// The least that errors leave of a score in [`PolicyKind::WeightedScore`].
const LEAST_SUCCESS: f64 = 0.1;

impl<'a> Choice<'a> {
    /// The choice of a policy other than the adaptive one in a tier.
    pub(crate) fn prefer_simply(&self, tier: &'a [Seat], key: u64) -> Option<&'a Seat> {
        let reference = self.fleet.reference();
        let scored = |seat: &Seat| seat.scored(key, reference);
        let candidates = || tier.iter().filter(|seat| self.is_candidate(seat));
        match self.layout.policy {
            PolicyKind::Adaptive | PolicyKind::Weighted => {
                candidates().max_by(|a, b| a.race(key).total_cmp(&b.race(key)))
            }
            PolicyKind::WeightedScore => candidates().max_by(|a, b| scored(a).total_cmp(&scored(b))),
            PolicyKind::LeastInflight => candidates().min_by(|a, b| {
                a.load().total_cmp(&b.load()).then_with(|| b.race(key).total_cmp(&a.race(key)))
            }),
            PolicyKind::RoundRobin => {
                let among = u64::try_from(candidates().count()).ok()?;
                let turn = self.fleet.turn().checked_rem(among)?;
                candidates().nth(usize::try_from(turn).ok()?)
            }
        }
    }
}

impl Seat {
    /// A race with the weight of the original gateway's score.
    fn scored(&self, key: u64, reference: f64) -> f64 {
        self.race(key) * self.slot.success().max(LEAST_SUCCESS) / (1.0 + self.slot.latency(reference))
    }

    /// Attempts in flight per weight, this one included.
    fn load(&self) -> f64 {
        (f64::from(self.slot.inflight()) + 1.0) / self.weight
    }
}
