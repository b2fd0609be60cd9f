//! Finds the token counts in an answer.

mod counter;

use std::str::from_utf8;

use gateway_domain::{Usage, UsageSource};

use super::members::{gather, is_object};

pub(super) use counter::Counter;

/// No answer has this many tokens: a greater number is a fault of the upstream, not a count.
const MAX_TOKENS: u64 = 1_000_000_000_000;

/// The usage in a complete JSON answer, or in the data of one event of a stream.
///
/// It is looked for where the API puts it: at the top (chat, completions, embeddings, a finished response) or in the
/// `response` of an event about one. Counts that are no counts (null, negative, fractions, absurdly large) are "not
/// said". Costs next to nothing when `"usage"` does not occur.
pub fn usage_of(json: &[u8]) -> Option<Usage> {
    memchr::memmem::find(json, b"\"usage\"")?;
    gather(json, |places: &mut Places<'_>, name, value| places.note(name, value))?.usage()
}

/// Where in an answer, or in an event, its usage may stand.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Places<'t> {
    usage: Option<&'t [u8]>,
    response: Option<&'t [u8]>,
}

/// Counts of the kinds that a `usage` has within.
#[derive(Clone, Copy, Debug, Default)]
struct Details {
    cached: Option<u64>,
    audio: Option<u64>,
    reasoning: Option<u64>,
}

// === impl Places ===

impl<'t> Places<'t> {
    /// Takes note of a member at the top.
    pub(super) fn note(&mut self, name: &[u8], value: &'t [u8]) {
        match name {
            b"usage" => self.usage = Some(value),
            b"response" => self.response = Some(value),
            _ => {}
        }
    }

    /// What stands there, once the document has turned out to be one.
    pub(super) fn usage(self) -> Option<Usage> {
        self.usage.and_then(counts).or_else(|| self.of_response())
    }

    /// The same with what was counted at the top already.
    pub(super) fn with_counted(self, counted: &Counter) -> Option<Usage> {
        if counted.is_doubtful() { self.usage() } else { counted.usage().or_else(|| self.of_response()) }
    }

    fn of_response(self) -> Option<Usage> {
        counts(usage_in(self.response?)?)
    }
}

// === impl Details ===

impl Details {
    fn of_prompt(self, usage: &mut Usage) {
        usage.cached = self.cached.or(usage.cached);
        usage.audio_in = self.audio;
    }

    fn of_completion(self, usage: &mut Usage) {
        usage.reasoning = self.reasoning;
        usage.audio_out = self.audio;
    }
}

fn usage_in(response: &[u8]) -> Option<&[u8]> {
    memchr::memmem::find(response, b"\"usage\"")?;
    gather(response, |usage: &mut Option<_>, name, value| {
        if name == b"usage" {
            *usage = Some(value);
        }
    })?
}

/// Reads the value of a `usage`.
pub(super) fn counts(value: &[u8]) -> Option<Usage> {
    if !is_object(value) {
        return None;
    }
    let mut usage = gather(value, |usage: &mut Usage, name, value| match name {
        b"prompt_tokens" | b"input_tokens" => usage.prompt = count(value),
        b"completion_tokens" | b"output_tokens" => usage.completion = count(value),
        // Of a few things the API says in the singular what it says in the plural elsewhere.
        b"prompt_tokens_details" | b"input_tokens_details" | b"input_token_details" => {
            details(value).of_prompt(usage);
        }
        b"completion_tokens_details" | b"output_tokens_details" | b"output_token_details" => {
            details(value).of_completion(usage);
        }
        // DeepSeek's spelling.
        b"prompt_cache_hit_tokens" => usage.cached = usage.cached.or_else(|| count(value)),
        _ => {}
    })?;
    usage.source = UsageSource::Upstream;
    usage.is_known().then_some(usage)
}

fn details(value: &[u8]) -> Details {
    if !is_object(value) {
        return Details::default();
    }
    gather(value, |details: &mut Details, name, value| match name {
        b"cached_tokens" => details.cached = count(value),
        b"audio_tokens" => details.audio = count(value),
        b"reasoning_tokens" => details.reasoning = count(value),
        _ => {}
    })
    .unwrap_or_default()
}

/// A count of tokens. `12.0` is one, too: some upstreams write all numbers as floats.
fn count(value: &[u8]) -> Option<u64> {
    // So many digits are no number that is too large, and nearly every count has fewer.
    if value.len() <= 12 && value.iter().all(u8::is_ascii_digit) {
        return value.iter().map(|digit| u64::from(digit - b'0')).reduce(|number, digit| number * 10 + digit);
    }
    let text = from_utf8(value).ok()?;
    let whole = match text.split_once('.') {
        Some((whole, fraction)) if fraction.bytes().all(|b| b == b'0') => whole,
        Some(_) => return None,
        None => text,
    };
    whole.parse::<u64>().ok().filter(|count| *count <= MAX_TOKENS)
}

#[cfg(test)]
mod tests;
