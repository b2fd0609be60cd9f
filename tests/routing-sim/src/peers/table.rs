use std::collections::HashMap;

use crate::router::View;

/// Remembers where each session was, whatever has become of the channel.
#[derive(Debug)]
pub struct SessionTable {
    idle: f64,
    sessions: HashMap<u64, (usize, f64)>,
}

// === impl SessionTable ===

impl SessionTable {
    /// An empty table; a session is forgotten when it was idle for so many seconds.
    pub fn new(idle: f64) -> Self {
        Self { idle, sessions: HashMap::new() }
    }

    /// Where the request's session was last.
    pub fn channel_of(&self, now: f64, request: &View) -> Option<usize> {
        let (channel, at) = self.sessions.get(&request.session?)?;
        (now - at < self.idle).then_some(*channel)
    }

    /// The request's session is there now.
    pub fn remember(&mut self, now: f64, request: &View, channel: usize) {
        if let Some(session) = request.session {
            self.sessions.insert(session, (channel, now));
        }
    }
}
