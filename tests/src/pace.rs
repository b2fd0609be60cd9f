//! An even pace of calls that does not wait for answers, so that a gateway which stalls is not spared meanwhile.

use std::time::{Duration, Instant};

use crate::eventually::all;
use crate::line::Line;

/// So many calls each second, shared out to connections.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Calls per second over all connections.
    pub per_second: u32,
    /// How many connections take turns. Each carries one call at a time: when all of them are busy, calls are late.
    pub connections: usize,
}

// === impl Pace ===

impl Pace {
    /// Makes `count` calls, each told its number, and gives what came of them in the order of their numbers.
    pub async fn keep<T>(&self, count: usize, call: impl AsyncFn(&mut Line, usize) -> T) -> Vec<T> {
        let began = Instant::now();
        let call = &call;
        let lanes = (0..self.connections).map(|lane| async move {
            let mut line = Line::new();
            let mut done = Vec::new();
            for number in (lane..count).step_by(self.connections) {
                tokio::time::sleep_until((began + self.due(number)).into()).await;
                done.push((number, call(&mut line, number).await));
            }
            done
        });
        let mut done: Vec<(usize, T)> = all(lanes).await.into_iter().flatten().collect();
        done.sort_unstable_by_key(|(number, _)| *number);
        done.into_iter().map(|(_, what)| what).collect()
    }

    /// When a call is due, counted from the first one.
    fn due(&self, number: usize) -> Duration {
        Duration::from_secs(1) * u32::try_from(number).unwrap_or(u32::MAX) / self.per_second
    }
}
