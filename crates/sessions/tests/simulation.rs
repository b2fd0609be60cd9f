//! Random operations on a virtual clock, compared step by step with a model that is too simple to be wrong.
//!
//! `SIM_SEED=<number>` replays one run; a failing run prints its seed.

#[cfg(test)]
mod simulation {
    use std::collections::{BTreeMap, BTreeSet};
    use std::time::Duration;

    use gateway_domain::{ChannelId, SessionId, UnixMillis, UserId};
    use gateway_sessions::{Change, Place, Session, SessionKey, Sessions};

    const RUNS: u64 = 25;
    const STEPS: u32 = 1200;
    /// In milliseconds.
    const LONGEST_IDLE: u64 = 1000;
    const MAX: usize = 24;
    const MODELS: [&str; 3] = ["a", "b", "c"];

    /// The table as a list, searched from end to end; used last stands last.
    #[derive(Default)]
    struct Model {
        list: Vec<Session>,
        /// Keys whose session was ended by hand, and when.
        ended: Vec<(SessionKey, UnixMillis)>,
        idle: u64,
        next_id: i64,
    }

    /// A table with the constraints that a database would have.
    #[derive(Default)]
    struct Storage {
        rows: BTreeMap<SessionId, Session>,
    }

    struct World {
        sessions: Sessions,
        model: Model,
        storage: Storage,
        /// Every id ever given, to see that none is given twice.
        given: BTreeSet<SessionId>,
        now: UnixMillis,
        dice: Dice,
    }

    /// `SplitMix64`.
    struct Dice(u64);

    // === impl Dice ===

    impl Dice {
        fn next(&mut self) -> u64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        }

        fn below(&mut self, end: u64) -> i64 {
            i64::try_from(self.next() % end).unwrap()
        }

        fn index(&mut self, end: usize) -> usize {
            usize::try_from(self.next() % end as u64).unwrap()
        }
    }

    // === impl Model ===

    impl Model {
        fn is_idle(&self, session: &Session, now: UnixMillis) -> bool {
            now.since(session.last_used_at) > self.idle
        }

        fn place_of(&self, key: &SessionKey, now: UnixMillis) -> Place {
            if let Some(found) = self.list.iter().find(|session| session.key == *key) {
                let over = self.is_idle(found, now);
                return if over { Place::Unknown } else { Place::Known(found.channel) };
            }
            let fresh = |at: UnixMillis| now.since(at) <= self.idle;
            let ended = self.ended.iter().any(|(ended, at)| ended == key && fresh(*at));
            if ended { Place::Redraw } else { Place::Unknown }
        }

        fn end(&mut self, id: SessionId, now: UnixMillis) -> usize {
            let key = self.list.iter().find(|session| session.id == id).map(|session| session.key.clone());
            self.ended.extend(key.map(|key| (key, now)));
            self.drop_if(|session| session.id == id)
        }

        fn remember(&mut self, key: &SessionKey, channel: ChannelId, now: UnixMillis) -> SessionId {
            self.ended.retain(|(ended, _)| ended != key);
            let place = self.list.iter().position(|session| session.key == *key);
            let found = place.map(|place| self.list.remove(place)).filter(|found| !self.is_idle(found, now));
            let session = if let Some(found) = found {
                Session { channel, last_used_at: now, ..found }
            } else {
                self.next_id += 1;
                let (id, key) = (SessionId(self.next_id), key.clone());
                Session { id, key, channel, created_at: now, last_used_at: now }
            };
            let id = session.id;
            self.list.push(session);
            self.list.sort_by_key(|session| session.last_used_at);
            if self.list.len() > MAX {
                self.list.remove(0);
            }
            id
        }

        fn drop_if(&mut self, unwanted: impl Fn(&Session) -> bool) -> usize {
            let before = self.list.len();
            self.list.retain(|session| !unwanted(session));
            before - self.list.len()
        }

        fn sweep(&mut self, now: UnixMillis) -> usize {
            let idle = self.idle;
            self.ended.retain(|(_, at)| now.since(*at) <= idle);
            self.drop_if(|session| now.since(session.last_used_at) > idle)
        }
    }

    // === impl Storage ===

    impl Storage {
        fn apply(&mut self, changes: Vec<Change>) {
            let mut named = BTreeSet::new();
            for change in changes {
                match change {
                    Change::Remove(id) => {
                        assert!(named.insert(id), "{id} is named twice in one batch");
                        assert!(self.rows.remove(&id).is_some(), "{id} was never stored, yet is removed");
                    }
                    Change::Put(session) => {
                        assert!(named.insert(session.id), "{} is named twice in one batch", session.id);
                        let rival =
                            self.rows.values().find(|row| row.key == session.key && row.id != session.id);
                        assert!(rival.is_none(), "{session:?} violates the unique key of {rival:?}");
                        self.rows.insert(session.id, session);
                    }
                }
            }
        }
    }

    // === impl World ===

    impl World {
        fn new(seed: u64) -> Self {
            let idle = 500;
            Self {
                sessions: Sessions::with_max(Duration::from_millis(idle), MAX),
                model: Model { idle, ..Model::default() },
                storage: Storage::default(),
                given: BTreeSet::new(),
                now: UnixMillis(1_000_000),
                dice: Dice(seed),
            }
        }

        fn step(&mut self) {
            match self.dice.below(100) {
                0..50 => self.call(),
                50..70 => self.ask(),
                70..80 => self.let_time_pass(),
                80..84 => assert_eq!(self.sessions.sweep(self.now), self.model.sweep(self.now)),
                84..90 => self.forget(),
                90..91 => self.change_idle(),
                91..99 => self.storage.apply(self.sessions.take_changes()),
                _ => self.restart(),
            }
            self.check_invariants();
        }

        fn key(&mut self) -> SessionKey {
            let user = UserId(self.dice.below(8));
            let model = MODELS[self.dice.index(MODELS.len())].into();
            match self.dice.below(3) {
                0 => SessionKey::of_conversation(user, model, &[7]),
                _ => SessionKey::of_user(user, model),
            }
        }

        fn call(&mut self) {
            let (key, channel) = (self.key(), ChannelId(self.dice.below(4)));
            let known = self.model.list.iter().any(|session| session.key == key);
            let id = self.sessions.remember(&key, channel, self.now);
            assert_eq!(id, self.model.remember(&key, channel, self.now));
            assert!(self.given.insert(id) || known, "{id} is given twice");
            let place = self.sessions.place_of(&key, self.now);
            assert_eq!(place, Place::Known(channel), "whoever was served is remembered");
        }

        fn ask(&mut self) {
            let key = self.key();
            assert_eq!(self.sessions.place_of(&key, self.now), self.model.place_of(&key, self.now));
        }

        fn let_time_pass(&mut self) {
            self.now.0 += match self.dice.below(10) {
                0 => 2000,
                1..5 => self.dice.below(300),
                _ => self.dice.below(3),
            };
        }

        fn forget(&mut self) {
            let (one, name) = (self.dice.below(8), MODELS[self.dice.index(MODELS.len())]);
            let (forgotten, expected) = match self.dice.below(4) {
                0 => {
                    let id = SessionId(self.dice.below(self.model.next_id.unsigned_abs() + 2));
                    (usize::from(self.sessions.remove(id, self.now)), self.model.end(id, self.now))
                }
                1 => {
                    let id = ChannelId(one / 2);
                    (self.sessions.forget_channel(id), self.model.drop_if(|session| session.channel == id))
                }
                2 => {
                    let id = UserId(one);
                    self.model.ended.retain(|(key, _)| key.user != id);
                    (self.sessions.forget_user(id), self.model.drop_if(|session| session.key.user == id))
                }
                _ => {
                    self.model.ended.retain(|(key, _)| &*key.model != name);
                    let expected = self.model.drop_if(|session| &*session.key.model == name);
                    (self.sessions.forget_model(name), expected)
                }
            };
            assert_eq!(forgotten, expected);
        }

        fn change_idle(&mut self) {
            self.model.idle = self.dice.next() % LONGEST_IDLE;
            self.sessions.set_idle(Duration::from_millis(self.model.idle));
        }

        /// What was not yet taken is lost; what was taken is there again.
        fn restart(&mut self) {
            let rows: Vec<Session> = self.storage.rows.values().cloned().collect();
            self.sessions = Sessions::with_max(Duration::from_millis(self.model.idle), MAX);
            self.sessions.restore(rows.iter().rev().cloned());
            self.model.next_id = rows.iter().map(|row| row.id.0).max().unwrap_or(0);
            self.model.list = rows;
            self.model.ended.clear();
            self.model.list.sort_by_key(|session| (session.last_used_at, session.id));
            self.given = self.storage.rows.keys().copied().collect();
        }

        fn check_invariants(&mut self) {
            let list = self.sessions.list();
            assert!(list.iter().eq(self.model.list.iter().rev()), "{list:#?}\n{:#?}", self.model.list);
            assert_eq!(self.sessions.len(), list.len());
            assert!(list.len() <= MAX);
            for session in &list {
                assert_eq!(self.sessions.get(session.id).as_ref(), Some(session));
            }
            if self.dice.below(10) == 0 {
                self.storage.apply(self.sessions.take_changes());
                let mut live = list;
                live.sort_by_key(|session| session.id);
                for (row, session) in self.storage.rows.values().zip(&mut live) {
                    let (stored, used) = (row.last_used_at, session.last_used_at);
                    assert!(
                        stored.since(used).max(used.since(stored)) < LONGEST_IDLE / 20,
                        "{row:?} {used:?}"
                    );
                    session.last_used_at = stored;
                }
                assert!(
                    self.storage.rows.values().eq(&live),
                    "storage that took every change is a copy of the table but for some last uses"
                );
            }
        }
    }

    fn run(seed: u64) {
        let mut world = World::new(seed);
        for _ in 0..STEPS {
            world.step();
        }
    }

    #[test]
    fn the_table_does_what_the_model_does() {
        #[expect(clippy::disallowed_methods, reason = "the seed of a replay comes from whoever replays")]
        let replay = std::env::var("SIM_SEED").ok().map(|seed| seed.parse().expect("SIM_SEED is a number"));
        let seeds = replay.map_or(0..RUNS, |seed: u64| seed..seed + 1);
        for seed in seeds {
            let result = std::panic::catch_unwind(|| run(seed));
            if let Err(panic) = result {
                println!("replay with SIM_SEED={seed}");
                std::panic::resume_unwind(panic);
            }
        }
    }
}
