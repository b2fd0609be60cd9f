//! What the gateway knows of objects, between memory and database.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use gateway_objects::{Change, DEFAULT_MAX_OBJECTS, Objects, Record};
use gateway_proxy::{Neighbours, Question, Recall, Silent};
use gateway_storage::{ObjectNeighbours, ObjectRow, Record as Kept, Recorder, Side, StorageError, Store};
use tokio::sync::Semaphore;

/// From a change to its record: together with the writer's own wait, less than a second is lost by a kill.
const SOON: Duration = Duration::from_millis(250);

/// While more records than this wait for the database, changes stay in memory, which is bounded.
const BUSY_QUEUE: usize = 32_768;

/// How many calls ask the database at a time. More of them get no answer, rather than to pile up behind a database that
/// is slow.
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

/// Takes from storage what memory is to begin with.
pub(crate) fn restored(store: &Store) -> Result<Objects, StorageError> {
    let objects = Objects::new();
    objects.restore(records_of(store.newest_objects(DEFAULT_MAX_OBJECTS)?));
    for (user, kind, channel) in store.object_places()? {
        objects.restore_place(user, &kind, channel);
    }
    Ok(objects)
}

/// Asks the database for objects, on threads of the runtime's that may block.
pub(crate) fn recall(store: Store) -> Recall {
    let places = Arc::new(Semaphore::new(ASKING_AT_A_TIME));
    Arc::new(move |question| {
        let (store, places) = (store.clone(), Arc::clone(&places));
        Box::pin(async move {
            let place = places.try_acquire_owned().map_err(|_| Silent)?;
            let asking = tokio::task::spawn_blocking(move || {
                let found = look_up(&store, question);
                drop(place);
                found
            });
            match asking.await {
                Ok(Ok(rows)) => Ok(records_of(rows)),
                Ok(Err(error)) => {
                    tracing::warn!(%error, "objects cannot be looked up");
                    Err(Silent)
                }
                Err(_) => Err(Silent),
            }
        })
    })
}

fn look_up(store: &Store, question: Question) -> Result<Vec<ObjectRow>, StorageError> {
    match question {
        Question::Ids(ids) => ids.iter().filter_map(|id| store.object(id).transpose()).collect(),
        Question::Neighbours(Neighbours { user, kind, channel, at, later, limit }) => {
            let side = if later { Side::After } else { Side::Before };
            store.object_neighbours(&ObjectNeighbours { user, kind: kind.into(), channel, at, side, limit })
        }
    }
}

/// What storage kept, for [`Objects::restore`].
fn records_of(rows: Vec<ObjectRow>) -> Vec<Record> {
    rows.into_iter()
        .map(|ObjectRow { id, kind, channel, user, created_at, made_at }| Record {
            id,
            kind: Cow::Owned(kind.as_ref().to_owned()),
            channel,
            user,
            created_at,
            made_at,
        })
        .collect()
}

fn row_of(record: Record) -> ObjectRow {
    let Record { id, kind, channel, user, created_at, made_at } = record;
    ObjectRow { id, kind: kind.as_ref().into(), channel, user, created_at, made_at }
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
            made_at: Some(5),
        };
        assert_eq!(records_of(vec![row_of(record.clone())]), vec![record]);
    }
}
