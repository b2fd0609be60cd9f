use std::fmt;
use std::path::Path;

use crate::{Result, StorageError};

/// The key that encrypts the channels' keys. `Debug` shows nothing of it.
#[derive(Clone)]
pub struct MasterKey([u8; 32]);

impl MasterKey {
    /// Reads a key from text: 32 bytes as 64 hexadecimal digits or as Base64, or else any passphrase of at least 16
    /// characters.
    pub fn from_text(text: &str) -> Result<Self> {
        let _ = text;
        Err(StorageError::Closed)
    }

    /// Reads the key in `file`, or makes a random one and keeps it there, readable by the owner alone.
    pub fn load_or_create(file: &Path) -> Result<Self> {
        let _ = file;
        Err(StorageError::Closed)
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let _ = self.0;
        f.write_str("MasterKey(…)")
    }
}
