//! A pool under steady traffic, and the steps that are measured in it.
//!
//! A thousand requests a second; each answer begins after 400 ms and is whole after 900 ms. The clock moves on with
//! every decision and every attempt is reported, so that what is measured is what a gateway at work would pay, what
//! decisions compute anew for silent channels included.

use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::Arc;

use gateway_routing::{
    ChannelId, ChannelSet, ChannelSpec, Decision, Kind, Micros, Outcome, Params, PolicyKind, Pool, Reason,
    Request, SessionKey, Ticket, stable_hash,
};

/// Decisions are made, and attempts reported, at most so many at a time.
pub(crate) const ROUND: u64 = 16;
/// Time between two decisions.
const PACE: Micros = Micros::from_millis(1);
/// How many attempts wait for their first token, and how many for their end.
const WAITING: usize = 400;
const ANSWERING: usize = 500;
/// How many rounds the sick channel takes for an answer, which is an error every other time: enough to lose its
/// sessions, not enough to open its breaker.
const SICK_ROUNDS: usize = 25;
/// How many sessions requests are of, at least, and for each channel: few enough to find them soon, enough that
/// the sessions of one channel are not too many for it.
const SESSIONS: (usize, usize) = (64, 4);
/// How many decisions show that a scene is what it is called.
const SAMPLES: usize = 64;
/// How many rounds pass before anything is measured.
pub(crate) const WARM_UP: usize = 1000;

/// What the requests are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Of a session whose home is well.
    Keyed,
    /// Of a session that was at its home before.
    Pinned,
    /// Of no session.
    Keyless,
    /// Of a session whose home is not well.
    Spilled,
}

/// A pool at work.
#[derive(Debug)]
pub(crate) struct Scene {
    pool: Arc<Pool>,
    shape: Shape,
    now: Micros,
    asked: usize,
    /// The sessions that requests are of, and their homes.
    sessions: Vec<(SessionKey, Option<ChannelId>)>,
    none: ChannelSet,
    /// What is in flight, the oldest first.
    live: VecDeque<Ticket>,
    /// Of how many of these the first token has come.
    answering: usize,
    /// What is in flight at the sick channel.
    sick: VecDeque<Ticket>,
    sick_turn: bool,
}

// === impl Shape ===

impl Shape {
    pub(crate) const ALL: [Self; 4] = [Self::Keyed, Self::Pinned, Self::Keyless, Self::Spilled];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Keyed => "keyed",
            Self::Pinned => "pinned",
            Self::Keyless => "keyless",
            Self::Spilled => "spilled",
        }
    }

    const fn reason(self) -> Reason {
        match self {
            Self::Keyed | Self::Pinned => Reason::Home,
            Self::Keyless => Reason::Keyless,
            Self::Spilled => Reason::Spill,
        }
    }
}

// === impl Scene ===

impl Scene {
    /// A pool of so many channels, warmed up.
    pub(crate) fn new(channels: i64, shape: Shape) -> Self {
        let specs: Vec<ChannelSpec> = (0..channels)
            .map(|id| ChannelSpec {
                id: ChannelId(id),
                key64: stable_hash(format!("channel-{id}").as_bytes()),
                account64: 0,
                weight: if id % 2 == 0 { 1.0 } else { 2.0 },
                tier: 0,
                max_concurrency: None,
                requests_per_minute: None,
                tokens_per_minute: None,
            })
            .collect();
        let pool =
            Pool::new(&specs, PolicyKind::Adaptive, Params::default()).expect("the channels are sound");
        let mut scene = Self {
            pool: Arc::new(pool),
            shape,
            now: Micros::from_millis(1_000_000),
            asked: 0,
            sessions: Vec::new(),
            none: ChannelSet::new(),
            live: VecDeque::with_capacity(2 * (WAITING + ANSWERING)),
            answering: 0,
            sick: VecDeque::new(),
            sick_turn: false,
        };
        scene.sessions = scene.find_sessions(SESSIONS.0.max(SESSIONS.1 * specs.len()));
        for _ in 0..WARM_UP {
            scene.decide(ROUND);
            scene.report(ROUND);
            scene.between();
        }
        let as_called = (0..SAMPLES).filter(|_| {
            scene.asked += 1;
            let (request, seed) = scene.next();
            let chosen = scene.pool.explain(&request, scene.now, seed).chosen;
            chosen.is_ok_and(|chosen| chosen.reason == shape.reason())
        });
        let portion = (as_called.count(), SAMPLES);
        assert!(4 * portion.0 > 3 * portion.1, "a scene is what it is called: {portion:?}");
        scene
    }

    /// Makes so many decisions.
    #[inline(never)]
    pub(crate) fn decide(&mut self, count: u64) {
        for _ in 0..count {
            self.asked += 1;
            let (request, seed) = self.next();
            if let Ok(decision) = self.pool.decide(&request, self.now, seed) {
                let Decision { ticket, .. } = black_box(decision);
                self.live.push_back(ticket);
            }
            self.now = self.now.after(PACE);
        }
    }

    /// Tells of so many first tokens and as many ends, once as many attempts are in flight as shall be.
    #[inline(never)]
    pub(crate) fn report(&mut self, count: u64) {
        for _ in 0..count {
            if self.live.len() - self.answering > WAITING
                && let Some(ticket) = self.live.get_mut(self.answering)
            {
                ticket.first_token(self.now);
                self.answering += 1;
            }
            if self.answering > ANSWERING
                && let Some(ticket) = self.live.pop_front()
            {
                let kind = self.end_at(ticket.channel());
                ticket.finish(Outcome::of(kind), self.now);
                self.answering -= 1;
            }
        }
    }

    /// What happens beside what is measured: keeps the sick channel sick.
    pub(crate) fn between(&mut self) {
        if self.shape != Shape::Spilled {
            return;
        }
        let sick = [ChannelId(0)].into_iter().collect();
        let request = Request { session: None, filter: Some(&sick), ..self.next().0 };
        if let Ok(decision) = self.pool.decide(&request, self.now, 0) {
            self.sick.push_back(decision.ticket);
        }
        if self.sick.len() > SICK_ROUNDS
            && let Some(ticket) = self.sick.pop_front()
        {
            let kind = self.end_at(ticket.channel());
            ticket.finish(Outcome::of(kind), self.now);
        }
    }

    /// Explains a decision.
    #[inline(never)]
    pub(crate) fn explain(&self) {
        let (request, seed) = self.next();
        black_box(self.pool.explain(&request, self.now, seed));
    }

    /// How an attempt ends: well, but for every other one at the sick channel.
    fn end_at(&mut self, channel: ChannelId) -> Kind {
        let is_sick = self.shape == Shape::Spilled && channel == ChannelId(0);
        self.sick_turn ^= is_sick;
        if is_sick && self.sick_turn { Kind::ServerError(500) } else { Kind::Ok }
    }

    fn next(&self) -> (Request<'_>, u64) {
        let (session, home) = self.sessions.get(self.asked % self.sessions.len().max(1)).copied().unzip();
        let request = Request {
            session: session.filter(|_| self.shape != Shape::Keyless),
            pinned: home.flatten().filter(|_| self.shape == Shape::Pinned),
            streaming: true,
            attempt: 0,
            excluded: &self.none,
            filter: None,
            prompt_tokens: 1_000,
        };
        (request, stable_hash(&self.asked.to_le_bytes()))
    }

    /// Sessions, and where they are at home; those of the sick channel, if there is one.
    fn find_sessions(&self, count: usize) -> Vec<(SessionKey, Option<ChannelId>)> {
        let found = (0_u64..).map(|i| {
            let session = SessionKey(stable_hash(&i.to_le_bytes()));
            let request = Request { session: Some(session), ..self.next().0 };
            (session, self.pool.explain(&request, self.now, 0).home)
        });
        found
            .filter(|(_, home)| self.shape != Shape::Spilled || *home == Some(ChannelId(0)))
            .take(count)
            .collect()
    }
}
