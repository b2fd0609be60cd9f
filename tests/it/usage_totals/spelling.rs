//! How the endpoints spell what a call has used.

use gateway_tests::Chance;
use serde_json::{Value, json};

/// What the records call the kinds of tokens.
pub(super) const KINDS: [&str; 6] = [
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "reasoning_tokens",
    "audio_in_tokens",
    "audio_out_tokens",
];

/// Tokens of each of the [`KINDS`]; `None` is not said.
pub(super) type Tokens = [Option<u64>; KINDS.len()];

/// The ways of spelling tokens.
#[derive(Clone, Copy, Debug)]
pub(super) enum Spelling {
    /// Chat and completions.
    Completion,
    /// Responses.
    Response,
    /// Embeddings.
    Prompt,
    /// Images, speech, and what has no details that are kept.
    Plain,
    /// Transcriptions.
    Transcript,
    /// Runs.
    Run,
}

// === impl Spelling ===

impl Spelling {
    /// Any tokens that can be told so.
    pub(super) fn draw(self, chance: &mut Chance) -> Tokens {
        let mut some = || u64::try_from(chance.below(1000)).ok();
        let all = [some(), some(), some(), some(), some(), some()];
        let [prompt, completion, cached, reasoning, audio_in, _] = all;
        match self {
            Self::Completion => all,
            Self::Response => [prompt, completion, cached, reasoning, None, None],
            Self::Prompt => [prompt, None, None, None, None, None],
            Self::Plain | Self::Run => [prompt, completion, None, None, None, None],
            Self::Transcript => [prompt, completion, None, None, audio_in, None],
        }
    }

    /// A `usage` that says so.
    pub(super) fn usage(self, tokens: Tokens) -> Value {
        let [prompt, completion, cached, reasoning, audio_in, audio_out] = tokens;
        match self {
            Self::Completion => json!({"prompt_tokens": prompt, "completion_tokens": completion,
                "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": audio_in},
                "completion_tokens_details": {"reasoning_tokens": reasoning, "audio_tokens": audio_out}}),
            Self::Response => json!({"input_tokens": prompt, "output_tokens": completion,
                "input_tokens_details": {"cached_tokens": cached},
                "output_tokens_details": {"reasoning_tokens": reasoning}}),
            Self::Prompt => json!({"prompt_tokens": prompt, "total_tokens": prompt}),
            Self::Plain => json!({"input_tokens": prompt, "output_tokens": completion,
                "input_tokens_details": {"text_tokens": prompt, "image_tokens": 0}}),
            Self::Transcript => json!({"type": "tokens", "input_tokens": prompt, "output_tokens": completion,
                "input_token_details": {"audio_tokens": audio_in, "text_tokens": 0}}),
            Self::Run => json!({"prompt_tokens": prompt, "completion_tokens": completion}),
        }
    }
}
