use crate::{Result, Store};

impl Store {
    /// A setting that the gateway keeps for itself, such as the digest of the admin token.
    pub fn setting(&self, name: &str) -> Result<Option<String>> {
        self.unfinished_of(name)
    }

    /// Keeps a setting.
    pub fn set_setting(&self, name: &str, value: &str) -> Result<()> {
        self.unfinished_of((name, value))
    }
}
