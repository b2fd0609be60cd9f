use std::thread;

use super::*;

const IDLE: Duration = Duration::from_mins(30);
const ONE: ChannelId = ChannelId(1);
const TWO: ChannelId = ChannelId(2);

fn key(user: i64, model: &str) -> SessionKey {
    SessionKey::of_user(UserId(user), model.into())
}

fn at(millis: i64) -> UnixMillis {
    UnixMillis(millis)
}

fn row(id: i64, key: &SessionKey, channel: ChannelId, last_used_at: i64) -> Session {
    let key = key.clone();
    Session { id: SessionId(id), key, channel, created_at: at(0), last_used_at: at(last_used_at) }
}

fn channel_of(sessions: &Sessions, key: &SessionKey, now: UnixMillis) -> Option<ChannelId> {
    match sessions.place_of(key, now) {
        Place::Known(channel) => Some(channel),
        Place::Redraw | Place::Unknown => None,
    }
}

/// The ids of puts and removals, in the order of the batch.
fn ids(changes: &[Change]) -> Vec<(&'static str, i64)> {
    let name = |change: &Change| match change {
        Change::Put(session) => ("put", session.id.0),
        Change::Remove(id) => ("remove", id.0),
    };
    changes.iter().map(name).collect()
}

#[test]
fn the_same_user_keeps_its_channel_for_a_model() {
    let sessions = Sessions::new(IDLE);
    assert_eq!(channel_of(&sessions, &key(1, "a"), at(0)), None);
    let id = sessions.remember(&key(1, "a"), ONE, at(0));
    assert_eq!(channel_of(&sessions, &key(1, "a"), at(1)), Some(ONE));
    assert_eq!(sessions.remember(&key(1, "a"), ONE, at(1)), id);
    assert_eq!(channel_of(&sessions, &key(2, "a"), at(1)), None);
    assert_eq!(sessions.len(), 1);
}

/// The original had one session per user and channel and refused the third call here until its cleaner ran.
#[test]
fn two_models_on_two_channels_alternately_never_lock_a_user_out() {
    let sessions = Sessions::new(IDLE);
    let (a, b) = (key(1, "a"), key(1, "b"));
    for call in 0..100 {
        let (key, channel) = if call % 2 == 0 { (&a, ONE) } else { (&b, TWO) };
        let pinned = channel_of(&sessions, key, at(call));
        assert_eq!(pinned, (call >= 2).then_some(channel), "call {call}");
        sessions.remember(key, channel, at(call));
    }
    assert_eq!(sessions.len(), 2);
}

/// The same refusal, by the other way: the channel is disabled, replaced by another, and returns.
#[test]
fn a_channel_that_is_disabled_replaced_and_returns_is_remembered_again() {
    let sessions = Sessions::new(IDLE);
    let key = key(1, "a");
    let id = sessions.remember(&key, ONE, at(0));
    assert_eq!(sessions.forget_channel(ONE), 1);
    assert_eq!(channel_of(&sessions, &key, at(1)), None);
    sessions.remember(&key, TWO, at(1));
    sessions.remember(&key, ONE, at(2));
    assert_eq!(channel_of(&sessions, &key, at(3)), Some(ONE));
    assert_eq!(sessions.len(), 1);
    assert!(sessions.get(id).is_none(), "a forgotten session's id names nothing");
}

#[test]
fn sessions_are_counted_by_whose_and_where_they_are() {
    let sessions = Sessions::new(IDLE);
    for (user, model, channel) in [(1, "a", ONE), (1, "b", TWO), (2, "a", TWO)] {
        sessions.remember(&key(user, model), channel, at(0));
    }
    assert_eq!(sessions.count(|key, _| key.user == UserId(1)), 2);
    assert_eq!(sessions.count(|key, channel| &*key.model == "a" && channel == TWO), 1);
    assert_eq!(sessions.count(|_, channel| channel == ChannelId(3)), 0);
}

#[test]
fn a_session_that_moves_keeps_its_id_and_its_beginning() {
    let sessions = Sessions::new(IDLE);
    let id = sessions.remember(&key(1, "a"), ONE, at(5));
    assert_eq!(sessions.remember(&key(1, "a"), TWO, at(9)), id);
    let expected = Session { created_at: at(5), ..row(id.0, &key(1, "a"), TWO, 9) };
    assert_eq!(sessions.get(id), Some(expected));
}

#[test]
fn conversations_of_one_user_have_sessions_of_their_own() {
    let sessions = Sessions::new(IDLE);
    let chat = |id: &[u8]| SessionKey::of_conversation(UserId(1), "a".into(), id);
    sessions.remember(&chat(b"x"), ONE, at(0));
    sessions.remember(&chat(b"y"), TWO, at(0));
    assert_eq!(channel_of(&sessions, &chat(b"x"), at(0)), Some(ONE));
    assert_eq!(channel_of(&sessions, &key(1, "a"), at(0)), None);
}

#[test]
fn a_session_ends_one_millisecond_after_its_idle_time() {
    let sessions = Sessions::new(Duration::from_millis(100));
    let first = sessions.remember(&key(1, "a"), ONE, at(0));
    assert_eq!(channel_of(&sessions, &key(1, "a"), at(100)), Some(ONE));
    assert_eq!(channel_of(&sessions, &key(1, "a"), at(101)), None);
    assert_eq!([sessions.sweep(at(100)), sessions.len()], [0, 1]);
    let second = sessions.remember(&key(1, "a"), TWO, at(101));
    assert_ne!(first, second, "what begins after the end is a new session");
    assert_eq!(sessions.get(second).map(|session| session.created_at), Some(at(101)));
    assert_eq!([sessions.sweep(at(202)), sessions.len()], [1, 0]);
}

#[test]
fn asking_does_not_prolong_a_session() {
    let sessions = Sessions::new(Duration::from_millis(100));
    sessions.remember(&key(1, "a"), ONE, at(0));
    for now in 0..=100 {
        assert!(channel_of(&sessions, &key(1, "a"), at(now)).is_some());
    }
    assert!(channel_of(&sessions, &key(1, "a"), at(101)).is_none());
}

#[test]
fn a_new_idle_time_holds_for_living_sessions() {
    let sessions = Sessions::new(IDLE);
    sessions.remember(&key(1, "a"), ONE, at(0));
    sessions.set_idle(Duration::from_millis(10));
    assert_eq!(channel_of(&sessions, &key(1, "a"), at(11)), None);
    sessions.set_idle(Duration::MAX);
    assert_eq!(channel_of(&sessions, &key(1, "a"), at(i64::MAX)), Some(ONE));
}

#[test]
fn a_clock_that_was_set_back_ends_no_session() {
    let sessions = Sessions::new(Duration::from_millis(10));
    sessions.remember(&key(1, "a"), ONE, at(1_000_000));
    assert_eq!(channel_of(&sessions, &key(1, "a"), at(0)), Some(ONE));
    assert_eq!(sessions.sweep(at(0)), 0);
}

#[test]
fn the_list_begins_with_the_session_used_last_even_within_one_millisecond() {
    let sessions = Sessions::new(IDLE);
    for user in 1..=5 {
        sessions.remember(&key(user, "a"), ONE, at(7));
    }
    sessions.remember(&key(2, "a"), ONE, at(7));
    let users: Vec<i64> = sessions.list().iter().map(|session| session.key.user.0).collect();
    assert_eq!(users, [2, 5, 4, 3, 1]);
}

#[test]
fn a_full_table_sheds_the_session_used_longest_ago() {
    let sessions = Sessions::with_max(IDLE, 3);
    for user in 1..=3 {
        sessions.remember(&key(user, "a"), ONE, at(0));
    }
    sessions.remember(&key(1, "a"), ONE, at(0));
    sessions.remember(&key(4, "a"), ONE, at(0));
    let users: Vec<i64> = sessions.list().iter().map(|session| session.key.user.0).collect();
    assert_eq!(users, [4, 1, 3]);
}

#[test]
fn users_models_and_single_sessions_can_be_forgotten() {
    let sessions = Sessions::new(IDLE);
    for user in 1..=3 {
        for model in ["a", "b"] {
            sessions.remember(&key(user, model), ONE, at(0));
        }
    }
    assert_eq!([sessions.forget_user(UserId(1)), sessions.forget_model("b")], [2, 2]);
    let id = sessions.list()[0].id;
    assert_eq!([sessions.remove(id, at(0)), sessions.remove(id, at(0))], [true, false]);
    assert_eq!(sessions.list().iter().map(|session| session.key.clone()).collect::<Vec<_>>(), [key(2, "a")]);
}

#[test]
fn many_uses_between_two_batches_are_one_put_with_the_last_state() {
    let sessions = Sessions::new(IDLE);
    for now in 0..1000 {
        sessions.remember(&key(1, "a"), if now % 2 == 0 { ONE } else { TWO }, at(now));
    }
    assert_eq!(sessions.take_changes(), [Change::Put(row(1, &key(1, "a"), TWO, 999))]);
    assert_eq!(sessions.take_changes(), []);
}

#[test]
fn a_session_that_only_goes_on_is_put_again_once_its_row_is_a_twentieth_of_the_idle_time_behind() {
    let sessions = Sessions::new(IDLE);
    let key = key(1, "a");
    let used = |channel, now| {
        sessions.remember(&key, channel, at(now));
        sessions.take_changes()
    };
    let put = |channel, now| [Change::Put(row(1, &key, channel, now))];
    let late = i64::try_from(IDLE.as_millis()).unwrap() / 20;
    assert_eq!(used(ONE, 0), put(ONE, 0));
    assert_eq!(used(ONE, late - 1), []);
    assert_eq!(used(ONE, late), put(ONE, late));
    assert_eq!(used(ONE, 0), put(ONE, 0), "the clock was set back");
    assert_eq!(used(TWO, 1), put(TWO, 1), "where it is now is put at once");
}

#[test]
fn a_session_that_came_and_went_between_two_batches_is_not_named() {
    let sessions = Sessions::new(IDLE);
    let id = sessions.remember(&key(1, "a"), ONE, at(0));
    sessions.remove(id, at(0));
    assert_eq!(sessions.take_changes(), []);
}

#[test]
fn a_removed_row_is_removed_before_its_successor_is_put() {
    let sessions = Sessions::new(IDLE);
    sessions.remember(&key(1, "a"), ONE, at(0));
    sessions.take_changes();
    sessions.remember(&key(1, "a"), TWO, at(1));
    sessions.forget_user(UserId(1));
    sessions.remember(&key(1, "a"), ONE, at(2));
    assert_eq!(ids(&sessions.take_changes()), [("remove", 1), ("put", 2)]);
}

#[test]
fn restored_sessions_go_on_and_new_ids_follow_the_highest() {
    let sessions = Sessions::new(IDLE);
    sessions.restore([row(41, &key(1, "a"), TWO, 10), row(7, &key(2, "a"), ONE, 20)]);
    assert_eq!(channel_of(&sessions, &key(1, "a"), at(30)), Some(TWO));
    assert_eq!(sessions.take_changes(), [], "what came from storage is there already");
    assert_eq!(sessions.remember(&key(3, "a"), ONE, at(30)), SessionId(42));
    let users: Vec<i64> = sessions.list().iter().map(|session| session.key.user.0).collect();
    assert_eq!(users, [3, 2, 1]);
}

/// The original kept one row per user and channel, and knew no model.
#[test]
fn of_restored_rows_with_one_key_the_one_used_last_lives() {
    let sessions = Sessions::new(IDLE);
    sessions.restore([
        row(1, &key(1, ""), ONE, 20),
        row(2, &key(1, ""), TWO, 30),
        row(3, &key(1, ""), TWO, 10),
    ]);
    assert_eq!(channel_of(&sessions, &key(1, ""), at(30)), Some(TWO));
    assert_eq!(ids(&sessions.take_changes()), [("remove", 1), ("remove", 3)]);
    assert_eq!(sessions.len(), 1);
}

#[test]
fn more_rows_than_the_table_holds_are_shed_from_the_oldest() {
    let sessions = Sessions::with_max(IDLE, 2);
    sessions.restore((1..=5).map(|id| row(id, &key(id, "a"), ONE, 100 - id)));
    assert_eq!(sessions.list().iter().map(|session| session.id.0).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(ids(&sessions.take_changes()), [("remove", 3), ("remove", 4), ("remove", 5)]);
}

#[test]
fn restored_rows_share_one_copy_of_their_model_name() {
    let sessions = Sessions::new(IDLE);
    sessions.restore((1..=2).map(|id| row(id, &key(id, "a"), ONE, 0)));
    let list = sessions.list();
    assert!(Arc::ptr_eq(&list[0].key.model, &list[1].key.model));
}

#[test]
fn a_session_that_an_administrator_ended_draws_its_next_channel_by_chance() {
    let sessions = Sessions::new(IDLE);
    let key = key(1, "a");
    assert_eq!(sessions.place_of(&key, at(0)), Place::Unknown);
    let id = sessions.remember(&key, ONE, at(0));
    assert_eq!(sessions.place_of(&key, at(1)), Place::Known(ONE));
    sessions.remove(id, at(1));
    assert_eq!([sessions.place_of(&key, at(2)), sessions.place_of(&key, at(2))], [Place::Redraw; 2]);
    assert_eq!(sessions.len(), 0, "a mark is no session");
    sessions.remember(&key, TWO, at(3));
    assert_eq!(sessions.place_of(&key, at(4)), Place::Known(TWO));
    sessions.forget_channel(TWO);
    assert_eq!(sessions.place_of(&key, at(5)), Place::Unknown, "the mark ended with the next call");
}

#[test]
fn the_mark_of_an_ended_session_lasts_as_long_as_a_session_unused() {
    let sessions = Sessions::new(Duration::from_millis(100));
    let id = sessions.remember(&key(1, "a"), ONE, at(0));
    sessions.remove(id, at(50));
    assert_eq!(sessions.place_of(&key(1, "a"), at(150)), Place::Redraw);
    assert_eq!(sessions.place_of(&key(1, "a"), at(151)), Place::Unknown);
    assert_eq!(sessions.sweep(at(151)), 0, "a mark is not counted as a session");
}

#[test]
fn only_the_ended_key_is_marked() {
    let sessions = Sessions::new(IDLE);
    let ended = sessions.remember(&key(1, "a"), ONE, at(0));
    sessions.remember(&key(2, "a"), ONE, at(0));
    sessions.remove(ended, at(0));
    sessions.forget_channel(ONE);
    assert_eq!(sessions.place_of(&key(1, "a"), at(0)), Place::Redraw);
    assert_eq!(sessions.place_of(&key(2, "a"), at(0)), Place::Unknown);
}

#[test]
fn a_deleted_user_or_model_takes_its_marks_along() {
    let sessions = Sessions::new(IDLE);
    for (user, model) in [(1, "a"), (2, "b"), (3, "c")] {
        let id = sessions.remember(&key(user, model), ONE, at(0));
        sessions.remove(id, at(0));
    }
    assert_eq!([sessions.forget_user(UserId(1)), sessions.forget_model("b")], [0, 0]);
    let place = |user, model| sessions.place_of(&key(user, model), at(0));
    assert_eq!(
        [place(1, "a"), place(2, "b"), place(3, "c")],
        [Place::Unknown, Place::Unknown, Place::Redraw]
    );
}

#[test]
fn ending_any_number_of_sessions_leaves_a_bounded_number_of_marks() {
    let sessions = Sessions::new(IDLE);
    for user in 0..30_000 {
        let id = sessions.remember(&key(user, "a"), ONE, at(user));
        assert!(sessions.remove(id, at(user)));
    }
    let marked = |user: &i64| sessions.place_of(&key(*user, "a"), at(30_000)) == Place::Redraw;
    let count = (0..30_000).filter(marked).count();
    assert!((10_000..=16_384).contains(&count), "{count}");
    assert!((29_000..30_000).all(|user| marked(&user)), "the newest marks stay");
}

#[test]
fn a_restored_session_is_known_and_a_restart_knows_no_marks() {
    let sessions = Sessions::new(IDLE);
    let id = sessions.remember(&key(1, "a"), ONE, at(0));
    sessions.take_changes();
    sessions.remove(id, at(1));
    assert_eq!(
        ids(&sessions.take_changes()),
        [("remove", id.0)],
        "storage learns of the end, not of the mark"
    );
    sessions.restore([row(7, &key(1, "a"), TWO, 2)]);
    assert_eq!(sessions.place_of(&key(1, "a"), at(3)), Place::Known(TWO));
    sessions.forget_channel(TWO);
    assert_eq!(sessions.place_of(&key(1, "a"), at(3)), Place::Unknown);
}

#[test]
fn threads_that_use_and_forget_at_once_leave_a_table_that_agrees_with_itself() {
    let sessions = Sessions::with_max(IDLE, 50);
    thread::scope(|scope| {
        for worker in 0..4 {
            let sessions = &sessions;
            scope.spawn(move || {
                for step in 0..2000 {
                    let id = sessions.remember(&key(step % 97, "a"), ChannelId(worker), at(step));
                    match step % 50 {
                        0 => drop(sessions.remove(id, at(step))),
                        10 => drop(sessions.forget_channel(ChannelId(worker))),
                        20 => drop(sessions.list()),
                        30 => drop(sessions.take_changes()),
                        _ => {}
                    }
                }
            });
        }
    });
    let list = sessions.list();
    assert_eq!(list.len(), sessions.len());
    assert!(list.len() <= 50);
    let ids: HashSet<SessionId> = list.iter().map(|session| session.id).collect();
    let keys: HashSet<&SessionKey> = list.iter().map(|session| &session.key).collect();
    assert_eq!([ids.len(), keys.len()], [list.len(); 2]);
}
