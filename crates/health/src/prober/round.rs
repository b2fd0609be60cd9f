use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use gateway_domain::{Channel, ChannelId, ProbePlan, UnixMillis};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};

use super::ProbePlanSet;
use super::timetable::{Phase, Timetable};
use crate::stall::OVERSLEPT;
use crate::{Board, Observation, Probe, ProbeReport, Scope};

/// How often the board's time passes.
const TICK: Duration = Duration::from_millis(500);

/// How much longer than allowed a probe may take before it is given up as one that does not keep its word.
const GRACE: Duration = Duration::from_secs(1);

/// The prober's state between two events.
pub(super) struct Round<P, C> {
    board: Arc<Board>,
    probe: Arc<P>,
    clock: C,
    timetable: Timetable,
    timeout: Duration,
    slots: BTreeMap<ChannelId, Slot>,
    probes: JoinSet<Option<ProbeReport>>,
    /// Whose probe a task is, and since when. A task that is not in here was given up, and what it says counts no more.
    asked: HashMap<Id, (ChannelId, Instant)>,
    next_tick: Instant,
    /// When it last had the processor: it wants it every [`TICK`].
    awake: Instant,
    /// When it last woke up after the process stood still. What began before and ended after measured our own stop.
    stood_still: Option<Instant>,
}

/// What the prober waits for.
enum Event {
    Done(Result<(Id, Option<ProbeReport>), JoinError>),
    Due,
}

/// One channel of the plan.
struct Slot {
    channel: Arc<Channel>,
    phase: Phase,
    /// When its next probe is due; never, for a channel that is not probed.
    due: Option<Instant>,
    running: Option<AbortHandle>,
}

// === impl Round ===

impl<P: Probe, C: Fn() -> UnixMillis> Round<P, C> {
    pub(super) fn new(board: Arc<Board>, probe: Arc<P>, clock: C) -> Self {
        let now = Instant::now();
        Self {
            board,
            probe,
            clock,
            timetable: Timetable::new(now),
            timeout: Duration::ZERO,
            slots: BTreeMap::new(),
            probes: JoinSet::new(),
            asked: HashMap::new(),
            next_tick: now,
            awake: now,
            stood_still: None,
        }
    }

    /// Takes over a plan: ends what it no longer holds, begins what is new, and moves the rest to its interval.
    pub(super) fn adopt(&mut self, plan: &ProbePlanSet) {
        self.timeout = plan.timeout;
        self.timetable = self.timetable.with_interval(plan.interval);
        let mut before = std::mem::take(&mut self.slots);
        for channel in &plan.channels {
            let probed = !plan.interval.is_zero() && channel.enabled && channel.probe != ProbePlan::Off;
            let known = before.remove(&channel.id);
            let slot = self.slot(Arc::clone(channel), known, probed, Instant::now());
            self.slots.insert(channel.id, slot);
        }
        for slot in before.into_values() {
            self.stop_probing(&slot);
        }
    }

    fn slot(&mut self, channel: Arc<Channel>, known: Option<Slot>, probed: bool, now: Instant) -> Slot {
        let phase = Phase::of_name(&channel.name);
        let known = match known {
            Some(slot) if is_another(&slot.channel, &channel) => {
                self.give_up(&slot);
                self.board.reset(channel.id, (self.clock)());
                None
            }
            Some(slot) if !probed => {
                self.stop_probing(&slot);
                None
            }
            known => known,
        };
        let running = known.as_ref().and_then(|slot| slot.running.clone());
        let due = match known.and_then(|slot| slot.due) {
            // A first probe that is due soon stays due soon.
            Some(due) => Some(due.min(self.timetable.next(phase, now))),
            None => probed.then(|| self.timetable.soon(phase, now)),
        };
        Slot { channel, phase, due, running }
    }

    /// Waits for the next thing to do, and does it. May be dropped at any moment.
    pub(super) async fn next(&mut self) {
        let due = self.slots.values().filter_map(|slot| slot.due).min();
        let wake = due.map_or(self.next_tick, |due| due.min(self.next_tick));
        let event = tokio::select! {
            biased;
            Some(done) = self.probes.join_next_with_id() => Event::Done(done),
            () = sleep_until(wake) => Event::Due,
        };
        let now = Instant::now();
        self.wake(now);
        match event {
            Event::Done(done) => self.finish(done, now),
            Event::Due => self.begin_due(now),
        }
    }

    /// Notices when the process stood still, by its own lateness.
    fn wake(&mut self, now: Instant) {
        let slept = now.duration_since(self.awake);
        self.awake = now;
        if slept > TICK + OVERSLEPT {
            self.stood_still = Some(now);
            tracing::warn!(?slept, "the process stood still; the probes under way are asked anew");
        }
    }

    /// Ends all probes under way, and tells the board that none will come.
    pub(super) fn end(mut self) {
        for slot in std::mem::take(&mut self.slots).into_values() {
            self.stop_probing(&slot);
        }
        self.board.ticking_ended();
    }

    fn begin_due(&mut self, now: Instant) {
        if self.next_tick <= now {
            self.next_tick = now + TICK;
            self.board.tick((self.clock)());
        }
        for (id, slot) in self.slots.iter_mut().filter(|(_, slot)| slot.due.is_some_and(|due| due <= now)) {
            slot.due = Some(self.timetable.next(slot.phase, now));
            if slot.running.is_none() {
                let (probe, channel, timeout) =
                    (Arc::clone(&self.probe), Arc::clone(&slot.channel), self.timeout);
                let task = self.probes.spawn(async move {
                    tokio::time::timeout(timeout + GRACE, probe.probe(channel, timeout)).await.ok()
                });
                self.asked.insert(task.id(), (*id, now));
                slot.running = Some(task);
            }
        }
    }

    fn finish(&mut self, done: Result<(Id, Option<ProbeReport>), JoinError>, now: Instant) {
        let (task, seen) = match done {
            Ok((task, Some(report))) => (task, report.observation()),
            Ok((task, None)) => {
                let why = format!("no answer within {:?}", self.timeout);
                (task, Some(Observation::ProbeFailed { why }))
            }
            Err(error) => {
                if error.is_panic() {
                    // A fault of ours, which says nothing about the channel.
                    tracing::error!(%error, "a probe panicked");
                }
                (error.id(), None)
            }
        };
        let Some((channel, began)) = self.asked.remove(&task) else { return };
        let counts = self.stood_still.is_none_or(|woke| began >= woke);
        if let Some(slot) = self.slots.get_mut(&channel) {
            slot.running = None;
            if !counts {
                let soon = self.timetable.soon(slot.phase, now);
                slot.due = slot.due.map(|due| due.min(soon));
            }
        }
        if let Some(seen) = seen.filter(|_| counts) {
            self.board.observe(channel, Scope::Channel, seen, (self.clock)());
        }
    }

    /// The end of a channel's probes, if it had any.
    fn stop_probing(&mut self, slot: &Slot) {
        self.give_up(slot);
        if slot.due.is_some() {
            self.board.probing_ended(slot.channel.id, (self.clock)());
        }
    }

    fn give_up(&mut self, slot: &Slot) {
        if let Some(task) = &slot.running {
            task.abort();
            self.asked.remove(&task.id());
        }
    }
}

/// Whether what is known of one says nothing about the other, although both are the same row.
fn is_another(one: &Channel, other: &Channel) -> bool {
    one.base_url != other.base_url || one.api_key != other.api_key || one.probe != other.probe
}
