use std::sync::Arc;

use gateway_domain::ChannelId;

use crate::budget::{Account, Rates};
use crate::fleet::Fleet;
use crate::hash::{place, race, race_above};
use crate::health::Crowd;
use crate::limit::Limit;
use crate::slot::{Slot, Surroundings};
use crate::sync::{AtomicU64, Ordering};
use crate::{ChannelSpec, Micros, Params, PolicyKind};

/// A pool that has so many attempts in flight is busy: a channel that joins it starts slowly.
const BUSY: f64 = 8.0;
/// How many channels a report may look at on average to sum up the fleet.
const SUMMANDS: u64 = 8;
/// A channel's latency counts for the fleet's from this much evidence on.
const HEARD: f64 = 0.3;

/// A pool's configuration, immutable, with the state of its channels at their places.
#[derive(Debug)]
pub(crate) struct Layout {
    /// The channels by tier, the first tier first.
    pub(crate) tiers: Box<[Box<[Seat]>]>,
    pub(crate) policy: PolicyKind,
    pub(crate) params: Params,
    /// How many channels have weight.
    pub(crate) serving: usize,
    /// One report in so many sums up.
    stride: u64,
    /// No channel's published numbers are too old before this moment, in microseconds.
    fresh_until: AtomicU64,
}

/// A channel's place in a configuration.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) id: ChannelId,
    pub(crate) key64: u64,
    pub(crate) account64: u64,
    pub(crate) weight: f64,
    pub(crate) tier: u8,
    pub(crate) max: Option<u32>,
    pub(crate) rates: Rates,
    pub(crate) slot: Arc<Slot>,
}

// === impl Layout ===

impl Layout {
    /// Places channels that passed [`spec::check`](crate::spec::check). Those that `former` has keep their state, while
    /// they are the same account.
    pub(crate) fn new(
        specs: &[ChannelSpec],
        policy: PolicyKind,
        params: Params,
        former: Option<&Self>,
        fleet: &Fleet,
        mut account: impl FnMut(&ChannelSpec) -> Arc<Account>,
    ) -> Self {
        let weight: f64 = specs.iter().map(|spec| spec.weight).sum();
        let busy: f64 =
            former.map_or(0.0, |former| former.seats().map(|seat| f64::from(seat.slot.inflight())).sum());
        let mut seats: Vec<Seat> = specs
            .iter()
            .map(|spec| {
                let same = |seat: &&Seat| seat.account64 == spec.account64;
                let slot = former.and_then(|former| former.seat(spec.id)).filter(same).map_or_else(
                    || {
                        let limit = if busy >= BUSY && weight > 0.0 {
                            Limit::joining(busy * spec.weight / weight, fleet.seen())
                        } else {
                            Limit::unknown()
                        };
                        Arc::new(Slot::new(limit, account(spec)))
                    },
                    |seat| Arc::clone(&seat.slot),
                );
                let ChannelSpec { id, key64, account64, weight, tier, max_concurrency: max, .. } = *spec;
                Seat { id, key64, account64, weight, tier, max, rates: Rates::of(spec), slot }
            })
            .collect();
        seats.sort_by_key(|seat| seat.tier);
        let mut tiers: Vec<Vec<Seat>> = Vec::new();
        for seat in seats {
            match tiers.last_mut() {
                Some(tier) if tier.first().is_some_and(|first| first.tier == seat.tier) => tier.push(seat),
                _ => tiers.push(vec![seat]),
            }
        }
        let stride = (u64::try_from(specs.len()).unwrap_or(u64::MAX) / SUMMANDS).max(1);
        Self {
            tiers: tiers.into_iter().map(Vec::into_boxed_slice).collect(),
            policy,
            params,
            serving: specs.iter().filter(|spec| spec.weight > 0.0).count(),
            stride,
            fresh_until: AtomicU64::new(0),
        }
    }

    /// A copy that shares nothing with this layout.
    pub(crate) fn copy(&self) -> Self {
        let copy = |seat: &Seat| Seat { slot: Arc::new(seat.slot.copy()), ..*seat };
        let tiers = self.tiers.iter().map(|tier| tier.iter().map(copy).collect()).collect();
        let fresh_until = AtomicU64::new(self.fresh_until.load(Ordering::Relaxed));
        Self { tiers, fresh_until, ..*self }
    }

    pub(crate) fn seats(&self) -> impl Iterator<Item = &Seat> {
        self.tiers.iter().flat_map(|tier| tier.iter())
    }

    pub(crate) fn seat(&self, id: ChannelId) -> Option<&Seat> {
        self.seats().find(|seat| seat.id == id)
    }

    /// Whether these specs would give this layout.
    pub(crate) fn is_as(&self, specs: &[ChannelSpec], policy: PolicyKind, params: Params) -> bool {
        self.policy == policy
            && self.params == params
            && self.seats().count() == specs.len()
            && specs.iter().all(|spec| self.seat(spec.id).is_some_and(|seat| seat.is_as(spec)))
    }

    pub(crate) fn surroundings<'a>(&self, fleet: &'a Fleet, jitter: u64) -> Surroundings<'a> {
        Surroundings {
            fleet,
            slack: self.params.slack,
            judges_latency: self.policy == PolicyKind::Adaptive,
            jitter,
        }
    }

    /// Computes anew what is too old, before a decision.
    pub(crate) fn freshen(&self, fleet: &Fleet, now: Micros, jitter: u64) {
        // Numbers only get younger, so that what was read here some time ago still holds.
        if now.0 < self.fresh_until.load(Ordering::Relaxed) {
            return;
        }
        let mut changed = false;
        let mut fresh_until = Micros(u64::MAX);
        for seat in self.seats() {
            if seat.slot.fresh_until() <= now {
                seat.slot.refresh(now, self.surroundings(fleet, jitter));
                changed = true;
            }
            fresh_until = fresh_until.min(seat.slot.fresh_until());
        }
        self.fresh_until.store(fresh_until.0, Ordering::Relaxed);
        if changed {
            self.sum_up(fleet);
        }
    }

    /// After a report: publishes the fleet's figures, in a large pool not every time.
    pub(crate) fn reported(&self, fleet: &Fleet) {
        if fleet.report(self.stride) {
            self.sum_up(fleet);
        }
    }

    /// Publishes the fleet's figures from those of its channels.
    fn sum_up(&self, fleet: &Fleet) {
        let reference = fleet.reference();
        let (mut weight, mut speed, mut best) = (0.0, 0.0, f64::INFINITY);
        for seat in self.seats() {
            if seat.slot.evidence() > HEARD && seat.weight > 0.0 && seat.slot.is_in_use() {
                let latency = seat.slot.latency(reference);
                weight += seat.weight;
                speed += seat.weight / latency;
                best = latency.min(best);
            }
        }
        fleet.publish((speed > 0.0).then(|| weight / speed), best);
    }
}

// === impl Seat ===

impl Seat {
    /// `w/E`: the channel's place in a key's order, the greatest first.
    pub(crate) fn race(&self, key: u64) -> f64 {
        race(self.weight, place(key, self.key64))
    }

    /// [`Seat::race`], unless it is certainly no greater than `best`.
    pub(crate) fn race_above(&self, key: u64, best: f64) -> Option<f64> {
        race_above(self.weight, place(key, self.key64), best)
    }

    /// How many attempts it may have in flight: configured or learned, whichever is less.
    pub(crate) fn limit(&self) -> f64 {
        self.max.map_or(f64::INFINITY, f64::from).min(self.slot.limit())
    }

    /// Whether it is at its configured concurrency.
    pub(crate) fn is_full(&self) -> bool {
        self.max.is_some_and(|max| self.slot.occupancy() >= max)
    }

    fn is_as(&self, spec: &ChannelSpec) -> bool {
        let Self { id, key64, account64, weight, tier, max, rates, slot: _ } = self;
        *id == spec.id
            && *key64 == spec.key64
            && *account64 == spec.account64
            && weight.total_cmp(&spec.weight).is_eq()
            && *tier == spec.tier
            && *max == spec.max_concurrency
            && *rates == Rates::of(spec)
    }
}

// === impl Crowd ===

impl Crowd {
    /// Counts a channel that is in use, unless it is full.
    pub(crate) fn add(&mut self, seat: &Seat) {
        let inflight = f64::from(seat.slot.inflight());
        if inflight < seat.limit() {
            self.inflight += inflight;
            self.weight += seat.weight;
        }
    }
}
