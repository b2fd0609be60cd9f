use std::sync::Arc;

use crate::{
    BaseUrl, Channel, ChannelTuning, DEFAULT_WEIGHT, Model, ModelTuning, ProbePlan, Secret, User, UserKey,
};

/// Everything that storage keeps for serving: the raw material of a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// All channels, enabled or not, by id.
    pub channels: Vec<Channel>,
    /// All models with their mappings, by name.
    pub models: Vec<Model>,
    /// All users, by id.
    pub users: Vec<User>,
    /// All keys that are not revoked, by id.
    pub keys: Vec<UserKey>,
}

/// What the configuration file declares (GitOps): the file wins over rows of the same name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Declaration {
    /// `[[channels]]`.
    pub channels: Vec<NewChannel>,
    /// `[[models]]`.
    pub models: Vec<NewModel>,
    /// `[[users]]`.
    pub users: Vec<NewUser>,
}

/// A channel that has no row yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewChannel {
    /// See [`Channel::name`].
    pub name: Arc<str>,
    /// See [`Channel::base_url`].
    pub base_url: BaseUrl,
    /// See [`Channel::api_key`].
    pub api_key: Secret<String>,
    /// See [`Channel::weight`].
    pub weight: u32,
    /// See [`Channel::enabled`].
    pub enabled: bool,
    /// See [`Channel::max_concurrency`].
    pub max_concurrency: Option<u32>,
    /// See [`Channel::probe`].
    pub probe: ProbePlan,
    /// See [`Channel::tuning`].
    pub tuning: ChannelTuning,
    /// Model names to serve, each under its own name; made where they do not exist. `"*"` is
    /// [`Channel::serves_any_model`].
    pub models: Vec<Arc<str>>,
}

/// A model that has no row yet, with the channels that serve it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewModel {
    /// See [`Model::name`].
    pub name: Arc<str>,
    /// Its mappings, by channel name.
    pub mappings: Vec<NewMapping>,
    /// See [`Model::tuning`].
    pub tuning: ModelTuning,
}

/// A mapping that names its channel instead of its row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMapping {
    /// The channel's name.
    pub channel: Arc<str>,
    /// See [`crate::Mapping::backend_model`].
    pub backend_model: Arc<str>,
    /// See [`crate::Mapping::weight`].
    pub weight: u32,
}

/// A user that has no row yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewUser {
    /// See [`User::name`]. Declared users are recognised by it.
    pub name: Arc<str>,
    /// The keys in clear: hashed on the way into storage, and dropped.
    pub keys: Vec<Secret<String>>,
    /// See [`User::enabled`].
    pub enabled: bool,
    /// See [`User::allowed_models`].
    pub allowed_models: Option<Vec<Arc<str>>>,
    /// See [`User::may_explain`].
    pub may_explain: bool,
}

// === impl NewChannel ===

impl NewChannel {
    /// A channel with everything at its default.
    pub fn new(name: &str, base_url: BaseUrl, api_key: Secret<String>) -> Self {
        Self {
            name: name.into(),
            base_url,
            api_key,
            weight: DEFAULT_WEIGHT,
            enabled: true,
            max_concurrency: None,
            probe: ProbePlan::default(),
            tuning: ChannelTuning::default(),
            models: Vec::new(),
        }
    }
}
