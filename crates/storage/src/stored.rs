use gateway_domain::UnixMillis;

use crate::{Result, StorageError};

/// A row: the thing itself and what the database knows beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored<T> {
    /// The thing.
    pub value: T,
    /// When the row was made.
    pub created_at: UnixMillis,
    /// When it was last changed.
    pub updated_at: UnixMillis,
    /// Counts the changes, from 1. Given back as `expect`, it makes an update fail if somebody else was faster.
    pub version: i64,
}

/// What went together with a deleted row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Removed {
    /// Mappings between models and channels.
    pub mappings: u64,
    /// Remembered sessions.
    pub sessions: u64,
    /// Gateway keys.
    pub keys: u64,
}

// === impl Stored ===

impl<T> Stored<T> {
    /// Fails when the caller expected another version.
    pub(crate) fn expect(&self, version: Option<i64>) -> Result<()> {
        match version {
            Some(version) if version != self.version => {
                Err(StorageError::VersionMismatch { found: self.version })
            }
            _ => Ok(()),
        }
    }
}
