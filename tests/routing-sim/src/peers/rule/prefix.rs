//! Rules that remember which prompts went where, and so guess what is in whose cache.

use std::collections::HashMap;

use super::{Candidates, Rule};
use crate::numbered::Numbered;
use crate::router::View;

/// The channel that knows more than half of the prompt, else the idlest; the idlest always when loads are far apart
/// (smg's cache-aware policy).
#[derive(Debug)]
pub struct PrefixTree {
    memory: Memory,
}

/// The greatest sum of two scores, for a short queue and for a known prefix (llm-d, the Gateway API's inference
/// extension).
#[derive(Debug)]
pub struct PrefixScore {
    memory: Memory,
}

#[derive(Debug)]
struct Memory {
    channels: usize,
    /// Where each conversation was last, and with how many tokens.
    conversations: HashMap<u64, (usize, f64)>,
    /// For each application, when its prefix was last on each channel.
    applications: HashMap<u64, Numbered<f64>>,
}

// === impl PrefixTree ===

impl PrefixTree {
    /// An empty tree over so many channels.
    pub fn new(channels: usize) -> Self {
        Self { memory: Memory::new(channels) }
    }
}

impl Rule for PrefixTree {
    fn choose(&mut self, among: &Candidates<'_>) -> usize {
        let (fewest, most) = among.extremes();
        let idlest = among.idlest();
        if most - fewest > 32.0 && most > 1.1 * fewest {
            return idlest;
        }
        let prompt = f64::from(among.request.prompt_tokens);
        if let Some((channel, tokens)) = self.memory.conversation(among.request)
            && tokens / prompt > 0.5
            && among.numbers.contains(&channel)
        {
            return channel;
        }
        let shared = f64::from(among.request.application_tokens) / prompt;
        if let Some(seen) = self.memory.applications.get(&among.request.application).filter(|_| shared > 0.5)
        {
            let latest = among.highest(|channel| seen[channel]);
            if seen[latest] > 0.0 {
                return latest;
            }
        }
        idlest
    }

    fn chosen(&mut self, now: f64, channel: usize, request: &View) {
        self.memory.learn(now, channel, request);
    }
}

// === impl PrefixScore ===

impl PrefixScore {
    /// Nothing known of so many channels.
    pub fn new(channels: usize) -> Self {
        Self { memory: Memory::new(channels) }
    }
}

impl Rule for PrefixScore {
    fn choose(&mut self, among: &Candidates<'_>) -> usize {
        let (fewest, most) = among.extremes();
        let conversation = self.memory.conversation(among.request);
        let application = self.memory.applications.get(&among.request.application);
        let prompt = f64::from(among.request.prompt_tokens);
        let known = |channel| match conversation {
            Some((place, tokens)) if place == channel => (tokens / prompt).min(1.0),
            _ if application.is_some_and(|seen| seen[channel] > 0.0) => {
                f64::from(among.request.application_tokens) / prompt
            }
            _ => 0.0,
        };
        among.highest(|channel| {
            let room = if most > fewest { (most - among.in_flight[channel]) / (most - fewest) } else { 1.0 };
            2.0 * room + 3.0 * known(channel)
        })
    }

    fn chosen(&mut self, now: f64, channel: usize, request: &View) {
        self.memory.learn(now, channel, request);
    }
}

// === impl Memory ===

impl Memory {
    fn new(channels: usize) -> Self {
        Self { channels, conversations: HashMap::new(), applications: HashMap::new() }
    }

    fn conversation(&self, request: &View) -> Option<(usize, f64)> {
        self.conversations.get(&request.session?).copied()
    }

    fn learn(&mut self, now: f64, channel: usize, request: &View) {
        if let Some(session) = request.session {
            self.conversations.insert(session, (channel, f64::from(request.prompt_tokens)));
        }
        let nowhere = || Numbered::filled(0.0, self.channels);
        // Later than never, also at the very start.
        self.applications.entry(request.application).or_insert_with(nowhere)[channel] = now + 1e-9;
    }
}
