//! The only writer of the live snapshot.
//!
//! File changes, SIGHUP, `POST /api/config/reload` and every admin write end here, in one task, one after the other.
//! A snapshot is made of the last good configuration and of what the database holds. Whatever fails, the old one
//! stays live.

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use gateway_config::{
    Cause, Environment, Live, Loaded, Problem, PublishError, PublishRequest, Published, ReloadStatus,
    Settings, Snapshot, Source, restart_needed,
};
use gateway_domain::{Inventory, UnixMillis};
use gateway_storage::Store;
use tokio::sync::mpsc;

use crate::telemetry::Meters;

/// Who must know of a new snapshot before it is live.
pub(crate) trait Follow: Send {
    /// Whether everyone could work by these settings, and if not, why. Changes nothing.
    fn judge(&self, settings: &Settings) -> Result<(), String>;

    /// Tells everyone, in the order that matters to them. An error keeps the old snapshot.
    fn follow(&mut self, snapshot: &Arc<Snapshot>, cause: Cause) -> Result<(), String>;
}

/// Where the configuration comes from and where it goes.
pub(crate) struct Parts {
    pub(crate) source: Source,
    pub(crate) environment: Environment,
    pub(crate) store: Store,
    pub(crate) live: Arc<Live>,
    pub(crate) status: Arc<ArcSwap<ReloadStatus>>,
    pub(crate) meters: Arc<Meters>,
    pub(crate) followers: Box<dyn Follow>,
    pub(crate) clock: fn() -> UnixMillis,
}

/// Makes snapshots.
pub(crate) struct Press {
    parts: Parts,
    /// The last configuration without problems.
    good: Loaded,
    /// What the app was built with: what differs from it and cannot change at run time needs a restart.
    started_with: Settings,
    version: u64,
    /// What was last logged as wrong, so that a broken file is logged once and not at every event.
    logged: Vec<Problem>,
    /// Likewise for the keys that need a restart.
    restart_logged: Vec<&'static str>,
}

// === impl Press ===

impl Press {
    /// Takes over from the first snapshot, which the app made itself and which is live already.
    pub(crate) fn new(parts: Parts, good: Loaded) -> Self {
        let (started_with, version) = (good.settings.clone(), parts.live.load().version);
        Self { parts, good, started_with, version, logged: Vec::new(), restart_logged: Vec::new() }
    }

    /// Serves wishes until nobody can have any.
    pub(crate) async fn run(mut self, mut wishes: mpsc::Receiver<PublishRequest>) {
        while let Some(first) = wishes.recv().await {
            let mut waiting = vec![first];
            while let Ok(next) = wishes.try_recv() {
                waiting.push(next);
            }
            self.serve(waiting).await;
        }
    }

    /// Several wishes, one snapshot. Admin writes ask only for what the database holds, so a broken file does not
    /// fail them.
    async fn serve(&mut self, waiting: Vec<PublishRequest>) {
        let (writes, reloads): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|wish| wish.cause == Cause::AdminWrite);
        if let Some(cause) = reloads.first().map(|wish| wish.cause) {
            let result = self.reload(cause).await;
            let good = result.is_ok();
            answer(reloads, &result);
            if good {
                answer(writes, &result);
                return;
            }
        }
        if !writes.is_empty() {
            let result = self.reread().await;
            answer(writes, &result);
        }
    }

    /// Configuration and database, from scratch.
    async fn reload(&mut self, cause: Cause) -> Result<Published, PublishError> {
        let (source, environment, store) =
            (self.parts.source.clone(), self.parts.environment.clone(), self.parts.store.clone());
        let loaded =
            blocking(move || gateway_config::load(&source, &environment).map_err(PublishError::Problems))
                .await;
        // Before the database is touched: what is declared takes over rows and removes others, for good.
        let judged = loaded.and_then(|loaded| {
            self.parts.followers.judge(&loaded.settings).map_err(refused)?;
            Ok(loaded)
        });
        let result = match judged {
            Ok(loaded) => self.apply(cause, store, loaded).await,
            Err(error) => Err(error),
        };
        let now = (self.parts.clock)();
        self.parts.meters.reloaded(result.is_ok(), now);
        match result {
            Ok(loaded) => {
                self.good = loaded;
                Ok(self.succeeded(cause, now))
            }
            Err(error) => {
                self.failed(cause, now, &error);
                Err(error)
            }
        }
    }

    async fn apply(&mut self, cause: Cause, store: Store, loaded: Loaded) -> Result<Loaded, PublishError> {
        let declaration = Arc::clone(&loaded.declaration);
        let inventory = blocking(move || {
            store.apply(&declaration).map_err(storage)?;
            store.inventory().map_err(storage)
        })
        .await?;
        match self.put_live(cause, &loaded.settings, inventory) {
            Ok(()) => Ok(loaded),
            Err(refused) => Err(self.take_back(refused).await),
        }
    }

    /// Somebody who had agreed could not follow after all, and what is declared is in the database already. The next admin
    /// write would make it live, with the old settings, so the last good declaration is put back, as far as that goes.
    async fn take_back(&mut self, refused: PublishError) -> PublishError {
        let (store, good) = (self.parts.store.clone(), Arc::clone(&self.good.declaration));
        match blocking(move || store.apply(&good).map_err(storage)).await {
            Ok(_) => refused,
            Err(error) => error,
        }
    }

    /// The database alone, with the last good configuration.
    async fn reread(&mut self) -> Result<Published, PublishError> {
        let store = self.parts.store.clone();
        let inventory = blocking(move || store.inventory().map_err(storage)).await?;
        let settings = self.good.settings.clone();
        self.put_live(Cause::AdminWrite, &settings, inventory)?;
        let status = ReloadStatus { version: self.version, ..ReloadStatus::clone(&self.parts.status.load()) };
        self.parts.status.store(Arc::new(status));
        Ok(self.published())
    }

    fn put_live(
        &mut self,
        cause: Cause,
        settings: &Settings,
        inventory: Inventory,
    ) -> Result<(), PublishError> {
        let version = self.version + 1;
        let snapshot = Arc::new(Snapshot::assemble(version, Arc::new(settings.clone()), inventory));
        self.parts.followers.follow(&snapshot, cause).map_err(refused)?;
        self.parts.live.publish(Snapshot::clone(&snapshot));
        self.version = version;
        tracing::debug!(version, "a snapshot is live");
        Ok(())
    }

    fn published(&self) -> Published {
        Published {
            version: self.version,
            restart_needed: restart_needed(&self.started_with, &self.good.settings),
            warnings: self.good.warnings.clone(),
        }
    }

    fn succeeded(&mut self, cause: Cause, now: UnixMillis) -> Published {
        let published = self.published();
        self.parts.status.store(Arc::new(status_of(cause, now, &published, &self.good)));
        let cause = cause.as_str();
        tracing::info!(
            cause,
            version = published.version,
            file = shown(self.good.file.as_ref()),
            "configuration applied"
        );
        if published.restart_needed != self.restart_logged {
            self.restart_logged.clone_from(&published.restart_needed);
            if !self.restart_logged.is_empty() {
                tracing::warn!(keys = self.restart_logged.join(", "), "these changes need a restart");
            }
        }
        if self.logged != published.warnings {
            self.logged.clone_from(&published.warnings);
            for warning in &self.logged {
                tracing::warn!(%warning, "configuration");
            }
        }
        published
    }

    fn failed(&mut self, cause: Cause, now: UnixMillis, error: &PublishError) {
        let problems = match error {
            PublishError::Problems(problems) => problems.as_slice().to_vec(),
            PublishError::Storage(_) | PublishError::Closed => vec![Problem::general(error.to_string(), "")],
        };
        if problems != self.logged {
            for problem in &problems {
                tracing::error!(cause = cause.as_str(), %problem, "configuration refused; the old one stays live");
            }
            self.logged.clone_from(&problems);
        }
        let old = ReloadStatus::clone(&self.parts.status.load());
        let status = ReloadStatus { last_attempt: now, cause, ok: false, problems, ..old };
        self.parts.status.store(Arc::new(status));
    }
}

impl std::fmt::Debug for Press {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Press").field("version", &self.version).finish_non_exhaustive()
    }
}

/// How a good attempt is shown to people.
pub(crate) fn status_of(cause: Cause, now: UnixMillis, published: &Published, good: &Loaded) -> ReloadStatus {
    ReloadStatus {
        last_attempt: now,
        cause,
        ok: true,
        version: published.version,
        problems: Vec::new(),
        warnings: published.warnings.clone(),
        restart_needed: published.restart_needed.clone(),
        file: good.file.clone(),
        origins: good.origins.clone(),
        declared: Arc::clone(&good.declaration),
    }
}

fn answer(wishes: Vec<PublishRequest>, result: &Result<Published, PublishError>) {
    for wish in wishes {
        // An error is one who no longer waits.
        drop(wish.reply.send(result.clone()));
    }
}

fn shown(file: Option<&PathBuf>) -> String {
    file.map(|path| path.display().to_string()).unwrap_or_default()
}

fn refused(why: String) -> PublishError {
    PublishError::Problems(Problem::general(why, "").into())
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
fn storage(error: gateway_storage::StorageError) -> PublishError {
    PublishError::Storage(error.to_string())
}

async fn blocking<T: Send + 'static>(
    job: impl FnOnce() -> Result<T, PublishError> + Send + 'static,
) -> Result<T, PublishError> {
    tokio::task::spawn_blocking(job).await.unwrap_or(Err(PublishError::Closed))
}

#[cfg(test)]
mod tests;
