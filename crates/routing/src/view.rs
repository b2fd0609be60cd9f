use gateway_domain::ChannelId;

use crate::Limited;

/// One channel of a pool as it stands: for metrics and pages.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChannelView {
    /// The channel.
    pub id: ChannelId,
    /// Its configured weight.
    pub weight: f64,
    /// Its tier.
    pub tier: u8,
    /// The outside health verdict.
    pub admitted: bool,
    /// Its breaker.
    pub state: State,
    /// Why the breaker is not closed.
    pub cause: Option<Cause>,
    /// How long until the breaker allows a trial, in milliseconds; 0 when it is closed or the trial is due.
    pub open_ms: u64,
    /// How long it is limited, by the upstream or by a budget of its own, in milliseconds; 0 when it is not.
    pub blocked_ms: u64,
    /// By what; the one that lasts longest.
    pub limited_by: Option<Limited>,
    /// Estimated time until the first token, in milliseconds; hanging attempts included.
    pub latency_ms: f64,
    /// Estimated share of failed answers, in [0, 1).
    pub error_rate: f64,
    /// Share of its recent attempts that its rate limit refused, in [0, 1).
    pub refused: f64,
    /// Attempts in flight in this pool.
    pub inflight: u32,
    /// Of these, how many wait for their first token.
    pub waiting: u32,
    /// How many it may have in flight: configured or learned, whichever is less; `None` while neither is known.
    pub limit: Option<f64>,
    /// The latency factor, in (0, 1].
    pub f_lat: f64,
    /// The error factor, in (0, 1].
    pub f_err: f64,
    /// The load factor, in (0, 1]: how full it is, and how often its rate limit refuses.
    pub f_load: f64,
    /// Health: the product of the factors.
    pub h: f64,
    /// `weight · h`; 0 while it may not be chosen.
    pub score: f64,
    /// Its share of the first attempts of the last minute or so, in [0, 1]; they fade, and an attempt counts half
    /// after 42 s. 0 for every channel when there were none.
    pub share: f64,
    /// Its share by weight alone, in [0, 1], among the channels of the first tier that has any weight; 0 in the tiers
    /// behind.
    pub expected_share: f64,
}

/// The state of a channel's breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// In use.
    Closed,
    /// Out of use until its time has passed.
    Open,
    /// Out of use but for one trial at a time.
    Half,
}

/// Why a breaker opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// Failures in a row.
    Failures,
    /// Far slower than the others.
    Slow,
    /// Its key was refused or its money is gone.
    Credentials,
    /// It does not serve the pool's model.
    Unserved,
}

// === impl State ===

impl State {
    /// The word for it in metrics and the admin API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::Half => "half_open",
        }
    }
}

// === impl Cause ===

impl Cause {
    /// The word for it in metrics and the admin API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failures => "failures",
            Self::Slow => "slow",
            Self::Credentials => "credentials",
            Self::Unserved => "unserved",
        }
    }
}
