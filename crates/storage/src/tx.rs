//! What the table files work with: a transaction and what belongs to it.

use std::sync::Arc;

use gateway_domain::{ManagedBy, UnixMillis};
use rusqlite::{Connection, Params, Row};

use crate::secrets::Sealer;
use crate::{Result, StorageError};

/// A running transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tx<'a> {
    pub(crate) conn: &'a Connection,
    pub(crate) sealer: &'a Sealer,
    /// What the rows that it changes get as their time.
    pub(crate) now: UnixMillis,
}

// === impl Tx ===

impl Tx<'_> {
    /// All rows of a query, each read by `read`.
    pub(crate) fn all<T>(
        &self,
        sql: &'static str,
        params: impl Params,
        mut read: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut statement = self.conn.prepare_cached(sql)?;
        let mut rows = statement.query(params)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(read(row)?);
        }
        Ok(found)
    }

    /// The first row of a query.
    pub(crate) fn one<T>(
        &self,
        sql: &'static str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        let mut statement = self.conn.prepare_cached(sql)?;
        let mut rows = statement.query(params)?;
        rows.next()?.map(read).transpose()
    }

    /// A number that a query counts.
    pub(crate) fn count(&self, sql: &'static str, params: impl Params) -> Result<u64> {
        let count = self.one(sql, params, |row| Ok(row.get::<_, i64>(0)?))?;
        Ok(unsigned(count.unwrap_or(0)))
    }

    /// Runs one statement; gives the number of rows it changed.
    pub(crate) fn run(&self, sql: &'static str, params: impl Params) -> Result<usize> {
        Ok(self.conn.prepare_cached(sql)?.execute(params)?)
    }

    /// Inserts one row; gives its number.
    pub(crate) fn insert(&self, sql: &'static str, params: impl Params) -> Result<i64> {
        Ok(self.conn.prepare_cached(sql)?.insert(params)?)
    }
}

/// A text column.
pub(crate) fn text(row: &Row<'_>, column: usize) -> Result<Arc<str>> {
    Ok(row.get_ref(column)?.as_str().map_err(|_| unreadable(row, column))?.into())
}

/// A moment column.
pub(crate) fn moment(row: &Row<'_>, column: usize) -> Result<UnixMillis> {
    Ok(UnixMillis(row.get(column)?))
}

/// The column that says who manages the row.
pub(crate) fn managed_by(row: &Row<'_>, column: usize) -> Result<ManagedBy> {
    match row.get_ref(column)?.as_str() {
        Ok("api") => Ok(ManagedBy::Api),
        Ok("file") => Ok(ManagedBy::File),
        _ => Err(unreadable(row, column)),
    }
}

/// The word for who manages a row.
pub(crate) const fn managed_by_word(managed_by: ManagedBy) -> &'static str {
    match managed_by {
        ManagedBy::Api => "api",
        ManagedBy::File => "file",
    }
}

/// A value in the database that no version of the gateway writes.
pub(crate) fn unreadable(row: &Row<'_>, column: usize) -> StorageError {
    let name = row.as_ref().column_name(column).unwrap_or("?");
    StorageError::Corrupt { detail: format!("column {name} holds a value that cannot be read") }
}

/// SQLite's integers are signed; ours that only count are not.
pub(crate) fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// The other way round; nothing that is counted here comes near the end.
pub(crate) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
