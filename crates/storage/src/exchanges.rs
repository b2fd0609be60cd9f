use std::ops::ControlFlow;
use std::time::Duration;

use gateway_domain::{AttemptOutcome, ChannelId, ExchangeOutcome, KeyId, UnixMillis, Usage, UserId};
use rusqlite::{Connection, params};

use crate::tx::{signed, unreadable};
use crate::{Result, StorageError, Store};

mod filter;
mod former;
mod retention;
mod segment;

use filter::Wanted;
pub use filter::{ExchangeFilter, MAX_EXCHANGES_PER_QUERY};
pub(crate) use former::{carry_over, set_aside_if_damaged};
pub use retention::{ObjectRetention, Retention};
pub(crate) use retention::{prune, prune_objects};
use segment::{Entry, locate};
pub(crate) use segment::{FULL, Segment, Written};

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
    /// Its number; later exchanges have higher ones.
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

// === impl Store ===

impl Store {
    /// The newest exchange with this request id.
    pub fn exchange(&self, request_id: &str) -> Result<Option<StoredExchange>> {
        let one =
            ExchangeFilter { limit: 1, request_id: Some(request_id.to_owned()), ..ExchangeFilter::default() };
        Ok(self.exchanges(&one)?.exchanges.pop())
    }

    /// Exchanges, newest first. What is no longer to be kept is not among them, whether it has been removed yet or not.
    pub fn exchanges(&self, filter: &ExchangeFilter) -> Result<ExchangePage> {
        let keep = self.retention();
        self.read(|tx| {
            let wanted = filter.within(keep, last_number(tx.conn)?, tx.now);
            let mut page = ExchangePage { exchanges: Vec::new(), next: None };
            walk(tx.conn, &wanted, |id, entry| {
                if page.exchanges.len() == wanted.rows() {
                    page.next = page.exchanges.last().map(|last| last.id);
                    return Some(ControlFlow::Break(()));
                }
                page.exchanges.push(entry.stored(id)?);
                Some(ControlFlow::Continue(()))
            })?;
            Ok(page)
        })
    }

    /// The number that the last exchange got, whether it is kept or not; 0: there was none.
    pub fn last_exchange(&self) -> Result<i64> {
        self.read(|tx| last_number(tx.conn))
    }

    /// How many exchanges a filter finds, whatever its limit.
    pub fn count_exchanges(&self, filter: &ExchangeFilter) -> Result<u64> {
        let keep = self.retention();
        self.read(|tx| {
            let mut count = 0;
            walk(tx.conn, &filter.within(keep, last_number(tx.conn)?, tx.now), |_, _| {
                count += 1;
                Some(ControlFlow::Continue(()))
            })?;
            Ok(count)
        })
    }
}

/// Shows the exchanges that are wanted, newest first, until there are no more or the visitor breaks off. A visitor gives
/// `None` where one cannot be read.
fn walk(
    conn: &Connection,
    wanted: &Wanted,
    mut visit: impl FnMut(i64, &Entry<'_>) -> Option<ControlFlow<()>>,
) -> Result<()> {
    let mut places = Vec::new();
    let mut statement = conn.prepare_cached(
        "SELECT last, first, exchanges FROM exchange_segments
         WHERE last >= ?1 AND newest >= ?2 AND oldest < ?3
             AND last <= ifnull((SELECT min(last) FROM exchange_segments WHERE last >= ?4), ?4)
         ORDER BY last DESC",
    )?;
    let (since, until) = wanted.span();
    let mut rows = statement.query(params![wanted.lowest(), since.0, until.0, wanted.highest()])?;
    while let Some(row) = rows.next()? {
        let (last, first): (i64, i64) = (row.get(0)?, row.get(1)?);
        let segment = row.get_ref(2)?.as_blob().map_err(|_| unreadable(row, 2))?;
        let whole = locate(segment, &mut places).is_some() && last - first + 1 == signed(places.len() as u64);
        if !whole {
            return Err(unreadable(row, 2));
        }
        for (id, place) in (first..=last).rev().zip(places.iter().rev()) {
            let entry = segment.get(place.clone()).and_then(Entry::read).ok_or_else(|| unreadable(row, 2))?;
            if wanted.has(id, &entry) && visit(id, &entry).ok_or_else(|| unreadable(row, 2))?.is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Keeps the exchanges of a segment. They get the numbers behind all that were ever given.
pub(crate) fn insert(conn: &Connection, segment: &Segment) -> Result<()> {
    insert_behind(conn, last_number(conn)?, segment)
}

fn insert_behind(conn: &Connection, number: i64, segment: &Segment) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO exchange_segments (last, first, oldest, newest, exchanges) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![
        number + signed(segment.len() as u64),
        number + 1,
        segment.oldest().0,
        segment.newest().0,
        segment.bytes(),
    ])?;
    Ok(())
}

/// The number that the last exchange got, which may be gone since; 0: there was none.
fn last_number(conn: &Connection) -> Result<i64> {
    conn.prepare_cached("SELECT ifnull(max(seq), 0) FROM sqlite_sequence WHERE name = 'exchange_segments'")?
        .query_row([], |row| row.get(0))
        .map_err(StorageError::from)
}

#[cfg(test)]
mod tests;
