use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use gateway_domain::{ById, ChannelId, HealthReport, HealthStatus, UnixMillis};
use tokio::sync::watch;

use crate::stall::Stall;
use crate::{Fault, Observation, Rules, Scope, Status, Tick, Transition, Witness};

/// How many ticks of a channel's history are kept.
const HISTORY: usize = 60;

/// How many transitions wait for somebody who takes them; more than that are a story nobody follows.
const MAX_TRANSITIONS: usize = 1024;

/// The health of all channels: told by anyone, read by anyone.
///
/// The proxy may ask [`Board::is_usable`] for every request: that is two atomic loads and a look into a map, and waits
/// for nobody. Telling locks one channel for some nanoseconds.
#[derive(Debug)]
pub struct Board {
    regime: ArcSwap<Regime>,
    channels: ArcSwap<ById<ChannelId, Arc<Entry>>>,
    changes: watch::Sender<u64>,
    transitions: Mutex<VecDeque<Transition>>,
    stall: Stall,
}

/// What observations are judged by.
#[derive(Clone, Debug)]
struct Regime {
    rules: Rules,
    /// The channels that serve more than one model.
    several: HashSet<ChannelId>,
}

#[derive(Debug)]
struct Entry {
    /// What the status says, readable without the lock.
    usable: AtomicBool,
    record: Mutex<Record>,
}

#[derive(Debug, Default)]
struct Record {
    status: Status,
    history: VecDeque<Tick>,
}

// === impl Board ===

impl Board {
    /// A board on which every channel is [`HealthStatus::Unknown`].
    pub fn new(rules: Rules) -> Arc<Self> {
        Arc::new(Self {
            regime: ArcSwap::from_pointee(Regime { rules, several: HashSet::new() }),
            channels: ArcSwap::default(),
            changes: watch::Sender::new(0),
            transitions: Mutex::default(),
            stall: Stall::default(),
        })
    }

    /// Takes in what a witness saw of a channel, or of one model there. Failures of one model alone never take out a
    /// channel that serves several ([`Board::set_several`]); how it is decided stands at [`Status`].
    ///
    /// Calls that fail while the process wakes up after it stood still (a stop, no processor time for more than a
    /// second) are passed over: it was not the channel that was late. A refusal is one all the same.
    pub fn observe(&self, channel: ChannelId, scope: Scope<'_>, seen: Observation, now: UnixMillis) {
        if is_about_time(&seen) && self.stall.is_waking(now) {
            return;
        }
        let regime = self.regime.load();
        let Regime { rules, several } = &**regime;
        let (witness, ok, latency) = match &seen {
            Observation::ProbeOk { latency, .. } => (Witness::Probe, true, Some(*latency)),
            Observation::ProbeFailed { .. }
            | Observation::ProbeRefused { .. }
            | Observation::ProbeMisasked { .. } => (Witness::Probe, false, None),
            Observation::TrafficOk => (Witness::Traffic, true, None),
            Observation::TrafficFailed { .. } => (Witness::Traffic, false, None),
        };
        let observe = |record: &mut Record| {
            record.tick(now, rules);
            let before = record.status.verdict();
            record.status.set_serves_several(several.contains(&channel));
            record.status.observe(seen, scope, now, rules);
            if witness == Witness::Probe || record.status.verdict() != before {
                record.note(now, witness, ok, latency);
            }
        };
        match self.channels.load().get(&channel) {
            Some(entry) => self.change(channel, entry, observe),
            None => self.change(channel, &self.new_entry(channel), observe),
        }
    }

    /// Lets time pass, so that pauses end on channels of which nobody tells anything. To be called about once a second;
    /// [`run_prober`](crate::run_prober) does.
    pub fn tick(&self, now: UnixMillis) {
        self.stall.tick(now);
        let regime = self.regime.load();
        for (channel, entry) in self.channels.load().iter() {
            self.change(*channel, entry, |record| record.tick(now, &regime.rules));
        }
    }

    /// Notes that nobody will call [`Board::tick`] any more, so that its absence is no sign of a stall.
    pub fn ticking_ended(&self) {
        self.stall.end();
    }

    /// Forgets what is known of a channel whose address or key has changed: the old failures were another's.
    pub fn reset(&self, channel: ChannelId, now: UnixMillis) {
        if let Some(entry) = self.channels.load().get(&channel) {
            self.change(channel, entry, |record| {
                record.noting_settings(now, |status| *status = Status::default());
            });
        }
    }

    /// Notes that a channel is probed no longer, so that no verdict waits for a probe that never comes.
    pub fn probing_ended(&self, channel: ChannelId, now: UnixMillis) {
        let regime = self.regime.load();
        if let Some(entry) = self.channels.load().get(&channel) {
            self.change(channel, entry, |record| {
                record.noting_settings(now, |status| status.probing_ended(now, &regime.rules));
            });
        }
    }

    /// Forgets all channels but these.
    pub fn retain(&self, known: &[ChannelId]) {
        let known: HashSet<ChannelId> = known.iter().copied().collect();
        self.channels.rcu(|channels| {
            let mut kept = ById::clone(channels);
            kept.retain(|channel, _| known.contains(channel));
            kept
        });
    }

    /// Says which channels serve more than one model; all others are taken to serve one. Holds from the next
    /// observation on.
    pub fn set_several(&self, channels: &HashSet<ChannelId>) {
        self.regime.rcu(|regime| Regime { several: channels.clone(), rules: regime.rules.clone() });
    }

    /// Changes the rules, from the next observation on.
    pub fn set_rules(&self, rules: &Rules) {
        self.regime.rcu(|regime| Regime { rules: rules.clone(), several: regime.several.clone() });
    }

    /// Whether the channel may get traffic. A channel of which nothing is known may.
    pub fn is_usable(&self, channel: ChannelId) -> bool {
        self.channels.load().get(&channel).is_none_or(|entry| entry.usable.load(Ordering::Acquire))
    }

    /// What is known of a channel.
    pub fn report(&self, channel: ChannelId) -> HealthReport {
        match self.channels.load().get(&channel) {
            Some(entry) => entry.lock().status.report(channel),
            None => Status::default().report(channel),
        }
    }

    /// What is known of all channels that anything is known of, by id.
    pub fn reports(&self) -> Vec<HealthReport> {
        let channels = self.channels.load();
        let mut reports: Vec<_> =
            channels.iter().map(|(channel, entry)| entry.lock().status.report(*channel)).collect();
        reports.sort_unstable_by_key(|report| report.channel);
        reports
    }

    /// The last 60 ticks of a channel, the oldest first.
    pub fn history(&self, channel: ChannelId) -> Vec<Tick> {
        let channels = self.channels.load();
        channels.get(&channel).map(|entry| entry.lock().history.iter().copied().collect()).unwrap_or_default()
    }

    /// A number that grows whenever the verdict on any channel changes.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// The changes of verdicts since they were last taken, the oldest first: each once, for whoever counts them. Only
    /// the last 1024 are kept.
    pub fn take_transitions(&self) -> Vec<Transition> {
        self.transitions.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect()
    }

    fn new_entry(&self, channel: ChannelId) -> Arc<Entry> {
        let new = Arc::new(Entry { usable: AtomicBool::new(true), record: Mutex::default() });
        self.channels.rcu(|channels| {
            let mut more = ById::clone(channels);
            more.entry(channel).or_insert_with(|| Arc::clone(&new));
            more
        });
        self.channels.load().get(&channel).map_or(new, Arc::clone)
    }

    /// Changes a record, and tells the world when the verdict is another one afterwards.
    fn change(&self, channel: ChannelId, entry: &Entry, change: impl FnOnce(&mut Record)) {
        let mut record = entry.lock();
        let before = record.status.verdict();
        change(&mut record);
        let after = record.status.verdict();
        if before == after {
            return;
        }
        entry.usable.store(record.status.is_usable(), Ordering::Release);
        let report = record.status.report(channel);
        self.enqueue(Transition { channel, to: after });
        drop(record);
        tell(&report);
        self.changes.send_modify(|count| *count += 1);
    }

    fn enqueue(&self, transition: Transition) {
        let mut waiting = self.transitions.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() == MAX_TRANSITIONS {
            waiting.pop_front();
        }
        waiting.push_back(transition);
    }
}

/// Whether it may be the lateness of the process that is seen.
const fn is_about_time(seen: &Observation) -> bool {
    matches!(seen, Observation::TrafficFailed { fault: Fault::Connection | Fault::Answer, .. })
}

fn tell(report: &HealthReport) {
    let (channel, failures) = (report.channel.0, report.consecutive_failures);
    match report.status {
        HealthStatus::Unhealthy => {
            let why = report.last_error.as_deref().unwrap_or_default();
            tracing::warn!(channel, failures, why, "channel left rotation");
        }
        HealthStatus::Unknown => tracing::info!(channel, "channel is tried again"),
        HealthStatus::Healthy => tracing::info!(channel, "channel is healthy"),
    }
}

// === impl Entry ===

impl Entry {
    fn lock(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Record ===

impl Record {
    fn tick(&mut self, now: UnixMillis, rules: &Rules) {
        let before = self.status.verdict();
        self.status.tick(now, rules);
        if self.status.verdict() != before {
            self.note(now, Witness::Time, true, None);
        }
    }

    fn noting_settings(&mut self, now: UnixMillis, change: impl FnOnce(&mut Status)) {
        let before = self.status.verdict();
        change(&mut self.status);
        if self.status.verdict() != before {
            self.note(now, Witness::Settings, true, None);
        }
    }

    fn note(&mut self, at: UnixMillis, witness: Witness, ok: bool, latency: Option<Duration>) {
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(Tick { at, witness, ok, status: self.status.verdict(), latency });
    }
}

#[cfg(test)]
mod tests;
