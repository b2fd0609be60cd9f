use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gateway_domain::{Channel, UnixMillis};
use tokio::sync::watch;

use crate::{Board, Probe};

mod round;
mod timetable;

use round::Round;

/// Which channels are probed, how often, and how long one probe may take.
#[derive(Clone, Debug)]
pub struct ProbePlanSet {
    /// All channels; those that are disabled or want no probes are passed over.
    pub channels: Vec<Arc<Channel>>,
    /// From one probe of a channel to its next; zero is no probing. Held between 10 ms and a day.
    pub interval: Duration,
    /// How long one probe may take in all.
    pub timeout: Duration,
}

/// Probes channels as the plan says, tells the board, and lets the board's time pass, until `stop` resolves.
///
/// Each channel has its own place in the interval, derived from its name, so that probes are spread and replicas and
/// restarts agree. A channel that is new, or whose address, key or plan has changed, is probed within a second.
/// Probes run beside each other and never two of one channel: one that hangs costs only its own channel the probes that
/// would have come meanwhile. A new plan holds at once, for all but the probes under way.
///
/// When it ends, by `stop` or by being dropped, the probes under way are dropped with it.
pub async fn run_prober<P: Probe>(
    board: Arc<Board>,
    probe: Arc<P>,
    plan: watch::Receiver<ProbePlanSet>,
    stop: impl Future<Output = ()>,
) {
    run_prober_with_clock(board, probe, plan, stop, wall_clock).await;
}

/// [`run_prober`] with a clock of the caller's for what is told to the board. The schedule runs on tokio's clock.
pub async fn run_prober_with_clock<P: Probe>(
    board: Arc<Board>,
    probe: Arc<P>,
    mut plan: watch::Receiver<ProbePlanSet>,
    stop: impl Future<Output = ()>,
    clock: impl Fn() -> UnixMillis,
) {
    let mut stop = pin!(stop);
    let mut round = Round::new(board, probe, clock);
    round.adopt(&plan.borrow_and_update());
    let mut planned = true;
    loop {
        tokio::select! {
            biased;
            () = &mut stop => break,
            changed = plan.changed(), if planned => match changed {
                Ok(()) => round.adopt(&plan.borrow_and_update()),
                // Nobody is left to plan: the last plan stays.
                Err(_) => planned = false,
            },
            () = round.next() => {}
        }
    }
    round.end();
}

fn wall_clock() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
