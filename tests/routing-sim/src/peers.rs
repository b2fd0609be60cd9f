//! The rules of other gateways and balancers, written anew from what their sources and papers say, with the constants
//! they come with. They are here to be compared with.
//!
//! Most are a [`Rule`] for the choice behind a [`Breaker`], with a table of sessions in front where the product has
//! one; [`Peer`] puts the three together. They are treated more kindly than they treat their callers: all of them may
//! try another channel after a failure, and when every breaker is open they ignore the breakers.

mod breaker;
mod oracle;
mod original;
mod rule;
mod table;

pub use breaker::{Backoff, Breaker, Consecutive, ErrorRatio, PerMinute};
pub use oracle::Oracle;
pub use original::Original;
pub use rule::{
    Agentgateway, BoundedHash, Candidates, FewestInFlight, LowestLatency, LowestPeak, PrefixScore,
    PrefixTree, Prequal, Rule, TwoByInFlight, TwoByPeak, Weighted,
};
pub use table::SessionTable;

use crate::numbered::Numbered;
use crate::router::{Channel, Outcome, Pick, Question, Router, View};

/// A rule, perhaps with a breaker and a table of sessions.
#[derive(Debug)]
pub struct Peer {
    channels: Numbered<Channel>,
    in_flight: Numbered<f64>,
    rule: Box<dyn Rule>,
    breaker: Option<Box<dyn Breaker>>,
    table: Option<SessionTable>,
}

// === impl Peer ===

impl Peer {
    /// A rule alone.
    pub fn new(channels: &Numbered<Channel>, rule: impl Rule + 'static) -> Self {
        Self {
            in_flight: channels.iter().map(|_| 0.0).collect(),
            channels: channels.clone(),
            rule: Box::new(rule),
            breaker: None,
            table: None,
        }
    }

    /// With a breaker.
    #[must_use]
    pub fn behind(self, breaker: impl Breaker + 'static) -> Self {
        Self { breaker: Some(Box::new(breaker)), ..self }
    }

    /// With a table of sessions, which forgets those that were idle for so many seconds.
    #[must_use]
    pub fn sticky(self, idle: f64) -> Self {
        Self { table: Some(SessionTable::new(idle)), ..self }
    }

    fn candidates(&mut self, question: &Question<'_>) -> Vec<usize> {
        let untried = self.channels.numbers().filter(|channel| !question.tried[*channel]);
        let Some(breaker) = &mut self.breaker else { return untried.collect() };
        let allowed: Vec<_> =
            untried.clone().filter(|channel| breaker.allows(question.now, *channel)).collect();
        if allowed.is_empty() { untried.collect() } else { allowed }
    }
}

impl Router for Peer {
    fn pick(&mut self, question: &Question<'_>) -> Option<Pick> {
        let (now, request) = (question.now, &question.request);
        let candidates = self.candidates(question);
        let only = *candidates.first()?;
        let remembered = self.table.as_ref().and_then(|table| table.channel_of(now, request));
        let channel = match remembered {
            Some(channel) if candidates.contains(&channel) => channel,
            _ if candidates.len() == 1 => only,
            _ => self.rule.choose(&Candidates {
                now,
                request,
                numbers: &candidates,
                channels: &self.channels,
                in_flight: &self.in_flight,
            }),
        };
        if let Some(table) = &mut self.table {
            table.remember(now, request, channel);
        }
        self.rule.chosen(now, channel, request);
        self.in_flight[channel] += 1.0;
        if let Some(breaker) = &mut self.breaker {
            breaker.sent(channel);
        }
        Some(Pick::of(channel))
    }

    fn first_token(&mut self, now: f64, channel: usize, _request: &View, seconds: f64) {
        self.rule.first_token(now, channel, seconds);
    }

    fn finished(&mut self, now: f64, channel: usize, _request: &View, outcome: &Outcome) {
        self.in_flight[channel] -= 1.0;
        if let Some(breaker) = &mut self.breaker {
            breaker.finished(now, channel, outcome);
        }
        self.rule.finished(now, channel, outcome);
    }
}
