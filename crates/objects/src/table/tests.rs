use super::*;

fn record(id: &str, user: i64, channel: i64) -> Record {
    Record {
        id: id.into(),
        kind: "file".into(),
        channel: ChannelId(channel),
        user: UserId(user),
        created_at: UnixMillis(10),
        made_at: None,
    }
}

#[test]
fn what_was_noted_is_found_and_what_was_not_is_unknown() {
    let objects = Objects::new();
    assert!(objects.is_empty());
    assert!(objects.note(record("file-1", 1, 7)));
    assert_eq!(objects.of("file-1"), Some(record("file-1", 1, 7)));
    assert_eq!(objects.of("file-2"), None);
    assert_eq!(objects.len(), 1);
}

#[test]
fn an_id_stays_with_the_user_who_had_it_first() {
    let objects = Objects::new();
    objects.note(record("resp_1", 1, 7));
    assert!(!objects.note(record("resp_1", 2, 8)), "the same id from another upstream, for another user");
    assert_eq!(objects.of("resp_1"), Some(record("resp_1", 1, 7)));
    assert!(objects.note(record("resp_1", 1, 8)), "its own user may have made it anew elsewhere");
    assert_eq!(objects.of("resp_1"), Some(record("resp_1", 1, 8)));
    objects.forget("resp_1");
    assert!(objects.note(record("resp_1", 2, 8)), "a deleted object's id is free");
}

#[test]
fn an_object_that_is_told_again_keeps_its_row_and_costs_no_write() {
    let objects = Objects::new();
    objects.note(record("batch_1", 1, 7));
    assert_eq!(objects.take_changes(), [Change::Put(record("batch_1", 1, 7))]);
    objects.note(Record { created_at: UnixMillis(99), ..record("batch_1", 1, 7) });
    assert_eq!(objects.take_changes(), []);
    assert_eq!(objects.of("batch_1").unwrap().created_at, UnixMillis(10));
}

#[test]
fn what_is_forgotten_is_removed_from_storage_even_when_memory_never_had_it() {
    let objects = Objects::new();
    assert!(!objects.forget("file-9"));
    assert_eq!(objects.take_changes(), [Change::Remove("file-9".into())]);
}

#[test]
fn the_objects_of_a_deleted_channel_or_user_go_and_are_not_written_any_more() {
    let objects = Objects::new();
    for (id, user, channel) in [("a", 1, 7), ("b", 1, 8), ("c", 2, 8)] {
        objects.note(record(id, user, channel));
    }
    assert_eq!(objects.forget_channel(ChannelId(7)), 1);
    assert_eq!(objects.forget_user(UserId(2)), 1);
    assert_eq!([objects.of("a"), objects.of("c")], [None, None]);
    assert_eq!(objects.take_changes(), [Change::Put(record("b", 1, 8))]);
}

#[test]
fn a_full_table_lets_go_what_was_made_or_named_longest_ago_and_storage_keeps_it() {
    let objects = Objects::with_max(SHARDS * 4);
    objects.note(record("kept", 1, 7));
    for number in 0..10_000 {
        objects.note(record(&format!("file-{number}"), 1, 7));
        assert!(objects.of("kept").is_some(), "it is named again and again");
    }
    assert!(objects.len() <= SHARDS * 4);
    assert_eq!(objects.of("file-0"), None);
    assert_eq!(objects.of("file-9999"), Some(record("file-9999", 1, 7)));
}

#[test]
fn changes_that_nobody_takes_are_bounded() {
    let objects = Objects::with_max(SHARDS * 4);
    for number in 0..10_000 {
        objects.note(record(&format!("file-{number}"), 1, 7));
    }
    assert_eq!(objects.take_changes().len(), SHARDS * 4);
}

#[test]
fn changes_come_in_the_order_in_which_they_happened() {
    let objects = Objects::new();
    let ids: Vec<String> = (0..500).map(|number| format!("file-{number}")).collect();
    for id in &ids {
        objects.note(record(id, 1, 7));
    }
    let told: Vec<String> = objects
        .take_changes()
        .into_iter()
        .map(|change| match change {
            Change::Put(record) => record.id.to_string(),
            Change::Remove(id) => panic!("{id} was never removed"),
        })
        .collect();
    assert_eq!(told, ids);
}

#[test]
fn restored_rows_are_owed_to_nobody_and_do_not_overwrite_what_is_newer() {
    let objects = Objects::new();
    objects.note(record("a", 1, 8));
    objects.take_changes();
    objects.restore([record("a", 1, 7), record("b", 2, 7)]);
    assert_eq!(objects.of("a"), Some(record("a", 1, 8)));
    assert_eq!(objects.of("b"), Some(record("b", 2, 7)));
    assert_eq!(objects.take_changes(), []);
}

#[test]
fn when_an_object_was_made_is_taken_down_when_it_is_told() {
    let objects = Objects::new();
    let dated = |made_at| Record { made_at, ..record("file-1", 1, 7) };
    objects.note(dated(None));
    objects.take_changes();
    assert!(objects.note(dated(Some(5))));
    assert_eq!(objects.take_changes(), [Change::Put(dated(Some(5)))]);
    for told in [None, Some(5), Some(6)] {
        assert!(objects.note(dated(told)));
    }
    assert_eq!(objects.of("file-1"), Some(dated(Some(5))));
    assert_eq!(objects.take_changes(), []);
}

#[test]
fn the_channels_of_a_users_objects_are_known_also_of_those_that_memory_has_let_go() {
    let objects = Objects::with_max(SHARDS);
    objects.restore_place(UserId(1), "file", ChannelId(9));
    objects.restore([record("old", 1, 8)]);
    objects.note(record("theirs", 2, 6));
    // The last one is in memory, whichever parts of the table the ids fall into.
    for number in 0..1_000 {
        objects.note(record(&format!("file-{number}"), 1, 7));
    }
    let channels = |user, kind| objects.channels_of(UserId(user), kind);
    assert_eq!(channels(1, "file"), [ChannelId(7), ChannelId(8), ChannelId(9)]);
    assert_eq!([channels(1, "batch"), channels(3, "file")], [vec![], vec![]]);
    objects.forget_channel(ChannelId(8));
    objects.forget_user(UserId(2));
    assert_eq!(channels(1, "file"), [ChannelId(7), ChannelId(9)]);
    assert_eq!(channels(2, "file"), []);
    assert!(!objects.note(Record { user: UserId(3), ..record("file-999", 1, 5) }));
    assert_eq!(channels(3, "file"), [], "what is another user's is no object of theirs");
}

#[test]
fn what_was_let_go_is_told_for_a_while_and_of_a_deleted_user_not_at_all() {
    let objects = Objects::new();
    for (id, user) in [("a", 1), ("b", 2)] {
        objects.note(record(id, user, 7));
        objects.forget(id);
    }
    assert_eq!((objects.of("a"), objects.departed("a")), (None, Some(record("a", 1, 7))));
    objects.forget_user(UserId(2));
    assert_eq!(objects.departed("b"), None);
    for number in 0..100_000 {
        let id = format!("file-{number}");
        objects.note(record(&id, 1, 7));
        objects.forget(&id);
    }
    assert_eq!(objects.departed("a"), None, "what is kept of them is bounded");
    assert!(objects.departed("file-99999").is_some());
}

#[test]
fn records_made_in_one_moment_have_moments_in_the_order_of_their_making() {
    let objects = Objects::new();
    let given: Vec<i64> = [5, 5, 5, 4, 9, 9].map(|now| objects.moment(UnixMillis(now)).0).to_vec();
    assert_eq!(given, [5, 6, 7, 8, 9, 10]);
}
