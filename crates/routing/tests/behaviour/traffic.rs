//! A small world around a pool: its time, its requests, and upstreams that answer as told.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use gateway_routing::{
    ChannelId, ChannelSet, ChannelSpec, ChannelView, Decision, Explain, Kind, Micros, NoRoute, Outcome,
    Params, PolicyKind, Pool, Request, SessionKey, Ticket, stable_hash,
};

/// A channel of this weight, in the first tier, whose identifier is its place in the list.
pub(crate) fn channel(id: i64, weight: f64) -> ChannelSpec {
    let key64 = stable_hash(format!("channel-{id}").as_bytes());
    ChannelSpec {
        id: ChannelId(id),
        key64,
        account64: 0,
        weight,
        tier: 0,
        max_concurrency: None,
        requests_per_minute: None,
        tokens_per_minute: None,
    }
}

pub(crate) fn channels(weights: &[f64]) -> Vec<ChannelSpec> {
    (0..).zip(weights).map(|(id, weight)| channel(id, *weight)).collect()
}

pub(crate) fn set(ids: &[i64]) -> ChannelSet {
    ids.iter().copied().map(ChannelId).collect()
}

/// What an upstream does with an attempt.
#[derive(Clone, Copy)]
pub(crate) enum Manner {
    /// First token and end after so many milliseconds.
    Answer(u64, u64),
    /// Ends like this after so many milliseconds, without a token.
    Fail(Kind, u64),
    /// Nothing, until the hard limit after so many milliseconds.
    Hang(u64),
}

pub(crate) struct World {
    pub(crate) pool: Arc<Pool>,
    pub(crate) now: Micros,
    pub(crate) manners: Vec<Manner>,
    pub(crate) streaming: bool,
    asked: u64,
    events: BinaryHeap<Reverse<(Micros, u64, bool)>>,
    live: BTreeMap<u64, (Ticket, Manner)>,
}

impl World {
    pub(crate) fn of(specs: &[ChannelSpec]) -> Self {
        Self::with(specs, PolicyKind::Adaptive, Params::default())
    }

    pub(crate) fn with(specs: &[ChannelSpec], policy: PolicyKind, params: Params) -> Self {
        let pool = Arc::new(Pool::new(specs, policy, params).expect("the specification is sound"));
        Self {
            pool,
            now: Micros::from_millis(1_000_000),
            manners: vec![Manner::Answer(400, 1400); specs.len()],
            streaming: true,
            asked: 0,
            events: BinaryHeap::new(),
            live: BTreeMap::new(),
        }
    }

    /// Decides for a request, changed from the plainest as told.
    pub(crate) fn ask(&mut self, change: impl FnOnce(&mut Request<'_>)) -> Result<Decision, NoRoute> {
        self.asked += 1;
        let none = ChannelSet::new();
        let mut request = plain(&none, self.streaming);
        change(&mut request);
        self.pool.decide(&request, self.now, stable_hash(&self.asked.to_le_bytes()))
    }

    /// As [`World::ask`], with channels to leave out.
    pub(crate) fn ask_without(&mut self, excluded: &ChannelSet) -> Result<Decision, NoRoute> {
        self.asked += 1;
        let request = plain(excluded, self.streaming);
        self.pool.decide(&request, self.now, stable_hash(&self.asked.to_le_bytes()))
    }

    pub(crate) fn explain(&self, change: impl FnOnce(&mut Request<'_>)) -> Explain {
        let none = ChannelSet::new();
        let mut request = plain(&none, self.streaming);
        change(&mut request);
        self.pool.explain(&request, self.now, 7)
    }

    pub(crate) fn view(&self, id: i64) -> ChannelView {
        let views = self.pool.views(self.now);
        views.into_iter().find(|view| view.id == ChannelId(id)).expect("the channel is in the pool")
    }

    pub(crate) fn sleep(&mut self, millis: u64) {
        self.now = self.now.after(Micros::from_millis(millis));
    }

    /// One request of session `key` that is sent to one channel and ends so.
    pub(crate) fn report(&mut self, id: i64, kind: Kind) {
        self.report_with(id, Outcome::of(kind));
    }

    pub(crate) fn report_with(&mut self, id: i64, outcome: Outcome) {
        let only = set(&[id]);
        self.asked += 1;
        let none = ChannelSet::new();
        let mut request = plain(&none, self.streaming);
        request.filter = Some(&only);
        let decision = self.pool.decide(&request, self.now, self.asked).expect("the channel may be chosen");
        decision.ticket.finish(outcome, self.now);
    }

    /// Traffic: so many requests a second for so many seconds, of so many sessions (0: of none). Returns how many
    /// first attempts went to each channel. Failures are retried elsewhere, twice.
    pub(crate) fn run(&mut self, seconds: u64, rate: u64, sessions: u64) -> Vec<u32> {
        let mut counts = vec![0_u32; self.manners.len()];
        for _ in 0..seconds * rate {
            let next = self.now.after(Micros(1_000_000 / rate));
            self.settle_until(next);
            let key = (sessions > 0).then(|| SessionKey(stable_hash(&(self.asked % sessions).to_be_bytes())));
            if let Some(place) = self.send(key, &ChannelSet::new(), 0)
                && let Some(count) = counts.get_mut(place)
            {
                *count += 1;
            }
        }
        counts
    }

    /// Waits until the attempts in flight are over.
    pub(crate) fn settle(&mut self) {
        self.settle_until(self.now.after(Micros::from_millis(3000)));
    }

    /// Lets time pass, and whatever happens to attempts meanwhile.
    pub(crate) fn settle_until(&mut self, until: Micros) {
        while let Some(Reverse((at, attempt, is_token))) = self.events.pop() {
            if at > until {
                self.events.push(Reverse((at, attempt, is_token)));
                break;
            }
            self.now = self.now.max(at);
            self.happen(attempt, is_token);
        }
        self.now = until;
    }

    fn send(&mut self, session: Option<SessionKey>, excluded: &ChannelSet, attempt: u8) -> Option<usize> {
        self.asked += 1;
        let request = Request { session, attempt, ..plain(excluded, self.streaming) };
        let decision = self.pool.decide(&request, self.now, stable_hash(&self.asked.to_le_bytes())).ok()?;
        let place = usize::try_from(decision.channel.0).ok()?;
        let manner = *self.manners.get(place)?;
        let after = |millis| self.now.after(Micros::from_millis(millis));
        match manner {
            Manner::Answer(token, end) => {
                self.events.push(Reverse((after(token), self.asked, true)));
                self.events.push(Reverse((after(end), self.asked, false)));
            }
            Manner::Fail(_, end) | Manner::Hang(end) => {
                self.events.push(Reverse((after(end), self.asked, false)));
            }
        }
        if let Some(deadline) = decision.first_token_deadline {
            self.events.push(Reverse((self.now.after(deadline), self.asked, true)));
        }
        self.live.insert(self.asked, (decision.ticket, manner));
        Some(place)
    }

    /// A token, a first-token deadline (the same event while an attempt hangs), or the end.
    fn happen(&mut self, attempt: u64, is_token: bool) {
        let Some((mut ticket, manner)) = self.live.remove(&attempt) else { return };
        let tried: ChannelSet = [ticket.channel()].into_iter().collect();
        match (manner, is_token) {
            (Manner::Answer(..), true) => {
                ticket.first_token(self.now);
                self.live.insert(attempt, (ticket, manner));
                return;
            }
            (Manner::Answer(..), false) => return ticket.finish(Outcome::of(Kind::Ok), self.now),
            (Manner::Fail(..) | Manner::Hang(_), true) => {
                if !ticket.confirm_cut(self.now) {
                    self.live.insert(attempt, (ticket, manner));
                    return;
                }
                ticket.finish(Outcome::of(Kind::Cut), self.now);
            }
            (Manner::Fail(kind, _), false) => ticket.finish(Outcome::of(kind), self.now),
            (Manner::Hang(_), false) => ticket.finish(Outcome::of(Kind::Timeout), self.now),
        }
        self.send(None, &tried, 1);
    }
}

/// A request without a session that has tried nothing but `excluded`.
pub(crate) fn plain(excluded: &ChannelSet, streaming: bool) -> Request<'_> {
    Request { session: None, pinned: None, streaming, prompt_tokens: 0, attempt: 0, excluded, filter: None }
}

/// The share of a channel in percent.
pub(crate) fn percent(counts: &[u32], place: usize) -> f64 {
    let all: u32 = counts.iter().sum();
    let one = counts.get(place).copied().unwrap_or(0);
    100.0 * f64::from(one) / f64::from(all.max(1))
}
