use gateway_domain::Declaration;

use crate::{Result, Store};

impl Store {
    /// Makes the rows that are managed by the file equal to the declaration, in one transaction; tells whether
    /// anything had to be changed.
    pub fn apply(&self, declaration: &Declaration) -> Result<bool> {
        self.unfinished_of(declaration)
    }
}
