//! How exchanges were kept before there were segments: a row for each, its attempts as JSON. Read once, at migration.

use std::time::Duration;

use gateway_domain::{AttemptOutcome, ChannelId, ExchangeOutcome, KeyId, Usage, UsageSource, UserId};
use rusqlite::{Connection, ErrorCode, Row, TransactionBehavior};
use serde_json::Value;

use super::segment::{Facts, Try};
use super::{FULL, Segment, Written, insert_behind};
use crate::Result;
use crate::tx::{moment, unreadable, unsigned};

/// A former table.
struct Former {
    name: &'static str,
    check: &'static str,
    steps_aside: &'static str,
}

/// The former tables, those that refer to others first.
const TABLES: [Former; 2] = [
    Former {
        name: "exchange_channels",
        check: "PRAGMA quick_check('exchange_channels')",
        steps_aside: "ALTER TABLE exchange_channels RENAME TO damaged_exchange_channels",
    },
    Former {
        name: "exchanges",
        check: "PRAGMA quick_check('exchanges')",
        steps_aside: "ALTER TABLE exchanges RENAME TO damaged_exchanges",
    },
];

/// Has damaged tables of past calls step aside, and puts empty ones in their place: history must not keep the gateway from
/// starting. To be called outside of a transaction, for damage that is met inside of one spoils all of it.
pub(crate) fn set_aside_if_damaged(conn: &mut Connection) -> Result<()> {
    for Former { name: table, check, steps_aside } in TABLES {
        let said = conn.query_row(check, [], |row| row.get::<_, String>(0));
        let damage = match said {
            Ok(said) if said == "ok" => continue,
            Ok(said) => said,
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => error.to_string(),
            Err(error) => return Err(error.into()),
        };
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let sql: String =
            tx.query_row("SELECT sql FROM sqlite_schema WHERE name = ?1", [table], |row| row.get(0))?;
        tx.execute_batch(steps_aside)?;
        tx.execute_batch(&sql)?;
        // Numbers go on where they were.
        tx.execute(
            "INSERT INTO sqlite_sequence (name, seq) SELECT ?1, seq FROM sqlite_sequence WHERE name = 'damaged_' || ?1",
            [table],
        )?;
        tx.commit()?;
        tracing::warn!(
            damage,
            table,
            "records of past calls are damaged and stay in a table of their own, damaged_{table}; \
             `sqlite3 FILE .recover` may still read them"
        );
    }
    Ok(())
}

/// Puts the rows of the former table into segments, under the numbers that they have. Rows that nobody can read are left
/// behind: they would keep the gateway from starting.
pub(crate) fn carry_over(conn: &Connection) -> Result<()> {
    let mut statement = conn.prepare(
        "SELECT id, request_id, started_at, user_id, key_id, endpoint, model, streamed, attempts, outcome, status,
             first_byte_ms, total_ms, bytes_in, bytes_out, prompt_tokens, completion_tokens, cached_tokens,
             reasoning_tokens, session_source, audio_in_tokens, audio_out_tokens, usage_source
         FROM exchanges ORDER BY id",
    )?;
    let mut rows = statement.query([])?;
    let (mut segment, mut written, mut last, mut unread) = (Segment::default(), Written::default(), 0, 0_u64);
    while let Some(row) = rows.next()? {
        let Ok(id) = write_down(row, &mut written) else {
            unread += 1;
            continue;
        };
        let behind = segment.len() > 0 && id == last + 1;
        if segment.len() == FULL || !behind {
            keep(conn, &mut segment, last)?;
        }
        segment.push(&written);
        last = id;
    }
    keep(conn, &mut segment, last)?;
    if unread > 0 {
        tracing::warn!(exchanges = unread, "records of past calls could not be read and are left behind");
    }
    // No number is given twice, not even one whose exchange is gone.
    conn.execute(
        "UPDATE sqlite_sequence
         SET seq = max(seq, (SELECT ifnull(max(seq), 0) FROM sqlite_sequence WHERE name = 'exchanges'))
         WHERE name = 'exchange_segments'",
        [],
    )?;
    conn.execute(
        "INSERT INTO sqlite_sequence (name, seq) SELECT 'exchange_segments', seq FROM sqlite_sequence
         WHERE name = 'exchanges' AND NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'exchange_segments')",
        [],
    )?;
    Ok(())
}

/// Writes a segment whose last exchange has this number, and begins another one.
fn keep(conn: &Connection, segment: &mut Segment, last: i64) -> Result<()> {
    let count = i64::try_from(segment.len()).unwrap_or(0);
    if count > 0 {
        insert_behind(conn, last - count, segment)?;
        segment.clear();
    }
    Ok(())
}

/// Writes a row down as exchanges are kept now, and says which number it has.
fn write_down(row: &Row<'_>, written: &mut Written) -> Result<i64> {
    let text = |column: usize| row.get_ref(column)?.as_str().map_err(|_| unreadable(row, column));
    let or_none = |column: usize| row.get_ref(column)?.as_str_or_null().map_err(|_| unreadable(row, column));
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
    usage.source = match or_none(22)? {
        Some(word) => UsageSource::from_word(word).ok_or_else(|| unreadable(row, 22))?,
        None if usage.is_known() => UsageSource::Upstream,
        None => UsageSource::None,
    };
    let facts = Facts {
        request_id: text(1)?,
        started_at: moment(row, 2)?,
        user: row.get::<_, Option<i64>>(3)?.map(UserId),
        key: row.get::<_, Option<i64>>(4)?.map(KeyId),
        endpoint: text(5)?,
        model: or_none(6)?,
        streamed: row.get(7)?,
        outcome: ExchangeOutcome::from_word(text(9)?).ok_or_else(|| unreadable(row, 9))?,
        status: row.get(10)?,
        first_byte: count(11)?.map(Duration::from_millis),
        total: Duration::from_millis(unsigned(row.get(12)?)),
        bytes_in: unsigned(row.get(13)?),
        bytes_out: unsigned(row.get(14)?),
        usage,
        session_source: text(19)?,
    };
    let list: Option<Value> = serde_json::from_str(text(8)?).ok();
    let attempts = list.as_ref().and_then(attempts_of).ok_or_else(|| unreadable(row, 8))?;
    written.write_facts(&facts, attempts.into_iter());
    Ok(row.get(0)?)
}

fn attempts_of(list: &Value) -> Option<Vec<Try<'_>>> {
    list.as_array()?.iter().map(attempt_of).collect()
}

fn attempt_of(attempt: &Value) -> Option<Try<'_>> {
    let number = |name: &str| attempt.get(name).and_then(Value::as_i64);
    let text = |name: &str| attempt.get(name).and_then(Value::as_str);
    Some(Try {
        channel: ChannelId(number("channel")?),
        channel_name: text("name")?,
        reason: text("reason")?,
        status: number("status").and_then(|status| u16::try_from(status).ok()),
        first_byte: number("first_byte_ms").map(|ms| Duration::from_millis(unsigned(ms))),
        total: Duration::from_millis(unsigned(number("total_ms")?)),
        outcome: AttemptOutcome::from_word(text("outcome")?)?,
        home: number("home").map(ChannelId),
        health: number("health_permille").and_then(|count| u16::try_from(count.clamp(0, 1000)).ok()),
        hedge: attempt.get("hedge").and_then(Value::as_bool).unwrap_or(false),
    })
}
