//! What the feed tells, and when: it compares how things stand with what was told last.
//!
//! Exchanges are read back from the database once they are in it: so each has its row's number, and whoever follows one
//! finds it. The data plane has no part in it.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gateway_config::ReloadStatus;
use gateway_domain::{ChannelId, HealthReport, UnixMillis};
use gateway_routing::State;
use gateway_storage::{ExchangeFilter, StoredExchange};
use serde::Serialize;
use serde_json::json;

use crate::Parts;
use crate::clock::rfc3339;
use crate::error::ApiError;
use crate::exchanges::ExchangeOut;
use crate::feed::{Feed, Listener};
use crate::health::HealthOut;
use crate::history::newest_json;

/// Exchanges that are told at each look, the newest; there are four looks a second.
const EXCHANGES_PER_LOOK: u32 = 15;

/// Tells those who listen what happens.
pub struct News {
    feed: Feed,
    told: Mutex<Told>,
}

/// What those who listen know.
#[derive(Default)]
struct Told {
    channels: HashMap<ChannelId, Standing>,
    config: Configured,
    /// The row of the newest exchange; `None`: it could not be read yet.
    exchange: Option<i64>,
    /// How many records the database had taken when it was last asked.
    written: u64,
    /// How the breakers stood when they were last asked, which is done less often: every pool must be.
    circuits: HashMap<ChannelId, State>,
}

/// How a channel stands.
#[derive(Clone, Debug, PartialEq)]
struct Standing {
    /// Without the moment, which changes with every call.
    report: HealthReport,
    usable: bool,
    enabled: bool,
    weight: u32,
    circuit: State,
}

#[derive(Debug, Serialize)]
struct StandingOut {
    #[serde(flatten)]
    health: HealthOut,
    enabled: bool,
    weight: u32,
    /// The breaker of the pool in which it is worst.
    circuit: &'static str,
}

/// Which configuration is in force, and how the last attempt went.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
struct Configured {
    version: u64,
    attempt: UnixMillis,
    ok: bool,
}

// === impl News ===

impl News {
    /// Nobody listens yet; `started_at` tells events from those of earlier runs.
    pub fn new(started_at: UnixMillis) -> Self {
        Self { feed: Feed::new(started_at), told: Mutex::default() }
    }

    /// Ends the feed for everybody and for good.
    pub(crate) fn end(&self) {
        self.feed.end();
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("News")
    }
}

/// Listens from now on, or from the event behind `last`. Asks the database, so it may wait.
pub(crate) fn listen(parts: &Parts, last: Option<&str>) -> Result<Listener, ApiError> {
    let feed = &parts.news.feed;
    // Before anything is locked: the database may keep one waiting.
    // The count comes first: what is written behind it is looked for once more.
    let written = parts.recorder.written();
    let newest = if feed.is_heard() { None } else { newest_exchange(parts) };
    let mut told = parts.news.told();
    if !feed.is_heard() {
        told.circuits = circuits(parts);
        told.channels = standings(parts, &told.circuits);
        told.config = Configured::of(parts);
        told.written = written;
        told.exchange = newest;
    }
    feed.listen(last)
}

/// Tells the second that has just ended.
pub(crate) fn tell_rates(parts: &Parts) {
    if parts.news.feed.is_heard() {
        parts.news.told().circuits = circuits(parts);
        parts.news.feed.tell("rates", &newest_json(&parts.traffic));
    }
}

/// Tells of channels and of the configuration, where they stand otherwise than was told.
pub(crate) fn tell_changes(parts: &Parts) {
    let News { feed, .. } = &parts.news;
    if !feed.is_heard() {
        return;
    }
    let told = &mut *parts.news.told();
    let channels = standings(parts, &told.circuits);
    let mut changed: Vec<(&ChannelId, &Standing)> =
        channels.iter().filter(|(id, standing)| told.channels.get(id) != Some(standing)).collect();
    changed.sort_unstable_by_key(|(id, _)| **id);
    for (id, standing) in changed {
        feed.tell("health", &StandingOut::of(parts, *id, standing));
    }
    told.channels = channels;
    let config = Configured::of(parts);
    if config != told.config {
        let status = parts.reload.load();
        feed.tell("config", &config_json(&config, &status));
        told.config = config;
    }
}

/// Tells of exchanges that are new in the database.
pub(crate) async fn tell_exchanges(parts: &Arc<Parts>) {
    if !parts.news.feed.is_heard() {
        return;
    }
    let written = parts.recorder.written();
    let (after, known) = {
        let told = parts.news.told();
        (told.exchange, told.written)
    };
    if after.is_some() && written == known {
        return;
    }
    let asked = Arc::clone(parts);
    let reading = tokio::task::spawn_blocking(move || match after {
        Some(row) => new_exchanges(&asked, row),
        None => newest_exchange(&asked).map(|row| (Some(row), Vec::new())),
    });
    // A database that cannot be read is asked again; `GET /api/status` tells that it cannot.
    let Ok(Some((newest, exchanges))) = reading.await else { return };
    let mut told = parts.news.told();
    told.written = written;
    let Some(newest) = newest.filter(|newest| told.exchange.is_none_or(|row| *newest > row)) else { return };
    told.exchange = Some(newest);
    for exchange in &exchanges {
        parts.news.feed.tell("exchange", &ExchangeOut::of(exchange));
    }
    let all = newest.saturating_sub(after.unwrap_or(newest));
    let left_out = all.saturating_sub(i64::try_from(exchanges.len()).unwrap_or(i64::MAX));
    if left_out > 0 {
        parts.news.feed.tell("dropped", &json!({"exchanges": left_out}));
    }
}

/// The row of the newest exchange, kept or not; `None`: the database does not say.
fn newest_exchange(parts: &Parts) -> Option<i64> {
    parts.store.last_exchange().ok()
}

/// Exchanges behind a row: the row of the newest, and the newest of them in the order of their rows.
fn new_exchanges(parts: &Parts, after: i64) -> Option<(Option<i64>, Vec<StoredExchange>)> {
    let filter =
        ExchangeFilter { after: Some(after), limit: EXCHANGES_PER_LOOK, ..ExchangeFilter::default() };
    let mut exchanges = parts.store.exchanges(&filter).ok()?.exchanges;
    exchanges.reverse();
    Some((exchanges.last().map(|newest| newest.id), exchanges))
}

/// How each channel's breaker stands in the pool in which it stands worst.
fn circuits(parts: &Parts) -> HashMap<ChannelId, State> {
    let now = (parts.monotonic)();
    let mut circuits = HashMap::new();
    for view in parts.pools.load().values().flat_map(|pool| pool.views(now)) {
        let worst = circuits.entry(view.id).or_insert(view.state);
        if severity(view.state) > severity(*worst) {
            *worst = view.state;
        }
    }
    circuits
}

const fn severity(circuit: State) -> u8 {
    match circuit {
        State::Closed => 0,
        State::Half => 1,
        State::Open => 2,
    }
}

fn standings(parts: &Parts, circuits: &HashMap<ChannelId, State>) -> HashMap<ChannelId, Standing> {
    let snapshot = parts.live.load();
    let standing = |id: ChannelId, enabled: bool, weight: u32| Standing {
        report: HealthReport { last_checked: None, ..parts.board.report(id) },
        usable: parts.board.is_usable(id),
        enabled,
        weight,
        circuit: circuits.get(&id).copied().unwrap_or(State::Closed),
    };
    let channels = snapshot.channels.values();
    channels.map(|channel| (channel.id, standing(channel.id, channel.enabled, channel.weight))).collect()
}

fn config_json(config: &Configured, status: &ReloadStatus) -> serde_json::Value {
    let (at, cause) = (rfc3339(config.attempt), status.cause.as_str());
    json!({"version": config.version, "last_reload": {"at": at, "cause": cause, "ok": config.ok}})
}

// === impl StandingOut ===

impl StandingOut {
    fn of(parts: &Parts, id: ChannelId, standing: &Standing) -> Self {
        let Standing { enabled, weight, circuit, .. } = *standing;
        Self { health: HealthOut::of(parts, id), enabled, weight, circuit: circuit.as_str() }
    }
}

// === impl Configured ===

impl Configured {
    fn of(parts: &Parts) -> Self {
        let status = parts.reload.load();
        Self { version: parts.live.load().version, attempt: status.last_attempt, ok: status.ok }
    }
}
