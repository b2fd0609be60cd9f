use std::collections::HashMap;
use std::future::pending;
use std::sync::Mutex;

use gateway_domain::HealthStatus::{Healthy, Unhealthy, Unknown};
use gateway_domain::{
    AttemptOutcome, BaseUrl, ChannelId, ChannelTuning, HealthStatus, ManagedBy, ProbePlan, Secret,
};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::*;
use crate::{Fault, Observation, ProbeReport, Rules, Scope};

const INTERVAL: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(2);

/// What a scripted channel does when it is probed.
#[derive(Clone, Copy)]
enum Does {
    Answer,
    Fail,
    Hang,
    Panic,
    /// Does not even ask.
    HasNoFile,
}

/// A probe that does what it is told, and notes when it was asked.
#[derive(Default)]
struct Scripted {
    does: Mutex<HashMap<ChannelId, Does>>,
    asked: Mutex<Vec<(ChannelId, Instant)>>,
    under_way: Mutex<i32>,
}

struct Counted<'a>(&'a Mutex<i32>);

/// A prober at work on virtual time.
struct Bench {
    board: Arc<Board>,
    probe: Arc<Scripted>,
    plan: watch::Sender<ProbePlanSet>,
    stop: oneshot::Sender<()>,
    prober: JoinSet<()>,
    began: Instant,
}

// === impl Scripted ===

impl Probe for Scripted {
    async fn probe(&self, channel: Arc<Channel>, _timeout: Duration) -> ProbeReport {
        let _counted = Counted::new(&self.under_way);
        self.asked.lock().unwrap().push((channel.id, Instant::now()));
        let does = self.does.lock().unwrap().get(&channel.id).copied().unwrap_or(Does::Answer);
        let report = ProbeReport {
            asked: true,
            outcome: AttemptOutcome::Ok,
            proves_key: false,
            status: None,
            latency: Duration::ZERO,
            why: None,
            body: None,
        };
        match does {
            Does::Answer => report,
            Does::Fail => {
                ProbeReport { outcome: AttemptOutcome::Connect, why: Some("refused".to_owned()), ..report }
            }
            Does::HasNoFile => ProbeReport { asked: false, outcome: AttemptOutcome::CallerError, ..report },
            Does::Hang => pending().await,
            Does::Panic => panic!("scripted"),
        }
    }
}

impl<'a> Counted<'a> {
    fn new(count: &'a Mutex<i32>) -> Self {
        *count.lock().unwrap() += 1;
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        *self.0.lock().unwrap() -= 1;
    }
}

// === impl Bench ===

impl Bench {
    fn start(channels: &[Arc<Channel>]) -> Self {
        let board = Board::new(Rules::default());
        let probe = Arc::new(Scripted::default());
        let (plan, planned) = watch::channel(plan_of(channels));
        let (stop, stopped) = oneshot::channel::<()>();
        let began = Instant::now();
        let clock = move || UnixMillis(i64::try_from(began.elapsed().as_millis()).unwrap());
        let mut prober = JoinSet::new();
        let stopped = async { stopped.await.unwrap() };
        prober.spawn(run_prober_with_clock(Arc::clone(&board), Arc::clone(&probe), planned, stopped, clock));
        Self { board, probe, plan, stop, prober, began }
    }

    fn set(&self, id: i64, does: Does) {
        self.probe.does.lock().unwrap().insert(ChannelId(id), does);
    }

    fn status(&self, id: i64) -> HealthStatus {
        self.board.report(ChannelId(id)).status
    }

    /// When the channel was asked, since the beginning.
    fn asked(&self, id: i64) -> Vec<Duration> {
        let asked = self.probe.asked.lock().unwrap();
        asked.iter().filter(|(channel, _)| channel.0 == id).map(|(_, at)| *at - self.began).collect()
    }
}

fn channel(id: i64) -> Channel {
    Channel {
        id: ChannelId(id),
        name: format!("channel-{id}").into(),
        base_url: BaseUrl::parse("http://127.0.0.1:1").unwrap(),
        api_key: Secret::new(String::new()),
        weight: 10,
        enabled: true,
        serves_any_model: false,
        max_concurrency: None,
        probe: ProbePlan::Models,
        tuning: ChannelTuning::default(),
        managed_by: ManagedBy::Api,
    }
}

fn plan_of(channels: &[Arc<Channel>]) -> ProbePlanSet {
    ProbePlanSet { channels: channels.to_vec(), interval: INTERVAL, timeout: TIMEOUT }
}

fn channels(ids: std::ops::RangeInclusive<i64>) -> Vec<Arc<Channel>> {
    ids.map(|id| Arc::new(channel(id))).collect()
}

fn gaps(times: &[Duration]) -> Vec<Duration> {
    times.windows(2).map(|pair| pair[1].abs_diff(pair[0])).collect()
}

#[tokio::test(start_paused = true)]
async fn every_channel_is_probed_within_a_second_and_then_once_per_interval() {
    let bench = Bench::start(&channels(1..=20));
    sleep(Duration::from_secs(1)).await;
    for id in 1..=20 {
        // The first on the timetable may follow the early one closely.
        assert!((1..=2).contains(&bench.asked(id).len()), "channel {id}");
        assert_eq!(bench.status(id), Healthy);
    }
    sleep(INTERVAL * 5).await;
    for id in 1..=20 {
        let gaps = gaps(&bench.asked(id));
        assert!(gaps[1..].iter().all(|gap| gap.abs_diff(INTERVAL) < Duration::from_millis(2)), "{gaps:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn probes_of_different_channels_are_spread_over_the_interval() {
    let bench = Bench::start(&channels(1..=20));
    sleep(INTERVAL * 2).await;
    let mut asked: Vec<Duration> = (1..=20).map(|id| *bench.asked(id).last().unwrap()).collect();
    asked.sort_unstable();
    let widest = gaps(&asked).into_iter().max().unwrap();
    assert!(widest < INTERVAL / 2, "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn a_hanging_channel_delays_no_other_and_counts_as_failed() {
    let bench = Bench::start(&channels(1..=5));
    bench.set(3, Does::Hang);
    sleep(INTERVAL * 6).await;
    assert_eq!(bench.status(3), Unhealthy);
    assert_eq!(bench.board.report(ChannelId(3)).last_error.as_deref(), Some("no answer within 2s"));
    for id in [1, 2, 4, 5] {
        assert!(bench.asked(id).len() >= 6);
        assert!(gaps(&bench.asked(id)).iter().all(|gap| *gap <= INTERVAL + Duration::from_millis(2)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_longer_than_the_interval_is_never_asked_twice_at_once() {
    let plan = ProbePlanSet { timeout: INTERVAL * 3, ..plan_of(&channels(1..=1)) };
    let bench = Bench::start(&[]);
    bench.set(1, Does::Hang);
    bench.plan.send_replace(plan);
    for _ in 0..100 {
        sleep(Duration::from_secs(1)).await;
        assert!(*bench.probe.under_way.lock().unwrap() <= 1);
    }
    assert!((3..=4).contains(&bench.asked(1).len()), "{:?}", bench.asked(1));
}

#[tokio::test(start_paused = true)]
async fn disabled_channels_and_those_that_want_no_probes_are_not_probed() {
    let disabled = Channel { enabled: false, ..channel(1) };
    let off = Channel { probe: ProbePlan::Off, ..channel(2) };
    let bench = Bench::start(&[Arc::new(disabled), Arc::new(off), Arc::new(channel(3))]);
    sleep(INTERVAL * 3).await;
    assert_eq!([bench.asked(1).len(), bench.asked(2).len()], [0, 0]);
    assert!(bench.asked(3).len() >= 3);
    bench.plan.send_replace(plan_of(&channels(1..=3)));
    sleep(Duration::from_secs(1)).await;
    assert!(!bench.asked(1).is_empty() && !bench.asked(2).is_empty(), "a new plan holds at once");
}

#[tokio::test(start_paused = true)]
async fn an_interval_of_zero_is_no_probing() {
    let bench = Bench::start(&channels(1..=1));
    bench.set(1, Does::Fail);
    sleep(INTERVAL * 4).await;
    assert_eq!(bench.status(1), Unhealthy);
    let asked = bench.asked(1).len();
    bench.plan.send_modify(|plan| plan.interval = Duration::ZERO);
    sleep(INTERVAL * 4).await;
    assert_eq!(bench.asked(1).len(), asked);
    assert_eq!(bench.status(1), Unknown, "no verdict waits for a probe that never comes");
}

#[tokio::test(start_paused = true)]
async fn a_new_interval_holds_at_once() {
    let bench = Bench::start(&channels(1..=1));
    bench.plan.send_modify(|plan| plan.interval = Duration::from_hours(1));
    sleep(Duration::from_mins(1)).await;
    let before = bench.asked(1).len();
    bench.plan.send_modify(|plan| plan.interval = Duration::from_secs(1));
    sleep(Duration::from_secs(10)).await;
    assert!((9..=10).contains(&(bench.asked(1).len() - before)), "{:?}", bench.asked(1));
}

#[tokio::test(start_paused = true)]
async fn publishing_the_same_plan_again_and_again_neither_hurries_nor_starves_probes() {
    let bench = Bench::start(&channels(1..=3));
    for _ in 0..600 {
        sleep(Duration::from_millis(100)).await;
        bench.plan.send_replace(plan_of(&channels(1..=3)));
    }
    for id in 1..=3 {
        assert!((6..=8).contains(&bench.asked(id).len()), "{:?}", bench.asked(id));
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_channel_whose_key_is_changed_begins_anew() {
    let bench = Bench::start(&channels(1..=1));
    bench.set(1, Does::Fail);
    sleep(INTERVAL * 4).await;
    assert_eq!(bench.status(1), Unhealthy);
    bench.set(1, Does::Hang);
    let changed = Channel { api_key: Secret::new("sk-new".to_owned()), ..channel(1) };
    bench.plan.send_replace(plan_of(&[Arc::new(changed)]));
    sleep(Duration::from_millis(1)).await;
    assert_eq!(bench.status(1), Unknown);
}

#[tokio::test(start_paused = true)]
async fn what_a_probe_of_the_old_address_says_counts_no_more() {
    let bench = Bench::start(&channels(1..=1));
    bench.set(1, Does::Hang);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(*bench.probe.under_way.lock().unwrap(), 1);
    let moved = Channel { base_url: BaseUrl::parse("http://127.0.0.1:2").unwrap(), ..channel(1) };
    bench.set(1, Does::Answer);
    bench.plan.send_replace(plan_of(&[Arc::new(moved)]));
    sleep(Duration::from_secs(5)).await;
    assert_eq!(bench.status(1), Healthy);
    assert_eq!(bench.board.report(ChannelId(1)).consecutive_failures, 0);
    assert_eq!(*bench.probe.under_way.lock().unwrap(), 0, "the old probe was dropped");
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_panics_says_nothing_and_ends_nothing() {
    let bench = Bench::start(&channels(1..=2));
    bench.set(1, Does::Panic);
    sleep(INTERVAL * 5).await;
    assert_eq!([bench.status(1), bench.status(2)], [Unknown, Healthy]);
    bench.set(1, Does::Answer);
    sleep(INTERVAL).await;
    assert_eq!(bench.status(1), Healthy);
}

#[tokio::test(start_paused = true)]
async fn a_probe_for_which_no_file_is_left_says_nothing_of_its_channel() {
    let bench = Bench::start(&channels(1..=2));
    bench.set(1, Does::HasNoFile);
    sleep(INTERVAL * 5).await;
    assert_eq!([bench.status(1), bench.status(2)], [Unknown, Healthy]);
    bench.set(2, Does::HasNoFile);
    sleep(INTERVAL * 5).await;
    assert_eq!([bench.status(1), bench.status(2)], [Unknown, Healthy]);
}

#[tokio::test(start_paused = true)]
async fn stop_ends_the_prober_and_drops_its_probes() {
    let mut bench = Bench::start(&channels(1..=3));
    for id in 1..=3 {
        bench.set(id, Does::Hang);
    }
    sleep(Duration::from_secs(1)).await;
    assert_eq!(*bench.probe.under_way.lock().unwrap(), 3);
    bench.stop.send(()).unwrap();
    bench.prober.join_next().await.unwrap().unwrap();
    tokio::task::yield_now().await;
    assert_eq!(*bench.probe.under_way.lock().unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_last_plan_stays_when_the_planner_is_gone() {
    let mut bench = Bench::start(&channels(1..=1));
    bench.plan = watch::channel(plan_of(&[])).0;
    sleep(INTERVAL * 3).await;
    assert!(bench.asked(1).len() >= 3);
    assert!(bench.prober.try_join_next().is_none());
}

#[tokio::test(start_paused = true)]
async fn what_traffic_took_out_returns_though_nobody_probes() {
    let bench = Bench::start(&[Arc::new(Channel { probe: ProbePlan::Off, ..channel(1) })]);
    let mut changes = bench.board.changes();
    for _ in 0..5 {
        let seen = Observation::TrafficFailed { why: "answered 500".to_owned(), fault: Fault::Answer };
        bench.board.observe(ChannelId(1), Scope::Channel, seen, UnixMillis(0));
    }
    assert!(!bench.board.is_usable(ChannelId(1)));
    changes.mark_unchanged();
    changes.changed().await.unwrap();
    assert!(bench.board.is_usable(ChannelId(1)));
    assert!((2000..=2500).contains(&bench.began.elapsed().as_millis()), "{:?}", bench.began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn probes_that_ran_while_the_process_was_stopped_are_asked_anew_and_not_counted() {
    let bench = Bench::start(&channels(1..=20));
    for id in 1..=20 {
        bench.set(id, Does::Hang);
    }
    sleep(Duration::from_secs(1)).await;
    assert_eq!(*bench.probe.under_way.lock().unwrap(), 20);
    // SIGSTOP, ten seconds, SIGCONT: every timer is late at once.
    tokio::time::advance(Duration::from_secs(10)).await;
    for id in 1..=20 {
        bench.set(id, Does::Answer);
    }
    sleep(Duration::from_secs(2)).await;
    for id in 1..=20 {
        assert_eq!(bench.status(id), Healthy, "channel {id}");
        let history = bench.board.history(ChannelId(id));
        assert!(history.iter().all(|tick| tick.ok), "channel {id}: {history:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_is_dead_is_found_out_though_the_process_is_stopped_now_and_then() {
    let bench = Bench::start(&channels(1..=1));
    bench.set(1, Does::Fail);
    for _ in 0..4 {
        sleep(INTERVAL).await;
        tokio::time::advance(Duration::from_secs(5)).await;
    }
    assert_eq!(bench.status(1), Unhealthy);
}
