use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// What storage answers.
pub type Result<T, E = StorageError> = std::result::Result<T, E>;

/// Why storage could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// No such row.
    #[error("{what} not found")]
    NotFound {
        /// What was looked for: `channel`, `model`, `mapping`, `user`, `key`.
        what: &'static str,
    },
    /// Another row already has this value.
    #[error("a {what} with {field} `{value}` already exists")]
    Conflict {
        /// The kind of row: `channel`, `model`, `mapping`, `key`.
        what: &'static str,
        /// The field that must be unique.
        field: &'static str,
        /// The value that is taken; masked when it is a secret.
        value: String,
    },
    /// The row is declared in the configuration file, and is changed there only.
    #[error("{what} `{name}` is managed by the configuration file")]
    ManagedByFile {
        /// The kind of row: `channel`, `model`, `mapping`, `user`, `key`.
        what: &'static str,
        /// What people know it by.
        name: String,
    },
    /// The row has been changed since the caller read it.
    #[error("the row was changed meanwhile: it is at version {found} now")]
    VersionMismatch {
        /// The version that the row has.
        found: i64,
    },
    /// The declaration maps a model to a channel that exists neither in it nor in the database.
    #[error("model `{model}` is mapped to channel `{channel}`, which does not exist")]
    UnknownChannel {
        /// The declared model.
        model: String,
        /// The channel's name.
        channel: String,
    },
    /// Another process holds the database, or too many writes wait; worth another try later.
    #[error("the database is busy")]
    Busy,
    /// The disk is full.
    #[error("the disk with the database is full")]
    Full,
    /// The disk or the file system refused.
    #[error("the database cannot be read or written: {detail}")]
    Io {
        /// What was tried, and what the system said.
        detail: String,
    },
    /// The file is not a database, not one of the gateway's, or is damaged. It is left as it is.
    #[error("not a usable gateway database: {detail}; restore a copy, or move the file away to start empty")]
    Corrupt {
        /// What is wrong, with the file's name when it was found at open.
        detail: String,
    },
    /// The file was written by a newer gateway.
    #[error("{} has schema version {found}, this gateway knows up to {known}: run the newer gateway", path.display())]
    TooNew {
        /// The file.
        path: PathBuf,
        /// The file's version.
        found: i64,
        /// The newest version that this gateway knows.
        known: i64,
    },
    /// The channel keys were encrypted with another master key.
    #[error(
        "the database was encrypted with another master key (its id is {expected}, the given one's is {given})"
    )]
    WrongMasterKey {
        /// The id of the key that the database wants: hexadecimal, tells nothing about the key.
        expected: String,
        /// The id of the key that was given.
        given: String,
    },
    /// The text or file given as master key cannot be one.
    #[error("unusable master key: {reason}")]
    BadMasterKey {
        /// Why, without the key.
        reason: String,
    },
    /// The store was closed.
    #[error("the database is closed")]
    Closed,
    /// Anything else that SQLite complains about: a defect of the gateway.
    #[error("database error: {0}")]
    Sql(#[source] rusqlite::Error),
}

// === impl StorageError ===

impl StorageError {
    /// The same error with the name of the file it is about, where the text has room for it.
    pub(crate) fn at(mut self, path: &Path) -> Self {
        if let Self::Corrupt { detail } | Self::Io { detail } = &mut self {
            *detail = format!("{}: {detail}", path.display());
        }
        self
    }

    /// A file operation that failed.
    pub(crate) fn file(what: &str, path: &Path, error: &std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::StorageFull {
            return Self::Full;
        }
        Self::Io { detail: format!("{what} {}: {error}", path.display()) }
    }
}

/// Sorts what SQLite says by what can be done about it.
impl From<rusqlite::Error> for StorageError {
    fn from(error: rusqlite::Error) -> Self {
        let Some(code) = error.sqlite_error_code() else { return Self::Sql(error) };
        let is = |codes: &[ErrorCode]| codes.contains(&code);
        if is(&[ErrorCode::DatabaseBusy, ErrorCode::DatabaseLocked, ErrorCode::FileLockingProtocolFailed]) {
            Self::Busy
        } else if is(&[ErrorCode::DiskFull]) {
            Self::Full
        } else if is(&[ErrorCode::DatabaseCorrupt, ErrorCode::NotADatabase]) {
            Self::Corrupt { detail: error.to_string() }
        } else if is(&[
            ErrorCode::SystemIoFailure,
            ErrorCode::ReadOnly,
            ErrorCode::CannotOpen,
            ErrorCode::PermissionDenied,
        ]) {
            Self::Io { detail: error.to_string() }
        } else {
            Self::Sql(error)
        }
    }
}
