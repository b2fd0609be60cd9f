use super::*;
use crate::Fault;

const ONE: ChannelId = ChannelId(1);
const TWO: ChannelId = ChannelId(2);

fn probe_ok() -> Observation {
    Observation::ProbeOk { latency: Duration::from_millis(20), proves_key: false }
}

fn probe_failed() -> Observation {
    Observation::ProbeFailed { why: "connection\nrefused".to_owned() }
}

fn call_failed() -> Observation {
    Observation::TrafficFailed { why: "answered 502".to_owned(), fault: Fault::Answer }
}

fn at(seconds: i64) -> UnixMillis {
    UnixMillis(seconds * 1000)
}

/// A board on which channel one is out because its probes failed.
fn board_with_one_out() -> Arc<Board> {
    let board = Board::new(Rules::default());
    for second in 0..3 {
        board.observe(ONE, Scope::Channel, probe_failed(), at(second));
    }
    assert!(!board.is_usable(ONE));
    board
}

#[test]
fn a_channel_nobody_spoke_of_is_unknown_and_usable() {
    let board = Board::new(Rules::default());
    assert!(board.is_usable(ONE));
    assert_eq!(board.report(ONE).status, HealthStatus::Unknown);
    assert_eq!((board.reports().len(), board.history(ONE).len()), (0, 0), "asking leaves no trace");
}

#[test]
fn verdicts_of_channels_are_independent() {
    let board = board_with_one_out();
    board.observe(TWO, Scope::Channel, probe_ok(), at(3));
    assert_eq!([board.is_usable(ONE), board.is_usable(TWO)], [false, true]);
    let statuses: Vec<_> = board.reports().iter().map(|report| (report.channel, report.status)).collect();
    assert_eq!(statuses, [(ONE, HealthStatus::Unhealthy), (TWO, HealthStatus::Healthy)]);
    assert_eq!(board.report(ONE).last_error.as_deref(), Some("connection refused"));
}

#[test]
fn every_change_of_a_verdict_is_announced_and_nothing_else_is() {
    let board = Board::new(Rules::default());
    let changes = board.changes();
    let mut seen = Vec::new();
    for observation in
        [probe_failed(), probe_ok(), probe_ok(), probe_failed(), probe_failed(), probe_failed()]
    {
        board.observe(ONE, Scope::Channel, observation, at(0));
        seen.push(*changes.borrow());
    }
    assert_eq!(seen, [0, 1, 1, 1, 1, 2]);
}

#[test]
fn the_history_holds_the_last_sixty_probes_with_their_latency() {
    let board = Board::new(Rules::default());
    for second in 0..100 {
        board.observe(ONE, Scope::Channel, probe_ok(), at(second));
    }
    let history = board.history(ONE);
    assert_eq!((history.len(), history[0].at, history[59].at), (60, at(40), at(99)));
    assert_eq!(history[59].latency, Some(Duration::from_millis(20)));
}

#[test]
fn traffic_enters_the_history_only_where_it_changes_the_verdict() {
    let board = Board::new(Rules::default());
    for _ in 0..1000 {
        board.observe(ONE, Scope::Channel, Observation::TrafficOk, at(0));
    }
    for _ in 0..5 {
        board.observe(ONE, Scope::Channel, call_failed(), at(1));
    }
    board.tick(at(2));
    board.tick(at(3));
    board.tick(at(4));
    let lines: Vec<_> =
        board.history(ONE).iter().map(|tick| (tick.at, tick.witness, tick.ok, tick.status)).collect();
    assert_eq!(
        lines,
        [
            (at(0), Witness::Traffic, true, HealthStatus::Healthy),
            (at(1), Witness::Traffic, false, HealthStatus::Unhealthy),
            (at(3), Witness::Time, true, HealthStatus::Unknown),
        ]
    );
}

#[test]
fn a_pause_that_ended_unnoticed_is_in_the_history_before_what_followed() {
    let board = Board::new(Rules::default());
    for _ in 0..5 {
        board.observe(ONE, Scope::Channel, call_failed(), at(0));
    }
    board.observe(ONE, Scope::Channel, call_failed(), at(60));
    let lines: Vec<_> = board.history(ONE).iter().map(|tick| (tick.witness, tick.status)).collect();
    assert_eq!(
        lines,
        [
            (Witness::Traffic, HealthStatus::Unhealthy),
            (Witness::Time, HealthStatus::Unknown),
            (Witness::Traffic, HealthStatus::Unhealthy),
        ]
    );
}

#[test]
fn channels_that_are_gone_are_forgotten() {
    let board = board_with_one_out();
    board.observe(TWO, Scope::Channel, probe_ok(), at(3));
    board.retain(&[TWO]);
    assert!(board.is_usable(ONE), "a new channel of this id begins unknown");
    assert_eq!(board.reports().len(), 1);
}

#[test]
fn a_reset_channel_is_unknown_again() {
    let board = board_with_one_out();
    let before = *board.changes().borrow();
    board.reset(ONE, at(9));
    assert_eq!(board.report(ONE).status, HealthStatus::Unknown);
    assert!(board.is_usable(ONE));
    assert_eq!(*board.changes().borrow(), before + 1);
    let last = board.history(ONE).last().copied().unwrap();
    assert_eq!((last.at, last.witness, last.status), (at(9), Witness::Settings, HealthStatus::Unknown));
}

#[test]
fn each_transition_is_taken_once_and_in_order() {
    let board = board_with_one_out();
    board.observe(TWO, Scope::Channel, probe_ok(), at(3));
    board.observe(ONE, Scope::Channel, probe_ok(), at(4));
    let taken: Vec<_> = board.take_transitions().iter().map(|taken| (taken.channel, taken.to)).collect();
    assert_eq!(
        taken,
        [(ONE, HealthStatus::Unhealthy), (TWO, HealthStatus::Healthy), (ONE, HealthStatus::Healthy)]
    );
    assert_eq!(board.take_transitions(), []);
    for second in 0..2000 {
        board.reset(ONE, at(second));
        board.observe(ONE, Scope::Channel, probe_ok(), at(second));
    }
    assert_eq!(board.take_transitions().len(), 1024, "nobody followed, and memory stays bounded");
}

#[test]
fn calls_that_fail_when_the_process_wakes_up_are_not_the_channels_failures() {
    let refused = || Observation::TrafficFailed { why: "answered 401".to_owned(), fault: Fault::Key };
    let board = Board::new(Rules::default());
    board.tick(at(0));
    for _ in 0..100 {
        board.observe(ONE, Scope::Channel, call_failed(), at(10));
    }
    board.tick(at(10));
    for _ in 0..100 {
        board.observe(ONE, Scope::Channel, call_failed(), at(10));
    }
    assert_eq!(board.report(ONE).consecutive_failures, 0);
    board.observe(TWO, Scope::Channel, refused(), at(10));
    assert!(!board.is_usable(TWO), "a refusal is no lateness");
    board.tick(at(11));
    for _ in 0..5 {
        board.observe(ONE, Scope::Channel, call_failed(), at(11));
    }
    assert!(!board.is_usable(ONE), "a second later failures are failures again");
}

#[test]
fn a_model_that_fails_alone_is_reported_and_its_channel_stays() {
    let board = Board::new(Rules::default());
    let model = "m".into();
    board.set_several(&[ONE].into());
    for _ in 0..50 {
        board.observe(ONE, Scope::Model(&model), call_failed(), at(1));
        board.observe(TWO, Scope::Model(&model), call_failed(), at(1));
    }
    assert_eq!([board.is_usable(ONE), board.is_usable(TWO)], [true, false], "two serves nothing else");
    let trouble = board.report(ONE).troubled_models;
    assert_eq!((trouble.len(), &*trouble[0].model, trouble[0].failures), (1, "m", 50));
}

#[test]
fn new_rules_hold_from_the_next_observation_on() {
    let board = Board::new(Rules::default());
    board.observe(ONE, Scope::Channel, probe_failed(), at(0));
    assert!(board.is_usable(ONE));
    board.set_rules(&Rules { unhealthy_after: 2, ..Rules::default() });
    board.observe(ONE, Scope::Channel, probe_failed(), at(1));
    assert!(!board.is_usable(ONE));
}

#[test]
fn threads_that_speak_at_once_lose_no_channel() {
    let board = Board::new(Rules { unhealthy_after: 1, ..Rules::default() });
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let board = &board;
            scope.spawn(move || {
                for id in 0..200 {
                    board.observe(ChannelId(worker * 1000 + id), Scope::Channel, probe_failed(), at(0));
                    board.observe(ChannelId(9999), Scope::Channel, probe_failed(), at(0));
                }
            });
        }
    });
    assert_eq!(board.reports().len(), 801);
    assert!(board.reports().iter().all(|report| !board.is_usable(report.channel)));
    assert_eq!(board.report(ChannelId(9999)).consecutive_failures, 800);
}
