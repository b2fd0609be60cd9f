//! What the admin side does by itself, beside answering: it closes the seconds of the history and feeds those who
//! listen.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

use crate::news::{self, News};
use crate::{Admin, Parts};

/// How often it looks for what has changed.
const LOOK: Duration = Duration::from_millis(250);

/// Knows when a second is over.
#[derive(Debug)]
struct Seconds {
    /// When the last one ended.
    ended: Instant,
}

/// Ends the feed when nobody feeds it any more.
struct Ending<'a>(&'a News);

// === impl Admin ===

impl Admin {
    /// Must run as long as the gateway serves, which is until `end`: without it there are no figures and no events.
    /// Afterwards nobody listens any more, so that no listener keeps a connection from its end.
    pub async fn tend(self: Arc<Self>, end: impl Future<Output = ()>) {
        let parts = self.parts();
        let _ending = Ending(&parts.news);
        // Two tasks: a database that keeps readers waiting must not keep the clock waiting.
        tokio::select! {
            () = end => {}
            () = keep_time(parts) => {}
            () = follow_exchanges(parts) => {}
        }
    }
}

async fn keep_time(parts: &Parts) {
    let mut seconds = Seconds { ended: Instant::now() };
    let mut looks = looks();
    loop {
        looks.tick().await;
        if let Some(skipped) = seconds.next(Instant::now()) {
            parts.traffic.close((parts.clock)(), skipped, (parts.under_way)());
            news::tell_rates(parts);
        }
        news::tell_changes(parts);
    }
}

async fn follow_exchanges(parts: &Arc<Parts>) {
    let mut looks = looks();
    loop {
        looks.tick().await;
        news::tell_exchanges(parts).await;
    }
}

fn looks() -> Interval {
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    looks
}

// === impl Seconds ===

impl Seconds {
    /// Whether a second has ended, and how many before it were slept through.
    fn next(&mut self, now: Instant) -> Option<u64> {
        let ended = now.duration_since(self.ended).as_secs();
        self.ended += Duration::from_secs(ended);
        ended.checked_sub(1)
    }
}

// === impl Ending ===

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}
