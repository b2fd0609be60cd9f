use super::Breaker;
use crate::numbered::Numbered;
use crate::router::{Kind, Outcome};

/// So many results of a minute are too few to judge by.
const FEWEST: f64 = 5.0;
/// How long a channel is left alone that did not say how long, in seconds.
const PAUSE: f64 = 5.0;

/// A 429, or more failures than successes within the calendar minute, give a channel a rest.
#[derive(Debug)]
pub struct PerMinute {
    channels: Numbered<Minute>,
}

#[derive(Clone, Copy, Debug)]
struct Minute {
    resting_until: f64,
    number: f64,
    good: f64,
    bad: f64,
}

// === impl PerMinute ===

impl PerMinute {
    /// For so many channels.
    pub fn new(channels: usize) -> Self {
        let minute = Minute { resting_until: 0.0, number: -1.0, good: 0.0, bad: 0.0 };
        Self { channels: Numbered::filled(minute, channels) }
    }
}

impl Breaker for PerMinute {
    fn allows(&mut self, now: f64, channel: usize) -> bool {
        now >= self.channels[channel].resting_until
    }

    fn finished(&mut self, now: f64, channel: usize, outcome: &Outcome) {
        let minute = &mut self.channels[channel];
        let number = (now / 60.0).floor();
        if number > minute.number {
            *minute = Minute { number, good: 0.0, bad: 0.0, ..*minute };
        }
        if !outcome.failed() {
            minute.good += 1.0;
            return;
        }
        minute.bad += 1.0;
        let all = minute.good + minute.bad;
        if outcome.kind == Kind::RateLimited || (all >= FEWEST && minute.bad / all > 0.5) {
            minute.resting_until = now + outcome.retry_after.unwrap_or(PAUSE);
        }
    }
}
