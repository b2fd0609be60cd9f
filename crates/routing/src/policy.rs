use std::fmt;
use std::str::FromStr;

/// How a pool chooses among the channels that may serve.
///
/// The policies differ in the choice only. Which channels may be chosen at all (weights of 0, exclusions, filters,
/// rate limits, breakers, outside verdicts, concurrency limits, tiers), the pin and the last resort are the same
/// for all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum PolicyKind {
    /// Weighted rendezvous with a health threshold of its own for each session: see the crate's front page.
    #[default]
    Adaptive,
    /// A weighted draw with `weight / (1 + latency in s) · max(0.1, 1 − error rate)`, as the original gateway did, but
    /// with averages that forget.
    WeightedScore,
    /// A weighted draw, whatever the channels do.
    Weighted,
    /// The fewest attempts in flight per weight; ties are drawn by weight.
    LeastInflight,
    /// In turns, one after the other; weights other than 0 do not matter.
    RoundRobin,
}

/// A policy name that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a policy: expected adaptive, weighted_score, weighted, least_inflight or round_robin")]
pub struct UnknownPolicy;

// === impl PolicyKind ===

impl PolicyKind {
    /// Every policy.
    pub const ALL: [Self; 5] =
        [Self::Adaptive, Self::WeightedScore, Self::Weighted, Self::LeastInflight, Self::RoundRobin];

    /// Its name in configuration and on every surface.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Adaptive => "adaptive",
            Self::WeightedScore => "weighted_score",
            Self::Weighted => "weighted",
            Self::LeastInflight => "least_inflight",
            Self::RoundRobin => "round_robin",
        }
    }
}

impl fmt::Display for PolicyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for PolicyKind {
    type Err = UnknownPolicy;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|policy| policy.as_str() == name).ok_or(UnknownPolicy)
    }
}

#[cfg(test)]
mod tests {
    use super::{PolicyKind, UnknownPolicy};

    #[test]
    fn every_policy_is_found_by_its_name() {
        for policy in PolicyKind::ALL {
            assert_eq!(policy.as_str().parse(), Ok(policy));
        }
        assert_eq!("Adaptive".parse::<PolicyKind>(), Err(UnknownPolicy));
    }
}
