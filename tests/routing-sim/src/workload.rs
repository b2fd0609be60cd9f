//! What the callers do: an open loop of conversations, drawn from the seed before the run begins.
//!
//! Users are as unequal as a Zipf law makes them. Each belongs to an application with a system prompt of its own, and
//! holds conversations of several turns whose prompts grow; some requests stand alone and have no session key. The
//! callers never wait for a slow gateway: what they send is the same for every policy.

use crate::chance::{Dice, mix};

const USERS: u32 = 500;
const ZIPF: f64 = 1.05;
const APPLICATIONS: usize = 6;
const MEAN_TURNS: f64 = 6.0;
/// The longest conversation.
const MOST_TURNS: u32 = 40;
/// Mean pause between two turns in seconds, beside the two that reading takes.
const PAUSE: f64 = 15.0;
/// The share of requests that stand alone.
const KEYLESS: f64 = 0.15;
/// The share of conversations with one turn only, so that [`KEYLESS`] of the requests stand alone.
const ONE_SHOT: f64 = KEYLESS * MEAN_TURNS / (1.0 + KEYLESS * (MEAN_TURNS - 1.0));
/// Conversations begin this long before the run, so that its first second is like every other.
const LEAD: f64 = 400.0;

/// What is asked of the gateway during a run.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// How long requests come, in seconds.
    pub duration: f64,
    /// One session that asks far more than any other.
    pub flood: Option<Flood>,
}

/// A session that sends requests at a constant rate for a while.
#[derive(Clone, Copy, Debug)]
pub struct Flood {
    /// When it begins, in seconds.
    pub from: f64,
    /// When it ends, in seconds.
    pub until: f64,
    /// Requests per second.
    pub rate: f64,
}

/// One request of a caller. Of this a router is shown a [`View`](crate::router::View).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Request {
    /// Its place in the trace.
    pub id: u64,
    /// When it comes, in seconds.
    pub at: f64,
    /// Its conversation.
    pub conversation: u64,
    /// Whether the caller gives the conversation away.
    pub keyed: bool,
    /// Who asks.
    pub user: u64,
    /// The application, which stands for the prefix its prompts share.
    pub application: u64,
    /// Tokens of that prefix.
    pub application_tokens: u32,
    /// Tokens of the whole prompt.
    pub prompt_tokens: u32,
    /// Tokens the answer will have.
    pub output_tokens: u32,
    /// Which replica of the gateway it reaches.
    pub replica: usize,
}

/// Mean sizes of requests, to tell how many a channel bears.
#[derive(Clone, Copy, Debug)]
pub struct MeanSizes {
    /// Tokens of the prompt.
    pub prompt: f64,
    /// Tokens of the answer.
    pub output: f64,
}

/// Writes a trace.
struct Author {
    seed: u64,
    dice: Dice,
    duration: f64,
    replicas: usize,
    /// Tokens of each application's prefix.
    prefixes: Vec<u32>,
    /// Cumulated popularity of the users.
    popularity: Vec<f64>,
    conversations: u64,
    trace: Vec<Request>,
}

// === impl Workload ===

impl Workload {
    /// The requests of one run, in the order they come: `rate` per second on average, spread over `replicas`.
    pub fn trace(&self, rate: f64, seed: u64, replicas: usize) -> Vec<Request> {
        let mut author = Author::new(seed, self.duration, replicas);
        let conversations = rate / (ONE_SHOT + (1.0 - ONE_SHOT) * MEAN_TURNS);
        let mut at = -LEAD;
        loop {
            at += author.dice.exponential(1.0 / conversations);
            if at >= self.duration {
                break;
            }
            author.conversation(at);
        }
        if let Some(flood) = self.flood {
            author.flood(flood);
        }
        let mut trace = author.trace;
        trace.sort_by(|one, other| one.at.total_cmp(&other.at));
        for (id, request) in (0..).zip(&mut trace) {
            request.id = id;
        }
        trace
    }
}

impl Default for Workload {
    fn default() -> Self {
        Self { duration: 330.0, flood: None }
    }
}

// === impl Request ===

impl Request {
    /// The key of its session, if the caller gives one.
    pub fn session(&self) -> Option<u64> {
        self.keyed.then_some(self.conversation)
    }
}

// === impl MeanSizes ===

impl MeanSizes {
    /// Measured on a trace of its own.
    pub fn measured() -> Self {
        let trace = Workload::default().trace(20.0, 424_242, 1);
        let count = trace.len().max(1) as f64;
        let prompt = trace.iter().map(|request| f64::from(request.prompt_tokens)).sum::<f64>();
        let output = trace.iter().map(|request| f64::from(request.output_tokens)).sum::<f64>();
        Self { prompt: prompt / count, output: output / count }
    }
}

// === impl Author ===

impl Author {
    fn new(seed: u64, duration: f64, replicas: usize) -> Self {
        let mut dice = Dice::new(mix(seed ^ 0x7ace));
        let prefixes =
            (0..APPLICATIONS).map(|_| 1100 + u32::try_from(dice.below(2200)).unwrap_or(u32::MAX)).collect();
        let mut total = 0.0;
        let popularity = (1..=USERS)
            .map(|rank| {
                total += 1.0 / f64::from(rank).powf(ZIPF);
                total
            })
            .collect();
        Self { seed, dice, duration, replicas, prefixes, popularity, conversations: 0, trace: Vec::new() }
    }

    /// One conversation that begins at `start`, and as much of it as falls into the run.
    fn conversation(&mut self, start: f64) {
        let one_shot = self.dice.unit() < ONE_SHOT;
        let user = self.user();
        let (application, application_tokens) = self.application_of(user);
        self.conversations += 1;
        let conversation = mix(self.seed ^ self.conversations.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let turns = if one_shot { 1 } else { self.turns() };
        let mut at = start;
        let mut context = f64::from(application_tokens);
        for _ in 0..turns {
            let message = self.message();
            let answer = self.answer();
            context += message;
            if (0.0..self.duration).contains(&at) {
                let replica = self.dice.below(self.replicas);
                self.trace.push(Request {
                    id: 0,
                    at,
                    conversation,
                    keyed: !one_shot,
                    user,
                    application,
                    application_tokens,
                    prompt_tokens: whole(context),
                    output_tokens: whole(answer),
                    replica,
                });
            }
            context += answer;
            at += 2.0 + self.dice.exponential(PAUSE);
            if at > self.duration {
                break;
            }
        }
    }

    fn flood(&mut self, flood: Flood) {
        let conversation = mix(self.seed ^ 0x000f_100d);
        let application_tokens = self.prefixes.first().copied().unwrap_or_default();
        let mut at = flood.from;
        while at < flood.until {
            at += self.dice.exponential(1.0 / flood.rate);
            let output_tokens = whole(self.answer());
            let replica = self.dice.below(self.replicas);
            self.trace.push(Request {
                id: 0,
                at,
                conversation,
                keyed: true,
                user: 0,
                application: 0,
                application_tokens,
                prompt_tokens: application_tokens + 400,
                output_tokens,
                replica,
            });
        }
    }

    fn user(&mut self) -> u64 {
        let total = self.popularity.last().copied().unwrap_or_default();
        let drawn = self.dice.unit() * total;
        let rank = self.popularity.partition_point(|cumulated| *cumulated < drawn);
        rank.min(self.popularity.len() - 1) as u64
    }

    fn application_of(&self, user: u64) -> (u64, u32) {
        let application = mix(user ^ 0xa99) % APPLICATIONS as u64;
        let place = usize::try_from(application).unwrap_or_default();
        (application, self.prefixes.get(place).copied().unwrap_or_default())
    }

    fn turns(&mut self) -> u32 {
        let mut turns = 1;
        while turns < MOST_TURNS && self.dice.unit() > 1.0 / MEAN_TURNS {
            turns += 1;
        }
        turns
    }

    /// Tokens of what a user writes in one turn; now and then a document comes along.
    fn message(&mut self) -> f64 {
        let typed = self.dice.lognormal(110.0, 0.8).min(3000.0);
        if self.dice.unit() < 0.08 { typed + (500.0 + self.dice.unit() * 3000.0) } else { typed }
    }

    fn answer(&mut self) -> f64 {
        self.dice.lognormal(140.0, 0.8).clamp(8.0, 1500.0)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "numbers of tokens are positive and bounded; the fraction shall go"
)]
fn whole(tokens: f64) -> u32 {
    tokens as u32
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn requests_come_at_the_rate_that_was_asked_for_and_in_order() {
        let trace = Workload::default().trace(20.0, 5, 2);
        let rate = trace.len() as f64 / 330.0;
        assert!((18.0..22.0).contains(&rate), "{rate}");
        assert!(trace.is_sorted_by(|one, other| one.at <= other.at));
        assert!(trace.iter().any(|request| request.replica == 1));
        let keyless = trace.iter().filter(|request| request.session().is_none()).count() as f64;
        let share = keyless / trace.len() as f64;
        assert!((0.10..0.20).contains(&share), "{share}");
    }

    #[test]
    fn a_flood_is_one_session_and_leaves_the_others_as_they_were() {
        let quiet = Workload::default().trace(10.0, 6, 1);
        let flood = Flood { from: 100.0, until: 110.0, rate: 50.0 };
        let loud = Workload { flood: Some(flood), ..Workload::default() }.trace(10.0, 6, 1);
        let session = mix(6 ^ 0x000f_100d);
        let (added, kept): (Vec<_>, Vec<_>) =
            loud.into_iter().partition(|request| request.session() == Some(session));
        assert!((400..600).contains(&added.len()), "{}", added.len());
        assert!(kept.iter().map(|request| request.at).eq(quiet.iter().map(|request| request.at)));
    }

    #[test]
    fn prompts_grow_within_a_conversation() {
        let trace = Workload::default().trace(10.0, 7, 1);
        let mut last = HashMap::new();
        for request in &trace {
            let before = last.insert(request.conversation, request.prompt_tokens).unwrap_or_default();
            assert!(before < request.prompt_tokens);
        }
        assert!(last.len() < trace.len());
    }
}
