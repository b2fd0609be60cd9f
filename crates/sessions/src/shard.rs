use std::collections::{BTreeMap, HashMap};

use gateway_domain::{ById, ChannelId, SessionId, UnixMillis};

use crate::redraw::Redraws;
use crate::{Place, Session, SessionKey};

/// A row may say of its session that it was last used before it was, by this part of the idle time: what is used all the time
/// is not written all the time, and a session that comes back after a restart ends that much too early at most.
const BEHIND: u64 = 20;

/// One part of the table, behind one lock.
///
/// **Invariants:** `by_age` holds exactly the keys of `entries`; `dirty` holds only ids of living entries; `gone`
/// holds only ids that storage was told of. So nothing here grows when nobody takes the changes. No key is in both
/// `entries` and `redraws`.
#[derive(Debug, Default)]
pub(crate) struct Shard {
    entries: HashMap<SessionKey, Entry>,
    /// Oldest first: what is swept and what is shed stands in front.
    by_age: BTreeMap<Age, SessionKey>,
    /// Living sessions whose row is to be written.
    dirty: ById<SessionId, SessionKey>,
    /// Rows of sessions that live no more.
    gone: Vec<SessionId>,
    /// Keys without a session because an administrator ended it.
    redraws: Redraws,
}

/// When a session was last used. Milliseconds tie under load, so `touch`, which never repeats, decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Age {
    pub(crate) last_used_at: UnixMillis,
    pub(crate) touch: u64,
}

#[derive(Debug)]
struct Entry {
    id: SessionId,
    channel: ChannelId,
    created_at: UnixMillis,
    age: Age,
    /// The last use that storage was told of, if it was told of the session at all.
    stored: Option<UnixMillis>,
}

// === impl Shard ===

impl Shard {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn oldest(&self) -> Option<Age> {
        self.by_age.first_key_value().map(|(age, _)| *age)
    }

    /// Where a session is that has been used within `idle` milliseconds, or what became of it within as many.
    pub(crate) fn place_of(&self, key: &SessionKey, now: UnixMillis, idle: u64) -> Place {
        match self.entries.get(key) {
            Some(entry) if !entry.age.is_idle(now, idle) => Place::Known(entry.channel),
            None if self.redraws.holds(key, now, idle) => Place::Redraw,
            Some(_) | None => Place::Unknown,
        }
    }

    /// Binds the key to the channel. A session that was idle too long is over: `new_id` names its successor.
    pub(crate) fn remember(
        &mut self,
        key: &SessionKey,
        channel: ChannelId,
        age: Age,
        idle: u64,
        new_id: impl FnOnce() -> SessionId,
    ) -> SessionId {
        let (mut own_key, mut is_dirty) = (None, true);
        let id = match self.entries.get_mut(key) {
            Some(entry) if !entry.age.is_idle(age.last_used_at, idle) => {
                own_key = self.by_age.remove(&entry.age);
                is_dirty = entry.channel != channel || entry.is_behind(age, idle);
                entry.channel = channel;
                entry.age = age;
                entry.id
            }
            over => {
                if over.is_some() {
                    self.remove(key);
                }
                self.redraws.clear(key);
                let entry = Entry { id: new_id(), channel, created_at: age.last_used_at, age, stored: None };
                let id = entry.id;
                self.entries.insert(key.clone(), entry);
                id
            }
        };
        self.by_age.insert(age, own_key.unwrap_or_else(|| key.clone()));
        if is_dirty {
            self.dirty.entry(id).or_insert_with(|| key.clone());
        }
        id
    }

    /// Takes in a row. Of two rows with one key the one used last lives, the other is removed from storage.
    pub(crate) fn restore(&mut self, row: Session, touch: u64) {
        let age = Age { last_used_at: row.last_used_at, touch };
        if let Some(known) = self.entries.get(&row.key) {
            if known.age > age {
                self.gone.push(row.id);
                return;
            }
            self.remove(&row.key);
        }
        self.redraws.clear(&row.key);
        self.by_age.insert(age, row.key.clone());
        let stored = Some(row.last_used_at);
        let entry = Entry { id: row.id, channel: row.channel, created_at: row.created_at, age, stored };
        self.entries.insert(row.key, entry);
    }

    pub(crate) fn remove(&mut self, key: &SessionKey) -> bool {
        let Some(entry) = self.entries.remove(key) else { return false };
        self.by_age.remove(&entry.age);
        self.dirty.remove(&entry.id);
        if entry.stored.is_some() {
            self.gone.push(entry.id);
        }
        true
    }

    /// Ends a session because somebody wants it to be elsewhere.
    pub(crate) fn unbind(&mut self, id: SessionId, age: Age) -> bool {
        let key = self.entries.iter().find(|(_, entry)| entry.id == id).map(|(key, _)| key.clone());
        let Some(key) = key else { return false };
        self.remove(&key);
        self.redraws.mark(key, age);
        true
    }

    pub(crate) fn remove_oldest(&mut self) -> bool {
        let key = self.by_age.first_key_value().map(|(_, key)| key.clone());
        key.is_some_and(|key| self.remove(&key))
    }

    /// Takes away the marks of the keys that `unwanted` says.
    pub(crate) fn forget_redraws(&mut self, unwanted: impl Fn(&SessionKey) -> bool) {
        self.redraws.forget(unwanted);
    }

    pub(crate) fn count(&self, wanted: impl Fn(&SessionKey, ChannelId) -> bool) -> usize {
        self.entries.iter().filter(|(key, entry)| wanted(key, entry.channel)).count()
    }

    /// Removes what `unwanted` says, and tells how many that were.
    pub(crate) fn forget(&mut self, unwanted: impl Fn(&SessionKey, ChannelId) -> bool) -> usize {
        let keys: Vec<SessionKey> = self
            .entries
            .iter()
            .filter(|(key, entry)| unwanted(key, entry.channel))
            .map(|(key, _)| key.clone())
            .collect();
        for key in &keys {
            self.remove(key);
        }
        keys.len()
    }

    /// Removes what has been idle too long, and tells how many that were.
    pub(crate) fn sweep(&mut self, now: UnixMillis, idle: u64) -> usize {
        self.redraws.sweep(now, idle);
        let mut swept = 0;
        while self.oldest().is_some_and(|age| age.is_idle(now, idle)) && self.remove_oldest() {
            swept += 1;
        }
        swept
    }

    pub(crate) fn get(&self, id: SessionId) -> Option<Session> {
        self.entries.iter().find(|(_, entry)| entry.id == id).map(|(key, entry)| entry.session(key))
    }

    pub(crate) fn list(&self, into: &mut Vec<(Age, Session)>) {
        into.extend(self.entries.iter().map(|(key, entry)| (entry.age, entry.session(key))));
    }

    /// Moves what changed since the last call to the two lists.
    pub(crate) fn take_changes(&mut self, gone: &mut Vec<SessionId>, changed: &mut Vec<Session>) {
        gone.append(&mut self.gone);
        for (_, key) in self.dirty.drain() {
            if let Some(entry) = self.entries.get_mut(&key) {
                entry.stored = Some(entry.age.last_used_at);
                changed.push(entry.session(&key));
            }
        }
    }
}

// === impl Age ===

impl Age {
    pub(crate) fn is_idle(self, now: UnixMillis, idle: u64) -> bool {
        now.since(self.last_used_at) > idle
    }
}

// === impl Entry ===

impl Entry {
    /// Whether the row is too far from the last use, if this is it. The clock may have been set back since.
    fn is_behind(&self, age: Age, idle: u64) -> bool {
        self.stored.is_none_or(|stored| {
            let apart = age.last_used_at.since(stored).max(stored.since(age.last_used_at));
            apart >= idle / BEHIND
        })
    }

    fn session(&self, key: &SessionKey) -> Session {
        Session {
            id: self.id,
            key: key.clone(),
            channel: self.channel,
            created_at: self.created_at,
            last_used_at: self.age.last_used_at,
        }
    }
}
