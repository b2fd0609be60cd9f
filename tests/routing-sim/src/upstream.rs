//! One upstream channel: an account at a provider, or a pool of model servers.
//!
//! It has slots and a queue in front of them, turns away whom the queue does not hold, reads a prompt at a steady pace
//! except for what its cache holds, writes tokens at a steady pace, and has its faults at set times.

mod cache;
mod fault;
mod quota;

use std::collections::VecDeque;

pub(crate) use cache::Prompt;
pub use fault::{Condition, Fault, Harm};
pub use quota::Limits;

use crate::chance::{Dice, mix, unit};
use crate::router::Kind;
use crate::workload::{MeanSizes, Request};
use cache::PromptCache;
use quota::Quota;

/// Standard deviation of the logarithm of the time until the first token.
const SPREAD: f64 = 0.3;
/// How many answers take several times as long for no reason.
const TAIL: f64 = 0.01;
/// Prompt tokens read per second.
const READING: f64 = 7000.0;
/// How many answers fail on a good day.
const ERRORS: f64 = 0.003;
/// Slots' worth of attempts that the queue holds.
const QUEUE: usize = 2;
/// More than this a slow channel does not slow down while it writes.
const SLOWEST_WRITING: f64 = 4.0;

/// What a channel is like.
#[derive(Clone, Debug)]
pub struct Spec {
    /// What sessions are hashed with, to find their home.
    pub key: u64,
    /// The weight that the operator gave it.
    pub weight: f64,
    /// How many requests it serves at a time.
    pub slots: u32,
    /// Median time until the first token of an empty prompt, in seconds.
    pub first_token: f64,
    /// Seconds per token of an answer.
    pub per_token: f64,
    /// Its rate limits.
    pub limits: Limits,
    /// How many tokens of conversations its cache holds.
    pub cache_tokens: f64,
    /// What goes wrong with it, and when.
    pub faults: Vec<Fault>,
}

/// A channel at work.
#[derive(Debug)]
pub struct Upstream {
    spec: Spec,
    busy: u32,
    /// Attempts that wait for a slot, by number.
    queue: VecDeque<usize>,
    cache: PromptCache,
    quota: Quota,
}

/// What becomes of an attempt when it reaches a channel.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reception {
    /// Nothing, ever.
    Silence,
    /// It will be turned away.
    Refused { kind: Kind, retry_after: Option<f64>, after: f64 },
    /// It has a slot.
    Served(Service),
    /// It waits for one.
    Queued,
}

/// How a channel will answer an attempt that has a slot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Service {
    /// Seconds until the first token, or until it fails.
    pub(crate) first_token: f64,
    /// Seconds from the first token to the last.
    pub(crate) writing: f64,
    /// Tokens of the prompt that came from the cache.
    pub(crate) cached: u32,
    /// Whether it fails instead.
    pub(crate) fails: bool,
}

// === impl Spec ===

impl Spec {
    /// Requests per second that keep all slots busy.
    pub fn capacity(&self, sizes: &MeanSizes) -> f64 {
        let seconds = self.first_token * 1.05 * (1.0 + TAIL * 4.5)
            + 0.3 * sizes.prompt / READING
            + sizes.output * self.per_token;
        f64::from(self.slots) / seconds
    }
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            key: 0,
            weight: 1.0,
            slots: 40,
            first_token: 0.35,
            per_token: 0.013,
            limits: Limits::default(),
            cache_tokens: 1.2e6,
            faults: Vec::new(),
        }
    }
}

// === impl Upstream ===

impl Upstream {
    /// An idle channel with an empty cache.
    pub fn new(spec: Spec) -> Self {
        Self {
            busy: 0,
            queue: VecDeque::new(),
            cache: PromptCache::new(spec.cache_tokens),
            quota: Quota::new(spec.limits),
            spec,
        }
    }

    /// What it is like.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// How it is doing at `now`.
    pub fn condition(&self, now: f64) -> Condition {
        Condition::at(now, self.spec.slots, ERRORS, &self.spec.faults)
    }

    /// How long a new attempt would wait for a slot, when one takes `mean` seconds.
    pub(crate) fn wait(&self, condition: &Condition, mean: f64) -> f64 {
        if self.busy < condition.slots {
            return 0.0;
        }
        (self.queue.len() as f64 + 1.0) * mean * condition.slowness.min(SLOWEST_WRITING)
            / f64::from(condition.slots)
    }

    /// How long it takes to read a prompt of which `cached` tokens are known.
    pub(crate) fn reading(prompt_tokens: u32, cached: u32) -> f64 {
        f64::from(prompt_tokens.saturating_sub(cached)) / READING
    }

    /// Tokens of a prompt that its cache holds.
    pub(crate) fn cached(&self, now: f64, prompt: &Prompt) -> u32 {
        self.cache.hit(now, prompt)
    }

    /// Whether its rate limit would refuse a request of so many tokens.
    pub(crate) fn would_limit(&self, now: f64, tokens: f64) -> bool {
        self.quota.refusal(now, tokens).is_some()
    }

    /// An attempt arrives. `hash` decides everything about it that is left to chance.
    pub(crate) fn receive(&mut self, now: f64, attempt: usize, request: &Request, hash: u64) -> Reception {
        let condition = self.condition(now);
        let shortly = |purpose: u64, spread: f64| 0.03 + spread * unit(mix(hash ^ purpose));
        if condition.silent {
            return Reception::Silence;
        }
        if condition.down {
            return Reception::Refused { kind: Kind::Error, retry_after: None, after: shortly(1, 0.04) };
        }
        let tokens = f64::from(request.prompt_tokens + request.output_tokens);
        if let Err(wait) = self.quota.admit(now, tokens) {
            let retry_after = self.spec.limits.told.then(|| wait.max(0.2));
            return Reception::Refused { kind: Kind::RateLimited, retry_after, after: shortly(2, 0.03) };
        }
        if self.busy < condition.slots {
            self.busy += 1;
            Reception::Served(self.serve(now, request, hash))
        } else if self.queue.len() < QUEUE * self.spec.slots as usize {
            self.queue.push_back(attempt);
            Reception::Queued
        } else {
            Reception::Refused { kind: Kind::Error, retry_after: None, after: 0.05 }
        }
    }

    /// How it answers a request that has a slot now.
    pub(crate) fn serve(&self, now: f64, request: &Request, hash: u64) -> Service {
        let condition = self.condition(now);
        let mut dice = Dice::new(hash);
        let mut noise = dice.lognormal(1.0, SPREAD);
        if dice.unit() < TAIL {
            noise *= 3.0 + 5.0 * dice.unit();
        }
        let cached = self.cache.hit(now, &Prompt::of(request));
        let mut slowness = condition.slowness;
        if dice.unit() < condition.slow_share {
            slowness *= condition.slow_times;
        }
        let reading = Self::reading(request.prompt_tokens, cached);
        let first_token = slowness * (self.spec.first_token * noise + reading);
        let writing = slowness.min(SLOWEST_WRITING)
            * f64::from(request.output_tokens)
            * self.spec.per_token
            * (0.8 + 0.4 * dice.unit());
        Service { first_token, writing, cached, fails: dice.unit() < condition.errors }
    }

    /// A slot becomes free.
    pub(crate) fn leave(&mut self) {
        self.busy -= 1;
    }

    /// The next of the queue takes a free slot, if there is one.
    pub(crate) fn next(&mut self, now: f64) -> Option<usize> {
        if self.busy >= self.condition(now).slots {
            return None;
        }
        let attempt = self.queue.pop_front()?;
        self.busy += 1;
        Some(attempt)
    }

    /// An attempt does not want to wait any longer.
    pub(crate) fn dequeue(&mut self, attempt: usize) {
        self.queue.retain(|waiting| *waiting != attempt);
    }

    /// A whole answer was given: prompt and answer are in the cache now.
    pub(crate) fn remember(&mut self, now: f64, request: &Request) {
        self.cache.store(now, request);
    }
}
