use std::sync::Arc;

use gateway_domain::{ChannelId, Mapping, ModelId};

use crate::{Result, Store, Stored};

/// What to change on a mapping; `None` leaves a field as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MappingPatch {
    /// See [`Mapping::backend_model`].
    pub backend_model: Option<Arc<str>>,
    /// See [`Mapping::weight`].
    pub weight: Option<u32>,
}

impl Store {
    /// The mappings of one model, by id. An unknown model is [`crate::StorageError::NotFound`].
    pub fn mappings(&self, model: ModelId) -> Result<Vec<Stored<Mapping>>> {
        self.unfinished_of(model)
    }

    /// Lets a channel serve a model.
    pub fn add_mapping(
        &self,
        model: ModelId,
        channel: ChannelId,
        backend_model: &str,
        weight: u32,
    ) -> Result<Stored<Mapping>> {
        self.unfinished_of((model, channel, backend_model, weight))
    }

    /// Changes how a channel serves a model.
    pub fn update_mapping(
        &self,
        model: ModelId,
        channel: ChannelId,
        patch: &MappingPatch,
    ) -> Result<Stored<Mapping>> {
        self.unfinished_of((model, channel, patch))
    }

    /// Lets a channel no longer serve a model.
    pub fn delete_mapping(&self, model: ModelId, channel: ChannelId) -> Result<()> {
        self.unfinished_of((model, channel))
    }
}
