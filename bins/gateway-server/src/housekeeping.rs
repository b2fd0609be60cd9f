//! The control side's clockwork: what happens every second or so as long as the gateway runs.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gateway_config::{Live, Settings, Snapshot};
use gateway_health::{Board, Transition};
use gateway_routing::Pools;
use gateway_sessions::{Change, Session, SessionKey, Sessions};
use gateway_storage::{ObjectRetention, Record, Recorder, Retention, SessionRow, Store};

use crate::clock::unix_now;
use crate::readiness::Readiness;
use crate::telemetry::{LogControl, Meters};

const SECOND: Duration = Duration::from_secs(1);

/// Idle sessions are looked for at least this often.
const SWEEP: Duration = Duration::from_secs(30);

/// What is too old is looked for at least this often.
const FORGET: Duration = Duration::from_mins(1);

/// What stored responses are called among objects.
const RESPONSE: &str = "response";

/// While more records than this wait for the database, session changes stay in memory, where they are merged,
/// instead of taking the queue's room from exchanges.
const BUSY_QUEUE: usize = 16_384;

/// Lets verdicts of the health board reach routing and metrics.
#[derive(Debug)]
pub(crate) struct HealthBridge {
    pub(crate) board: Arc<Board>,
    pub(crate) pools: Arc<Pools>,
    pub(crate) meters: Arc<Meters>,
    shown: Mutex<BTreeSet<Arc<str>>>,
}

// === impl HealthBridge ===

impl HealthBridge {
    pub(crate) fn new(board: Arc<Board>, pools: Arc<Pools>, meters: Arc<Meters>) -> Self {
        Self { board, pools, meters, shown: Mutex::default() }
    }

    /// Tells routing which channels may serve, and metrics how they are and what has become of them.
    pub(crate) fn tell(&self, snapshot: &Snapshot) {
        for Transition { channel, to } in self.board.take_transitions() {
            // A channel that is gone has no name any more, and nobody asks what became of it.
            if let Some(channel) = snapshot.channels.get(&channel) {
                self.meters.transition(&channel.name, to);
            }
        }
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let mut gone = std::mem::take(&mut *shown);
        for (id, channel) in &snapshot.channels {
            self.pools.set_admitted(*id, self.board.is_usable(*id));
            self.meters.health(&channel.name, Some(self.board.report(*id).status));
            gone.remove(&channel.name);
            shown.insert(Arc::clone(&channel.name));
        }
        for name in gone {
            self.meters.health(&name, None);
        }
    }

    /// Tells again whenever a verdict changes.
    pub(crate) async fn run(self: Arc<Self>, live: Arc<Live>) {
        let mut changes = self.board.changes();
        while changes.changed().await.is_ok() {
            self.tell(&live.load());
        }
    }
}

/// Copies changes of the session table to storage, and lets idle sessions go.
pub(crate) async fn keep_sessions(sessions: Arc<Sessions>, live: Arc<Live>, recorder: Recorder) {
    let mut since_sweep = Duration::ZERO;
    loop {
        tokio::time::sleep(SECOND).await;
        since_sweep += SECOND;
        if since_sweep >= SWEEP.min(live.load().settings.session.idle_timeout / 4) {
            since_sweep = Duration::ZERO;
            sessions.sweep(unix_now());
        }
        if recorder.queued() < BUSY_QUEUE {
            save_sessions(&sessions, &recorder);
        }
    }
}

/// Copies what has changed since the last time.
pub(crate) fn save_sessions(sessions: &Sessions, recorder: &Recorder) {
    for change in sessions.take_changes() {
        // A drop is counted by the recorder; the session itself is in memory still.
        let _kept = recorder.record(match change {
            Change::Put(session) => Record::SessionPut(row_of(session)),
            Change::Remove(id) => Record::SessionRemove(id),
        });
    }
}

/// Which exchanges and objects these settings keep.
pub(crate) fn retention(settings: &Settings) -> Retention {
    let bounded = |longest: Duration| (!longest.is_zero()).then_some(longest);
    let responses = |longest| ObjectRetention { kind: RESPONSE, longest };
    Retention {
        newest: settings.database.keep_requests,
        longest: bounded(settings.records.retention),
        objects: bounded(settings.objects.keep_responses).map(responses),
    }
}

/// Lets go what has become too old: objects always, exchanges while no new ones come that would do it.
pub(crate) async fn forget_the_old(store: Store) {
    loop {
        tokio::time::sleep(FORGET).await;
        store.prune();
    }
}

/// Asks the database whether it is well, for `/readyz`.
pub(crate) async fn watch_database(store: Store, readiness: Arc<Readiness>) {
    let mut well = true;
    loop {
        tokio::time::sleep(2 * SECOND).await;
        let asked = store.clone();
        let answer = tokio::task::spawn_blocking(move || asked.health()).await;
        let ok = matches!(answer, Ok(Ok(())));
        readiness.database(ok);
        if ok != well {
            well = ok;
            match answer {
                Ok(Err(error)) => tracing::error!(%error, "the database fails; calls are still served"),
                Ok(Ok(())) => tracing::info!("the database is well again"),
                Err(_) => {}
            }
        }
    }
}

/// Keeps metrics bounded and copies numbers that others count.
pub(crate) async fn keep_meters(
    meters: Arc<Meters>,
    recorder: Recorder,
    sessions: Arc<Sessions>,
    log: Option<LogControl>,
) {
    loop {
        meters.records(recorder.dropped(), recorder.queued());
        meters.sessions(sessions.len());
        if let Some(log) = &log {
            meters.lost_lines(log.dropped());
        }
        meters.upkeep();
        tokio::time::sleep(SECOND).await;
    }
}

/// What storage kept, for [`Sessions::restore`]. Rows of the original gateway name no model and so bind nobody; they
/// are restored all the same, so that they are listed, age, and keep their ids to themselves.
pub(crate) fn sessions_of(rows: Vec<SessionRow>) -> Vec<Session> {
    rows.into_iter()
        .map(|SessionRow { id, user, model, name, channel, created_at, last_used_at }| Session {
            id,
            key: SessionKey { user, model, name },
            channel,
            created_at,
            last_used_at,
        })
        .collect()
}

fn row_of(session: Session) -> SessionRow {
    let Session { id, key: SessionKey { user, model, name }, channel, created_at, last_used_at } = session;
    SessionRow { id, user, model, name, channel, created_at, last_used_at }
}

#[cfg(test)]
mod tests {
    use gateway_domain::{ChannelId, SessionId, UnixMillis, UserId};

    use super::*;

    #[test]
    fn a_session_survives_the_way_to_storage_and_back() {
        let session = Session {
            id: SessionId(7),
            key: SessionKey { user: UserId(1), model: "m".into(), name: 3 },
            channel: ChannelId(2),
            created_at: UnixMillis(10),
            last_used_at: UnixMillis(20),
        };
        assert_eq!(sessions_of(vec![row_of(session.clone())]), vec![session]);
    }
}
