use crate::numbered::Numbered;
use crate::router::{Channel, Outcome, Pick, Question, Router, View};
use crate::upstream::{Prompt, Upstream};

/// Of how long a queued attempt holds a slot, the part before its first token, in seconds.
const BEFORE: f64 = 0.4;
/// Tokens of a usual answer.
const ANSWER: f64 = 200.0;

/// Sees every channel as it really is and takes the one that would answer first: a reference, not a bound, for greed
/// is not always right.
#[derive(Debug)]
pub struct Oracle;

// === impl Oracle ===

impl Oracle {
    /// It need not be told the channels.
    pub fn new(_channels: &Numbered<Channel>) -> Self {
        Self
    }
}

impl Router for Oracle {
    fn pick(&mut self, question: &Question<'_>) -> Option<Pick> {
        let untried = question.upstreams.numbers().filter(|channel| !question.tried[*channel]);
        let costs = untried.map(|channel| (cost(question, &question.upstreams[channel]), channel));
        costs.min_by(|one, other| one.0.total_cmp(&other.0)).map(|(_, channel)| Pick::of(channel))
    }

    fn finished(&mut self, _now: f64, _channel: usize, _request: &View, _outcome: &Outcome) {}
}

/// Seconds until the first token, more or less; failures are dear, and what cannot answer at all is dearest.
fn cost(question: &Question<'_>, upstream: &Upstream) -> f64 {
    let (now, request) = (question.now, &question.request);
    let (spec, condition) = (upstream.spec(), upstream.condition(now));
    let prompt = Prompt {
        conversation: request.session.unwrap_or_default(),
        application: request.application,
        application_tokens: request.application_tokens,
        tokens: request.prompt_tokens,
    };
    let reading = Upstream::reading(request.prompt_tokens, upstream.cached(now, &prompt));
    let wait = upstream.wait(&condition, BEFORE + ANSWER * spec.per_token);
    let slowness = condition.slowness * (1.0 + condition.slow_share * (condition.slow_times - 1.0));
    let answer = wait + slowness * (spec.first_token + reading);
    let mut cost = answer / (1.0 - condition.errors).max(0.01) + 0.5 * condition.errors;
    if condition.down || condition.silent {
        cost += 1e6;
    }
    if upstream.would_limit(now, f64::from(request.prompt_tokens) + 300.0) {
        cost += 1e5;
    }
    cost
}
