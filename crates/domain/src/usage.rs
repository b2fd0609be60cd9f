/// Tokens of one call, as the upstream counted them. `None` is "not said", which is not zero.
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
}

// === impl Usage ===

impl Usage {
    /// Whether the upstream said anything at all.
    pub const fn is_known(&self) -> bool {
        self.prompt.is_some() || self.completion.is_some()
    }
}
