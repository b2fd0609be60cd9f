//! Reads rows whose columns may be missing, empty or of any type.

use std::collections::HashMap;

use gateway_domain::{DEFAULT_WEIGHT, UnixMillis};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension};

use crate::Result;

/// One row of the original's, by column name.
pub(super) struct OriginalRow(HashMap<String, Value>);

/// All rows of one of the original's tables; none when the file is so old that it has no such table.
pub(super) fn all(conn: &Connection, table: &str, sql: &'static str) -> Result<Vec<OriginalRow>> {
    if !super::exists(conn, table)? {
        return Ok(Vec::new());
    }
    let mut statement = conn.prepare(sql)?;
    let names: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
    let rows = statement.query_map([], |row| {
        let columns = names.iter().enumerate().map(|(at, name)| Ok((name.clone(), row.get(at)?)));
        columns.collect::<rusqlite::Result<HashMap<_, _>>>().map(OriginalRow)
    })?;
    Ok(rows.collect::<rusqlite::Result<Vec<_>>>()?)
}

// === impl OriginalRow ===

impl OriginalRow {
    /// The column as text; nothing is the empty text.
    pub(super) fn text(&self, column: &str) -> String {
        match self.0.get(column) {
            Some(Value::Text(text)) => text.clone(),
            Some(Value::Integer(number)) => number.to_string(),
            Some(Value::Real(number)) => number.to_string(),
            Some(Value::Blob(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
            Some(Value::Null) | None => String::new(),
        }
    }

    /// The column as a whole number.
    pub(super) fn int(&self, column: &str) -> Option<i64> {
        match self.0.get(column)? {
            Value::Integer(number) => Some(*number),
            Value::Real(number) if number.fract() == 0.0 => number.to_string().parse().ok(),
            Value::Text(text) => text.trim().parse().ok(),
            Value::Real(_) | Value::Blob(_) | Value::Null => None,
        }
    }

    /// The column as a number; nothing is zero.
    pub(super) fn real(&self, column: &str) -> f64 {
        match self.0.get(column) {
            Some(Value::Real(number)) if number.is_finite() => *number,
            Some(Value::Integer(number)) => number.to_string().parse().unwrap_or(0.0),
            Some(Value::Text(text)) => {
                text.trim().parse().ok().filter(|n: &f64| n.is_finite()).unwrap_or(0.0)
            }
            _ => 0.0,
        }
    }

    /// The column as a truth value.
    pub(super) fn flag(&self, column: &str) -> Option<bool> {
        match self.text(column).to_ascii_lowercase().as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => self.int(column).map(|number| number != 0),
        }
    }

    /// The column `weight`: what is missing is the default, what is out of range is brought inside.
    pub(super) fn weight(&self) -> u32 {
        self.int("weight").map_or(DEFAULT_WEIGHT, |weight| u32::try_from(weight.max(0)).unwrap_or(u32::MAX))
    }

    /// The column as a moment. The original's texts are UTC, mostly to the second (`2026-01-31 10:00:00`), some with
    /// fraction and offset; its "zero time" of the year 1 is no moment at all.
    pub(super) fn moment(&self, conn: &Connection, column: &str) -> Result<Option<UnixMillis>> {
        let Some(value) = self.0.get(column) else { return Ok(None) };
        let millis: Option<Option<f64>> = conn
            .prepare_cached(
                "SELECT round(1000 * coalesce(unixepoch(?1, 'auto', 'subsec'), unixepoch(substr(?1, 1, 19))))",
            )?
            .query_row([value], |row| row.get(0))
            .optional()?;
        #[expect(clippy::cast_possible_truncation, reason = "a rounded number of milliseconds fits")]
        Ok(millis.flatten().filter(|millis| *millis >= 0.0).map(|millis| UnixMillis(millis as i64)))
    }

    /// `created_at` and `updated_at`; a missing one is the other, or else the moment of the migration.
    pub(super) fn times(&self, conn: &Connection, now: UnixMillis) -> Result<(UnixMillis, UnixMillis)> {
        let created_at = self.moment(conn, "created_at")?;
        let updated_at = self.moment(conn, "updated_at")?;
        let created = created_at.or(updated_at).unwrap_or(now);
        Ok((created, updated_at.unwrap_or(created)))
    }
}
