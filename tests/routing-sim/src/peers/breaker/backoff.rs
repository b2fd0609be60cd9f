use super::Breaker;
use crate::numbered::Numbered;
use crate::router::Outcome;

/// Failures in a row that open it.
const FAILURES: u32 = 7;
/// The first pause and the longest one, in seconds.
const PAUSES: (f64, f64) = (1.0, 60.0);

/// Failures in a row open it; one trial after each pause, and the pauses double.
#[derive(Debug)]
pub struct Backoff {
    channels: Numbered<State>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed { failures: u32 },
    Open { until: f64, pause: f64, on_trial: bool },
}

// === impl Backoff ===

impl Backoff {
    /// Closed for so many channels.
    pub fn new(channels: usize) -> Self {
        Self { channels: Numbered::filled(State::Closed { failures: 0 }, channels) }
    }
}

impl Breaker for Backoff {
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
        let state = &mut self.channels[channel];
        *state = match (*state, outcome.failed()) {
            // Sent before it opened.
            (State::Open { on_trial: false, .. }, _) => return,
            (State::Open { pause, .. }, true) => {
                let pause = (2.0 * pause).min(PAUSES.1);
                State::Open { until: now + pause, pause, on_trial: false }
            }
            (State::Open { .. } | State::Closed { .. }, false) => State::Closed { failures: 0 },
            (State::Closed { failures }, true) if failures + 1 >= FAILURES => {
                State::Open { until: now + PAUSES.0, pause: PAUSES.0, on_trial: false }
            }
            (State::Closed { failures }, true) => State::Closed { failures: failures + 1 },
        };
    }
}
