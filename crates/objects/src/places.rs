use std::collections::{BTreeSet, HashMap};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use gateway_domain::{ChannelId, UserId};

/// The channels at which users have had objects of a kind. Nothing is taken out when the last of them is deleted: a
/// channel too many costs a question, one too few would hide what is there.
///
/// Bounded by what there is: users, kinds and channels.
#[derive(Debug, Default)]
pub(crate) struct Places(RwLock<HashMap<UserId, Kinds>>);

/// The channels of each kind of objects.
type Kinds = HashMap<Box<str>, BTreeSet<ChannelId>>;

// === impl Places ===

impl Places {
    pub(crate) fn add(&self, user: UserId, kind: &str, channel: ChannelId) {
        let known = |kinds: &Kinds| kinds.get(kind).is_some_and(|channels| channels.contains(&channel));
        if !self.read().get(&user).is_some_and(known) {
            self.write().entry(user).or_default().entry(kind.into()).or_default().insert(channel);
        }
    }

    /// In the order of their ids.
    pub(crate) fn of(&self, user: UserId, kind: &str) -> Vec<ChannelId> {
        let places = self.read();
        let channels = places.get(&user).and_then(|kinds| kinds.get(kind));
        channels.into_iter().flatten().copied().collect()
    }

    pub(crate) fn forget_channel(&self, id: ChannelId) {
        for channels in self.write().values_mut().flat_map(HashMap::values_mut) {
            channels.remove(&id);
        }
    }

    pub(crate) fn forget_user(&self, id: UserId) {
        self.write().remove(&id);
    }

    /// No method stops half-way, so a panic elsewhere leaves it usable.
    fn read(&self) -> RwLockReadGuard<'_, HashMap<UserId, Kinds>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<UserId, Kinds>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}
