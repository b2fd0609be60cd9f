use gateway_domain::ChannelId;

use crate::{Micros, NoRoute, PolicyKind, Reason, State};

/// The whole account of one decision: what was known and what followed from it.
#[derive(Clone, Debug, PartialEq)]
pub struct Explain {
    /// How the pool chooses.
    pub policy: PolicyKind,
    /// The caller's seed.
    pub seed: u64,
    /// The key that the order of channels was made from.
    pub key: u64,
    /// Whether the key is the session's; otherwise it was drawn from the seed.
    pub keyed: bool,
    /// The first channel in the key's order, were all of them well.
    pub home: Option<ChannelId>,
    /// What [`Pool::decide`](crate::Pool::decide) would have answered.
    pub chosen: Result<Chosen, NoRoute>,
    /// The fleet's latency until the first token, in milliseconds, that each channel is compared with.
    pub reference_ms: f64,
    /// Every channel of the pool, in order of tier.
    pub candidates: Vec<Candidate>,
}

/// The choice itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chosen {
    /// The channel.
    pub channel: ChannelId,
    /// Why it.
    pub reason: Reason,
    /// As in [`Decision`](crate::Decision).
    pub first_token_deadline: Option<Micros>,
    /// As in [`Decision`](crate::Decision).
    pub probe: bool,
    /// As in [`Decision`](crate::Decision).
    pub panic: bool,
    /// As in [`Decision`](crate::Decision).
    pub home: Option<ChannelId>,
    /// As in [`Decision`](crate::Decision).
    pub health: f64,
    /// As in [`Decision`](crate::Decision).
    pub hedge_after: Option<Micros>,
}

/// One channel as a decision sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// The channel.
    pub id: ChannelId,
    /// Its configured weight.
    pub weight: f64,
    /// Its tier.
    pub tier: u8,
    /// The key's draw for it, in (0, 1).
    pub u: f64,
    /// `weight / −ln u`: the greatest is the key's home.
    pub race: f64,
    /// Estimated time until the first token, in milliseconds.
    pub latency_ms: f64,
    /// The latency factor, in (0, 1].
    pub f_lat: f64,
    /// Estimated share of good answers, in (0, 1].
    pub p: f64,
    /// The error factor, in (0, 1].
    pub f_err: f64,
    /// Share of its recent attempts that its rate limit refused, in [0, 1).
    pub refused: f64,
    /// Attempts in flight.
    pub inflight: u32,
    /// How many it may have in flight: configured or learned, whichever is less; `None` while neither is known.
    pub limit: Option<f64>,
    /// The load factor, in (0, 1]: how full it is, and how often its rate limit refuses.
    pub f_load: f64,
    /// Health: the product of the factors.
    pub h: f64,
    /// What health this key asks of it.
    pub threshold: f64,
    /// Its breaker.
    pub state: State,
    /// How long it is limited, in milliseconds: by the upstream, or by a budget of its own that has not what this
    /// request needs. 0 when it is not.
    pub blocked_ms: u64,
    /// By what; the one that lasts longest.
    pub limited_by: Option<Limited>,
    /// Whether it could be chosen.
    pub verdict: Verdict,
}

/// Whether a channel may be chosen for a request, or what keeps it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It may, and it is well enough for the key.
    Accepted,
    /// It may, but it is not well enough for the key; taken only if none is.
    BelowThreshold,
    /// The request has tried it.
    Excluded,
    /// The request's filter leaves it out.
    Filtered,
    /// Its breaker is open.
    Open,
    /// An upstream rate limit has not passed yet, or a budget of its own is used up.
    Limited,
    /// It is at its configured concurrency.
    Full,
    /// The outside health verdict is against it.
    NotAdmitted,
    /// Its weight is 0.
    ZeroWeight,
}

/// What limits how often a channel may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limited {
    /// The upstream said so, with a 429 or in the headers of an answer.
    Upstream,
    /// [`ChannelSpec::requests_per_minute`](crate::ChannelSpec::requests_per_minute) is used up.
    Requests,
    /// [`ChannelSpec::tokens_per_minute`](crate::ChannelSpec::tokens_per_minute) is used up.
    Tokens,
}

// === impl Explain ===

impl Explain {
    /// Why the channel chosen is not the first in the key's order: what kept that one out. `None` when it is, or when
    /// nothing was chosen.
    ///
    /// [`Verdict::Accepted`] says that it could have served: a request without a session takes the emptier of two,
    /// a pinned session stays where it is, and a trial goes where one is due.
    pub fn why_not_home(&self) -> Option<Verdict> {
        let chosen = self.chosen.as_ref().ok()?.channel;
        let home = self.home.filter(|home| *home != chosen)?;
        self.candidates.iter().find(|candidate| candidate.id == home).map(|candidate| candidate.verdict)
    }
}

// === impl Limited ===

impl Limited {
    /// The word for it in headers, logs and the admin API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Upstream => "upstream",
            Self::Requests => "requests_per_minute",
            Self::Tokens => "tokens_per_minute",
        }
    }
}

// === impl Verdict ===

impl Verdict {
    /// The word for it in headers, logs and the admin API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::BelowThreshold => "below_threshold",
            Self::Excluded => "excluded",
            Self::Filtered => "filtered",
            Self::Open => "open",
            Self::Limited => "limited",
            Self::Full => "full",
            Self::NotAdmitted => "not_admitted",
            Self::ZeroWeight => "zero_weight",
        }
    }
}
