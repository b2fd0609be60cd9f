use super::*;
use crate::Record;
use crate::fixture::{new_channel, new_user, store, wait_until_written};

fn row(id: i64, user: UserId, model: &str, channel: ChannelId) -> SessionRow {
    let (id, created_at, last_used_at) = (SessionId(id), UnixMillis(10), UnixMillis(20));
    SessionRow { id, user, model: model.into(), name: u64::MAX, channel, created_at, last_used_at }
}

#[test]
fn sessions_are_put_replaced_and_removed_in_the_order_in_which_they_were_recorded() {
    let store = store();
    let one = store.create_channel(&new_channel("one")).unwrap().value.id;
    let two = store.create_channel(&new_channel("two")).unwrap().value.id;
    let user = store.create_user(&new_user("alice", &[])).unwrap().0.value.id;
    let recorder = store.recorder();
    let moved = SessionRow { last_used_at: UnixMillis(30), channel: two, ..row(1, user, "a", one) };
    for record in [
        Record::SessionPut(row(1, user, "a", one)),
        Record::SessionPut(row(2, user, "b", one)),
        Record::SessionPut(moved.clone()),
        Record::SessionRemove(SessionId(2)),
        Record::SessionRemove(SessionId(77)),
    ] {
        assert!(recorder.record(record));
    }
    wait_until_written(&recorder, 5);
    assert_eq!(store.sessions().unwrap(), [moved]);
}

#[test]
fn a_user_has_one_session_for_a_model_and_name() {
    let store = store();
    let channel = store.create_channel(&new_channel("one")).unwrap().value.id;
    let user = store.create_user(&new_user("alice", &[])).unwrap().0.value.id;
    let recorder = store.recorder();
    let other_name = SessionRow { name: 7, ..row(3, user, "a", channel) };
    for row in [row(1, user, "a", channel), row(2, user, "a", channel), other_name.clone()] {
        assert!(recorder.record(Record::SessionPut(row)));
    }
    wait_until_written(&recorder, 3);
    assert_eq!(store.sessions().unwrap(), [row(2, user, "a", channel), other_name]);
}

#[test]
fn a_session_of_somebody_who_is_gone_is_not_kept_and_holds_nothing_up() {
    let store = store();
    let channel = store.create_channel(&new_channel("one")).unwrap().value.id;
    let user = store.create_user(&new_user("alice", &[])).unwrap().0.value.id;
    let recorder = store.recorder();
    for row in
        [row(1, UserId(99), "a", channel), row(2, user, "a", ChannelId(99)), row(3, user, "a", channel)]
    {
        assert!(recorder.record(Record::SessionPut(row)));
    }
    wait_until_written(&recorder, 3);
    assert_eq!(store.sessions().unwrap(), [row(3, user, "a", channel)]);
    assert_eq!(recorder.dropped(), 0);
}
