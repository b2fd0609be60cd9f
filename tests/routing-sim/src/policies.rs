//! Everything that can be compared, by name.

use std::fmt;

use gateway_routing::PolicyKind;

use crate::numbered::Numbered;
use crate::ours::Ours;
use crate::peers::{
    Agentgateway, Backoff, BoundedHash, Consecutive, ErrorRatio, FewestInFlight, LowestLatency, LowestPeak,
    Oracle, Original, Peer, PerMinute, PrefixScore, PrefixTree, Prequal, TwoByInFlight, TwoByPeak, Weighted,
};
use crate::router::{Channel, Router};

/// How many attempts most gateways make for a request.
const ATTEMPTS: u32 = 3;

/// A rule that can take part.
#[derive(Clone, Copy)]
pub struct Policy {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is.
    pub what: &'static str,
    /// How many attempts it makes for a request.
    pub most_attempts: u32,
    make: fn(&Numbered<Channel>, u64) -> Box<dyn Router>,
}

/// The crate's default policy.
pub const OURS: Policy = Policy::new("ours", "ours (gateway-routing, adaptive)", |channels, seed| {
    let ours = Ours::new(channels, seed, PolicyKind::Adaptive);
    Box::new(ours.expect("the scenarios' channels make a pool"))
});

/// The reference that sees what nobody can see.
pub const ORACLE: Policy = Policy::new("oracle", "oracle (greedy, sees the channels)", |channels, _| {
    Box::new(Oracle::new(channels))
});

/// The gateway that this project began as, with its one attempt.
pub const ORIGINAL: Policy = Policy {
    most_attempts: 1,
    ..Policy::new("original", "the original gateway", |channels, seed| {
        Box::new(Original::new(channels, seed, true))
    })
};

/// Weighted rendezvous hashing with all that usually comes with it.
pub const WEIGHTED_HASH: Policy =
    Policy::new("hash-weighted", "weighted HRW, bounded 1.25, breaker", |channels, seed| {
        Box::new(Peer::new(channels, BoundedHash::new(seed, true)).behind(patient(channels)))
    });

/// Every policy.
pub const ALL: [Policy; 21] = [
    OURS,
    ORACLE,
    ORIGINAL,
    Policy::new("original-retry", "the original, with retries", |channels, seed| {
        Box::new(Original::new(channels, seed, true))
    }),
    Policy::new("original-score", "the original's score, no sessions, retries", |channels, seed| {
        Box::new(Original::new(channels, seed, false))
    }),
    Policy::new("litellm-shuffle", "LiteLLM simple-shuffle, cooldown", |channels, seed| {
        Box::new(Peer::new(channels, Weighted::new(seed)).behind(PerMinute::new(count(channels))))
    }),
    Policy::new("litellm-sticky", "LiteLLM simple-shuffle, session affinity", |channels, seed| {
        let peer = Peer::new(channels, Weighted::new(seed)).behind(PerMinute::new(count(channels)));
        Box::new(peer.sticky(3600.0))
    }),
    Policy::new("litellm-latency", "LiteLLM latency-based, cooldown", |channels, seed| {
        let rule = LowestLatency::new(count(channels), seed);
        Box::new(Peer::new(channels, rule).behind(PerMinute::new(count(channels))))
    }),
    Policy::new("litellm-busy", "LiteLLM least-busy, cooldown", |channels, _| {
        Box::new(Peer::new(channels, FewestInFlight).behind(PerMinute::new(count(channels))))
    }),
    Policy::new("weighted", "weighted draw, breaker", |channels, seed| {
        Box::new(Peer::new(channels, Weighted::new(seed)).behind(consecutive(channels, 5, 30.0, 1)))
    }),
    Policy::new("olla", "olla least connections, sessions", |channels, _| {
        let peer = Peer::new(channels, FewestInFlight).behind(consecutive(channels, 3, 30.0, 1));
        Box::new(peer.sticky(600.0))
    }),
    Policy::new("smg-two", "smg power of two, breaker", |channels, seed| {
        Box::new(Peer::new(channels, TwoByInFlight::new(seed)).behind(patient(channels)))
    }),
    Policy::new("linkerd", "linkerd p2c peak EWMA, penalty, accrual", |channels, seed| {
        let rule = TwoByPeak::new(count(channels), seed);
        Box::new(Peer::new(channels, rule).behind(Backoff::new(count(channels))))
    }),
    Policy::new("helicone", "Helicone lowest peak EWMA, error monitor", |channels, _| {
        let rule = LowestPeak::new(count(channels));
        Box::new(Peer::new(channels, rule).behind(ErrorRatio::new(count(channels))))
    }),
    Policy::new("agentgateway", "agentgateway p2c by score, eviction", |channels, seed| {
        let rule = Agentgateway::new(count(channels), seed);
        Box::new(Peer::new(channels, rule).behind(consecutive(channels, 5, 3.0, 1)))
    }),
    Policy::new("prequal", "Prequal hot/cold by client signals, breaker", |channels, seed| {
        let rule = Prequal::new(count(channels), seed);
        Box::new(Peer::new(channels, rule).behind(consecutive(channels, 5, 10.0, 1)))
    }),
    Policy::new("smg-hash", "smg prefix hash, bounded 1.25, breaker", |channels, seed| {
        Box::new(Peer::new(channels, BoundedHash::new(seed, false)).behind(patient(channels)))
    }),
    WEIGHTED_HASH,
    Policy::new("smg-cache", "smg cache-aware, breaker", |channels, _| {
        Box::new(Peer::new(channels, PrefixTree::new(count(channels))).behind(patient(channels)))
    }),
    Policy::new("llm-d", "llm-d scorer (queue 2, prefix 3)", |channels, _| {
        Box::new(Peer::new(channels, PrefixScore::new(count(channels))))
    }),
    Policy::new("linkerd-sticky", "peak EWMA with a table of sessions", |channels, seed| {
        let rule = TwoByPeak::new(count(channels), seed);
        let peer = Peer::new(channels, rule).behind(Backoff::new(count(channels)));
        Box::new(peer.sticky(600.0))
    }),
];

/// The policy of this name.
pub fn find(name: &str) -> Option<Policy> {
    ALL.into_iter().find(|policy| policy.name == name)
}

/// The breaker most gateways have: five failures, half a minute, two good trials.
fn patient(channels: &Numbered<Channel>) -> Consecutive {
    consecutive(channels, 5, 30.0, 2)
}

fn consecutive(channels: &Numbered<Channel>, failures: u32, pause: f64, successes: u32) -> Consecutive {
    Consecutive::new(count(channels), failures, pause, successes)
}

fn count(channels: &Numbered<Channel>) -> usize {
    channels.numbers().len()
}

// === impl Policy ===

impl Policy {
    const fn new(
        name: &'static str,
        what: &'static str,
        make: fn(&Numbered<Channel>, u64) -> Box<dyn Router>,
    ) -> Self {
        Self { name, what, most_attempts: ATTEMPTS, make }
    }

    /// One replica of it.
    pub fn make(&self, channels: &Numbered<Channel>, seed: u64) -> Box<dyn Router> {
        (self.make)(channels, seed)
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy").field("name", &self.name).finish_non_exhaustive()
    }
}
