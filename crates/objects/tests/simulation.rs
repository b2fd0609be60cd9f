//! Random operations, compared step by step with a model that is too simple to be wrong.
//!
//! `SIM_SEED=<number>` replays one run; a failing run prints its seed.

#[cfg(test)]
mod simulation {
    use std::collections::{BTreeMap, BTreeSet};
    use std::sync::Arc;

    use gateway_domain::{ChannelId, UnixMillis, UserId};
    use gateway_objects::{Change, Objects, Record};

    const RUNS: u64 = 25;
    const STEPS: i64 = 2000;
    const IDS: u64 = 300;
    /// Two for each of the table's parts, so that most of what was made is in storage only.
    const MAX: usize = 128;

    /// Table and storage as they are used: what memory does not hold is looked for in storage.
    struct World {
        objects: Objects,
        storage: BTreeMap<Arc<str>, Record>,
        /// Who made what, for ever.
        truth: BTreeMap<Arc<str>, Record>,
        dice: Dice,
        now: i64,
    }

    /// `SplitMix64`.
    struct Dice(u64);

    // === impl Dice ===

    impl Dice {
        fn below(&mut self, end: u64) -> u64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (z ^ (z >> 31)) % end
        }

        fn number(&mut self, end: u64) -> i64 {
            i64::try_from(self.below(end)).unwrap()
        }
    }

    // === impl World ===

    impl World {
        fn new(seed: u64) -> Self {
            Self {
                objects: Objects::with_max(MAX),
                storage: BTreeMap::new(),
                truth: BTreeMap::new(),
                dice: Dice(seed),
                now: 0,
            }
        }

        fn step(&mut self) {
            self.now += 1;
            let id: Arc<str> = format!("file-{}", self.dice.below(IDS)).into();
            match self.dice.below(100) {
                0..50 => self.make(id),
                50..80 => self.name(&id),
                80..90 => {
                    self.objects.forget(&id);
                    self.truth.remove(&id);
                }
                90..92 => self.delete_channel(),
                92..94 => self.delete_user(),
                94..96 => self.restart(),
                _ => self.save(),
            }
            assert!(self.objects.len() <= MAX);
        }

        /// An upstream gives out an id, and never one that it has given out before and that lives.
        fn make(&mut self, id: Arc<str>) {
            if self.truth.contains_key(&id) {
                return;
            }
            // Whoever had the id before is gone from storage, too, before it is given out again.
            self.save();
            let record = Record {
                id: Arc::clone(&id),
                kind: "file".into(),
                channel: ChannelId(self.dice.number(3)),
                user: UserId(self.dice.number(4)),
                created_at: UnixMillis(self.now),
                made_at: None,
            };
            assert!(self.objects.note(record.clone()));
            assert_eq!(self.objects.of(&id).as_ref(), Some(&record), "what was just made is known");
            self.truth.insert(id, record);
        }

        fn name(&mut self, id: &str) {
            self.save();
            let held = self.objects.of(id);
            assert_eq!(held.as_ref().or_else(|| self.storage.get(id)), self.truth.get(id), "{id}");
            if held.is_none() {
                self.objects.restore(self.storage.get(id).cloned());
                assert_eq!(self.objects.of(id).as_ref(), self.truth.get(id), "what was looked up is known");
            }
        }

        fn delete_channel(&mut self) {
            let channel = ChannelId(self.dice.number(3));
            self.storage.retain(|_, record| record.channel != channel);
            self.truth.retain(|_, record| record.channel != channel);
            self.objects.forget_channel(channel);
        }

        fn delete_user(&mut self) {
            let user = UserId(self.dice.number(4));
            self.storage.retain(|_, record| record.user != user);
            self.truth.retain(|_, record| record.user != user);
            self.objects.forget_user(user);
        }

        /// The last changes are written, as at an orderly end, and the newest rows come back.
        fn restart(&mut self) {
            self.save();
            assert_eq!(self.storage, self.truth, "storage has everything that lives");
            self.objects = Objects::with_max(MAX);
            let mut rows: Vec<Record> = self.storage.values().cloned().collect();
            rows.sort_by_key(|row| row.created_at);
            self.objects.restore(rows);
            assert_eq!(self.objects.take_changes(), []);
        }

        fn save(&mut self) {
            let mut named = BTreeSet::new();
            for change in self.objects.take_changes() {
                match change {
                    Change::Put(record) => {
                        assert!(named.insert(Arc::clone(&record.id)), "{} is named twice", record.id);
                        self.storage.insert(Arc::clone(&record.id), record);
                    }
                    Change::Remove(id) => {
                        assert!(named.insert(Arc::clone(&id)), "{id} is named twice");
                        self.storage.remove(&id);
                    }
                }
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
    fn memory_and_storage_together_know_every_object_that_lives() {
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
