use std::collections::HashMap;

use crate::chance::Dice;
use crate::numbered::Numbered;
use crate::router::{Channel, Outcome, Pick, Question, Router, View};

/// How long the original remembers a user, in seconds.
const IDLE: f64 = 1800.0;

/// The Go gateway that this project began as: a weighted draw by lifetime means.
///
/// Latency and error rate are averages over all that a channel ever did, so that a long life makes it blind; latency
/// is that of the whole answer, failures included, so that failing fast looks fast. A user stays with a channel
/// whatever becomes of it.
#[derive(Debug)]
pub struct Original {
    dice: Dice,
    channels: Numbered<Lifetime>,
    /// Where each user was, and when; `None` where nobody is remembered.
    users: Option<HashMap<u64, (usize, f64)>>,
}

#[derive(Debug)]
struct Lifetime {
    weight: f64,
    latency: f64,
    error_rate: f64,
    count: f64,
}

// === impl Original ===

impl Original {
    /// With these channels.
    pub fn new(channels: &Numbered<Channel>, seed: u64, sticky: bool) -> Self {
        let lifetime = |channel: &Channel| Lifetime {
            weight: channel.weight,
            latency: 0.0,
            error_rate: 0.0,
            count: 0.0,
        };
        Self {
            dice: Dice::new(seed),
            channels: channels.iter().map(lifetime).collect(),
            users: sticky.then(HashMap::new),
        }
    }
}

impl Router for Original {
    fn pick(&mut self, question: &Question<'_>) -> Option<Pick> {
        let (now, request) = (question.now, &question.request);
        let mut users = self.users.as_mut().filter(|_| request.attempt == 0);
        if let Some((channel, at)) = users.as_mut().and_then(|users| users.get_mut(&request.user))
            && now - *at < IDLE
        {
            *at = now;
            return Some(Pick::of(*channel));
        }
        let scores: Vec<f64> = self
            .channels
            .iter()
            .zip(question.tried)
            .map(|(channel, tried)| if *tried { 0.0 } else { channel.score() })
            .collect();
        let channel = self.dice.weighted(&scores)?;
        if let Some(users) = users {
            users.insert(request.user, (channel, now));
        }
        Some(Pick::of(channel))
    }

    fn finished(&mut self, _now: f64, channel: usize, _request: &View, outcome: &Outcome) {
        let channel = &mut self.channels[channel];
        let (count, failed) = (channel.count, f64::from(u8::from(outcome.failed())));
        channel.latency = (channel.latency * count + outcome.total) / (count + 1.0);
        channel.error_rate = (channel.error_rate * count + failed) / (count + 1.0);
        channel.count = count + 1.0;
    }
}

// === impl Lifetime ===

impl Lifetime {
    fn score(&self) -> f64 {
        let mut score = self.weight;
        if self.count > 0.0 {
            if self.latency > 0.0 {
                score *= 1.0 / (1.0 + self.latency);
            }
            score *= (1.0 - self.error_rate).max(0.1);
        }
        score
    }
}
