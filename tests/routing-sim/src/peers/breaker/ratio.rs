use std::collections::VecDeque;

use super::Breaker;
use crate::numbered::Numbered;
use crate::router::Outcome;

/// How long a result counts, in seconds.
const WINDOW: f64 = 60.0;
/// How often it looks, in seconds.
const EVERY: f64 = 5.0;
/// So many results are too few to judge by.
const FEWEST: usize = 20;
/// The share of failures that is too much.
const TOO_MANY: f64 = 0.10;

/// A monitor that looks now and then, and removes channels with too many failures until their window has cleared.
#[derive(Debug)]
pub struct ErrorRatio {
    channels: Numbered<Window>,
    next: f64,
}

#[derive(Clone, Debug, Default)]
struct Window {
    /// When each attempt ended, and whether it failed.
    results: VecDeque<(f64, bool)>,
    removed: bool,
}

// === impl ErrorRatio ===

impl ErrorRatio {
    /// For so many channels.
    pub fn new(channels: usize) -> Self {
        Self { channels: Numbered::filled(Window::default(), channels), next: 0.0 }
    }
}

impl Breaker for ErrorRatio {
    fn allows(&mut self, now: f64, channel: usize) -> bool {
        if now >= self.next {
            self.next = now + EVERY;
            self.channels.iter_mut().for_each(|window| window.judge(now));
        }
        !self.channels[channel].removed
    }

    fn finished(&mut self, now: f64, channel: usize, outcome: &Outcome) {
        self.channels[channel].results.push_back((now, outcome.failed()));
    }
}

// === impl Window ===

impl Window {
    fn judge(&mut self, now: f64) {
        while self.results.front().is_some_and(|(at, _)| *at < now - WINDOW) {
            self.results.pop_front();
        }
        let failed = self.results.iter().filter(|(_, failed)| *failed).count();
        self.removed = self.results.len() >= FEWEST && failed as f64 / self.results.len() as f64 > TOO_MANY;
    }
}
