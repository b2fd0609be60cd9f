use std::sync::Arc;

use gateway_domain::{
    ById, Channel, ChannelId, Inventory, KeyDigest, Known, Model, UnixMillis, User, UserId, UserKey,
};

use crate::Settings;

/// One immutable view of everything a call needs to know: settings, channels, models, users and keys that fit
/// together. A call loads it once and sees one configuration until it ends.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Counts up with every snapshot.
    pub version: u64,
    /// The settings.
    pub settings: Arc<Settings>,
    /// All channels, enabled or not.
    pub channels: ById<ChannelId, Arc<Channel>>,
    /// All models, by the name clients give.
    pub models: Known<Arc<str>, Arc<Model>>,
    /// All users, enabled or not.
    pub users: ById<UserId, Arc<User>>,
    /// The keys of known users.
    keys: Known<KeyDigest, UserKey>,
    /// Enabled channels that serve any model, by id.
    wildcards: Vec<Arc<Channel>>,
    /// Where calls go that name no model.
    default_channel: Option<Arc<Channel>>,
}

// === impl Snapshot ===

impl Snapshot {
    /// Puts settings and inventory together. Keys whose user is gone are left out.
    pub fn assemble(version: u64, settings: Arc<Settings>, inventory: Inventory) -> Self {
        let Inventory { channels, models, users, keys } = inventory;
        let channels: ById<_, _> = channels.into_iter().map(|c| (c.id, Arc::new(c))).collect();
        let models = models.into_iter().map(|m| (Arc::clone(&m.name), Arc::new(m))).collect();
        let users: ById<_, _> = users.into_iter().map(|u| (u.id, Arc::new(u))).collect();
        let keys = keys
            .into_iter()
            .filter(|key| users.contains_key(&key.user))
            .map(|key| (key.digest, key))
            .collect();
        let mut wildcards: Vec<_> =
            channels.values().filter(|c| c.enabled && c.serves_any_model).map(Arc::clone).collect();
        wildcards.sort_by_key(|channel| channel.id);
        let default_channel = match (&settings.proxy.default_channel, wildcards.as_slice()) {
            (Some(name), _) => channels.values().find(|c| c.enabled && *c.name == **name).map(Arc::clone),
            (None, [only]) => Some(Arc::clone(only)),
            (None, _) => None,
        };
        Self { version, settings, channels, models, users, keys, wildcards, default_channel }
    }

    /// Whose key this is. `None` for a key that is unknown, expired, or of a disabled user: one answer for all, so
    /// that a caller cannot tell them apart by accident.
    pub fn identify(&self, digest: &KeyDigest, now: UnixMillis) -> Option<(&UserKey, &Arc<User>)> {
        let key = self.keys.get(digest).filter(|key| !key.is_expired(now))?;
        let user = self.users.get(&key.user).filter(|user| user.enabled)?;
        Some((key, user))
    }

    /// Where calls go that name no model: the enabled channel of `[proxy] default_channel`, or else the only
    /// enabled channel that serves any model.
    pub fn default_channel(&self) -> Option<&Arc<Channel>> {
        self.default_channel.as_ref()
    }

    /// The enabled channels that serve any model, by id.
    pub fn wildcard_channels(&self) -> impl Iterator<Item = &Arc<Channel>> {
        self.wildcards.iter()
    }
}

#[cfg(test)]
mod tests;
