//! What a channel still knows of the prompts it has read.

use std::collections::{HashMap, VecDeque};

use crate::workload::Request;

/// How long it remembers, in seconds.
const KEPT: f64 = 300.0;
/// Shorter prompts are not looked up, shorter hits do not count.
const SHORTEST: u32 = 1024;
/// Hits are counted in steps of so many tokens.
const STEP: u32 = 128;

/// What a prompt is looked up by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prompt {
    pub(crate) conversation: u64,
    pub(crate) application: u64,
    pub(crate) application_tokens: u32,
    pub(crate) tokens: u32,
}

/// Conversations up to a number of tokens, the least recently stored forgotten first; and the applications' prefixes.
#[derive(Debug)]
pub(super) struct PromptCache {
    capacity: f64,
    held: f64,
    conversations: HashMap<u64, Entry>,
    applications: HashMap<u64, f64>,
    /// Conversations in the order they were stored, older places of the same conversation included.
    order: VecDeque<(u64, f64)>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    tokens: f64,
    at: f64,
}

// === impl Prompt ===

impl Prompt {
    pub(super) fn of(request: &Request) -> Self {
        Self {
            conversation: request.conversation,
            application: request.application,
            application_tokens: request.application_tokens,
            tokens: request.prompt_tokens,
        }
    }
}

// === impl PromptCache ===

impl PromptCache {
    pub(super) fn new(capacity: f64) -> Self {
        Self {
            capacity,
            held: 0.0,
            conversations: HashMap::new(),
            applications: HashMap::new(),
            order: VecDeque::new(),
        }
    }

    /// How many tokens of the prompt it holds.
    pub(super) fn hit(&self, now: f64, prompt: &Prompt) -> u32 {
        if prompt.tokens < SHORTEST {
            return 0;
        }
        let conversation = self.conversations.get(&prompt.conversation);
        let conversation = conversation.filter(|entry| now - entry.at < KEPT);
        let application = self.applications.get(&prompt.application);
        let application = application.filter(|at| now - **at < KEPT);
        let hit = match (conversation, application) {
            (Some(entry), _) => entry.tokens.min(f64::from(prompt.tokens)),
            (None, Some(_)) => f64::from(prompt.application_tokens),
            (None, None) => 0.0,
        };
        if hit < f64::from(SHORTEST) { 0 } else { steps(hit) * STEP }
    }

    /// The request has been answered.
    pub(super) fn store(&mut self, now: f64, request: &Request) {
        self.applications.insert(request.application, now);
        let tokens = f64::from(request.prompt_tokens + request.output_tokens);
        let before = self.conversations.insert(request.conversation, Entry { tokens, at: now });
        self.held += tokens - before.map_or(0.0, |entry| entry.tokens);
        self.order.push_back((request.conversation, now));
        while self.held > self.capacity {
            let Some((conversation, at)) = self.order.pop_front() else { break };
            let entry = self.conversations.get(&conversation);
            if let Some(entry) = entry.filter(|entry| entry.at.total_cmp(&at).is_eq()) {
                self.held -= entry.tokens;
                self.conversations.remove(&conversation);
            }
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a number of tokens is positive and far below 2^32; the fraction shall go"
)]
fn steps(tokens: f64) -> u32 {
    (tokens / f64::from(STEP)) as u32
}

#[cfg(test)]
mod tests {
    use super::{Prompt, PromptCache};
    use crate::workload::Request;

    fn request(conversation: u64, prompt_tokens: u32) -> Request {
        Request {
            id: 0,
            at: 0.0,
            conversation,
            keyed: true,
            user: 0,
            application: 1,
            application_tokens: 1200,
            prompt_tokens,
            output_tokens: 0,
            replica: 0,
        }
    }

    fn hit(cache: &PromptCache, now: f64, conversation: u64) -> u32 {
        cache.hit(now, &Prompt::of(&request(conversation, 4000)))
    }

    #[test]
    fn a_conversation_is_found_again_for_five_minutes() {
        let mut cache = PromptCache::new(1e6);
        cache.store(0.0, &request(7, 3000));
        assert_eq!(hit(&cache, 299.0, 7), 2944, "in steps of 128");
        assert_eq!(hit(&cache, 301.0, 7), 0);
    }

    #[test]
    fn another_conversation_of_the_application_finds_its_prefix() {
        let mut cache = PromptCache::new(1e6);
        cache.store(0.0, &request(7, 3000));
        assert_eq!(hit(&cache, 1.0, 8), 1152);
    }

    #[test]
    fn what_was_stored_longest_ago_makes_room() {
        let mut cache = PromptCache::new(7000.0);
        for (now, conversation) in [(0.0, 1), (1.0, 2), (2.0, 1), (3.0, 3)] {
            cache.store(now, &request(conversation, 3000));
        }
        assert_eq!([1, 2, 3].map(|conversation| hit(&cache, 4.0, conversation)), [2944, 1152, 2944]);
    }
}
