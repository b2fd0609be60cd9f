use std::time::Duration;

use gateway_domain::{
    AttemptOutcome, ChannelId, Exchange, ExchangeOutcome, KeyId, UnixMillis, Usage, UsageSource, UserId,
};
use rusqlite::{Connection, Row, params, params_from_iter};

use crate::tx::{moment, signed, unreadable, unsigned};
use crate::{Result, Store};

/// The columns in the order in which [`read`] wants them, and then the rest of a query.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, request_id, started_at, user_id, key_id, endpoint, model, streamed, attempts, outcome, status, ",
            "first_byte_ms, total_ms, bytes_in, bytes_out, prompt_tokens, completion_tokens, cached_tokens, ",
            "reasoning_tokens, session_source, audio_in_tokens, audio_out_tokens, usage_source FROM exchanges ",
            $rest
        )
    };
}

mod attempts;
mod filter;
mod retention;

pub use filter::{ExchangeFilter, MAX_EXCHANGES_PER_QUERY};
pub use retention::Retention;
pub(crate) use retention::prune;

/// Some of the exchanges that were asked for, the newest first.
#[derive(Clone, Debug, PartialEq)]
pub struct ExchangePage {
    /// The exchanges.
    pub exchanges: Vec<StoredExchange>,
    /// Where the next page begins: its [`ExchangeFilter::before`]. `None`: this is the last one.
    pub next: Option<i64>,
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
    /// Its tokens, and who counted them.
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

/// Whose exchanges are counted.
#[derive(Clone, Copy, Debug)]
pub enum ExchangesOf<'a> {
    /// Those that tried this channel.
    Channel(ChannelId),
    /// Those of this user.
    User(UserId),
    /// Those for this public model name.
    Model(&'a str),
}

// === impl Store ===

impl Store {
    /// The newest exchange with this request id.
    pub fn exchange(&self, request_id: &str) -> Result<Option<StoredExchange>> {
        self.read(|tx| tx.one(select!("WHERE request_id = ?1 ORDER BY id DESC LIMIT 1"), [request_id], read))
    }

    /// How many exchanges name this channel, user or model.
    pub fn count_exchanges(&self, of: ExchangesOf<'_>) -> Result<u64> {
        self.read(|tx| match of {
            ExchangesOf::Channel(id) => {
                tx.count("SELECT count(*) FROM exchange_channels WHERE channel_id = ?1", [id.0])
            }
            ExchangesOf::User(id) => tx.count("SELECT count(*) FROM exchanges WHERE user_id = ?1", [id.0]),
            ExchangesOf::Model(name) => tx.count("SELECT count(*) FROM exchanges WHERE model = ?1", [name]),
        })
    }

    /// Exchanges, newest first.
    pub fn exchanges(&self, filter: &ExchangeFilter) -> Result<ExchangePage> {
        let (sql, params) = filter.query();
        let limit = filter.rows();
        self.read(|tx| {
            let mut statement = tx.conn.prepare_cached(&sql)?;
            let mut rows = statement.query(params_from_iter(&params))?;
            let mut exchanges: Vec<StoredExchange> = Vec::new();
            while let Some(row) = rows.next()? {
                if exchanges.len() == limit {
                    // One more was asked for, to know whether there is one.
                    let next = exchanges.last().map(|last| last.id);
                    return Ok(ExchangePage { exchanges, next });
                }
                exchanges.push(read(row)?);
            }
            Ok(ExchangePage { exchanges, next: None })
        })
    }
}

/// Keeps one exchange.
pub(crate) fn insert(conn: &Connection, exchange: &Exchange) -> Result<()> {
    let id = conn
        .prepare_cached(
            "INSERT INTO exchanges (request_id, started_at, user_id, key_id, endpoint, model, streamed, attempts,
                 outcome, status, first_byte_ms, total_ms, bytes_in, bytes_out, prompt_tokens, completion_tokens,
                 cached_tokens, reasoning_tokens, session_source, audio_in_tokens, audio_out_tokens, usage_source)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21,
                 ?22)",
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
            exchange.usage.audio_in.map(signed),
            exchange.usage.audio_out.map(signed),
            exchange.usage.source.as_str(),
        ])?;
    let mut tried = conn.prepare_cached(
        "INSERT OR IGNORE INTO exchange_channels (exchange_id, channel_id) VALUES (?1, ?2)",
    )?;
    for attempt in &exchange.attempts {
        tried.execute([id, attempt.channel.0])?;
    }
    Ok(())
}

fn read(row: &Row<'_>) -> Result<StoredExchange> {
    let outcome: String = row.get(9)?;
    let count = |column: usize| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(unsigned));
    let mut usage = Usage {
        prompt: count(15)?,
        completion: count(16)?,
        cached: count(17)?,
        reasoning: count(18)?,
        audio_in: count(20)?,
        audio_out: count(21)?,
        source: UsageSource::None,
    };
    usage.source = match row.get::<_, Option<String>>(22)? {
        Some(word) => source_of(&word).ok_or_else(|| unreadable(row, 22))?,
        None if usage.is_known() => UsageSource::Upstream,
        None => UsageSource::None,
    };
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
        usage,
        session_source: row.get(19)?,
    })
}

fn outcome_of(word: &str) -> Option<ExchangeOutcome> {
    use ExchangeOutcome::{ClientError, ClientGone, GatewayError, Interrupted, Ok, UpstreamError};
    let all = [Ok, ClientError, UpstreamError, GatewayError, Interrupted, ClientGone];
    all.into_iter().find(|outcome| outcome.as_str() == word)
}

fn source_of(word: &str) -> Option<UsageSource> {
    UsageSource::ALL.into_iter().find(|source| source.as_str() == word)
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
