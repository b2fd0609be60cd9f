use std::sync::Arc;

use gateway_domain::ChannelId;

use crate::block;
use crate::breaker::Position;
use crate::decide::Choice;
use crate::report::{Report, Sent};
use crate::slot::Slot;
use crate::{ChannelSet, Kind, Micros, Outcome, Pool, Request};

/// A channel below this health looks bad enough to give up an attempt.
const BAD: f64 = 0.3;
/// Another channel is a good place to try again when it is above this health…
const GOOD: f64 = 0.7;
/// … uses less than this part of its limit…
const ROOMY: f64 = 0.8;
/// … and is so many times faster.
const TIMES_FASTER: f64 = 3.0;

/// One attempt in flight.
///
/// Tell it of the first token and of the end. Dropping it says that the attempt was cancelled, at the latest moment
/// that the pool has been told of.
#[derive(Debug)]
#[must_use = "dropping a ticket reports that the attempt was cancelled"]
pub struct Ticket {
    pool: Arc<Pool>,
    slot: Arc<Slot>,
    channel: ChannelId,
    sent: Sent,
    /// The time until the first token, in seconds, once it has come.
    token: Option<f64>,
    over: bool,
}

// === impl Ticket ===

impl Ticket {
    pub(crate) const fn new(pool: Arc<Pool>, slot: Arc<Slot>, channel: ChannelId, sent: Sent) -> Self {
        Self { pool, slot, channel, sent, token: None, over: false }
    }

    /// The channel that the attempt goes to.
    pub fn channel(&self) -> ChannelId {
        self.channel
    }

    /// The first token of the answer (or its first byte, when it is no stream) has come. Only the first call counts.
    pub fn first_token(&mut self, now: Micros) {
        if self.token.is_none() {
            self.pool.fleet().see(now);
            let report = Report { pool: &self.pool, slot: &self.slot, sent: &self.sent, now };
            self.token = Some(report.first_token());
        }
    }

    /// Asked when [`Decision::first_token_deadline`](crate::Decision::first_token_deadline) has passed without a
    /// token: whether to give up this attempt, report [`Kind::Cut`], and decide again. When not, keep waiting up to
    /// your own hard limit.
    ///
    /// A trial is always given up. Any other attempt only if its channel looks bad by now, a much faster one has
    /// room, and not too many have been given up lately: a yes takes from that budget, so ask once.
    pub fn confirm_cut(&self, now: Micros) -> bool {
        if self.token.is_some() {
            return false;
        }
        self.pool.fleet().see(now);
        if self.sent.trial {
            return true;
        }
        let layout = self.pool.layout();
        let fleet = self.pool.fleet();
        layout.freshen(fleet, now, self.sent.jitter);
        let mut excluded = ChannelSet::new();
        excluded.insert(self.channel);
        let request = Request {
            session: None,
            pinned: None,
            streaming: self.sent.streaming,
            prompt_tokens: self.sent.taken.reserved,
            attempt: 1,
            excluded: &excluded,
            filter: None,
        };
        let reference = fleet.reference();
        let choice = Choice { layout: &layout, fleet, request: &request, now, seed: self.sent.jitter };
        let crowds = layout.tiers.iter().map(|tier| (tier, choice.scan(tier, 0).crowd));
        let mut looks_bad = self.slot.gate().get() != Position::Closed || !self.slot.is_admitted();
        let mut has_better = false;
        for (tier, crowd) in crowds {
            for seat in tier {
                let health = choice.factors(seat, crowd).health();
                if seat.id == self.channel {
                    looks_bad |= health < BAD;
                } else if choice.is_candidate(seat) {
                    let roomy = f64::from(seat.slot.inflight()) < ROOMY * seat.limit();
                    let faster = TIMES_FASTER * seat.slot.latency(reference) < self.slot.latency(reference);
                    has_better |= health > GOOD && roomy && faster;
                }
            }
        }
        looks_bad && has_better && fleet.take_cut()
    }

    /// The upstream's headers say that its budget is used up, for so long: the channel is left alone as after a 429
    /// with that `Retry-After`, but nothing was refused and no guess grows. At least half a second, at most two
    /// minutes; nothing when `wait` is 0.
    pub fn exhausted(&self, wait: Micros, now: Micros) {
        self.pool.fleet().see(now);
        if wait > Micros(0) {
            self.slot.block_until(now.after(block::announced(wait)));
        }
    }

    /// The attempt is over.
    pub fn finish(mut self, outcome: Outcome, now: Micros) {
        self.pool.fleet().see(now);
        self.report(outcome, now);
    }

    /// The attempt was decided for and not made. What it took of the channel's budgets is given back, a trial is due again,
    /// and nothing is learned.
    pub fn unsent(mut self, now: Micros) {
        self.pool.fleet().see(now);
        self.over = true;
        Report { pool: &self.pool, slot: &self.slot, sent: &self.sent, now }.take_back();
    }

    fn report(&mut self, outcome: Outcome, now: Micros) {
        self.over = true;
        Report { pool: &self.pool, slot: &self.slot, sent: &self.sent, now }.finish(self.token, outcome);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.over {
            let now = self.pool.fleet().seen();
            self.report(Outcome::of(Kind::Cancelled), now);
        }
    }
}
