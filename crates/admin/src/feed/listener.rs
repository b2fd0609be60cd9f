use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use gateway_domain::UnixMillis;
use tokio::time::{Instant, Sleep, sleep};

use super::{Shared, State};
use crate::auth::SignIn;

/// A sign of life is given this often, so that proxies do not take silence for the end.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);
const COMMENT: &[u8] = b":\n\n";

/// About as much is given at a time.
const MOST_AT_ONCE: usize = 64 << 10;

/// One who listens to the feed.
pub(crate) struct Listener {
    shared: Arc<Shared>,
    key: u64,
    /// The number of the event that comes next.
    cursor: u64,
    opening: Option<Bytes>,
    /// With this the feed ends, too; and the clock that tells when.
    sign_in: Option<(SignIn, fn() -> UnixMillis)>,
    silence: Pin<Box<Sleep>>,
}

// === impl Listener ===

impl Listener {
    /// Must be made inside a runtime.
    pub(super) fn new(shared: Arc<Shared>, key: u64, cursor: u64, opening: Bytes) -> Self {
        let silence = Box::pin(sleep(SIGN_OF_LIFE));
        Self { shared, key, cursor, opening: Some(opening), sign_in: None, silence }
    }

    /// Listens no longer than what let it in is good for: from then on it hears nothing, and its next wake is its end.
    pub(crate) fn while_signed_in(mut self, sign_in: Option<SignIn>, clock: fn() -> UnixMillis) -> Self {
        self.sign_in = sign_in.map(|sign_in| (sign_in, clock));
        self
    }

    /// What comes next; `None`: the feed has ended.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.sign_in.as_ref().is_some_and(|(sign_in, clock)| sign_in.is_over(clock())) {
            return Poll::Ready(None);
        }
        if let Some(opening) = self.opening.take() {
            return Poll::Ready(Some(opening));
        }
        let shared = Arc::clone(&self.shared);
        let mut state = shared.state();
        if state.ended {
            return Poll::Ready(None);
        }
        if let Some(news) = self.read(&state) {
            drop(state);
            self.silence.as_mut().reset(Instant::now() + SIGN_OF_LIFE);
            return Poll::Ready(Some(news));
        }
        state.listeners.insert(self.key, Some(cx.waker().clone()));
        drop(state);
        if self.silence.as_mut().poll(cx).is_ready() {
            self.silence.as_mut().reset(Instant::now() + SIGN_OF_LIFE);
            return Poll::Ready(Some(Bytes::from_static(COMMENT)));
        }
        Poll::Pending
    }

    /// What was told since the last time.
    fn read(&mut self, state: &State) -> Option<Bytes> {
        if self.cursor == state.next {
            return None;
        }
        if !state.has(self.cursor) {
            self.cursor = state.next;
            return Some(self.shared.reset(state.next));
        }
        let first = state.kept.front().map_or(state.next, |event| event.number);
        let mut news = BytesMut::new();
        for event in state.kept.iter().skip(usize::try_from(self.cursor - first).unwrap_or(usize::MAX)) {
            if !news.is_empty() && news.len() + event.text.len() > MOST_AT_ONCE {
                break;
            }
            news.extend_from_slice(&event.text);
            self.cursor = event.number + 1;
        }
        Some(news.freeze())
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.listeners.remove(&self.key);
        if state.listeners.is_empty() {
            state.left_at = Some(Instant::now());
        }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("cursor", &self.cursor).finish_non_exhaustive()
    }
}
