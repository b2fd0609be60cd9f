use gateway_domain::{AttemptOutcome, ChannelId, Exchange, ExchangeOutcome};

use super::histogram::Histogram;

/// What is known of the exchanges of some time: in all, and of each channel that was tried.
#[derive(Debug, Default)]
pub(super) struct Sums {
    total: Stats,
    /// Where a channel's numbers stand, in the order of the ids.
    places: Vec<(ChannelId, usize)>,
    channels: Vec<Stats>,
}

#[derive(Clone, Debug, Default)]
struct Stats {
    requests: u32,
    errors: u32,
    prompt: Tokens,
    completion: Tokens,
    latency: Histogram,
    first_token: Histogram,
}

/// A sum of what is known.
#[derive(Clone, Copy, Debug, Default)]
struct Tokens {
    sum: u64,
    is_known: bool,
}

/// The numbers of one span of time, as they are shown.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub(crate) struct Figures {
    /// Calls that ended; of a channel: attempts.
    pub(crate) requests: u32,
    /// Of these, how many failed through no fault of the client's.
    pub(crate) errors: u32,
    /// Milliseconds from the request to the end of good answers.
    pub(crate) p50: Option<f32>,
    pub(crate) p95: Option<f32>,
    /// Milliseconds from the request to the first token of streams.
    pub(crate) first_token_p50: Option<f32>,
    pub(crate) first_token_p95: Option<f32>,
    pub(crate) prompt: Option<u64>,
    pub(crate) completion: Option<u64>,
}

// === impl Sums ===

impl Sums {
    pub(super) fn count(&mut self, exchange: &Exchange) {
        let usage = &exchange.usage;
        let total = &mut self.total;
        total.requests += 1;
        if is_failure(exchange.outcome) {
            total.errors += 1;
        }
        // A socket lasts as long as its ends like.
        if exchange.outcome == ExchangeOutcome::Ok && exchange.status != 101 {
            total.latency.record(exchange.total);
        }
        if let (true, Some(first)) = (exchange.streamed, exchange.first_byte) {
            total.first_token.record(first);
        }
        total.prompt.add(usage.prompt);
        total.completion.add(usage.completion);
        let good =
            exchange.attempts.iter().enumerate().filter(|(_, attempt)| attempt.outcome == AttemptOutcome::Ok);
        let answering = good.last().map_or(exchange.attempts.len().saturating_sub(1), |(number, _)| number);
        for (number, attempt) in exchange.attempts.iter().enumerate() {
            let stats = self.channel(attempt.channel);
            stats.requests += 1;
            if attempt.outcome.blames_channel() {
                stats.errors += 1;
            }
            if attempt.outcome == AttemptOutcome::Ok && attempt.status != Some(101) {
                stats.latency.record(attempt.total);
            }
            if let (true, Some(first)) = (exchange.streamed, attempt.first_byte) {
                stats.first_token.record(first);
            }
            if number == answering {
                stats.prompt.add(usage.prompt);
                stats.completion.add(usage.completion);
            }
        }
    }

    /// Calls of which nothing is known but that there were so many.
    pub(super) fn count_unseen(&mut self, calls: u32) {
        self.total.requests += calls;
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.total.add(&other.total);
        for (channel, place) in &other.places {
            if let Some(stats) = other.channels.get(*place) {
                self.channel(*channel).add(stats);
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.total.requests == 0
    }

    /// Back to nothing, with the room that there was.
    pub(super) fn clear(&mut self) {
        if !self.is_empty() {
            self.total = Stats::default();
            self.places.clear();
            self.channels.clear();
        }
    }

    pub(super) fn total(&self) -> Figures {
        self.total.figures()
    }

    /// The channels that were tried, by id.
    pub(super) fn channels(&self) -> Box<[(ChannelId, Figures)]> {
        let figures = |place: usize| self.channels.get(place).map(Stats::figures).unwrap_or_default();
        self.places.iter().map(|(channel, place)| (*channel, figures(*place))).collect()
    }

    fn channel(&mut self, id: ChannelId) -> &mut Stats {
        let place = match self.places.binary_search_by_key(&id, |(known, _)| *known) {
            Ok(at) => self.places.get(at).map_or(0, |(_, place)| *place),
            Err(at) => {
                self.places.insert(at, (id, self.channels.len()));
                self.channels.push(Stats::default());
                self.channels.len() - 1
            }
        };
        self.channels.get_mut(place).expect("a place is given with its stats")
    }
}

// === impl Stats ===

impl Stats {
    fn add(&mut self, other: &Self) {
        let Self { requests, errors, prompt, completion, latency, first_token } = other;
        self.requests += requests;
        self.errors += errors;
        self.prompt.add(prompt.known());
        self.completion.add(completion.known());
        self.latency.add(latency);
        self.first_token.add(first_token);
    }

    fn figures(&self) -> Figures {
        Figures {
            requests: self.requests,
            errors: self.errors,
            p50: self.latency.percentile(50),
            p95: self.latency.percentile(95),
            first_token_p50: self.first_token.percentile(50),
            first_token_p95: self.first_token.percentile(95),
            prompt: self.prompt.known(),
            completion: self.completion.known(),
        }
    }
}

// === impl Tokens ===

impl Tokens {
    fn add(&mut self, more: Option<u64>) {
        self.sum = self.sum.saturating_add(more.unwrap_or_default());
        self.is_known |= more.is_some();
    }

    fn known(self) -> Option<u64> {
        self.is_known.then_some(self.sum)
    }
}

/// Whether the client was let down. Its own errors, and its leaving, are none of the gateway's.
fn is_failure(outcome: ExchangeOutcome) -> bool {
    match outcome {
        ExchangeOutcome::UpstreamError | ExchangeOutcome::GatewayError | ExchangeOutcome::Interrupted => true,
        ExchangeOutcome::Ok | ExchangeOutcome::ClientError | ExchangeOutcome::ClientGone => false,
    }
}
