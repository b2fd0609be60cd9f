//! The feed of what happens, as server-sent events: what was told last, and those who listen.
//!
//! There are no queues. Events are kept once, the newest of them, and each listener knows how far it has read: one that
//! comes back with the id of the last event it saw reads on from there, and one that reads too slowly, or comes back
//! too late, is told so by a `reset` and goes on with what is new. So a listener costs the same whatever its peer does.
//!
//! While nobody listens nothing is kept and nothing needs to be told.

mod listener;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use bytes::Bytes;
use gateway_domain::UnixMillis;
use serde::Serialize;
use tokio::time::Instant;

use crate::error::ApiError;

pub(crate) use self::listener::Listener;

/// How many may listen at a time.
pub(crate) const MAX_LISTENERS: usize = 64;
/// Seconds after which one that was refused may try again.
const RETRY_AFTER: u64 = 5;
/// What is kept for those who come back or read slowly.
const MAX_EVENTS: usize = 2048;
const MAX_BYTES: usize = 2 << 20;
/// For how long events are kept for somebody who may come back, once the last listener has left.
const LINGER: Duration = Duration::from_secs(30);

/// The feed of one gateway.
#[derive(Clone)]
pub(crate) struct Feed(Arc<Shared>);

struct Shared {
    /// Begins every id, so that those of an earlier run are known as such.
    run: String,
    state: Mutex<State>,
}

struct State {
    /// The number of the next event.
    next: u64,
    /// The newest events, their numbers without a gap up to `next`.
    kept: VecDeque<Event>,
    bytes: usize,
    /// Who listens, and whom to wake when there is something new.
    listeners: HashMap<u64, Option<Waker>>,
    /// How many ever listened.
    heard: u64,
    /// When the last one left; `None`: somebody listens, or nobody ever did.
    left_at: Option<Instant>,
    ended: bool,
}

struct Event {
    number: u64,
    text: Bytes,
}

// === impl Feed ===

impl Feed {
    /// A feed to which nobody listens; `started_at` tells it from those of earlier runs.
    pub(crate) fn new(started_at: UnixMillis) -> Self {
        Self(Arc::new(Shared { run: format!("{:x}", started_at.0), state: Mutex::default() }))
    }

    /// Whether anybody may ever read what is told now.
    pub(crate) fn is_heard(&self) -> bool {
        self.0.state().is_heard()
    }

    /// Tells everybody who listens.
    pub(crate) fn tell(&self, kind: &'static str, data: &impl Serialize) {
        let Ok(data) = serde_json::to_string(data) else { return };
        let mut state = self.0.state();
        if !state.is_heard() || state.ended {
            return;
        }
        let number = state.next;
        let mut text = String::with_capacity(data.len() + 64);
        // JSON has no line ends outside of texts, and inside they are escaped. Writing to a string cannot fail.
        let _written = write!(text, "id: {}-{number}\nevent: {kind}\ndata: {data}\n\n", self.0.run);
        state.keep(number, text.into());
        state.wake();
    }

    /// Listens from now on, or from the event behind `last`.
    pub(crate) fn listen(&self, last: Option<&str>) -> Result<Listener, ApiError> {
        let mut state = self.0.state();
        if state.ended {
            return Err(ApiError::Stopping);
        }
        if state.listeners.len() >= MAX_LISTENERS {
            return Err(ApiError::TooManyListeners { most: MAX_LISTENERS, retry_after: RETRY_AFTER });
        }
        let was_heard = state.is_heard();
        let first =
            last.map(|last| self.0.number_of(last).filter(|number| was_heard && state.has(number + 1)));
        let (cursor, opening) = match first {
            None => (state.next, self.0.opening(state.next)),
            Some(Some(seen)) => (seen + 1, self.0.opening(seen + 1)),
            Some(None) => (state.next, self.0.reset(state.next)),
        };
        state.heard += 1;
        state.left_at = None;
        let key = state.heard;
        state.listeners.insert(key, None);
        drop(state);
        Ok(Listener::new(Arc::clone(&self.0), key, cursor, opening))
    }

    /// Ends the feed for everybody and for good.
    pub(crate) fn end(&self) {
        let mut state = self.0.state();
        state.ended = true;
        state.wake();
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Feed")
    }
}

// === impl Shared ===

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number in an id of this run.
    fn number_of(&self, id: &str) -> Option<u64> {
        id.trim().strip_prefix(self.run.as_str())?.strip_prefix('-')?.parse().ok().filter(|n| *n < u64::MAX)
    }

    /// The first bytes of an answer: an id to come back with, even when nothing happens.
    fn opening(&self, next: u64) -> Bytes {
        format!("retry: 1000\nid: {}-{}\n\n", self.run, next.saturating_sub(1)).into()
    }

    /// What was missed is not known any more.
    fn reset(&self, next: u64) -> Bytes {
        format!("id: {}-{}\nevent: reset\ndata: {{}}\n\n", self.run, next.saturating_sub(1)).into()
    }
}

// === impl State ===

impl State {
    /// Forgets what was kept when nobody came back for it.
    fn is_heard(&mut self) -> bool {
        if !self.listeners.is_empty() {
            return true;
        }
        if self.left_at.is_some_and(|left| left.elapsed() < LINGER) {
            return true;
        }
        if self.left_at.take().is_some() {
            self.kept.clear();
            self.bytes = 0;
            // From here on something may be missed, so no id of the past leads on.
            self.next += 1;
        }
        false
    }

    /// Whether all events from this number on are here, or will be.
    fn has(&self, number: u64) -> bool {
        let first = self.kept.front().map_or(self.next, |event| event.number);
        (first..=self.next).contains(&number)
    }

    fn keep(&mut self, number: u64, text: Bytes) {
        self.bytes += text.len();
        self.kept.push_back(Event { number, text });
        self.next = number + 1;
        while self.kept.len() > MAX_EVENTS || self.bytes > MAX_BYTES {
            let Some(oldest) = self.kept.pop_front() else { break };
            self.bytes -= oldest.text.len();
        }
    }

    fn wake(&mut self) {
        for waker in self.listeners.values_mut().filter_map(Option::take) {
            waker.wake();
        }
    }
}

impl Default for State {
    fn default() -> Self {
        Self {
            // 0 is before the first event.
            next: 1,
            kept: VecDeque::new(),
            bytes: 0,
            listeners: HashMap::new(),
            heard: 0,
            left_at: None,
            ended: false,
        }
    }
}

#[cfg(test)]
mod tests;
