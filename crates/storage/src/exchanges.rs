use std::time::Duration;

use gateway_domain::{AttemptOutcome, ChannelId, ExchangeOutcome, KeyId, UnixMillis, Usage, UserId};

use crate::{Result, Store};

/// No query for exchanges answers with more than this.
pub const MAX_EXCHANGES_PER_QUERY: u32 = 500;

/// Which exchanges to show: all conditions hold at once, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangeFilter {
    /// At most this many, from 1 to [`MAX_EXCHANGES_PER_QUERY`]; what lies outside is brought inside.
    pub limit: u32,
    /// Only exchanges older than this row: the [`StoredExchange::id`] of the last one on the page before.
    pub before: Option<i64>,
    /// Only of this user.
    pub user: Option<UserId>,
    /// Only of this public model.
    pub model: Option<String>,
    /// Only those that tried this channel.
    pub channel: Option<ChannelId>,
    /// Only those that ended so.
    pub outcome: Option<ExchangeOutcome>,
    /// Only those that answered with this status.
    pub status: Option<u16>,
}

/// A finished exchange as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredExchange {
    /// Its row; later exchanges have higher numbers.
    pub id: i64,
    /// `x-request-id`. Clients may choose it, so it need not be unique.
    pub request_id: String,
    /// When the request's head had arrived.
    pub started_at: UnixMillis,
    /// Who asked, when the key was recognised; the user may have been deleted since.
    pub user: Option<UserId>,
    /// With which key.
    pub key: Option<KeyId>,
    /// The endpoint's template.
    pub endpoint: String,
    /// The public model name.
    pub model: Option<String>,
    /// Whether the answer was a stream.
    pub streamed: bool,
    /// The tries, in order.
    pub attempts: Vec<StoredAttempt>,
    /// How it ended.
    pub outcome: ExchangeOutcome,
    /// The status the client got.
    pub status: u16,
    /// To the first byte of the answer's body, in whole milliseconds.
    pub first_byte: Option<Duration>,
    /// To the end, in whole milliseconds.
    pub total: Duration,
    /// Bytes of the request's body.
    pub bytes_in: u64,
    /// Bytes of the answer's body that went to the client.
    pub bytes_out: u64,
    /// What the upstream counted.
    pub usage: Usage,
}

/// One try of a stored exchange.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredAttempt {
    /// The channel that was tried; it may have been deleted since.
    pub channel: ChannelId,
    /// Its name at that time.
    pub channel_name: String,
    /// Why routing chose it, in one word.
    pub reason: String,
    /// The status that the channel gave.
    pub status: Option<u16>,
    /// To the first byte of the answer's body, in whole milliseconds.
    pub first_byte: Option<Duration>,
    /// To its end, in whole milliseconds.
    pub total: Duration,
    /// How it ended.
    pub outcome: AttemptOutcome,
}

impl Default for ExchangeFilter {
    fn default() -> Self {
        Self { limit: 100, before: None, user: None, model: None, channel: None, outcome: None, status: None }
    }
}

impl Store {
    /// The newest exchange with this request id.
    pub fn exchange(&self, request_id: &str) -> Result<Option<StoredExchange>> {
        self.unfinished_of(request_id)
    }

    /// Exchanges, newest first.
    pub fn exchanges(&self, filter: &ExchangeFilter) -> Result<Vec<StoredExchange>> {
        self.unfinished_of(filter)
    }

    /// How many exchanges are kept; older ones are removed step by step while new ones come in.
    pub fn set_retention(&self, newest: u64) {
        let _ = self.unfinished_of::<u64, ()>(newest);
    }
}
