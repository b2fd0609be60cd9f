use std::sync::Arc;

use crate::{ChannelId, ManagedBy, MappingId, ModelId, UnixMillis};

/// A public model name: what clients ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// Its row.
    pub id: ModelId,
    /// The name clients give; unique.
    pub name: Arc<str>,
    /// The channels that serve it.
    pub mappings: Vec<Mapping>,
    /// Who may change it.
    pub managed_by: ManagedBy,
    /// When it was made; `created` in OpenAI's model list.
    pub created_at: UnixMillis,
}

/// One way in which a model is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Its row.
    pub id: MappingId,
    /// The channel that serves.
    pub channel: ChannelId,
    /// What that channel calls the model.
    pub backend_model: Arc<str>,
    /// Multiplies the channel's weight for this model; 0 drains.
    pub weight: u32,
}
