//! How the attempts of an exchange stand in their column: a JSON array, written and read by hand.

use std::time::Duration;

use gateway_domain::{Attempt, AttemptOutcome, ChannelId};
use serde_json::{Value, json};

use crate::StoredAttempt;
use crate::tx::{signed, unsigned};

pub(super) fn to_json(attempts: &[Attempt]) -> String {
    let list: Vec<Value> = attempts
        .iter()
        .map(|attempt| {
            json!({
                "channel": attempt.channel.0,
                "name": &*attempt.channel_name,
                "reason": attempt.reason,
                "status": attempt.status,
                "first_byte_ms": attempt.first_byte.map(millis),
                "total_ms": millis(attempt.total),
                "outcome": attempt.outcome.as_str(),
            })
        })
        .collect();
    Value::from(list).to_string()
}

pub(super) fn from_json(text: &str) -> Option<Vec<StoredAttempt>> {
    let list: Value = serde_json::from_str(text).ok()?;
    list.as_array()?.iter().map(read).collect()
}

fn read(attempt: &Value) -> Option<StoredAttempt> {
    let number = |name: &str| attempt.get(name).and_then(Value::as_i64);
    let text = |name: &str| attempt.get(name).and_then(Value::as_str);
    let word = text("outcome")?;
    Some(StoredAttempt {
        channel: ChannelId(number("channel")?),
        channel_name: text("name")?.to_owned(),
        reason: text("reason")?.to_owned(),
        status: number("status").and_then(|status| u16::try_from(status).ok()),
        first_byte: number("first_byte_ms").map(|ms| Duration::from_millis(unsigned(ms))),
        total: Duration::from_millis(unsigned(number("total_ms")?)),
        outcome: AttemptOutcome::ALL.into_iter().find(|outcome| outcome.as_str() == word)?,
    })
}

fn millis(duration: Duration) -> i64 {
    signed(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}
