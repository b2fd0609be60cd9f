use gateway_domain::{Model, ModelId};

use crate::{Removed, Result, Store, Stored};

impl Store {
    /// All models with their mappings, by name.
    pub fn models(&self) -> Result<Vec<Stored<Model>>> {
        self.unfinished()
    }

    /// One model with its mappings.
    pub fn model(&self, id: ModelId) -> Result<Stored<Model>> {
        self.unfinished_of(id)
    }

    /// Makes a model that no channel serves yet.
    pub fn create_model(&self, name: &str) -> Result<Stored<Model>> {
        self.unfinished_of(name)
    }

    /// Renames a model. Sessions under the old name are deleted: they name a model that is no more.
    pub fn rename_model(&self, id: ModelId, name: &str, expect: Option<i64>) -> Result<Stored<Model>> {
        self.unfinished_of((id, name, expect))
    }

    /// Deletes a model with its mappings and sessions.
    pub fn delete_model(&self, id: ModelId) -> Result<Removed> {
        self.unfinished_of(id)
    }
}
