//! The whole of health on virtual time: channels die, hang, flap, return and are reconfigured, calls succeed and fail,
//! and at every tenth of a second the verdicts must be what the story allows.
//!
//! `SIM_SEED=<number>` replays one run; a failing run prints its seed.

#[cfg(test)]
mod simulation {
    use std::collections::BTreeMap;
    use std::future::pending;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use gateway_domain::{
        AttemptOutcome, BaseUrl, Channel, ChannelId, ChannelTuning, HealthStatus, ManagedBy, ProbePlan,
        Secret, UnixMillis,
    };
    use gateway_health::{
        Board, Observation, Probe, ProbePlanSet, ProbeReport, Rules, Scope, run_prober_with_clock,
    };
    use tokio::sync::{oneshot, watch};
    use tokio::time::{Instant, sleep};

    const RUNS: u64 = 10;
    const STEP: Duration = Duration::from_millis(100);
    const STEPS: u32 = 4000;

    /// What the prober may be late by: its tick, and the step at which is looked.
    const SLACK: Duration = Duration::from_millis(800);
    /// How long after its timeout a probe that does not keep it is given up.
    const GRACE: Duration = Duration::from_secs(1);

    /// No plan allows a probe longer, so none that began under an earlier plan lasts longer.
    const LONGEST_TIMEOUT: Duration = Duration::from_secs(3);

    /// The roles of the channels: each sees one kind of life.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Role {
        /// Dies, hangs and returns; gets no calls.
        Probed,
        /// Probed too, and gets calls that fail while it is dead.
        Serving,
        /// Its probes succeed always; its calls fail half of the seconds.
        Flapping,
        /// Nobody probes it; calls alone speak.
        Unprobed,
        /// Well, with clients that only make mistakes, are limited, or leave.
        MisusedByClients,
    }

    const ROLES: [Role; 7] = [
        Role::Probed,
        Role::Probed,
        Role::Serving,
        Role::Serving,
        Role::Flapping,
        Role::Unprobed,
        Role::MisusedByClients,
    ];

    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Mode {
        Alive,
        Dead,
        Hanging,
    }

    /// One channel as it really is, and what was asked of it.
    #[derive(Debug)]
    struct Truth {
        role: Role,
        mode: Mode,
        /// Since when mode and plan are as they are.
        steady_since: Instant,
        /// Whether the plan lets it be probed.
        probed: bool,
        probes_under_way: u32,
        failed_in_a_row: u32,
        answered_in_a_row: u32,
        last_asked: Option<Instant>,
        out_since: Option<Instant>,
    }

    type Truths = Mutex<BTreeMap<ChannelId, Truth>>;

    struct Scripted(Arc<Truths>);

    /// A probe under way; the count goes back however it ends.
    struct UnderWay<'a>(&'a Truths, ChannelId);

    struct World {
        board: Arc<Board>,
        truths: Arc<Truths>,
        plan: watch::Sender<ProbePlanSet>,
        rules: Rules,
        began: Instant,
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

        fn below(&mut self, end: u32) -> u32 {
            u32::try_from(self.next() % u64::from(end)).unwrap()
        }

        fn one_in(&mut self, count: u32) -> bool {
            self.below(count) == 0
        }
    }

    // === impl Scripted ===

    impl Probe for Scripted {
        async fn probe(&self, channel: Arc<Channel>, timeout: Duration) -> ProbeReport {
            let _under_way = UnderWay::begin(&self.0, channel.id);
            let mode = self.0.lock().unwrap()[&channel.id].mode;
            match mode {
                Mode::Hanging => pending().await,
                Mode::Alive | Mode::Dead => sleep(timeout / 4).await,
            }
            let ok = mode == Mode::Alive;
            if let Some(truth) = self.0.lock().unwrap().get_mut(&channel.id) {
                let (grows, ends) = if ok {
                    (&mut truth.answered_in_a_row, &mut truth.failed_in_a_row)
                } else {
                    (&mut truth.failed_in_a_row, &mut truth.answered_in_a_row)
                };
                (*grows, *ends) = (*grows + 1, 0);
            }
            let why = (!ok).then(|| "connection refused".to_owned());
            let outcome = if ok { AttemptOutcome::Ok } else { AttemptOutcome::Connect };
            let latency = timeout / 4;
            ProbeReport { asked: true, outcome, proves_key: false, status: None, latency, why, body: None }
        }
    }

    impl<'a> UnderWay<'a> {
        fn begin(truths: &'a Truths, id: ChannelId) -> Self {
            let mut all = truths.lock().unwrap();
            let truth = all.get_mut(&id).expect("only channels of the plan are probed");
            assert!(truth.probed, "{truth:?} is not to be probed");
            assert_eq!(truth.probes_under_way, 0, "two probes at once: {truth:?}");
            truth.probes_under_way += 1;
            truth.last_asked = Some(Instant::now());
            Self(truths, id)
        }
    }

    impl Drop for UnderWay<'_> {
        fn drop(&mut self) {
            // A failed assertion of a probe poisons the lock; that failure is told, not this one.
            let Ok(mut all) = self.0.lock() else { return };
            if let Some(truth) = all.get_mut(&self.1) {
                truth.probes_under_way -= 1;
            }
        }
    }

    // === impl World ===

    impl World {
        fn new(seed: u64, plan: watch::Sender<ProbePlanSet>) -> Self {
            let mut dice = Dice(seed);
            let rules = Rules {
                unhealthy_after: 1 + dice.below(4),
                healthy_after: 1 + dice.below(3),
                ..Rules::default()
            };
            let truths = (1..).zip(ROLES).map(|(id, role)| (ChannelId(id), Truth::new(role)));
            let truths = Arc::new(Mutex::new(truths.collect()));
            let world =
                Self { board: Board::new(rules.clone()), truths, plan, rules, began: Instant::now(), dice };
            world.publish(Duration::from_secs(3), Duration::from_secs(1));
            world
        }

        fn now(&self) -> UnixMillis {
            UnixMillis(i64::try_from(self.began.elapsed().as_millis()).unwrap())
        }

        fn publish(&self, interval: Duration, timeout: Duration) {
            let channels =
                self.truths.lock().unwrap().iter().map(|(id, truth)| truth.channel(*id)).collect::<Vec<_>>();
            self.plan.send_replace(ProbePlanSet { channels, interval, timeout });
        }

        async fn live(&mut self) {
            for _ in 0..STEPS {
                self.maybe_change_a_mode();
                if self.dice.one_in(400) {
                    self.change_the_plan();
                }
                self.make_calls();
                sleep(STEP).await;
                self.check_invariants();
            }
        }

        fn maybe_change_a_mode(&mut self) {
            for truth in self.truths.lock().unwrap().values_mut() {
                let mortal = matches!(truth.role, Role::Probed | Role::Serving | Role::Unprobed);
                if mortal && self.dice.one_in(300) {
                    truth.mode = match self.dice.below(4) {
                        0 => Mode::Dead,
                        1 => Mode::Hanging,
                        _ => Mode::Alive,
                    };
                    truth.forget_probes();
                }
            }
        }

        /// Another interval and timeout, and perhaps other channels that are probed.
        fn change_the_plan(&mut self) {
            for truth in self.truths.lock().unwrap().values_mut() {
                truth.forget_probes();
                if truth.role == Role::Probed && self.dice.one_in(3) {
                    truth.probed = !truth.probed;
                }
            }
            let interval = STEP * (5 + self.dice.below(75));
            let timeout = (STEP * (1 + self.dice.below(30))).min(interval / 2).min(LONGEST_TIMEOUT);
            self.publish(interval, timeout);
        }

        fn make_calls(&mut self) {
            let up = self.began.elapsed().as_secs().is_multiple_of(2);
            for (id, truth) in self.truths.lock().unwrap().iter_mut() {
                let usable = self.board.is_usable(*id);
                let outcome = match truth.role {
                    Role::Probed => continue,
                    Role::MisusedByClients => match self.dice.below(3) {
                        0 => AttemptOutcome::CallerError,
                        1 => AttemptOutcome::RateLimited,
                        _ => AttemptOutcome::Cancelled,
                    },
                    // Only a channel in rotation gets calls, but some end after it was taken out.
                    _ if !usable && truth.out_since.is_none_or(|since| since.elapsed() > GRACE) => continue,
                    Role::Flapping if !up => AttemptOutcome::ServerError,
                    _ if truth.mode != Mode::Alive => AttemptOutcome::Connect,
                    Role::Serving | Role::Flapping | Role::Unprobed => AttemptOutcome::Ok,
                };
                let seen = Observation::of_attempt(outcome, || "answered 500".to_owned());
                assert_eq!(seen.is_some(), outcome.blames_channel() || outcome == AttemptOutcome::Ok);
                if let Some(seen) = seen {
                    self.board.observe(*id, Scope::Channel, seen, self.now());
                }
            }
        }

        fn check_invariants(&self) {
            let plan = self.plan.borrow();
            for (id, truth) in self.truths.lock().unwrap().iter_mut() {
                let report = self.board.report(*id);
                let usable = self.board.is_usable(*id);
                assert_eq!(usable, report.status != HealthStatus::Unhealthy);
                Self::check_schedule(truth, &plan);
                self.check_verdict(truth, usable, &plan);
                truth.out_since = if usable { None } else { truth.out_since.or(Some(Instant::now())) };
                let history = self.board.history(*id);
                assert!(history.len() <= 60 && history.is_sorted_by_key(|tick| tick.at));
            }
        }

        /// A hanging neighbour or a new plan never costs a channel its turn.
        fn check_schedule(truth: &Truth, plan: &ProbePlanSet) {
            let steady = truth.steady_since.elapsed();
            if truth.probed && steady > LONGEST_TIMEOUT + GRACE + plan.interval + SLACK {
                let silence = truth.last_asked.expect("it was asked").elapsed();
                let hangs = truth.mode == Mode::Hanging;
                let patience = if hangs { plan.timeout + GRACE } else { Duration::ZERO };
                assert!(
                    silence <= plan.interval + patience + SLACK,
                    "{silence:?} without a probe: {truth:?}"
                );
            }
        }

        fn check_verdict(&self, truth: &Truth, usable: bool, plan: &ProbePlanSet) {
            let steady = truth.steady_since.elapsed();
            // A probe that began before may still have to be given up.
            let cycle = plan.interval.max(plan.timeout + GRACE);
            let first = LONGEST_TIMEOUT + GRACE + SLACK;
            if truth.probed && truth.mode != Mode::Alive {
                let enough = truth.failed_in_a_row >= self.rules.unhealthy_after;
                assert!(!usable || !enough, "enough probes failed: {truth:?}");
                let late = steady > first + (cycle + plan.interval) * self.rules.unhealthy_after;
                assert!(!usable || !late, "dead for {steady:?} and still in rotation: {truth:?}");
            }
            if truth.probed && truth.mode == Mode::Alive && truth.role != Role::Flapping {
                let enough = truth.answered_in_a_row >= self.rules.healthy_after;
                let paused = truth.role == Role::Serving || steady < self.rules.first_pause + SLACK;
                assert!(usable || !enough || paused, "enough probes were answered: {truth:?}");
                let mut limit = first + plan.interval * (self.rules.healthy_after + 1);
                if truth.role == Role::Serving {
                    // Its calls failed too, and that hold may be the last to go.
                    limit += self.rules.longest_pause;
                }
                assert!(usable || steady <= limit, "alive for {steady:?} and still out: {truth:?}");
            }
            if matches!(truth.role, Role::Flapping | Role::Unprobed) {
                let out = truth.out_since.map_or(Duration::ZERO, |since| since.elapsed());
                assert!(
                    out <= self.rules.longest_pause + SLACK,
                    "out for {out:?} without a trial: {truth:?}"
                );
            }
            if truth.role == Role::MisusedByClients {
                assert!(usable, "a caller's error counted against its channel");
            }
        }
    }

    // === impl Truth ===

    impl Truth {
        fn new(role: Role) -> Self {
            Self {
                role,
                mode: Mode::Alive,
                steady_since: Instant::now(),
                probed: role != Role::Unprobed,
                probes_under_way: 0,
                failed_in_a_row: 0,
                answered_in_a_row: 0,
                last_asked: None,
                out_since: None,
            }
        }

        /// The world has changed: what probes said of the old one is no measure of the new.
        fn forget_probes(&mut self) {
            self.steady_since = Instant::now();
            self.failed_in_a_row = 0;
            self.answered_in_a_row = 0;
        }

        fn channel(&self, id: ChannelId) -> Arc<Channel> {
            Arc::new(Channel {
                id,
                name: format!("channel-{id}").into(),
                base_url: BaseUrl::parse("http://127.0.0.1:1").unwrap(),
                api_key: Secret::new(String::new()),
                weight: 10,
                enabled: self.probed || self.role == Role::Unprobed,
                serves_any_model: false,
                max_concurrency: None,
                probe: if self.role == Role::Unprobed { ProbePlan::Off } else { ProbePlan::Models },
                tuning: ChannelTuning::default(),
                managed_by: ManagedBy::Api,
            })
        }
    }

    async fn run(seed: u64) {
        let nothing = ProbePlanSet { channels: Vec::new(), interval: STEP, timeout: STEP };
        let (plan, planned) = watch::channel(nothing);
        let mut world = World::new(seed, plan);
        let (stop, stopped) = oneshot::channel::<()>();
        let began = world.began;
        let prober = run_prober_with_clock(
            Arc::clone(&world.board),
            Arc::new(Scripted(Arc::clone(&world.truths))),
            planned,
            async { stopped.await.unwrap() },
            move || UnixMillis(i64::try_from(began.elapsed().as_millis()).unwrap()),
        );
        let story = async {
            world.live().await;
            stop.send(()).unwrap();
        };
        tokio::join!(prober, story);
        tokio::task::yield_now().await;
        let under_way: u32 = world.truths.lock().unwrap().values().map(|truth| truth.probes_under_way).sum();
        assert_eq!(under_way, 0, "stop drops what was under way");
    }

    #[test]
    fn verdicts_follow_the_truth_and_never_lag_behind_it_for_long() {
        let replay = std::env::var("SIM_SEED").ok().map(|seed| seed.parse().expect("SIM_SEED is a number"));
        let seeds = replay.map_or(0..RUNS, |seed: u64| seed..seed + 1);
        for seed in seeds {
            let result = std::panic::catch_unwind(|| {
                let mut runtime = tokio::runtime::Builder::new_current_thread();
                runtime.enable_time().start_paused(true).build().unwrap().block_on(run(seed));
            });
            if let Err(panic) = result {
                println!("replay with SIM_SEED={seed}");
                std::panic::resume_unwind(panic);
            }
        }
    }
}
