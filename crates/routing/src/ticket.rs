use std::sync::Arc;

use gateway_domain::ChannelId;

use crate::{Micros, Outcome, Pool};

/// One attempt in flight.
#[derive(Debug)]
pub struct Ticket {
    #[expect(dead_code, reason = "bodies follow")]
    pool: Arc<Pool>,
    channel: ChannelId,
}

// === impl Ticket ===

impl Ticket {
    /// The channel that the attempt goes to.
    pub fn channel(&self) -> ChannelId {
        self.channel
    }

    /// The first token of the answer (or the first byte, when the answer is no stream) has come.
    pub fn first_token(&mut self, _now: Micros) {}

    /// Asked when the first-token deadline has passed: whether to give up this attempt and try elsewhere.
    pub fn confirm_cut(&self, _now: Micros) -> bool {
        false
    }

    /// The attempt is over.
    pub fn finish(self, _outcome: Outcome, _now: Micros) {}
}
