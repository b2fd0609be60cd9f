use std::collections::hash_map::Entry as Slot;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use crate::{Change, Record};

/// How many records are kept for a while after they were let go.
const DEPARTED: usize = 64;

/// One part of the table, behind one lock.
///
/// **Invariants:** `by_touch` holds exactly the ids of `entries`; neither `entries` nor `pending` grows beyond the
/// bound that the callers give, also when nobody takes the changes.
#[derive(Debug, Default)]
pub(crate) struct Shard {
    entries: HashMap<Arc<str>, Entry>,
    /// What was made or named longest ago stands first.
    by_touch: BTreeMap<u64, Arc<str>>,
    /// What storage was not told yet, with the touch that tells what came first.
    pending: HashMap<Arc<str>, (u64, Change)>,
    /// What was let go last, the newest behind.
    departed: VecDeque<Record>,
}

#[derive(Debug)]
struct Entry {
    record: Record,
    touch: u64,
}

// === impl Shard ===

impl Shard {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The record of an id, which counts as used by that.
    pub(crate) fn of(&mut self, id: &str, touch: u64) -> Option<Record> {
        let entry = self.entries.get_mut(id)?;
        self.by_touch.remove(&entry.touch);
        entry.touch = touch;
        self.by_touch.insert(touch, Arc::clone(&entry.record.id));
        Some(entry.record.clone())
    }

    /// Takes a record down, unless the id is another user's. Tells whether it was taken.
    pub(crate) fn note(&mut self, record: Record, touch: u64, bound: usize) -> bool {
        if let Some(known) = self.entries.get_mut(&record.id) {
            if known.record.user != record.user {
                return false;
            }
            if known.record.channel == record.channel {
                // Made once and told again, as polled answers do: the row stays as it is, but for what is new.
                if known.record.made_at.is_none() && record.made_at.is_some() {
                    known.record.made_at = record.made_at;
                    let row = known.record.clone();
                    self.owe(&record.id, Change::Put(row), touch, bound);
                }
                return true;
            }
        }
        self.owe(&record.id, Change::Put(record.clone()), touch, bound);
        self.keep(record, touch, bound);
        true
    }

    /// Takes in a row of storage, which is owed nothing. What is known of the id already is newer.
    pub(crate) fn restore(&mut self, record: Record, touch: u64, bound: usize) {
        if !self.entries.contains_key(&record.id) {
            self.keep(record, touch, bound);
        }
    }

    /// Lets an id go, here and in storage, which may have it even when nothing is known of it here.
    pub(crate) fn forget(&mut self, id: &str, touch: u64, bound: usize) -> bool {
        let entry = self.entries.remove(id);
        if let Some(entry) = &entry {
            self.by_touch.remove(&entry.touch);
        }
        let id = entry.as_ref().map_or_else(|| Arc::from(id), |entry| Arc::clone(&entry.record.id));
        self.owe(&id, Change::Remove(Arc::clone(&id)), touch, bound);
        let Some(entry) = entry else { return false };
        if self.departed.len() == DEPARTED {
            self.departed.pop_front();
        }
        self.departed.push_back(entry.record);
        true
    }

    pub(crate) fn departed(&self, id: &str) -> Option<Record> {
        self.departed.iter().rev().find(|record| &*record.id == id).cloned()
    }

    /// Lets go what `unwanted` says, here only, and tells how much that was.
    pub(crate) fn drop_if(&mut self, unwanted: impl Fn(&Record) -> bool) -> usize {
        let before = self.entries.len();
        let by_touch = &mut self.by_touch;
        self.entries.retain(|_, entry| {
            let goes = unwanted(&entry.record);
            if goes {
                by_touch.remove(&entry.touch);
            }
            !goes
        });
        self.departed.retain(|record| !unwanted(record));
        self.pending.retain(|_, (_, change)| match change {
            Change::Put(record) => !unwanted(record),
            Change::Remove(_) => true,
        });
        before - self.entries.len()
    }

    /// Moves what storage was not told yet to the list, with the touch of each.
    pub(crate) fn take_changes(&mut self, into: &mut Vec<(u64, Change)>) {
        into.extend(self.pending.drain().map(|(_, change)| change));
    }

    fn keep(&mut self, record: Record, touch: u64, bound: usize) {
        self.by_touch.insert(touch, Arc::clone(&record.id));
        match self.entries.entry(Arc::clone(&record.id)) {
            Slot::Occupied(slot) => {
                let former = std::mem::replace(slot.into_mut(), Entry { record, touch });
                self.by_touch.remove(&former.touch);
            }
            Slot::Vacant(slot) => {
                slot.insert(Entry { record, touch });
            }
        }
        while self.entries.len() > bound {
            let Some((_, oldest)) = self.by_touch.pop_first() else { return };
            self.entries.remove(&oldest);
        }
    }

    fn owe(&mut self, id: &Arc<str>, change: Change, touch: u64, bound: usize) {
        if self.pending.len() < bound || self.pending.contains_key(id) {
            self.pending.insert(Arc::clone(id), (touch, change));
        }
    }
}
