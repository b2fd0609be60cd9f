//! The way out: not ready, no new connections, the running calls' end, the end.

use std::convert::Infallible;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::app::Stop;
use crate::life::{Life, LifeLine};

/// How long streams that were cut have for their error event to reach the client.
const LAST_EVENTS: Duration = Duration::from_secs(5);
/// Likewise when somebody is in a hurry.
const LAST_EVENTS_IN_HURRY: Duration = Duration::from_millis(500);
/// How long the control side's own connections have.
const CONTROL: Duration = Duration::from_secs(1);

/// Closed when everybody who holds the other end is gone.
pub(crate) type Gone = mpsc::Receiver<Infallible>;

/// How a stop goes.
pub(crate) struct Drain {
    /// What was asked for.
    pub(crate) stop: watch::Receiver<Stop>,
    /// Who is told.
    pub(crate) line: LifeLine,
    /// The workers.
    pub(crate) workers: Gone,
    /// The control side's listeners.
    pub(crate) control: Gone,
}

// === impl Drain ===

impl Drain {
    /// Waits for the wish to stop; from then on nothing is ready.
    pub(crate) async fn wished(&mut self) {
        self.asked_for(Stop::Graceful).await;
        self.line.advance(Life::NotReady);
    }

    /// Stops. `delay` is for load balancers to notice, `grace` for running calls to end; then `cut` tells the calls
    /// that are left to end with an error event.
    pub(crate) async fn carry_out(mut self, delay: Duration, grace: Duration, cut: impl FnOnce()) {
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            () = self.asked_for(Stop::Now) => {}
        }
        self.line.advance(Life::Draining);
        let calls_ended = tokio::select! {
            biased;
            () = gone(&mut self.workers) => true,
            () = tokio::time::sleep(grace) => false,
            () = asked(&mut self.stop, Stop::Now) => false,
        };
        if !calls_ended {
            tracing::warn!("running calls are cut");
            self.line.advance(Life::Cutting);
            cut();
            let hurry = *self.stop.borrow() == Stop::Now;
            let wait = if hurry { LAST_EVENTS_IN_HURRY } else { LAST_EVENTS };
            // Who is not done by then is dropped.
            let _in_time = tokio::time::timeout(wait, gone(&mut self.workers)).await.is_ok();
        }
        self.line.advance(Life::Leaving);
        let _in_time = tokio::time::timeout(CONTROL, gone(&mut self.control)).await.is_ok();
        self.line.advance(Life::Over);
        let _in_time = tokio::time::timeout(CONTROL, gone(&mut self.workers)).await.is_ok();
    }

    async fn asked_for(&mut self, at_least: Stop) {
        asked(&mut self.stop, at_least).await;
    }
}

async fn asked(stop: &mut watch::Receiver<Stop>, at_least: Stop) {
    if stop.wait_for(|stop| *stop >= at_least).await.is_err() {
        // Nobody can ask any more.
        std::future::pending::<()>().await;
    }
}

async fn gone(who: &mut Gone) {
    if let Some(never) = who.recv().await {
        match never {}
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use tokio::time::Instant;

    use super::*;

    struct Bench {
        stop: watch::Sender<Stop>,
        line: LifeLine,
        worker: Option<mpsc::Sender<Infallible>>,
        was_cut: Arc<AtomicBool>,
    }

    const DELAY: Duration = Duration::from_secs(3);
    const GRACE: Duration = Duration::from_mins(2);

    fn begin() -> (Bench, impl Future<Output = u64>) {
        let stop = watch::Sender::new(Stop::Graceful);
        let line = LifeLine::new();
        let (worker, workers) = mpsc::channel(1);
        let (_, control) = mpsc::channel(1);
        let drain = Drain { stop: stop.subscribe(), line: line.clone(), workers, control };
        let was_cut = Arc::new(AtomicBool::new(false));
        let cut = Arc::clone(&was_cut);
        let start = Instant::now();
        let end = async move {
            drain.carry_out(DELAY, GRACE, move || cut.store(true, Ordering::Relaxed)).await;
            start.elapsed().as_secs()
        };
        (Bench { stop, line, worker: Some(worker), was_cut }, end)
    }

    #[tokio::test(start_paused = true)]
    async fn calls_that_end_within_the_grace_are_not_cut() {
        let (mut bench, end) = begin();
        let mut life = bench.line.watch();
        let worker = bench.worker.take();
        let serve = async move {
            life.reaches(Life::Draining).await;
            tokio::time::sleep(Duration::from_secs(20)).await;
            drop(worker);
        };
        let (seconds, ()) = tokio::join!(end, serve);
        assert_eq!((seconds, bench.was_cut.load(Ordering::Relaxed)), (23, false));
        assert_eq!(bench.line.watch().now(), Life::Over);
    }

    #[tokio::test(start_paused = true)]
    async fn calls_that_do_not_end_are_cut_after_the_grace() {
        let (bench, end) = begin();
        let seconds = end.await;
        assert!(bench.was_cut.load(Ordering::Relaxed));
        assert!((123 + 5..=123 + 7).contains(&seconds), "it took {seconds} s");
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_wish_skips_delay_and_grace() {
        let (bench, end) = begin();
        bench.stop.send_replace(Stop::Now);
        assert!(end.await <= 2);
        assert!(bench.was_cut.load(Ordering::Relaxed));
    }
}
