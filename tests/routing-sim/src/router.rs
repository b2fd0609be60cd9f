//! The seam between the simulation and the rules it compares.

use std::fmt;

use crate::numbered::Numbered;
use crate::upstream::Upstream;
use crate::workload::Request;

/// What an operator tells a router about a channel.
#[derive(Clone, Copy, Debug)]
pub struct Channel {
    /// A stable hash, for finding the home of a session.
    pub key: u64,
    /// Its weight.
    pub weight: f64,
}

/// One replica of a gateway, as far as it chooses channels.
pub trait Router: fmt::Debug {
    /// Where an attempt goes; `None` fails the request.
    fn pick(&mut self, question: &Question<'_>) -> Option<Pick>;

    /// The first token of an answer has come, so many seconds after the attempt was sent.
    fn first_token(&mut self, _now: f64, _channel: usize, _request: &View, _seconds: f64) {}

    /// The deadline of a [`Pick`] has passed without a token: give the attempt up, and try elsewhere?
    fn confirm_cut(&mut self, _now: f64, _request: &View) -> bool {
        true
    }

    /// An attempt is over, for good or bad. Called once for each pick.
    fn finished(&mut self, now: f64, channel: usize, request: &View, outcome: &Outcome);
}

/// What a router is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question<'q> {
    /// In seconds since the run began.
    pub now: f64,
    /// What is to be sent.
    pub request: View,
    /// Which channels this request has tried.
    pub tried: &'q Numbered<bool>,
    /// The channels as they really are. Only the reference may look.
    pub upstreams: &'q Numbered<Upstream>,
}

/// What a gateway can know of a request before it is answered.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// Which request.
    pub id: u64,
    /// Its session; `None` for requests that stand alone.
    pub session: Option<u64>,
    /// Who asks.
    pub user: u64,
    /// A hash of the prefix that the prompts of one application share.
    pub application: u64,
    /// Tokens of that prefix.
    pub application_tokens: u32,
    /// Tokens of the whole prompt.
    pub prompt_tokens: u32,
    /// How many attempts were made before.
    pub attempt: u32,
}

/// A router's answer.
#[derive(Clone, Copy, Debug)]
pub struct Pick {
    /// The channel, by number.
    pub channel: usize,
    /// After so many seconds without a token the router wants to be asked again.
    pub deadline: Option<f64>,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// What happened.
    pub kind: Kind,
    /// Seconds from sending until the first token, or until the failure.
    pub first_token: f64,
    /// Seconds from sending until the end.
    pub total: f64,
    /// What a 429 said, in seconds.
    pub retry_after: Option<f64>,
    /// Tokens of the prompt.
    pub prompt_tokens: u32,
    /// Of these, how many came from the channel's cache.
    pub cached_tokens: u32,
    /// Tokens of the answer.
    pub output_tokens: u32,
}

/// What happened to an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole answer.
    Ok,
    /// A 5xx, or no connection.
    Error,
    /// 429.
    RateLimited,
    /// No first token before the deadline.
    Timeout,
}

// === impl View ===

impl View {
    /// What of `request` can be seen, at its attempt with this number.
    pub fn of(request: &Request, attempt: u32) -> Self {
        Self {
            id: request.id,
            session: request.session(),
            user: request.user,
            application: request.application,
            application_tokens: request.application_tokens,
            prompt_tokens: request.prompt_tokens,
            attempt,
        }
    }
}

// === impl Pick ===

impl Pick {
    /// This channel, for as long as the gateway waits.
    pub fn of(channel: usize) -> Self {
        Self { channel, deadline: None }
    }
}

// === impl Outcome ===

impl Outcome {
    /// Whether it was anything but a whole answer.
    pub fn failed(&self) -> bool {
        self.kind != Kind::Ok
    }
}
