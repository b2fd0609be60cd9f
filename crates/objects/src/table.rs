use std::borrow::Cow;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gateway_domain::{ChannelId, UnixMillis, UserId};

use crate::Change;
use crate::places::Places;
use crate::shard::Shard;

/// How many objects are remembered in memory when nothing else is said: some 60 MB.
pub const DEFAULT_MAX_OBJECTS: usize = 200_000;

/// Enough that workers on different cores rarely meet at one lock; few enough that looking at all of them is cheap.
const SHARDS: usize = 64;

/// What is known of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The id that the upstream gave it.
    pub id: Arc<str>,
    /// What it is, in one word, as its users call it: `file`, `response`, `batch` …
    pub kind: Cow<'static, str>,
    /// Where it was made, and where alone it can be used.
    pub channel: ChannelId,
    /// Who made it, and who alone may use it.
    pub user: UserId,
    /// When the gateway learned of it.
    pub created_at: UnixMillis,
    /// When it was made, in seconds by the upstream's clock; `None`: it has not said.
    pub made_at: Option<i64>,
}

/// The objects that were made or named last: at most one record per id.
///
/// Every method takes `&self` and may be called from any thread. A method locks one shard at a time and calls nothing
/// of its caller's meanwhile, so none can deadlock with another; one that looks at the whole table sees each shard at
/// a slightly different moment.
#[derive(Debug)]
pub struct Objects {
    shards: Box<[Mutex<Shard>]>,
    /// How many records one shard holds at most.
    bound: usize,
    /// Decides the shard of an id. Ids come from upstreams and clients, so nobody may foresee it.
    hasher: RandomState,
    next_touch: AtomicU64,
    /// The last moment that was given to a new record.
    last_moment: AtomicI64,
    places: Places,
}

// === impl Objects ===

impl Default for Objects {
    fn default() -> Self {
        Self::with_max(DEFAULT_MAX_OBJECTS)
    }
}

impl Objects {
    /// An empty table of at most [`DEFAULT_MAX_OBJECTS`].
    pub fn new() -> Self {
        Self::default()
    }

    /// The moment of a record that is made at `now`: right behind that of the last one, where that was no earlier. So no
    /// two records made here have the same, and their moments are in the order of their making.
    pub fn moment(&self, now: UnixMillis) -> UnixMillis {
        let behind = |last: i64| now.0.max(last.saturating_add(1));
        let update = |last| Some(behind(last));
        let last = self.last_moment.fetch_update(Ordering::Relaxed, Ordering::Relaxed, update);
        UnixMillis(last.map_or(now.0, behind))
    }

    /// An empty table of about `max` records; the bound is kept for each of 64 parts, so the least is one for each.
    /// In a full part a new record costs the one that was made or named longest ago; storage still has it.
    pub fn with_max(max: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            bound: (max / SHARDS).max(1),
            hasher: RandomState::new(),
            next_touch: AtomicU64::new(0),
            last_moment: AtomicI64::new(i64::MIN),
            places: Places::default(),
        }
    }

    /// Takes in rows of storage, oldest first. A row that is not newer than what is known already changes nothing.
    pub fn restore(&self, rows: impl IntoIterator<Item = Record>) {
        for row in rows {
            let touch = self.touch();
            self.places.add(row.user, &row.kind, row.channel);
            self.shard_of(&row.id).restore(row, touch, self.bound);
        }
    }

    /// Takes down who made an object and where, and tells whether it is known so now.
    ///
    /// An id that is another user's already stays theirs, and the answer is `false`: two upstreams may give out the
    /// same id, and the one who came second must not get at what the first one made.
    ///
    /// An object that is known already is told again only for the sake of what was not known of it: when it was made.
    pub fn note(&self, record: Record) -> bool {
        let touch = self.touch();
        let (user, kind, channel) = (record.user, record.kind.clone(), record.channel);
        let noted = self.shard_of(&record.id).note(record, touch, self.bound);
        if noted {
            self.places.add(user, &kind, channel);
        }
        noted
    }

    /// Takes in from storage that this user has objects of this kind at this channel.
    pub fn restore_place(&self, user: UserId, kind: &str, channel: ChannelId) {
        self.places.add(user, kind, channel);
    }

    /// The channels at which a user has objects of a kind, or had some, in the order of their ids.
    pub fn channels_of(&self, user: UserId, kind: &str) -> Vec<ChannelId> {
        self.places.of(user, kind)
    }

    /// What is known of an id. Asking is using: it is kept longer for that.
    pub fn of(&self, id: &str) -> Option<Record> {
        let touch = self.touch();
        self.shard_of(id).of(id, touch)
    }

    /// What was known of an id that was let go not long ago: clients go through a list and delete what they find, and
    /// then ask for what stands behind it.
    pub fn departed(&self, id: &str) -> Option<Record> {
        self.shard_of(id).departed(id)
    }

    /// Lets an id go, from storage too, and tells whether it was known here.
    pub fn forget(&self, id: &str) -> bool {
        let touch = self.touch();
        self.shard_of(id).forget(id, touch, self.bound)
    }

    /// Lets go what a deleted channel had made, and tells how much that was. Storage lets go by itself when it deletes
    /// the channel.
    pub fn forget_channel(&self, id: ChannelId) -> usize {
        self.places.forget_channel(id);
        self.drop_if(|record| record.channel == id)
    }

    /// Lets go what a deleted user had made, and tells how much that was. Storage lets go by itself when it deletes
    /// the user.
    pub fn forget_user(&self, id: UserId) -> usize {
        self.places.forget_user(id);
        self.drop_if(|record| record.user == id)
    }

    /// How many records are in memory.
    pub fn len(&self) -> usize {
        (0..SHARDS).map(|shard| self.lock(shard).len()).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What storage must do to have what the table had; nothing when nothing happened since the last call. In the
    /// order in which it happened.
    ///
    /// The caller owes storage what it took: batches are to be written in the order taken, by one taker. While nobody
    /// takes, only as many changes are kept as there are records.
    pub fn take_changes(&self) -> Vec<Change> {
        let mut changes = Vec::new();
        for shard in 0..SHARDS {
            self.lock(shard).take_changes(&mut changes);
        }
        changes.sort_unstable_by_key(|(touch, _)| *touch);
        changes.into_iter().map(|(_, change)| change).collect()
    }

    fn drop_if(&self, unwanted: impl Fn(&Record) -> bool) -> usize {
        (0..SHARDS).map(|shard| self.lock(shard).drop_if(&unwanted)).sum()
    }

    fn touch(&self) -> u64 {
        self.next_touch.fetch_add(1, Ordering::Relaxed)
    }

    fn shard_of(&self, id: &str) -> MutexGuard<'_, Shard> {
        let shard = usize::try_from(self.hasher.hash_one(id) % SHARDS as u64);
        self.lock(shard.expect("a remainder of SHARDS fits"))
    }

    /// A panic in another thread leaves a shard usable: no method stops half-way on its own.
    fn lock(&self, shard: usize) -> MutexGuard<'_, Shard> {
        let shard = self.shards.get(shard).expect("shard numbers are below SHARDS");
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
