use crate::worded::worded;

/// Tokens of one call. `None` is "not known", which is not zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Usage {
    /// Tokens of the request (`prompt_tokens`, `input_tokens`).
    pub prompt: Option<u64>,
    /// Tokens of the answer (`completion_tokens`, `output_tokens`).
    pub completion: Option<u64>,
    /// Request tokens that the upstream had in its cache.
    pub cached: Option<u64>,
    /// Answer tokens spent on reasoning.
    pub reasoning: Option<u64>,
    /// Request tokens that were sound.
    pub audio_in: Option<u64>,
    /// Answer tokens that were sound.
    pub audio_out: Option<u64>,
    /// Who counted them.
    pub source: UsageSource,
}

worded! {
    /// Who counted the tokens of a call. The words are used as metric labels, in logs and in the admin API.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
    pub enum UsageSource {
        /// Nobody: nothing is known.
        #[default]
        None = "none",
        /// The upstream.
        Upstream = "upstream",
        /// The gateway, because the upstream did not say: close to what was used, but not what is billed.
        Counted = "counted",
    }
}

// === impl Usage ===

impl Usage {
    /// Both together. What neither of them says stays unsaid.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            prompt: sum(self.prompt, other.prompt),
            completion: sum(self.completion, other.completion),
            cached: sum(self.cached, other.cached),
            reasoning: sum(self.reasoning, other.reasoning),
            audio_in: sum(self.audio_in, other.audio_in),
            audio_out: sum(self.audio_out, other.audio_out),
            source: if let UsageSource::None = other.source { self.source } else { other.source },
        }
    }

    /// Whether anything is known at all.
    pub const fn is_known(&self) -> bool {
        self.prompt.is_some() || self.completion.is_some()
    }
}

const fn sum(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.saturating_add(other)),
        (Some(one), None) => Some(one),
        (None, other) => other,
    }
}
