//! Random stories of a pool, and the world they happen in.

use std::sync::Arc;

use gateway_routing::{
    ChannelId, ChannelSet, ChannelSpec, Chosen, Decision, Kind, Micros, NoRoute, Outcome, Params, PolicyKind,
    Pool, Request, SessionKey, Ticket, stable_hash,
};
use proptest::prelude::*;

const KINDS: [Kind; 12] = [
    Kind::Ok,
    Kind::ServerError(500),
    Kind::ServerError(503),
    Kind::Connect,
    Kind::Timeout,
    Kind::BrokenStream,
    Kind::BadAnswer,
    Kind::RateLimited,
    Kind::CallerError(400),
    Kind::Credentials,
    Kind::Cut,
    Kind::Unserved,
];

/// Something that happens to a pool.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Ask {
        session: Option<u64>,
        pinned: Option<i64>,
        streaming: bool,
        prompt_tokens: u32,
        attempt: u8,
        excluded: u8,
        filter: Option<u8>,
    },
    FirstToken {
        which: usize,
    },
    Finish {
        which: usize,
        kind: usize,
        retry_after: Option<u64>,
        tokens: u32,
    },
    Exhausted {
        which: usize,
        millis: u64,
    },
    Drop {
        which: usize,
    },
    Wait {
        millis: u64,
    },
    GoBack {
        millis: u64,
    },
    Admit {
        id: i64,
        admitted: bool,
    },
    Weigh {
        weights: Vec<f64>,
    },
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let ask =
        (
            prop::option::weighted(0.7, 0..40_u64),
            prop::option::weighted(0.3, 0..8_i64),
            any::<bool>(),
            prop_oneof![Just(0), 1..3000_u32],
            0..3_u8,
            prop_oneof![2 => Just(0_u8), 1 => any::<u8>()],
            prop::option::weighted(0.1, any::<u8>()),
        )
            .prop_map(|(session, pinned, streaming, prompt_tokens, attempt, excluded, filter)| {
                Step::Ask { session, pinned, streaming, prompt_tokens, attempt, excluded, filter }
            });
    prop_oneof![
        8 => ask,
        4 => (0..64_usize).prop_map(|which| Step::FirstToken { which }),
        5 => (0..64_usize, 0..KINDS.len(), prop::option::of(0..20_000_u64), prop_oneof![Just(0), 1..9000_u32])
            .prop_map(|(which, kind, retry_after, tokens)| Step::Finish { which, kind, retry_after, tokens }),
        1 => (0..64_usize, 0..200_000_u64).prop_map(|(which, millis)| Step::Exhausted { which, millis }),
        1 => (0..64_usize).prop_map(|which| Step::Drop { which }),
        5 => prop_oneof![0..100_u64, 0..3000_u64, Just(60_000_u64)].prop_map(|millis| Step::Wait { millis }),
        1 => (0..5000_u64).prop_map(|millis| Step::GoBack { millis }),
        1 => (0..8_i64, any::<bool>()).prop_map(|(id, admitted)| Step::Admit { id, admitted }),
        1 => weights().prop_map(|weights| Step::Weigh { weights }),
    ]
}

pub(crate) fn weights() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(prop_oneof![1 => Just(0.0), 6 => 0.01..100.0_f64], 1..8)
}

pub(crate) fn specs(weights: &[f64]) -> Vec<ChannelSpec> {
    let spec = |(id, weight): (i64, &f64)| ChannelSpec {
        id: ChannelId(id),
        key64: stable_hash(&id.to_le_bytes()),
        account64: 0,
        weight: *weight,
        tier: u8::from(id % 4 == 3),
        max_concurrency: (id == 2).then_some(3),
        requests_per_minute: (id == 1).then_some(20),
        tokens_per_minute: (id == 4).then_some(5000),
    };
    (0..).zip(weights).map(spec).collect()
}

pub(crate) fn members(mask: u8) -> ChannelSet {
    (0..8).filter(|id| mask >> id & 1 == 1).map(ChannelId).collect()
}

/// A pool, its time and its attempts.
pub(crate) struct World {
    pub(crate) pool: Arc<Pool>,
    pub(crate) now: Micros,
    asked: u64,
    pub(crate) live: Vec<Ticket>,
    weights: Vec<f64>,
    admitted: [bool; 8],
}

impl World {
    pub(crate) fn new(weights: &[f64], policy: PolicyKind) -> Self {
        let pool = Pool::new(&specs(weights), policy, Params::default()).expect("sound");
        Self {
            pool: Arc::new(pool),
            now: Micros::from_millis(100_000),
            asked: 0,
            live: Vec::new(),
            weights: weights.to_vec(),
            admitted: [true; 8],
        }
    }

    /// Takes a step; `check` sees every decision before it is known to anybody else.
    pub(crate) fn take(
        &mut self,
        step: &Step,
        policy: PolicyKind,
        mut check: impl FnMut(&Self, &Request<'_>, u64, &Result<Decision, NoRoute>),
    ) {
        match *step {
            Step::Ask { session, pinned, streaming, prompt_tokens, attempt, excluded, filter } => {
                self.asked += 1;
                let excluded = members(excluded);
                let filter = filter.map(members);
                let request = Request {
                    session: session.map(|session| SessionKey(stable_hash(&session.to_le_bytes()))),
                    pinned: pinned.map(ChannelId),
                    streaming,
                    prompt_tokens,
                    attempt,
                    excluded: &excluded,
                    filter: filter.as_ref(),
                };
                let seed = stable_hash(&self.asked.to_be_bytes());
                let explained = self.pool.explain(&request, self.now, seed);
                let before = self.pool.views(self.now);
                assert_eq!(
                    self.pool.explain(&request, self.now, seed),
                    explained,
                    "explaining changes nothing"
                );
                assert_eq!(self.pool.views(self.now), before, "explaining changes nothing");
                let decided = self.pool.decide(&request, self.now, seed);
                assert_eq!(explained.chosen, decided.as_ref().map(chosen).map_err(Clone::clone));
                check(self, &request, seed, &decided);
                self.live.extend(decided.ok().map(|decision| decision.ticket));
            }
            Step::FirstToken { which } => {
                let now = self.now;
                if let Some(ticket) = self.live.get_mut(which) {
                    ticket.first_token(now);
                }
            }
            Step::Exhausted { which, millis } => {
                if let Some(ticket) = self.live.get(which) {
                    ticket.exhausted(Micros::from_millis(millis), self.now);
                }
            }
            Step::Finish { which, kind, retry_after, tokens } => {
                if which < self.live.len()
                    && let Some(kind) = KINDS.get(kind)
                {
                    let retry_after = retry_after.map(Micros::from_millis);
                    let outcome = Outcome { retry_after, output_tokens: tokens, ..Outcome::of(*kind) };
                    self.live.swap_remove(which).finish(outcome, self.now);
                }
            }
            Step::Drop { which } => {
                if which < self.live.len() {
                    drop(self.live.swap_remove(which));
                }
            }
            Step::Wait { millis } => self.now = self.now.after(Micros::from_millis(millis)),
            Step::GoBack { millis } => {
                self.now = Micros(self.now.0.saturating_sub(Micros::from_millis(millis).0));
            }
            Step::Admit { id, admitted } => {
                self.pool.set_admitted(ChannelId(id), admitted);
                let exists = usize::try_from(id).is_ok_and(|id| id < self.weights.len());
                if let Some(known) = self.admitted.get_mut(usize::try_from(id).unwrap_or(8))
                    && exists
                {
                    *known = admitted;
                }
            }
            Step::Weigh { ref weights } => {
                self.pool.update(&specs(weights), policy, Params::default()).expect("sound");
                // Channels that are gone are forgotten, verdict and all.
                self.admitted.iter_mut().skip(weights.len()).for_each(|known| *known = true);
                self.weights.clone_from(weights);
            }
        }
    }

    pub(crate) fn weight(&self, id: ChannelId) -> f64 {
        usize::try_from(id.0).ok().and_then(|id| self.weights.get(id)).copied().unwrap_or(0.0)
    }

    pub(crate) fn is_admitted(&self, id: ChannelId) -> bool {
        usize::try_from(id.0).ok().and_then(|id| self.admitted.get(id)).copied().unwrap_or(false)
    }
}

pub(crate) fn chosen(decision: &Decision) -> Chosen {
    Chosen {
        channel: decision.channel,
        reason: decision.reason,
        first_token_deadline: decision.first_token_deadline,
        probe: decision.probe,
        panic: decision.panic,
        home: decision.home,
        health: decision.health,
        hedge_after: decision.hedge_after,
    }
}

pub(crate) fn policy() -> impl Strategy<Value = PolicyKind> {
    prop_oneof![4 => Just(PolicyKind::Adaptive), 1 => prop::sample::select(&PolicyKind::ALL[1..])]
}
