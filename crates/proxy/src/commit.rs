//! When a client that asked for a stream gets its status line.
//!
//! As late as possible: until then a failing upstream can be left for another one and the client sees nothing of it. But
//! not later than its patience, or that of a proxy in between: once an upstream has promised a stream, and a while has
//! passed without a word, the client gets the head of its answer, and comments to keep the connection awake, while the
//! search for an answer goes on.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;

use tokio::time::{Instant, sleep_until};

use crate::search::Found;

/// A search that owns all it needs, so that it can outlive the request's handler in the body of the answer.
pub(crate) type Searching = Pin<Box<dyn Future<Output = Found> + Send>>;

/// Whether an upstream that is under way has answered with the head of a stream.
#[derive(Clone, Debug, Default)]
pub(crate) struct Promise(Option<Arc<State>>);

#[derive(Debug, Default)]
struct State {
    /// How many have: with a hedge there may be two, and either may fail.
    given: AtomicUsize,
    /// The client has been told so.
    told: AtomicBool,
}

/// One upstream's promise, until it is dropped.
#[derive(Debug)]
pub(crate) struct Given(Option<Arc<State>>);

/// What came first.
pub(crate) enum Awaited {
    /// The search has ended.
    Found(Box<Found>),
    /// A stream is promised and the time is over; the search goes on.
    Promised(Searching),
}

/// Waits for the end of a search, but from `at` on no longer than until a stream is promised.
pub(crate) async fn found_or_promised(mut search: Searching, promise: &Promise, at: Instant) -> Awaited {
    let mut timer = std::pin::pin!(sleep_until(at));
    let found = poll_fn(|cx| {
        if let Poll::Ready(found) = search.as_mut().poll(cx) {
            return Poll::Ready(Some(found));
        }
        // The promise is made while the search is polled, so nobody else has to wake this task for it.
        let over = timer.as_mut().poll(cx).is_ready();
        if over && promise.is_given() { Poll::Ready(None) } else { Poll::Pending }
    });
    if let Some(found) = found.await {
        return Awaited::Found(Box::new(found));
    }
    promise.tell();
    Awaited::Promised(search)
}

// === impl Promise ===

impl Promise {
    /// For a call that asked for a stream; the default is for calls that did not, and is never given.
    pub(crate) fn of_stream() -> Self {
        Self(Some(Arc::default()))
    }

    /// An upstream has answered with the head of a stream. Its promise lasts as long as its attempt.
    #[must_use]
    pub(crate) fn give(&self) -> Given {
        if let Some(state) = &self.0 {
            state.given.fetch_add(1, Ordering::Relaxed);
        }
        Given(self.0.clone())
    }

    /// The client gets the head of its answer.
    pub(crate) fn tell(&self) {
        if let Some(state) = &self.0 {
            state.told.store(true, Ordering::Relaxed);
        }
    }

    /// Whether the client has the head of its answer already.
    pub(crate) fn is_told(&self) -> bool {
        self.0.as_ref().is_some_and(|state| state.told.load(Ordering::Relaxed))
    }

    fn is_given(&self) -> bool {
        self.0.as_ref().is_some_and(|state| state.given.load(Ordering::Relaxed) > 0)
    }
}

impl Drop for Given {
    fn drop(&mut self) {
        if let Some(state) = &self.0 {
            state.given.fetch_sub(1, Ordering::Relaxed);
        }
    }
}
