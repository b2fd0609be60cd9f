use super::Breaker;
use crate::numbered::Numbered;
use crate::router::Outcome;

/// Failures in a row open it for a fixed time; then one trial at a time, until enough of them succeeded.
#[derive(Debug)]
pub struct Consecutive {
    failures: u32,
    pause: f64,
    successes: u32,
    channels: Numbered<State>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed { failures: u32 },
    Open { until: f64, successes: u32, on_trial: bool },
}

// === impl Consecutive ===

impl Consecutive {
    /// Opens after so many `failures` for `pause` seconds, and closes after so many `successes`.
    pub fn new(channels: usize, failures: u32, pause: f64, successes: u32) -> Self {
        let state = State::Closed { failures: 0 };
        Self { failures, pause, successes, channels: Numbered::filled(state, channels) }
    }

    fn open(&self, now: f64) -> State {
        State::Open { until: now + self.pause, successes: 0, on_trial: false }
    }
}

impl Breaker for Consecutive {
    fn allows(&mut self, now: f64, channel: usize) -> bool {
        match self.channels[channel] {
            State::Closed { .. } => true,
            State::Open { until, on_trial, .. } => now >= until && !on_trial,
        }
    }

    fn sent(&mut self, channel: usize) {
        if let State::Open { on_trial, .. } = &mut self.channels[channel] {
            *on_trial = true;
        }
    }

    fn finished(&mut self, now: f64, channel: usize, outcome: &Outcome) {
        self.channels[channel] = match (self.channels[channel], outcome.failed()) {
            // Sent before it opened.
            (State::Open { until, on_trial: false, .. }, _) if now < until => return,
            (State::Open { .. }, true) => self.open(now),
            (State::Open { until, successes, .. }, false) if successes + 1 < self.successes => {
                State::Open { until, successes: successes + 1, on_trial: false }
            }
            (State::Closed { failures }, true) if failures + 1 >= self.failures => self.open(now),
            (State::Closed { failures }, true) => State::Closed { failures: failures + 1 },
            (State::Open { .. } | State::Closed { .. }, false) => State::Closed { failures: 0 },
        };
    }
}
