/// How a channel is chosen among those that can serve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Policy {
    /// By weight, and by what was learned of load, latency, errors and limits.
    #[default]
    Adaptive,
    /// By the original's score: weight × latency × error rate.
    WeightedScore,
    /// By weight alone.
    Weighted,
    /// The fewest calls under way.
    LeastInflight,
    /// In turn.
    RoundRobin,
}

// === impl Policy ===

impl Policy {
    /// Every policy, in the order of the documentation.
    pub const ALL: [Self; 5] =
        [Self::Adaptive, Self::WeightedScore, Self::Weighted, Self::LeastInflight, Self::RoundRobin];

    /// Their words, in the same order.
    pub const WORDS: [&str; 5] = [
        Self::Adaptive.as_str(),
        Self::WeightedScore.as_str(),
        Self::Weighted.as_str(),
        Self::LeastInflight.as_str(),
        Self::RoundRobin.as_str(),
    ];

    /// The word for it on every surface.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Adaptive => "adaptive",
            Self::WeightedScore => "weighted_score",
            Self::Weighted => "weighted",
            Self::LeastInflight => "least_inflight",
            Self::RoundRobin => "round_robin",
        }
    }

    /// The policy of this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.as_str() == word)
    }
}
