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
                "home": attempt.home.map(|home| home.0),
                "health_permille": thousandths(attempt.health),
                "hedge": attempt.hedge,
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
        home: number("home").map(ChannelId),
        health: number("health_permille").map(of_thousandths),
        hedge: attempt.get("hedge").and_then(Value::as_bool).unwrap_or(false),
    })
}

/// A share as a whole number: three decimals are enough for people, and a float's own text is long.
#[expect(clippy::cast_possible_truncation, reason = "the clamp leaves 0 to 1000")]
fn thousandths(share: f32) -> i64 {
    (share.clamp(0.0, 1.0) * 1000.0).round() as i64
}

#[expect(clippy::cast_precision_loss, reason = "0 to 1000 is exact")]
fn of_thousandths(count: i64) -> f32 {
    count as f32 / 1000.0
}

fn millis(duration: Duration) -> i64 {
    signed(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}
