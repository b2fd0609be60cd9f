use std::sync::Arc;

use gateway_domain::{BaseUrl, Channel, ChannelId, NewChannel, ProbePlan, Secret};

use crate::{Removed, Result, Store, Stored};

/// What to change on a channel; `None` leaves a field as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelPatch {
    /// See [`Channel::name`].
    pub name: Option<Arc<str>>,
    /// See [`Channel::base_url`].
    pub base_url: Option<BaseUrl>,
    /// See [`Channel::api_key`].
    pub api_key: Option<Secret<String>>,
    /// See [`Channel::weight`].
    pub weight: Option<u32>,
    /// See [`Channel::enabled`].
    pub enabled: Option<bool>,
    /// See [`Channel::serves_any_model`].
    pub serves_any_model: Option<bool>,
    /// See [`Channel::max_concurrency`]; `Some(None)` takes the limit away.
    pub max_concurrency: Option<Option<u32>>,
    /// See [`Channel::probe`].
    pub probe: Option<ProbePlan>,
}

impl Store {
    /// All channels, by id.
    pub fn channels(&self) -> Result<Vec<Stored<Channel>>> {
        self.unfinished()
    }

    /// One channel.
    pub fn channel(&self, id: ChannelId) -> Result<Stored<Channel>> {
        self.unfinished_of(id)
    }

    /// Makes a channel, and with it the models and mappings that [`NewChannel::models`] names.
    pub fn create_channel(&self, new: &NewChannel) -> Result<Stored<Channel>> {
        self.unfinished_of(new)
    }

    /// Changes a channel. With `expect`, only if it still has that version.
    pub fn update_channel(
        &self,
        id: ChannelId,
        patch: &ChannelPatch,
        expect: Option<i64>,
    ) -> Result<Stored<Channel>> {
        self.unfinished_of((id, patch, expect))
    }

    /// Deletes a channel with its mappings and sessions.
    pub fn delete_channel(&self, id: ChannelId) -> Result<Removed> {
        self.unfinished_of(id)
    }
}
