use std::cmp::Reverse;
use std::collections::HashSet;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gateway_domain::{ChannelId, SessionId, UnixMillis, UserId};

use crate::shard::{Age, Shard};
use crate::{Change, SessionKey};

/// How many sessions are remembered when nothing else is said.
pub const DEFAULT_MAX_SESSIONS: usize = 1_000_000;

/// Enough that workers on different cores rarely meet at one lock; few enough that looking at all of them is cheap.
const SHARDS: usize = 64;

/// One remembered binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its name for people and storage; never given twice.
    pub id: SessionId,
    /// Whose it is, and for what.
    pub key: SessionKey,
    /// The channel that served it last.
    pub channel: ChannelId,
    /// When it began.
    pub created_at: UnixMillis,
    /// When it was last served.
    pub last_used_at: UnixMillis,
}

/// Where a key's session is, so that routing knows where the call may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It was served there last.
    Known(ChannelId),
    /// An administrator ended it: the call is to draw its channel by chance, as one without a session does, and stays
    /// where it is then served.
    Redraw,
    /// There is no session, or it has been unused for too long: the call goes to its home.
    Unknown,
}

/// All sessions: at most one per key, at most `max` in all.
///
/// Every method takes `&self` and may be called from any thread. A method locks one shard at a time and calls nothing
/// of its caller's meanwhile, so none can deadlock with another; one that looks at the whole table sees each shard at
/// a slightly different moment.
#[derive(Debug)]
pub struct Sessions {
    shards: Box<[Mutex<Shard>]>,
    /// Milliseconds.
    idle: AtomicU64,
    max: usize,
    count: AtomicUsize,
    next_id: AtomicI64,
    next_touch: AtomicU64,
}

// === impl Sessions ===

impl Sessions {
    /// An empty table of at most [`DEFAULT_MAX_SESSIONS`], whose sessions end when unused for longer than `idle`.
    pub fn new(idle: Duration) -> Self {
        Self::with_max(idle, DEFAULT_MAX_SESSIONS)
    }

    /// An empty table of at most `max` sessions (at least one). When it is full, a new session costs the one that has
    /// been unused for the longest time.
    pub fn with_max(idle: Duration, max: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            idle: AtomicU64::new(millis(idle)),
            max: max.max(1),
            count: AtomicUsize::new(0),
            next_id: AtomicI64::new(1),
            next_touch: AtomicU64::new(0),
        }
    }

    /// Changes the idle time, for living sessions too.
    pub fn set_idle(&self, idle: Duration) {
        self.idle.store(millis(idle), Ordering::Relaxed);
    }

    /// Takes in the rows of an earlier run; new ids continue after the highest of them.
    ///
    /// Of several rows with one key only the one used last is kept, and of more than `max` rows only the newest; the
    /// others are removed from storage by the next changes.
    pub fn restore(&self, rows: impl IntoIterator<Item = Session>) {
        let mut rows: Vec<Session> = rows.into_iter().collect();
        rows.sort_by_key(|row| (row.last_used_at, row.id));
        let mut names: HashSet<Arc<str>> = HashSet::new();
        for mut row in rows {
            row.key.model = shared(&mut names, row.key.model);
            self.next_id.fetch_max(row.id.0.saturating_add(1), Ordering::Relaxed);
            let touch = self.next_touch.fetch_add(1, Ordering::Relaxed);
            self.change(shard_of(&row.key), |shard| shard.restore(row, touch));
        }
        self.shed();
    }

    /// Where the key's session is. Asking is not using: only [`Sessions::remember`] prolongs a session.
    pub fn place_of(&self, key: &SessionKey, now: UnixMillis) -> Place {
        self.lock(shard_of(key)).place_of(key, now, self.idle())
    }

    /// Notes that the key was served by the channel at `now`: begins a session, or moves and prolongs the one there
    /// is. Never refuses.
    pub fn remember(&self, key: &SessionKey, channel: ChannelId, now: UnixMillis) -> SessionId {
        let age = Age { last_used_at: now, touch: self.next_touch.fetch_add(1, Ordering::Relaxed) };
        let new_id = || SessionId(self.next_id.fetch_add(1, Ordering::Relaxed));
        let id = self.change(shard_of(key), |shard| shard.remember(key, channel, age, self.idle(), new_id));
        self.shed();
        id
    }

    /// All sessions, the one used last first; idle ones too until they are swept.
    pub fn list(&self) -> Vec<Session> {
        let mut aged = Vec::with_capacity(self.len());
        for shard in 0..SHARDS {
            self.lock(shard).list(&mut aged);
        }
        aged.sort_unstable_by_key(|(age, _)| Reverse(*age));
        aged.into_iter().map(|(_, session)| session).collect()
    }

    /// The session of this id. Looks through the table: for people, not for the request path.
    pub fn get(&self, id: SessionId) -> Option<Session> {
        (0..SHARDS).find_map(|shard| self.lock(shard).get(id))
    }

    /// Ends the session of this id at an administrator's word, and tells whether there was one. Looks through the
    /// table.
    ///
    /// The key is [`Place::Redraw`] until it is remembered again or the idle time has passed since `now`. That is kept
    /// in memory only, and for some thousands of the sessions ended last.
    pub fn remove(&self, id: SessionId, now: UnixMillis) -> bool {
        let age = Age { last_used_at: now, touch: self.next_touch.fetch_add(1, Ordering::Relaxed) };
        (0..SHARDS).any(|shard| self.change(shard, |shard| shard.unbind(id, age)))
    }

    /// Ends all sessions on a channel, and tells how many. They go to their homes next, not by chance.
    pub fn forget_channel(&self, id: ChannelId) -> usize {
        self.forget(|_, channel| channel == id)
    }

    /// Ends all sessions of a user, and tells how many.
    pub fn forget_user(&self, id: UserId) -> usize {
        self.forget_keys(|key| key.user == id)
    }

    /// Ends all sessions for a public model name, and tells how many.
    pub fn forget_model(&self, model: &str) -> usize {
        self.forget_keys(|key| &*key.model == model)
    }

    /// Ends the sessions that have been unused for too long, and tells how many.
    pub fn sweep(&self, now: UnixMillis) -> usize {
        let idle = self.idle();
        (0..SHARDS).map(|shard| self.change(shard, |shard| shard.sweep(now, idle))).sum()
    }

    /// How many sessions there are for which this holds. Looks through the table.
    pub fn count(&self, wanted: impl Fn(&SessionKey, ChannelId) -> bool) -> usize {
        (0..SHARDS).map(|shard| self.lock(shard).count(&wanted)).sum()
    }

    /// How many sessions there are.
    pub fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What storage must do to become a copy of the table; nothing when nothing happened since the last call.
    ///
    /// A session that was used a thousand times is put once, as it is now; one that only goes on being used is not put again
    /// until its row is a twentieth of the idle time behind; one that came and went between two calls is not named at all.
    /// The caller owes storage what it took: batches are to be written in the order taken, by one taker.
    pub fn take_changes(&self) -> Vec<Change> {
        let (mut gone, mut changed) = (Vec::new(), Vec::new());
        for shard in 0..SHARDS {
            self.lock(shard).take_changes(&mut gone, &mut changed);
        }
        gone.sort_unstable();
        changed.sort_unstable_by_key(|session| session.id);
        gone.into_iter().map(Change::Remove).chain(changed.into_iter().map(Change::Put)).collect()
    }

    fn forget_keys(&self, unwanted: impl Fn(&SessionKey) -> bool) -> usize {
        for shard in 0..SHARDS {
            self.lock(shard).forget_redraws(&unwanted);
        }
        self.forget(|key, _| unwanted(key))
    }

    fn forget(&self, unwanted: impl Fn(&SessionKey, ChannelId) -> bool) -> usize {
        (0..SHARDS).map(|shard| self.change(shard, |shard| shard.forget(&unwanted))).sum()
    }

    /// Sheds the oldest sessions while there are too many. Two threads that do so at once may shed one too many
    /// between them, never one too few.
    fn shed(&self) {
        while self.len() > self.max {
            let oldest = (0..SHARDS).filter_map(|shard| Some((self.lock(shard).oldest()?, shard))).min();
            let Some((_, shard)) = oldest else { return };
            self.change(shard, Shard::remove_oldest);
        }
    }

    fn idle(&self) -> u64 {
        self.idle.load(Ordering::Relaxed)
    }

    /// Changes one shard. The count follows before the lock is given back, so it never runs below what is there.
    fn change<R>(&self, shard: usize, change: impl FnOnce(&mut Shard) -> R) -> R {
        let mut shard = self.lock(shard);
        let before = shard.len();
        let result = change(&mut shard);
        let after = shard.len();
        match after.cmp(&before) {
            // Nearly always: a session that there is goes on.
            std::cmp::Ordering::Equal => 0,
            std::cmp::Ordering::Greater => self.count.fetch_add(after - before, Ordering::Relaxed),
            std::cmp::Ordering::Less => self.count.fetch_sub(before - after, Ordering::Relaxed),
        };
        result
    }

    /// A panic in another thread leaves a shard usable: no method stops half-way on its own.
    fn lock(&self, shard: usize) -> MutexGuard<'_, Shard> {
        let shard = self.shards.get(shard).expect("shard numbers are below SHARDS");
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shard_of(key: &SessionKey) -> usize {
    usize::try_from(key.hash64() % SHARDS as u64).expect("a remainder of SHARDS fits")
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Rows come with a copy of their model's name each; a million of them need only one per model.
fn shared(names: &mut HashSet<Arc<str>>, name: Arc<str>) -> Arc<str> {
    if let Some(known) = names.get(&name) {
        return Arc::clone(known);
    }
    names.insert(Arc::clone(&name));
    name
}

#[cfg(test)]
mod tests;
