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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// Attempts in flight.
    pub inflight: u32,
    /// How many it may have in flight: configured or learned, whichever is less; `None` while neither is known.
    pub limit: Option<f64>,
    /// The load factor, in (0, 1].
    pub f_load: f64,
    /// Health: the product of the factors.
    pub h: f64,
    /// What health this key asks of it.
    pub threshold: f64,
    /// Its breaker.
    pub state: State,
    /// How long its rate limit lasts, in milliseconds; 0 when there is none.
    pub blocked_ms: u64,
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
    /// An upstream rate limit has not passed yet.
    Limited,
    /// It is at its configured concurrency.
    Full,
    /// The outside health verdict is against it.
    NotAdmitted,
    /// Its weight is 0.
    ZeroWeight,
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
