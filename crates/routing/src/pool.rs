use std::sync::{Arc, PoisonError};

use arc_swap::ArcSwap;
use gateway_domain::ChannelId;

use crate::account;
use crate::budget::Account;
use crate::decide::{Choice, Pick};
use crate::fleet::Fleet;
use crate::hash::{Purpose, draw};
use crate::layout::Layout;
use crate::report::Sent;
use crate::sync::Mutex;
use crate::{
    BuildError, ChannelSpec, ChannelView, Decision, Explain, Micros, NoRoute, Params, PolicyKind, Request,
    Ticket, spec,
};

/// How often a decision starts again because others took the last place or budget of the chosen channel meanwhile.
const TRIES: u32 = 8;

/// The channels of one model, what is known of them, and the choice among them.
///
/// Shared by reference ([`Arc`]) among threads. Decisions wait for nobody and, but for [`NoRoute::Unavailable`],
/// allocate nothing; reports hold a lock of their channel for some dozen nanoseconds.
#[derive(Debug)]
pub struct Pool {
    layout: ArcSwap<Layout>,
    fleet: Arc<Fleet>,
    /// Held while the layout is replaced, so that no change is lost.
    changing: Mutex<()>,
}

// === impl Pool ===

impl Pool {
    /// A pool of these channels, of which nothing is known yet.
    pub fn new(specs: &[ChannelSpec], policy: PolicyKind, params: Params) -> Result<Self, BuildError> {
        spec::check(specs, &params)?;
        Ok(Self::build(specs, policy, params, new_account))
    }

    /// Changes the configuration. Channels that stay keep what is known of them; only the sessions of channels that
    /// join, leave or change their weight move. Attempts in flight are not affected.
    pub fn update(
        &self,
        specs: &[ChannelSpec],
        policy: PolicyKind,
        params: Params,
    ) -> Result<(), BuildError> {
        spec::check(specs, &params)?;
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let layout = self.layout.load();
        let next = Layout::new(specs, policy, params, Some(&layout), &self.fleet, new_account);
        self.layout.store(Arc::new(next));
        Ok(())
    }

    /// Takes note of an outside verdict on a channel's health. Until it is taken back, a channel with a verdict
    /// against it gets traffic only when nothing else is left. No verdict is a good one.
    pub fn set_admitted(&self, id: ChannelId, admitted: bool) {
        if let Some(seat) = self.layout.load().seat(id) {
            seat.slot.set_admitted(admitted);
        }
    }

    /// Chooses a channel for one attempt.
    ///
    /// `seed` should differ from request to request; it is all the chance there is. Equal pools that are told the
    /// same things in the same order decide the same.
    pub fn decide(self: &Arc<Self>, r: &Request<'_>, now: Micros, seed: u64) -> Result<Decision, NoRoute> {
        let layout = self.layout.load();
        self.prepare(&layout, r, now, seed);
        let choice = Choice { layout: &layout, fleet: &self.fleet, request: r, now, seed };
        for _ in 0..TRIES {
            let pick = choice.pick().ok_or_else(|| choice.refusal())?;
            let Pick { seat, probe, .. } = pick;
            let Some(taken) = seat.slot.account().enter(seat.max, seat.rates, r.prompt_tokens, now) else {
                pick.give_back(now);
                continue;
            };
            let place = seat.slot.send(now, r.streaming, r.attempt == 0);
            if layout.policy == PolicyKind::RoundRobin {
                self.fleet.next_turn();
            }
            let jitter = draw(seed, Purpose::Jitter);
            let sent = Sent { at: now, place, taken, streaming: r.streaming, trial: probe, jitter };
            let ticket = Ticket::new(Arc::clone(self), Arc::clone(&seat.slot), seat.id, sent);
            return Ok(Decision {
                channel: seat.id,
                ticket,
                reason: pick.reason,
                first_token_deadline: pick.deadline,
                probe,
                panic: pick.panic,
                home: pick.home,
                health: pick.health,
                hedge_after: choice.hedge_after(),
            });
        }
        Err(choice.refusal())
    }

    /// What [`Pool::decide`] would answer to the same arguments, and why. Changes nothing.
    ///
    /// It is the same code, run on a copy of the pool.
    pub fn explain(&self, r: &Request<'_>, now: Micros, seed: u64) -> Explain {
        let twin = self.copy();
        let layout = twin.layout.load();
        twin.prepare(&layout, r, now, seed);
        account::explain(&Choice { layout: &layout, fleet: &twin.fleet, request: r, now, seed })
    }

    /// The channels as they stand, in order of tier.
    pub fn views(&self, now: Micros) -> Vec<ChannelView> {
        let twin = self.copy();
        let layout = twin.layout.load();
        layout.freshen(&twin.fleet, now, 0);
        account::views(&layout, &twin.fleet, now)
    }

    pub(crate) fn build(
        specs: &[ChannelSpec],
        policy: PolicyKind,
        params: Params,
        account: impl FnMut(&ChannelSpec) -> Arc<Account>,
    ) -> Self {
        let fleet = Arc::new(Fleet::new());
        let layout = Layout::new(specs, policy, params, None, &fleet, account);
        Self { layout: ArcSwap::from_pointee(layout), fleet, changing: Mutex::default() }
    }

    /// A pool with another configuration that shares the state of the channels they have in common, so that this one
    /// can go on deciding for requests that began with it.
    pub(crate) fn succeed(
        &self,
        specs: &[ChannelSpec],
        policy: PolicyKind,
        params: Params,
        account: impl FnMut(&ChannelSpec) -> Arc<Account>,
    ) -> Self {
        let layout = self.layout.load();
        let next = Layout::new(specs, policy, params, Some(&layout), &self.fleet, account);
        Self {
            layout: ArcSwap::from_pointee(next),
            fleet: Arc::clone(&self.fleet),
            changing: Mutex::default(),
        }
    }

    pub(crate) fn fleet(&self) -> &Fleet {
        &self.fleet
    }

    pub(crate) fn layout(&self) -> arc_swap::Guard<Arc<Layout>> {
        self.layout.load()
    }

    fn prepare(&self, layout: &Layout, r: &Request<'_>, now: Micros, seed: u64) {
        self.fleet.see(now);
        if r.attempt == 0 {
            self.fleet.request();
        }
        layout.freshen(&self.fleet, now, draw(seed, Purpose::Jitter));
    }

    fn copy(&self) -> Self {
        Self {
            layout: ArcSwap::from_pointee(self.layout.load().copy()),
            fleet: Arc::new(Fleet::clone(&self.fleet)),
            changing: Mutex::default(),
        }
    }
}

fn new_account(_: &ChannelSpec) -> Arc<Account> {
    Arc::default()
}
