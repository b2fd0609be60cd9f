use std::time::Duration;

use gateway_domain::{
    AttemptOutcome, ChannelId, Exchange, ExchangeOutcome, KeyId, UnixMillis, Usage, UserId,
};
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params, params_from_iter};

use crate::tx::{moment, signed, unreadable, unsigned};
use crate::{Result, Store};

mod attempts;

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
    /// Which key named the session; empty when none was made.
    pub session_source: String,
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
    /// The session's home, when it was another channel than the one that was tried.
    pub home: Option<ChannelId>,
    /// How well the channel was held to be when it was chosen, from 0 to 1, to three decimals; `None` of tries that an
    /// older gateway kept.
    pub health: Option<f32>,
    /// Whether it ran beside another attempt of the same call that was slow.
    pub hedge: bool,
}

/// The columns in the order in which [`read`] wants them, and then the rest of a query.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, request_id, started_at, user_id, key_id, endpoint, model, streamed, attempts, outcome, status, ",
            "first_byte_ms, total_ms, bytes_in, bytes_out, prompt_tokens, completion_tokens, cached_tokens, ",
            "reasoning_tokens, session_source FROM exchanges ",
            $rest
        )
    };
}

// === impl ExchangeFilter ===

impl Default for ExchangeFilter {
    fn default() -> Self {
        Self { limit: 100, before: None, user: None, model: None, channel: None, outcome: None, status: None }
    }
}

impl ExchangeFilter {
    /// The statement is put together from fixed pieces, one for each condition; every value is bound.
    fn query(&self) -> (String, Vec<Value>) {
        let conditions = [
            ("id < ?", self.before.map(Value::Integer)),
            ("user_id = ?", self.user.map(|id| Value::Integer(id.0))),
            ("model = ?", self.model.clone().map(Value::Text)),
            (
                "id IN (SELECT exchange_id FROM exchange_channels WHERE channel_id = ?)",
                self.channel.map(|id| Value::Integer(id.0)),
            ),
            ("outcome = ?", self.outcome.map(|outcome| Value::Text(outcome.as_str().to_owned()))),
            ("status = ?", self.status.map(|status| Value::Integer(status.into()))),
        ];
        let mut sql = select!("WHERE 1").to_owned();
        let mut params = Vec::new();
        for (condition, value) in conditions {
            if let Some(value) = value {
                sql.push_str(" AND ");
                sql.push_str(condition);
                params.push(value);
            }
        }
        sql.push_str(" ORDER BY id DESC LIMIT ?");
        params.push(Value::Integer(self.limit.clamp(1, MAX_EXCHANGES_PER_QUERY).into()));
        (sql, params)
    }
}

// === impl Store ===

impl Store {
    /// The newest exchange with this request id.
    pub fn exchange(&self, request_id: &str) -> Result<Option<StoredExchange>> {
        self.read(|tx| tx.one(select!("WHERE request_id = ?1 ORDER BY id DESC LIMIT 1"), [request_id], read))
    }

    /// Exchanges, newest first.
    pub fn exchanges(&self, filter: &ExchangeFilter) -> Result<Vec<StoredExchange>> {
        let (sql, params) = filter.query();
        self.read(|tx| {
            let mut statement = tx.conn.prepare_cached(&sql)?;
            let mut rows = statement.query(params_from_iter(&params))?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(read(row)?);
            }
            Ok(found)
        })
    }
}

/// Keeps one exchange.
pub(crate) fn insert(conn: &Connection, exchange: &Exchange) -> Result<()> {
    let id = conn
        .prepare_cached(
            "INSERT INTO exchanges (request_id, started_at, user_id, key_id, endpoint, model, streamed, attempts,
                 outcome, status, first_byte_ms, total_ms, bytes_in, bytes_out, prompt_tokens, completion_tokens,
                 cached_tokens, reasoning_tokens, session_source)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)",
        )?
        .insert(params![
            &*exchange.request_id,
            exchange.started_at.0,
            exchange.user.map(|id| id.0),
            exchange.key.map(|id| id.0),
            exchange.endpoint,
            exchange.model.as_deref(),
            exchange.streamed,
            attempts::to_json(&exchange.attempts),
            exchange.outcome.as_str(),
            exchange.status,
            exchange.first_byte.map(millis),
            millis(exchange.total),
            signed(exchange.bytes_in),
            signed(exchange.bytes_out),
            exchange.usage.prompt.map(signed),
            exchange.usage.completion.map(signed),
            exchange.usage.cached.map(signed),
            exchange.usage.reasoning.map(signed),
            exchange.session_source,
        ])?;
    let mut tried = conn.prepare_cached(
        "INSERT OR IGNORE INTO exchange_channels (exchange_id, channel_id) VALUES (?1, ?2)",
    )?;
    for attempt in &exchange.attempts {
        tried.execute([id, attempt.channel.0])?;
    }
    Ok(())
}

/// Removes the oldest exchanges beyond the `keep` newest, at most `step` of them. Gives the number removed.
///
/// Numbers are given without gaps and removed from the low end, so the numbers tell what is too much.
pub(crate) fn prune(conn: &Connection, keep: u64, step: usize) -> Result<usize> {
    let last: Option<i64> =
        conn.prepare_cached("SELECT max(id) FROM exchanges")?.query_row([], |row| row.get(0))?;
    let Some(bound) = last.map(|last| last.saturating_sub(signed(keep))).filter(|bound| *bound > 0) else {
        return Ok(0);
    };
    Ok(conn
        .prepare_cached(
            "DELETE FROM exchanges WHERE id IN (SELECT id FROM exchanges WHERE id <= ?1 ORDER BY id LIMIT ?2)",
        )?
        .execute([bound, signed(step as u64)])?)
}

fn read(row: &Row<'_>) -> Result<StoredExchange> {
    let outcome: String = row.get(9)?;
    let count = |column: usize| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(unsigned));
    Ok(StoredExchange {
        id: row.get(0)?,
        request_id: row.get(1)?,
        started_at: moment(row, 2)?,
        user: row.get::<_, Option<i64>>(3)?.map(UserId),
        key: row.get::<_, Option<i64>>(4)?.map(KeyId),
        endpoint: row.get(5)?,
        model: row.get(6)?,
        streamed: row.get(7)?,
        attempts: attempts::from_json(&row.get::<_, String>(8)?).ok_or_else(|| unreadable(row, 8))?,
        outcome: outcome_of(&outcome).ok_or_else(|| unreadable(row, 9))?,
        status: row.get(10)?,
        first_byte: count(11)?.map(Duration::from_millis),
        total: Duration::from_millis(unsigned(row.get(12)?)),
        bytes_in: unsigned(row.get(13)?),
        bytes_out: unsigned(row.get(14)?),
        usage: Usage {
            prompt: count(15)?,
            completion: count(16)?,
            cached: count(17)?,
            reasoning: count(18)?,
        },
        session_source: row.get(19)?,
    })
}

fn outcome_of(word: &str) -> Option<ExchangeOutcome> {
    use ExchangeOutcome::{ClientError, ClientGone, GatewayError, Interrupted, Ok, UpstreamError};
    let all = [Ok, ClientError, UpstreamError, GatewayError, Interrupted, ClientGone];
    all.into_iter().find(|outcome| outcome.as_str() == word)
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
