//! What the gateway knows of objects, between memory and database.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use gateway_objects::{Change, Objects, Record};
use gateway_proxy::Recall;
use gateway_storage::{ObjectRow, Record as Kept, Recorder, Store};
use tokio::sync::Semaphore;

/// From a change to its record: together with the writer's own wait, less than a second is lost by a kill.
const SOON: Duration = Duration::from_millis(250);

/// While more records than this wait for the database, changes stay in memory, which is bounded.
const BUSY_QUEUE: usize = 32_768;

/// How many calls ask the database at a time. More of them count their ids as unknown, rather than to pile up behind a
/// database that is slow.
const ASKING_AT_A_TIME: usize = 16;

/// Copies changes of the table of objects to storage.
pub(crate) async fn keep(objects: Arc<Objects>, recorder: Recorder) {
    loop {
        tokio::time::sleep(SOON).await;
        if recorder.queued() < BUSY_QUEUE {
            save(&objects, &recorder);
        }
    }
}

/// Copies what has changed since the last time.
pub(crate) fn save(objects: &Objects, recorder: &Recorder) {
    for change in objects.take_changes() {
        // A drop is counted by the recorder; memory still knows the object.
        let _kept = recorder.record(match change {
            Change::Put(record) => Kept::ObjectPut(row_of(record)),
            Change::Remove(id) => Kept::ObjectRemove(id),
        });
    }
}

/// Asks the database for objects, on threads of the runtime's that may block.
pub(crate) fn recall(store: Store) -> Recall {
    let places = Arc::new(Semaphore::new(ASKING_AT_A_TIME));
    Arc::new(move |ids| {
        let (store, places) = (store.clone(), Arc::clone(&places));
        Box::pin(async move {
            let Ok(place) = places.try_acquire_owned() else { return Vec::new() };
            let asking = tokio::task::spawn_blocking(move || {
                let found = ids.iter().map(|id| store.object(id)).collect::<Result<Vec<_>, _>>();
                drop(place);
                found
            });
            match asking.await {
                Ok(Ok(rows)) => records_of(rows.into_iter().flatten().collect()),
                Ok(Err(error)) => {
                    tracing::warn!(%error, "objects cannot be looked up and count as unknown");
                    Vec::new()
                }
                Err(_) => Vec::new(),
            }
        })
    })
}

/// What storage kept, for [`Objects::restore`].
pub(crate) fn records_of(rows: Vec<ObjectRow>) -> Vec<Record> {
    rows.into_iter()
        .map(|ObjectRow { id, kind, channel, user, created_at }| Record {
            id,
            kind: Cow::Owned(kind.as_ref().to_owned()),
            channel,
            user,
            created_at,
        })
        .collect()
}

fn row_of(record: Record) -> ObjectRow {
    let Record { id, kind, channel, user, created_at } = record;
    ObjectRow { id, kind: kind.as_ref().into(), channel, user, created_at }
}

#[cfg(test)]
mod tests {
    use gateway_domain::{ChannelId, UnixMillis, UserId};

    use super::*;

    #[test]
    fn an_object_survives_the_way_to_storage_and_back() {
        let record = Record {
            id: "file-1".into(),
            kind: "file".into(),
            channel: ChannelId(2),
            user: UserId(1),
            created_at: UnixMillis(10),
        };
        assert_eq!(records_of(vec![row_of(record.clone())]), vec![record]);
    }
}
