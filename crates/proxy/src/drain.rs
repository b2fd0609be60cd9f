//! The end of the gateway, as calls see it: at some point what still runs is told and cut.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

/// Cuts all calls of a worker at once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cut(Arc<State>);

#[derive(Debug, Default)]
struct State {
    cut: AtomicBool,
    notify: Arc<Notify>,
}

/// One stream's view of the cut.
pub(crate) struct CutWatch {
    state: Arc<State>,
    /// Registered once, with the first poll; the task that polls a body stays the same.
    waiting: Option<Pin<Box<OwnedNotified>>>,
    registered: bool,
}

// === impl Cut ===

impl Cut {
    /// Every stream ends with its error event now, and every call without an answer is told.
    pub(crate) fn now(&self) {
        self.0.cut.store(true, Ordering::SeqCst);
        self.0.notify.notify_waiters();
    }

    /// Waits until everything is to end: for calls that have no answer yet.
    pub(crate) async fn happened(&self) {
        // Made before the look at the flag, so that a cut between the two is not missed.
        let told = self.0.notify.notified();
        if !self.0.cut.load(Ordering::SeqCst) {
            told.await;
        }
    }

    pub(crate) fn watch(&self) -> CutWatch {
        CutWatch {
            waiting: Some(Box::pin(Arc::clone(&self.0.notify).notified_owned())),
            state: Arc::clone(&self.0),
            registered: false,
        }
    }
}

// === impl CutWatch ===

impl CutWatch {
    /// Whether the stream must end; registers to be woken when it must.
    pub(crate) fn poll_cut(&mut self, cx: &mut Context<'_>) -> bool {
        if let Some(waiting) = self.waiting.as_mut().filter(|_| !self.registered) {
            self.registered = true;
            if let Poll::Ready(()) = waiting.as_mut().poll(cx) {
                self.waiting = None;
            }
        }
        self.state.cut.load(Ordering::SeqCst)
    }
}

impl fmt::Debug for CutWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CutWatch")
    }
}
