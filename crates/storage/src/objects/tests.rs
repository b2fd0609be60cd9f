use std::time::{Duration, Instant};

use super::*;
use crate::fixture::{key, new_channel, new_user, store, wait_until_written};
use crate::{ObjectRetention, Record, Retention, StoreOptions};

/// A store with two channels and two users.
struct Places {
    store: Store,
    channels: [ChannelId; 2],
    users: [UserId; 2],
}

fn places_in(store: Store) -> Places {
    let channel = |name| store.create_channel(&new_channel(name)).unwrap().value.id;
    let user = |name| store.create_user(&new_user(name, &[])).unwrap().0.value.id;
    Places { channels: [channel("one"), channel("two")], users: [user("alice"), user("bob")], store }
}

fn row(id: &str, user: UserId, channel: ChannelId, created_at: i64) -> ObjectRow {
    let created_at = UnixMillis(created_at);
    ObjectRow { id: id.into(), kind: "file".into(), channel, user, created_at, made_at: None }
}

fn keep(store: &Store, rows: &[ObjectRow]) {
    let recorder = store.recorder();
    let before = recorder.written();
    for row in rows {
        assert!(recorder.record(Record::ObjectPut(row.clone())));
    }
    wait_until_written(&recorder, before + rows.len() as u64);
}

fn ids(rows: &[ObjectRow]) -> Vec<&str> {
    rows.iter().map(|row| &*row.id).collect()
}

#[test]
fn objects_are_put_and_removed_in_the_order_in_which_they_were_recorded() {
    let Places { store, channels: [one, two], users: [ann, _] } = places_in(store());
    keep(&store, &[row("file-1", ann, one, 10), row("file-2", ann, one, 20)]);
    let recorder = store.recorder();
    for record in [
        Record::ObjectPut(row("file-1", ann, two, 99)),
        Record::ObjectRemove("file-2".into()),
        Record::ObjectRemove("file-77".into()),
    ] {
        assert!(recorder.record(record));
    }
    wait_until_written(&recorder, 5);
    assert_eq!(store.object("file-1").unwrap(), Some(row("file-1", ann, two, 10)), "made once, moved once");
    assert_eq!(store.object("file-2").unwrap(), None);
}

#[test]
fn an_id_never_passes_from_one_user_to_another() {
    let Places { store, channels: [one, two], users: [ann, bob] } = places_in(store());
    keep(&store, &[row("resp_1", ann, one, 10), row("resp_1", bob, two, 20)]);
    assert_eq!(store.object("resp_1").unwrap(), Some(row("resp_1", ann, one, 10)));
}

#[test]
fn objects_of_a_deleted_channel_or_user_go_with_it_and_come_back_by_no_record() {
    let Places { store, channels: [one, two], users: [ann, bob] } = places_in(store());
    keep(&store, &[row("a", ann, one, 1), row("b", bob, two, 2), row("c", ann, two, 3)]);
    store.delete_channel(one, None).unwrap();
    store.delete_user(bob, None).unwrap();
    assert_eq!(ids(&store.newest_objects(10).unwrap()), ["c"]);
    keep(&store, &[row("d", ann, one, 4), row("e", bob, two, 5)]);
    assert_eq!(ids(&store.newest_objects(10).unwrap()), ["c"]);
    assert_eq!(store.recorder().dropped(), 0);
}

#[test]
fn the_newest_objects_come_back_oldest_first() {
    let Places { store, channels: [one, _], users: [ann, _] } = places_in(store());
    keep(&store, &[row("a", ann, one, 10), row("b", ann, one, 10), row("c", ann, one, 5)]);
    assert_eq!(ids(&store.newest_objects(2).unwrap()), ["a", "b"], "of one moment, the later one is newer");
}

#[test]
fn who_has_what_where_is_told_once_each() {
    let Places { store, channels: [one, two], users: [ann, bob] } = places_in(store());
    let batch = ObjectRow { kind: "batch".into(), ..row("batch_1", ann, one, 15) };
    keep(&store, &[row("a", ann, one, 1), row("b", ann, one, 2), row("c", ann, two, 3), batch]);
    keep(&store, &[row("x", bob, two, 1)]);
    let mut places = store.object_places().unwrap();
    places.sort();
    let file = || Arc::from("file");
    let expected = [(ann, "batch".into(), one), (ann, file(), one), (ann, file(), two), (bob, file(), two)];
    assert_eq!(places, expected);
}

#[test]
fn the_neighbours_of_a_moment_are_the_users_own_of_the_same_channel_and_the_nearest_come_first() {
    let Places { store, channels: [one, two], users: [ann, bob] } = places_in(store());
    let made = |id, user, channel, at| ObjectRow { made_at: Some(at), ..row(id, user, channel, 1) };
    keep(
        &store,
        &[
            made("a", ann, one, 10),
            made("b", ann, one, 20),
            made("c", ann, one, 30),
            made("d", ann, one, 40),
            made("elsewhere", ann, two, 21),
            made("theirs", bob, one, 21),
            ObjectRow { kind: "batch".into(), ..made("batch_1", ann, one, 21) },
            row("undated", ann, one, 21),
        ],
    );
    let near = |at, side, limit| {
        let of = ObjectNeighbours { user: ann, kind: "file".into(), channel: one, at, side, limit };
        ids(&store.object_neighbours(&of).unwrap()).join(" ")
    };
    assert_eq!(near(30, Side::Before, 9), "b a");
    assert_eq!(near(30, Side::Before, 1), "b");
    assert_eq!(near(20, Side::After, 9), "c d");
    assert_eq!(near(10, Side::Before, 9), "");
}

#[test]
fn when_an_object_was_made_is_learned_once_and_kept() {
    let Places { store, channels: [one, two], users: [ann, _] } = places_in(store());
    let made = |made_at, channel| ObjectRow { made_at, ..row("a", ann, channel, 10) };
    for (put, kept) in [
        (made(None, one), None),
        (made(Some(7), one), Some(7)),
        (made(None, one), Some(7)),
        (made(None, two), None),
    ] {
        keep(&store, &[put]);
        assert_eq!(store.object("a").unwrap().unwrap().made_at, kept);
    }
}

#[test]
fn objects_are_there_after_the_file_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.db");
    let open = || Store::open_with(&path, &key(), StoreOptions::default()).unwrap();
    let Places { store, channels: [one, _], users: [ann, _] } = places_in(open());
    keep(&store, &[row("file-1", ann, one, 10)]);
    store.close().unwrap();
    assert_eq!(open().object("file-1").unwrap(), Some(row("file-1", ann, one, 10)));
}

#[test]
fn responses_go_when_they_are_too_old_and_other_objects_stay() {
    let folder = tempfile::tempdir().unwrap();
    let options = StoreOptions { clock: || UnixMillis(1_000_000), ..StoreOptions::default() };
    let store = Store::open_with(&folder.path().join("gateway.db"), &key(), options).unwrap();
    let Places { store, channels: [one, _], users: [ann, _] } = places_in(store);
    let response =
        |id: &str, created_at| ObjectRow { kind: "response".into(), ..row(id, ann, one, created_at) };
    // More than go in one step.
    let mut rows: Vec<_> = (0..1200).map(|number| response(&format!("resp_{number}"), 1000)).collect();
    rows.extend([row("file-old", ann, one, 1000), response("resp_young", 900_000)]);
    keep(&store, &rows);
    let left = || store.newest_objects(5000).unwrap();
    assert_eq!(left().len(), 1202, "nothing goes by itself");

    let objects = Some(ObjectRetention { kind: "response", longest: Duration::from_secs(100) });
    store.set_retention(Retention { objects, ..Retention::ALL });

    let patience = Instant::now() + Duration::from_secs(20);
    while left().len() != 2 && Instant::now() < patience {
        std::thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(ids(&left()), ["file-old", "resp_young"]);
}
