//! Finds the token counts in an answer.

use gateway_domain::{Usage, UsageSource};
use serde_json::value::RawValue;

use super::fields::{each_field, is_object};

/// No answer has this many tokens: a greater number is a fault of the upstream, not a count.
const MAX_TOKENS: u64 = 1_000_000_000_000;

/// The usage in a complete JSON answer, or in the data of one event of a stream.
///
/// It is looked for where the API puts it: at the top (chat, completions, embeddings, a finished response) or in the
/// `response` of an event about one. Counts that are no counts (null, negative, fractions, absurdly large) are "not
/// said". Costs next to nothing when `"usage"` does not occur.
pub fn usage_of(json: &[u8]) -> Option<Usage> {
    memchr::memmem::find(json, b"\"usage\"")?;
    let text = std::str::from_utf8(json).ok()?;
    let mut usage = None;
    let mut response = None;
    each_field(text, |key, value| match key {
        "usage" => usage = Some(value),
        "response" => response = Some(value),
        _ => {}
    })
    .ok()?;
    usage.and_then(counts).or_else(|| counts(usage_in(response?)?))
}

fn usage_in(response: &RawValue) -> Option<&RawValue> {
    let mut usage = None;
    if is_object(response) {
        each_field(response.get(), |key, value| {
            if key == "usage" {
                usage = Some(value);
            }
        })
        .ok()?;
    }
    usage
}

/// Reads the value of a `usage`.
pub(super) fn counts(raw: &RawValue) -> Option<Usage> {
    let mut usage = Usage { source: UsageSource::Upstream, ..Usage::default() };
    if !is_object(raw) {
        return None;
    }
    each_field(raw.get(), |key, value| match key {
        "prompt_tokens" | "input_tokens" => usage.prompt = count(value),
        "completion_tokens" | "output_tokens" => usage.completion = count(value),
        // Of a few things the API says in the singular what it says in the plural elsewhere.
        "prompt_tokens_details" | "input_tokens_details" | "input_token_details" => {
            usage.cached = detail(value, "cached_tokens").or(usage.cached);
            usage.audio_in = detail(value, "audio_tokens");
        }
        "completion_tokens_details" | "output_tokens_details" | "output_token_details" => {
            usage.reasoning = detail(value, "reasoning_tokens");
            usage.audio_out = detail(value, "audio_tokens");
        }
        // DeepSeek's spelling.
        "prompt_cache_hit_tokens" => usage.cached = usage.cached.or_else(|| count(value)),
        _ => {}
    })
    .ok()?;
    usage.is_known().then_some(usage)
}

fn detail(raw: &RawValue, name: &str) -> Option<u64> {
    let mut found = None;
    if is_object(raw) {
        each_field(raw.get(), |key, value| {
            if key == name {
                found = count(value);
            }
        })
        .ok()?;
    }
    found
}

/// A count of tokens. `12.0` is one, too: some upstreams write all numbers as floats.
fn count(raw: &RawValue) -> Option<u64> {
    let text = raw.get();
    let whole = match text.split_once('.') {
        Some((whole, fraction)) if fraction.bytes().all(|b| b == b'0') => whole,
        Some(_) => return None,
        None => text,
    };
    whole.parse::<u64>().ok().filter(|count| *count <= MAX_TOKENS)
}

#[cfg(test)]
mod tests;
