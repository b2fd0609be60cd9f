//! Which exchanges are asked for, as a statement.

use gateway_domain::{ChannelId, ExchangeOutcome, KeyId, UnixMillis, UserId};
use rusqlite::types::Value;

/// No query for exchanges answers with more than this.
pub const MAX_EXCHANGES_PER_QUERY: u32 = 500;

/// Which exchanges to show: all conditions hold at once, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangeFilter {
    /// At most this many, from 1 to [`MAX_EXCHANGES_PER_QUERY`]; what lies outside is brought inside.
    pub limit: u32,
    /// Only exchanges older than this row: the [`ExchangePage::next`](super::ExchangePage::next) of the page before.
    pub before: Option<i64>,
    /// Only of this user.
    pub user: Option<UserId>,
    /// Only with this key.
    pub key: Option<KeyId>,
    /// Only of this public model.
    pub model: Option<String>,
    /// Only at this endpoint, by its template.
    pub endpoint: Option<String>,
    /// Only those that tried this channel.
    pub channel: Option<ChannelId>,
    /// Only those that ended so.
    pub outcome: Option<ExchangeOutcome>,
    /// Only those that answered with this status.
    pub status: Option<u16>,
    /// Only with this `x-request-id`.
    pub request_id: Option<String>,
    /// Only those whose answer was a stream, or only those whose was none.
    pub streamed: Option<bool>,
    /// Only those that began at this moment or later.
    pub since: Option<UnixMillis>,
    /// Only those that began before this moment.
    pub until: Option<UnixMillis>,
}

// === impl ExchangeFilter ===

impl Default for ExchangeFilter {
    fn default() -> Self {
        Self {
            limit: 100,
            before: None,
            user: None,
            key: None,
            model: None,
            endpoint: None,
            channel: None,
            outcome: None,
            status: None,
            request_id: None,
            streamed: None,
            since: None,
            until: None,
        }
    }
}

impl ExchangeFilter {
    /// The statement is put together from fixed pieces, one for each condition; every value is bound. It gives one row
    /// more than a page has.
    ///
    /// Rows are asked for in the order of their numbers, so a condition is either an index whose entries are in that
    /// order too, or a list of numbers from an index that need not be touched otherwise: a page is full before the
    /// history has been read, however long it is. Streams alone have no index: every second call is one.
    pub(super) fn query(&self) -> (String, Vec<Value>) {
        let text = |value: &Option<String>| value.clone().map(|text| vec![Value::Text(text)]);
        let number = |value: i64| vec![Value::Integer(value)];
        let conditions = [
            ("id < ?", self.before.map(number)),
            ("user_id = ?", self.user.map(|id| number(id.0))),
            ("key_id = ?", self.key.map(|id| number(id.0))),
            ("model = ?", text(&self.model)),
            ("endpoint = ?", text(&self.endpoint)),
            (
                "id IN (SELECT exchange_id FROM exchange_channels WHERE channel_id = ?)",
                self.channel.map(|id| number(id.0)),
            ),
            ("outcome = ?", self.outcome.map(|outcome| vec![Value::Text(outcome.as_str().to_owned())])),
            ("status = ?", self.status.map(|status| number(status.into()))),
            ("request_id = ?", text(&self.request_id)),
            ("streamed = ?", self.streamed.map(|streamed| number(streamed.into()))),
            (
                "id IN (SELECT id FROM exchanges WHERE started_at >= ? AND started_at < ?)",
                self.span().map(|(since, until)| vec![Value::Integer(since), Value::Integer(until)]),
            ),
        ];
        let mut sql = select!("WHERE 1").to_owned();
        let mut params = Vec::new();
        for (condition, values) in conditions {
            if let Some(values) = values {
                sql.push_str(" AND ");
                sql.push_str(condition);
                params.extend(values);
            }
        }
        sql.push_str(" ORDER BY id DESC LIMIT ?");
        params.push(Value::Integer(i64::from(self.clamped()) + 1));
        (sql, params)
    }

    /// How many rows a page has at most.
    pub(super) fn rows(&self) -> usize {
        self.clamped() as usize
    }

    fn clamped(&self) -> u32 {
        self.limit.clamp(1, MAX_EXCHANGES_PER_QUERY)
    }

    fn span(&self) -> Option<(i64, i64)> {
        (self.since.is_some() || self.until.is_some()).then(|| {
            (self.since.map_or(i64::MIN, |since| since.0), self.until.map_or(i64::MAX, |until| until.0))
        })
    }
}
