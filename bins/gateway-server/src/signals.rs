use gateway_config::{Cause, PublishError, Publisher};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::app::Stopper;

/// The signals that the gateway obeys, caught from now on.
#[derive(Debug)]
pub(crate) struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

// === impl Signals ===

impl Signals {
    /// Must run inside a runtime.
    pub(crate) fn catch() -> std::io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// SIGHUP reloads; the first SIGTERM or SIGINT stops gracefully, the second at once.
    pub(crate) async fn obey(self, publisher: Publisher, stopper: Stopper) {
        let Self { hangup, terminate, interrupt } = self;
        // Side by side: a reload that waits for the database must not keep a stop waiting.
        tokio::join!(reload_on(hangup, publisher), stop_on(terminate, interrupt, stopper));
    }
}

async fn reload_on(mut hangup: Signal, publisher: Publisher) {
    while hangup.recv().await.is_some() {
        // The publisher says by itself what is wrong with the configuration.
        if matches!(publisher.publish(Cause::Signal).await, Err(PublishError::Closed)) {
            tracing::warn!("SIGHUP ignored: the gateway is stopping");
        }
    }
}

async fn stop_on(mut terminate: Signal, mut interrupt: Signal, stopper: Stopper) {
    let mut asked = false;
    loop {
        let name = tokio::select! {
            Some(()) = terminate.recv() => "SIGTERM",
            Some(()) = interrupt.recv() => "SIGINT",
            else => return,
        };
        if asked {
            tracing::warn!(signal = name, "second signal: stopping at once");
            stopper.abort();
        } else {
            tracing::info!(signal = name, "stopping: running calls may finish; a second signal cuts them");
            stopper.stop();
        }
        asked = true;
    }
}
