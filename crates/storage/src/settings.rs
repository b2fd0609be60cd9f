use rusqlite::params;

use crate::{Result, Store};

// === impl Store ===

impl Store {
    /// A setting that the gateway keeps for itself, such as the digest of the admin token.
    pub fn setting(&self, name: &str) -> Result<Option<String>> {
        self.read(|tx| tx.one("SELECT value FROM settings WHERE name = ?1", [name], |row| Ok(row.get(0)?)))
    }

    /// Keeps a setting.
    pub fn set_setting(&self, name: &str, value: &str) -> Result<()> {
        let (name, value) = (name.to_owned(), value.to_owned());
        self.write(move |tx| {
            tx.run(
                "INSERT INTO settings (name, value, updated_at) VALUES (?1, ?2, ?3)
                 ON CONFLICT (name) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at",
                params![name, value, tx.now.0],
            )?;
            Ok(())
        })
    }
}
