//! Counts while the document around them is read.

use gateway_domain::{Usage, UsageSource};

use super::{Details, count};

/// Hears what stands in the value of a `usage`, and comes to the same as [`super::counts`] without another look at it.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::openai) struct Counter {
    usage: Usage,
    is_object: bool,
    /// How many objects and arrays are open.
    depth: usize,
    /// The member of the usage that is being read.
    field: Field,
    details: Details,
    /// Whether what is open within the usage is an object.
    in_object: bool,
    detail: Detail,
    /// A name has an escape: it may be any name.
    is_doubtful: bool,
}

#[derive(Clone, Copy, Debug, Default)]
enum Field {
    Prompt,
    Completion,
    PromptDetails,
    CompletionDetails,
    CacheHit,
    #[default]
    Other,
}

#[derive(Clone, Copy, Debug, Default)]
enum Detail {
    Cached,
    Audio,
    Reasoning,
    #[default]
    Other,
}

// === impl Counter ===

impl Counter {
    /// An object or array begins.
    pub(in crate::openai) fn opens(&mut self, is_object: bool) {
        self.depth += 1;
        match self.depth {
            1 => self.is_object = is_object,
            2 => (self.details, self.detail, self.in_object) = (Details::default(), Detail::Other, is_object),
            _ => {}
        }
    }

    /// An object or array ends.
    pub(in crate::openai) fn closes(&mut self) {
        self.depth -= 1;
        self.ends(None);
    }

    /// A member begins.
    pub(in crate::openai) fn name(&mut self, name: &[u8]) {
        match self.depth {
            1 => self.field = Field::of(name),
            2 => self.detail = Detail::of(name),
            _ => {}
        }
    }

    /// A member begins that may have any name.
    pub(in crate::openai) fn escaped_name(&mut self) {
        self.is_doubtful |= matches!(self.depth, 1 | 2);
    }

    /// A number, a text or a word.
    pub(in crate::openai) fn scalar(&mut self, text: &[u8]) {
        self.ends(Some(text));
    }

    /// Whether a closer look is needed: a name may be another one than it seems to be.
    pub(in crate::openai) const fn is_doubtful(&self) -> bool {
        self.is_doubtful
    }

    /// What was counted, if anything was.
    pub(in crate::openai) fn usage(&self) -> Option<Usage> {
        let usage = Usage { source: UsageSource::Upstream, ..self.usage };
        Some(usage).filter(|usage| self.is_object && usage.is_known())
    }

    /// A value is over; it has no text where it is an object or array.
    fn ends(&mut self, text: Option<&[u8]>) {
        match self.depth {
            1 => self.take(text),
            2 if self.in_object => match self.detail {
                Detail::Cached => self.details.cached = text.and_then(count),
                Detail::Audio => self.details.audio = text.and_then(count),
                Detail::Reasoning => self.details.reasoning = text.and_then(count),
                Detail::Other => {}
            },
            _ => {}
        }
    }

    /// A member of the usage is over; it has no text where it is an object or array.
    fn take(&mut self, text: Option<&[u8]>) {
        let number = || text.and_then(count);
        let details = if text.is_none() && self.in_object { self.details } else { Details::default() };
        let usage = &mut self.usage;
        match self.field {
            Field::Prompt => usage.prompt = number(),
            Field::Completion => usage.completion = number(),
            Field::CacheHit => usage.cached = usage.cached.or_else(number),
            Field::PromptDetails => details.of_prompt(usage),
            Field::CompletionDetails => details.of_completion(usage),
            Field::Other => {}
        }
    }
}

// === impl Field ===

impl Field {
    fn of(name: &[u8]) -> Self {
        match name {
            b"prompt_tokens" | b"input_tokens" => Self::Prompt,
            b"completion_tokens" | b"output_tokens" => Self::Completion,
            b"prompt_tokens_details" | b"input_tokens_details" | b"input_token_details" => {
                Self::PromptDetails
            }
            b"completion_tokens_details" | b"output_tokens_details" | b"output_token_details" => {
                Self::CompletionDetails
            }
            b"prompt_cache_hit_tokens" => Self::CacheHit,
            _ => Self::Other,
        }
    }
}

// === impl Detail ===

impl Detail {
    fn of(name: &[u8]) -> Self {
        match name {
            b"cached_tokens" => Self::Cached,
            b"audio_tokens" => Self::Audio,
            b"reasoning_tokens" => Self::Reasoning,
            _ => Self::Other,
        }
    }
}
