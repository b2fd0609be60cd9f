//! What must hold however threads take turns. Shuttle runs each of these stories many times, and switches threads at
//! every atomic and every lock of [`crate::sync`], as a seed wants it; a failure prints the seed that repeats it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use shuttle::thread;

use crate::{
    ChannelId, ChannelSet, ChannelSpec, Decision, Kind, Micros, NoRoute, Outcome, Params, PolicyKind, Pool,
    PoolSpec, Pools, Request, stable_hash,
};

/// How many schedules of each story; half by plain chance, half by chance with few switches (PCT), which finds what
/// takes a certain order rather than a busy one.
const SCHEDULES: usize = 10_000;
/// How many switches the latter make.
const SWITCHES: usize = 3;
const START: Micros = Micros::from_millis(1_000_000);

fn always(story: impl Fn() + Send + Sync + Clone + 'static) {
    shuttle::check_random(story.clone(), SCHEDULES / 2);
    shuttle::check_pct(story, SCHEDULES / 2, SWITCHES);
}

fn channel(id: i64) -> ChannelSpec {
    ChannelSpec {
        id: ChannelId(id),
        key64: stable_hash(&id.to_le_bytes()),
        account64: 0,
        weight: 1.0,
        tier: 0,
        max_concurrency: None,
        requests_per_minute: None,
        tokens_per_minute: None,
    }
}

fn pool(specs: &[ChannelSpec]) -> Arc<Pool> {
    Arc::new(Pool::new(specs, PolicyKind::Adaptive, Params::default()).unwrap())
}

fn pool_spec(name: &str, channels: &[ChannelSpec]) -> PoolSpec {
    PoolSpec {
        name: name.into(),
        channels: channels.to_vec(),
        policy: PolicyKind::Adaptive,
        params: Params::default(),
    }
}

fn decide(
    pool: &Arc<Pool>,
    filter: Option<&ChannelSet>,
    now: Micros,
    seed: u64,
) -> Result<Decision, NoRoute> {
    let excluded = ChannelSet::new();
    let request = Request {
        session: None,
        pinned: None,
        streaming: true,
        attempt: 0,
        excluded: &excluded,
        filter,
        prompt_tokens: 100,
    };
    pool.decide(&request, now, seed)
}

/// Runs these side by side, and waits for all.
fn together(threads: Vec<Box<dyn FnOnce() + Send>>) {
    let handles: Vec<_> = threads.into_iter().map(thread::spawn).collect();
    for handle in handles {
        handle.join().unwrap();
    }
}

/// What is at a channel, counted by those who were sent there.
#[derive(Default)]
struct Present(AtomicU32);

impl Present {
    fn enter(&self, most: u32) {
        assert!(self.0.fetch_add(1, Relaxed) < most, "more than {most} at a time");
    }

    /// Before the pool is told, so that this never counts more than there are.
    fn leave(&self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

fn assert_idle(pool: &Arc<Pool>) {
    for view in pool.views(START) {
        assert_eq!((view.inflight, view.waiting), (0, 0), "{view:?}");
    }
    for seat in pool.layout().seats() {
        assert_eq!(seat.slot.occupancy(), 0);
    }
}

#[test]
fn configured_concurrency_is_kept_and_counts_return_to_zero() {
    always(|| {
        let specs = [1, 2].map(|max| ChannelSpec { max_concurrency: Some(max), ..channel(i64::from(max)) });
        let pool = pool(&specs);
        let present: Arc<[Present; 2]> = Arc::default();
        let visit = |seed: u64| -> Box<dyn FnOnce() + Send> {
            let (pool, present) = (Arc::clone(&pool), Arc::clone(&present));
            Box::new(move || {
                for turn in 0..2 {
                    let Ok(mut decision) = decide(&pool, None, START, seed + turn) else { continue };
                    let most = u32::try_from(decision.channel.0).unwrap();
                    let here = &present[usize::from(most == 2)];
                    here.enter(most);
                    thread::yield_now();
                    here.leave();
                    match (seed + turn) % 3 {
                        0 => drop(decision),
                        1 => decision.ticket.finish(Outcome::of(Kind::ServerError(500)), START),
                        _ => {
                            decision.ticket.first_token(START);
                            decision.ticket.finish(Outcome::of(Kind::Ok), START);
                        }
                    }
                }
            })
        };
        together(vec![visit(1), visit(3), visit(5), visit(7)]);
        assert_idle(&pool);
    });
}

/// A pool of two channels, of which the first is out and due for a trial at the second moment.
fn pool_with_a_trial_due() -> (Arc<Pool>, Micros) {
    let (pool, _, now) = pool_with_a_trial_due_and_an_old_attempt();
    (pool, now)
}

/// As before, and an attempt that was sent to the first channel while it was well.
fn pool_with_a_trial_due_and_an_old_attempt() -> (Arc<Pool>, Decision, Micros) {
    let pool = pool(&[channel(0), channel(1)]);
    let first = [ChannelId(0)].into_iter().collect();
    let old = decide(&pool, Some(&first), START, 9).unwrap();
    for seed in 0..4 {
        let sick = decide(&pool, Some(&first), START, seed).unwrap();
        sick.ticket.finish(Outcome::of(Kind::ServerError(500)), START);
    }
    (pool, old, START.after(Micros::from_millis(5_000)))
}

#[test]
fn there_is_one_trial_at_a_time_and_one_that_decided_nothing_can_be_had_again() {
    always(|| {
        let (pool, now) = pool_with_a_trial_due();
        let trials = Arc::new(Present::default());
        let ask = |kind: Kind, seed: u64| -> Box<dyn FnOnce() + Send> {
            let (pool, trials) = (Arc::clone(&pool), Arc::clone(&trials));
            Box::new(move || {
                let decision = decide(&pool, None, now, seed).unwrap();
                if decision.probe {
                    trials.enter(1);
                    thread::yield_now();
                    trials.leave();
                }
                decision.ticket.finish(Outcome::of(kind), now);
            })
        };
        together(vec![ask(Kind::Cancelled, 1), ask(Kind::RateLimited, 2), ask(Kind::CallerError(400), 3)]);
        assert_idle(&pool);
        // The burst of trials is used up: ask until the budget has one again.
        let later = now.after(Micros::from_millis(30_000));
        assert!((0..60).any(|seed| decide(&pool, None, later, seed).unwrap().probe), "the trial is lost");
    });
}

#[test]
fn a_refusal_of_an_old_attempt_lets_no_second_trial_overlap_the_first() {
    always(|| {
        let (pool, old, now) = pool_with_a_trial_due_and_an_old_attempt();
        let refusal = thread::spawn(move || old.ticket.finish(Outcome::of(Kind::Credentials), now));
        let asked = decide(&pool, None, now, 1).unwrap();
        refusal.join().unwrap();
        // As long as a trial is alone.
        let soon = now.after(Micros::from_millis(9_000));
        let trials = (10..20).filter(|seed| decide(&pool, None, soon, *seed).unwrap().probe).count();
        assert!(!asked.probe || trials == 0, "two trials at a time");
        drop(asked);
        let later = now.after(Micros::from_millis(61_000));
        assert!((0..60).any(|seed| decide(&pool, None, later, seed).unwrap().probe), "the trial is lost");
    });
}

#[test]
fn a_trial_that_found_no_room_is_given_back() {
    always(|| {
        let (pool, now) = pool_with_a_trial_due();
        let narrow = [ChannelSpec { max_concurrency: Some(1), ..channel(0) }, channel(1)];
        pool.update(&narrow, PolicyKind::Adaptive, Params::default()).unwrap();
        let first: ChannelSet = [ChannelId(0)].into_iter().collect();
        let ask = |only: bool, seed: u64| -> Box<dyn FnOnce() + Send> {
            let (pool, first) = (Arc::clone(&pool), first.clone());
            Box::new(move || {
                let asked = decide(&pool, only.then_some(&first), now, seed);
                thread::yield_now();
                drop(asked);
            })
        };
        together(vec![ask(true, 1), ask(false, 2), ask(false, 3)]);
        assert_idle(&pool);
        let later = now.after(Micros::from_millis(30_000));
        assert!((0..60).any(|seed| decide(&pool, None, later, seed).unwrap().probe), "the trial is lost");
    });
}

#[test]
fn a_budget_is_spent_once() {
    always(|| {
        let spec = ChannelSpec { requests_per_minute: Some(2), tokens_per_minute: Some(300), ..channel(0) };
        let pool = pool(&[spec]);
        let sent = Arc::new(AtomicU32::new(0));
        let ask = |seed: u64| -> Box<dyn FnOnce() + Send> {
            let (pool, sent) = (Arc::clone(&pool), Arc::clone(&sent));
            Box::new(move || {
                if let Ok(decision) = decide(&pool, None, START, seed) {
                    sent.fetch_add(1, Relaxed);
                    decision.ticket.finish(Outcome::of(Kind::Ok), START);
                }
            })
        };
        together(vec![ask(1), ask(2), ask(3), ask(4)]);
        assert_eq!(sent.load(Relaxed), 2, "two requests a minute");
        assert_idle(&pool);
    });
}

#[test]
fn attempts_count_over_all_configurations_while_they_change() {
    always(|| {
        let one = ChannelSpec { max_concurrency: Some(1), ..channel(0) };
        let other = ChannelSpec { weight: 2.0, ..one };
        let pools = Arc::new(Pools::new());
        pools.adopt(&[pool_spec("a", &[one]), pool_spec("b", &[one])]).unwrap();
        let present = Arc::new(Present::default());
        let visit = |name: &'static str, seed: u64| -> Box<dyn FnOnce() + Send> {
            let (pools, present) = (Arc::clone(&pools), Arc::clone(&present));
            Box::new(move || {
                for turn in 0..2 {
                    let Some(pool) = pools.load().get(name).map(Arc::clone) else { continue };
                    if let Ok(decision) = decide(&pool, None, START, seed + turn) {
                        present.enter(1);
                        thread::yield_now();
                        present.leave();
                        drop(decision);
                    }
                }
            })
        };
        let change = {
            let pools = Arc::clone(&pools);
            Box::new(move || {
                pools.adopt(&[pool_spec("a", &[other])]).unwrap();
                pools.adopt(&[]).unwrap();
                pools.adopt(&[pool_spec("a", &[one]), pool_spec("b", &[other])]).unwrap();
            })
        };
        together(vec![visit("a", 1), visit("b", 3), change]);
        let pools = pools.load();
        assert_eq!(pools.len(), 2);
        pools.values().for_each(assert_idle);
    });
}

#[test]
fn the_last_word_on_admission_stands_whatever_is_adopted_meanwhile() {
    always(|| {
        let pools = Arc::new(Pools::new());
        pools.adopt(&[pool_spec("a", &[channel(0), channel(1)])]).unwrap();
        let (judge, configure) = (Arc::clone(&pools), Arc::clone(&pools));
        together(vec![
            Box::new(move || {
                for admitted in [false, true, false] {
                    judge.set_admitted(ChannelId(0), admitted);
                }
                judge.set_admitted(ChannelId(1), false);
                judge.set_admitted(ChannelId(1), true);
            }),
            Box::new(move || {
                configure.adopt(&[pool_spec("a", &[channel(0)])]).unwrap();
                configure.adopt(&[pool_spec("a", &[channel(0), channel(1)])]).unwrap();
                configure
                    .adopt(&[pool_spec("a", &[channel(1), channel(0)]), pool_spec("b", &[channel(0)])])
                    .unwrap();
            }),
        ]);
        for pool in pools.load().values() {
            let admitted: HashMap<_, _> =
                pool.views(START).iter().map(|view| (view.id, view.admitted)).collect();
            assert!(
                !admitted[&ChannelId(0)] && *admitted.get(&ChannelId(1)).unwrap_or(&true),
                "{admitted:?}"
            );
        }
    });
}
