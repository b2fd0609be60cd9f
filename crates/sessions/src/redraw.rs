use std::collections::{BTreeMap, HashMap};

use gateway_domain::UnixMillis;

use crate::SessionKey;
use crate::shard::Age;

/// Marks that one shard keeps at most. An administrator ends sessions by the handful; a script that ends all of them
/// costs some hundred bytes per mark and then the oldest marks, whose sessions go to their homes as if new.
const MAX: usize = 256;

/// Keys whose session an administrator ended: the next call is to draw its channel by chance.
///
/// Without the mark the call would go to its home by rendezvous, which mostly is the channel it was on: ending the
/// session would change nothing.
///
/// **Invariant:** `keys` and `by_age` hold the same pairs, at most [`MAX`].
#[derive(Debug, Default)]
pub(crate) struct Redraws {
    keys: HashMap<SessionKey, Age>,
    /// Oldest first: what has expired and what is shed stands in front.
    by_age: BTreeMap<Age, SessionKey>,
}

// === impl Redraws ===

impl Redraws {
    /// Marks a key; over the bound, the oldest mark goes.
    pub(crate) fn mark(&mut self, key: SessionKey, age: Age) {
        self.clear(&key);
        self.by_age.insert(age, key.clone());
        self.keys.insert(key, age);
        if self.keys.len() > MAX {
            self.drop_oldest();
        }
    }

    /// Whether the key was marked within `idle` milliseconds.
    pub(crate) fn holds(&self, key: &SessionKey, now: UnixMillis, idle: u64) -> bool {
        self.keys.get(key).is_some_and(|age| !age.is_idle(now, idle))
    }

    /// Takes a key's mark away, if it has one.
    pub(crate) fn clear(&mut self, key: &SessionKey) {
        if let Some(age) = self.keys.remove(key) {
            self.by_age.remove(&age);
        }
    }

    /// Takes away the marks of the keys that `unwanted` says.
    pub(crate) fn forget(&mut self, unwanted: impl Fn(&SessionKey) -> bool) {
        self.keys.retain(|key, _| !unwanted(key));
        self.by_age.retain(|_, key| !unwanted(key));
    }

    /// Takes away the marks that are older than `idle` milliseconds.
    pub(crate) fn sweep(&mut self, now: UnixMillis, idle: u64) {
        while self.by_age.first_key_value().is_some_and(|(age, _)| age.is_idle(now, idle)) {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some((_, key)) = self.by_age.pop_first() {
            self.keys.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use gateway_domain::UserId;

    use super::*;

    fn key(user: i64) -> SessionKey {
        SessionKey::of_user(UserId(user), "m".into())
    }

    fn at(millis: i64, touch: u64) -> Age {
        Age { last_used_at: UnixMillis(millis), touch }
    }

    #[test]
    fn marks_beyond_the_bound_cost_the_oldest() {
        let mut marks = Redraws::default();
        let end = MAX as u64 + 10;
        for (user, touch) in (0_i64..).zip(0..end) {
            marks.mark(key(user), at(0, touch));
        }
        let held = |user| marks.holds(&key(user), UnixMillis(0), 0);
        assert_eq!([held(9), held(10), held(265)], [false, true, true]);
        assert_eq!([marks.keys.len(), marks.by_age.len()], [MAX; 2]);
    }

    #[test]
    fn a_mark_made_again_counts_from_then_and_is_kept_once() {
        let mut marks = Redraws::default();
        marks.mark(key(1), at(0, 0));
        marks.mark(key(1), at(50, 1));
        assert!(marks.holds(&key(1), UnixMillis(150), 100));
        assert_eq!([marks.keys.len(), marks.by_age.len()], [1; 2]);
    }

    #[test]
    fn what_is_cleared_forgotten_or_swept_leaves_nothing_behind() {
        let mut marks = Redraws::default();
        for user in 0..3 {
            marks.mark(key(user), at(user, user.unsigned_abs()));
        }
        marks.clear(&key(0));
        marks.forget(|key| key.user == UserId(1));
        assert_eq!([marks.keys.len(), marks.by_age.len()], [1; 2]);
        marks.sweep(UnixMillis(102), 100);
        assert!(marks.holds(&key(2), UnixMillis(102), 100));
        marks.sweep(UnixMillis(103), 100);
        assert_eq!([marks.keys.len(), marks.by_age.len()], [0; 2]);
    }
}
