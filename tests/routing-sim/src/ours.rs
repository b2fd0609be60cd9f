//! The project's own rule: the crate as it ships, driven through its public interface like any user would.

use std::collections::HashMap;
use std::sync::Arc;

use gateway_routing::{
    BuildError, ChannelId, ChannelSet, ChannelSpec, Kind, Micros, Outcome, Params, PolicyKind, Pool, Request,
    SessionKey, Ticket,
};

use crate::chance::mix;
use crate::numbered::Numbered;
use crate::router::{self, Channel, Pick, Question, Router, View};

/// The clock of the crate starts this many seconds before the run.
const EARLIER: f64 = 1.0;

/// One pool of the crate, and what it is owed.
#[derive(Debug)]
pub struct Ours {
    pool: Arc<Pool>,
    /// The seed of the next decision follows from this and from how many there were.
    seed: u64,
    decisions: u64,
    /// By request: there is one attempt at a time.
    under_way: HashMap<u64, UnderWay>,
}

#[derive(Debug)]
struct UnderWay {
    ticket: Ticket,
    cut: bool,
}

// === impl Ours ===

impl Ours {
    /// A pool of these channels.
    pub fn new(channels: &Numbered<Channel>, seed: u64, policy: PolicyKind) -> Result<Self, BuildError> {
        let specs: Vec<_> = (0..)
            .map(ChannelId)
            .zip(channels)
            .map(|(id, channel)| ChannelSpec {
                id,
                key64: channel.key,
                account64: 0,
                weight: channel.weight,
                tier: 0,
                max_concurrency: None,
                requests_per_minute: None,
                tokens_per_minute: None,
            })
            .collect();
        Ok(Self {
            pool: Arc::new(Pool::new(&specs, policy, Params::default())?),
            seed: mix(seed),
            decisions: 0,
            under_way: HashMap::new(),
        })
    }
}

impl Router for Ours {
    fn pick(&mut self, question: &Question<'_>) -> Option<Pick> {
        self.decisions += 1;
        let seed = mix(self.seed ^ self.decisions);
        let view = &question.request;
        let tried = (0..).map(ChannelId).zip(question.tried).filter(|(_, tried)| **tried);
        let tried: ChannelSet = tried.map(|(id, _)| id).collect();
        let decide = |excluded: &ChannelSet| {
            let request = Request {
                session: view.session.map(SessionKey),
                pinned: None,
                streaming: true,
                prompt_tokens: view.prompt_tokens,
                attempt: u8::try_from(view.attempt).unwrap_or(u8::MAX),
                excluded,
                filter: None,
            };
            self.pool.decide(&request, micros(question.now), seed)
        };
        // When nothing is left, what was tried before may be tried again.
        let decision = decide(&tried).or_else(|_| decide(&ChannelSet::new())).ok()?;
        self.under_way.insert(view.id, UnderWay { ticket: decision.ticket, cut: false });
        Some(Pick {
            channel: usize::try_from(decision.channel.0).ok()?,
            deadline: decision.first_token_deadline.map(Micros::seconds),
        })
    }

    fn first_token(&mut self, now: f64, _channel: usize, request: &View, _seconds: f64) {
        if let Some(under_way) = self.under_way.get_mut(&request.id) {
            under_way.ticket.first_token(micros(now));
        }
    }

    fn confirm_cut(&mut self, now: f64, request: &View) -> bool {
        self.under_way.get_mut(&request.id).is_some_and(|under_way| {
            under_way.cut = under_way.ticket.confirm_cut(micros(now));
            under_way.cut
        })
    }

    fn finished(&mut self, now: f64, _channel: usize, request: &View, outcome: &router::Outcome) {
        let Some(under_way) = self.under_way.remove(&request.id) else { return };
        let kind = match outcome.kind {
            router::Kind::Ok => Kind::Ok,
            router::Kind::Error => Kind::ServerError(500),
            router::Kind::RateLimited => Kind::RateLimited,
            router::Kind::Timeout if under_way.cut => Kind::Cut,
            router::Kind::Timeout => Kind::Timeout,
        };
        let outcome = Outcome {
            kind,
            retry_after: outcome.retry_after.map(Micros::from_seconds),
            prompt_tokens: outcome.prompt_tokens,
            cached_tokens: outcome.cached_tokens,
            output_tokens: outcome.output_tokens,
        };
        under_way.ticket.finish(outcome, micros(now));
    }
}

fn micros(seconds: f64) -> Micros {
    Micros::from_seconds(seconds + EARLIER)
}
