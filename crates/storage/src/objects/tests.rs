use super::*;
use crate::fixture::{key, new_channel, new_user, store, wait_until_written};
use crate::{Record, StoreOptions};

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
    ObjectRow { id: id.into(), kind: "file".into(), channel, user, created_at: UnixMillis(created_at) }
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
    store.delete_channel(one).unwrap();
    store.delete_user(bob).unwrap();
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
fn a_list_shows_the_users_own_objects_of_one_kind_in_either_order() {
    let Places { store, channels: [one, two], users: [ann, bob] } = places_in(store());
    let batch = ObjectRow { kind: "batch".into(), ..row("batch_1", ann, one, 15) };
    keep(
        &store,
        &[
            row("a", ann, one, 10),
            row("b", ann, two, 20),
            row("x", bob, one, 15),
            batch,
            row("c", ann, one, 20),
        ],
    );
    let page = |newest_first| ObjectPage {
        user: ann,
        kind: "file".into(),
        cursor: Cursor::Beginning,
        newest_first,
        limit: 100,
    };
    assert_eq!(ids(&store.objects(&page(true)).unwrap()), ["c", "b", "a"]);
    assert_eq!(ids(&store.objects(&page(false)).unwrap()), ["a", "b", "c"]);
}

#[test]
fn pages_after_and_before_an_object_join_without_a_gap() {
    let Places { store, channels: [one, _], users: [ann, bob] } = places_in(store());
    let rows: Vec<ObjectRow> = (0..10).map(|at| row(&format!("f{at}"), ann, one, at / 3)).collect();
    keep(&store, &rows);
    keep(&store, &[row("foreign", bob, one, 1)]);
    let page = |cursor, newest_first| {
        let page = ObjectPage { user: ann, kind: "file".into(), cursor, newest_first, limit: 4 };
        let rows = store.objects(&page).unwrap();
        ids(&rows).join(" ")
    };
    let after = |id: &str| Cursor::After(id.into());
    let before = |id: &str| Cursor::Before(id.into());
    assert_eq!(page(Cursor::Beginning, false), "f0 f1 f2 f3");
    assert_eq!(page(after("f3"), false), "f4 f5 f6 f7");
    assert_eq!(page(after("f7"), false), "f8 f9");
    assert_eq!(page(before("f8"), false), "f4 f5 f6 f7");
    assert_eq!(page(after("f6"), true), "f5 f4 f3 f2");
    assert_eq!(page(before("f5"), true), "f9 f8 f7 f6");
    assert_eq!(page(after("foreign"), true), "", "another user's object is no place in the list");
    assert_eq!(page(after("nothing"), true), "");
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
