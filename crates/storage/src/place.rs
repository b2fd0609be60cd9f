//! Where the database lives, and how its connections are made.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use r2d2_sqlite::SqliteConnectionManager;
use rusqlite::{Connection, OpenFlags};

use crate::{Result, StorageError};

/// One attempt at a lock waits this long inside SQLite; who has more patience tries again.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_millis(250);

/// Every SQLite file begins with these bytes.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// What a connection that reads keeps of the file in memory, in KiB. SQLite as it is built here lets one connection take
/// over pages that another one has put down, so in the end the writer has what all of them may have together: with the
/// usual 2,000 for each reader, memory would rise for minutes under load, by two pages with every check of the health.
const READER_CACHE_KIB: i64 = 256;

/// Where the database lives.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// In a file, recognised by device and inode.
    File { path: PathBuf, identity: (u64, u64) },
    /// In this process's memory, under a name that its connections share.
    Memory { name: String },
}

// === impl Place ===

impl Place {
    /// Makes the file if there is none, sees to it that only the owner can read it, and refuses what cannot be a
    /// database.
    pub(crate) fn file(path: &Path) -> Result<Self> {
        let failed = |error| StorageError::file("cannot open the database", path, &error);
        if let Some(parent) = path.parent()
            && !parent.as_os_str().is_empty()
        {
            DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(failed)?;
        }
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => close_to_others(path),
            Err(error) => return Err(failed(error)),
        }
        refuse_other_formats(path)?;
        let found = fs::metadata(path).map_err(failed)?;
        Ok(Self::File { path: path.to_owned(), identity: (found.dev(), found.ino()) })
    }

    /// A database of its own in memory.
    pub(crate) fn memory() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        // The leading slash makes the name shared between the connections of this process, and of no other.
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self::Memory { name: format!("file:/gateway-{number}?vfs=memdb") }
    }

    /// The connection that writes. Needs no lock yet.
    pub(crate) fn connect(&self) -> Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = match self {
            Self::File { path, .. } => Connection::open_with_flags(path, flags)?,
            Self::Memory { name } => Connection::open_with_flags(
                name,
                flags | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_URI,
            )?,
        };
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.set_prepared_statement_cache_capacity(64);
        connection.pragma_update(None, "trusted_schema", false)?;
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        Ok(connection)
    }

    /// Makes connections that cannot write.
    pub(crate) fn read_only(&self) -> SqliteConnectionManager {
        let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connections = match self {
            Self::File { path, .. } => {
                SqliteConnectionManager::file(path).with_flags(flags | OpenFlags::SQLITE_OPEN_READ_ONLY)
            }
            Self::Memory { name } => SqliteConnectionManager::file(name)
                .with_flags(flags | OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_URI),
        };
        connections.with_init(|connection| {
            connection.busy_timeout(BUSY_TIMEOUT)?;
            connection.set_prepared_statement_cache_capacity(32);
            connection.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
            connection.pragma_update(None, "query_only", true)?;
            connection.pragma_update(None, "foreign_keys", true)?;
            connection.pragma_update(None, "trusted_schema", false)?;
            connection.pragma_update(None, "temp_store", "MEMORY")
        })
    }

    /// Whether the file is still where it was. SQLite would go on writing into a deleted file, and what it
    /// acknowledges would be gone with the process.
    pub(crate) fn check(&self) -> Result<()> {
        let Self::File { path, identity } = self else { return Ok(()) };
        match fs::metadata(path) {
            Ok(found) if (found.dev(), found.ino()) == *identity => Ok(()),
            Ok(_) => Err(StorageError::Io {
                detail: format!("{} was replaced by another file: restart the gateway", path.display()),
            }),
            Err(error) => Err(StorageError::file("lost sight of the database", path, &error)),
        }
    }
}

/// The original gateway left its file readable by everybody.
fn close_to_others(path: &Path) {
    let Ok(found) = fs::metadata(path) else { return };
    let for_others = found.permissions().mode() & 0o077;
    if for_others == 0 {
        return;
    }
    if let Err(error) = fs::set_permissions(path, Permissions::from_mode(0o600)) {
        tracing::warn!(file = %path.display(), %error, "the database can be read by others: chmod 600 it");
    }
}

/// An empty file is a database without tables; anything else must begin as one.
fn refuse_other_formats(path: &Path) -> Result<()> {
    let failed = |error| StorageError::file("cannot read the database", path, &error);
    let mut start = Vec::with_capacity(MAGIC.len());
    let file = fs::File::open(path).map_err(failed)?;
    file.take(MAGIC.len() as u64).read_to_end(&mut start).map_err(failed)?;
    if start.is_empty() || start == MAGIC {
        Ok(())
    } else {
        Err(StorageError::Corrupt { detail: format!("{}: it is not an SQLite file", path.display()) })
    }
}
