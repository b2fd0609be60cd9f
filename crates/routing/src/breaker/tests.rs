use super::{Breaker, Change, Evidence, Gate, Position};
use crate::{Cause, Micros};

fn at(millis: u64, trial: bool) -> Evidence {
    Evidence { sent: Micros::from_millis(millis), trial, jitter: 1 << 63, now: Micros::from_millis(millis) }
}

/// Opened by failures at second 1, due within 1.2 s.
fn open() -> (Breaker, Gate) {
    let (mut breaker, gate) = (Breaker::new(), Gate::default());
    for _ in 0..4 {
        assert_eq!(gate.get(), Position::Closed);
        breaker.bad(&gate, at(1000, false));
    }
    assert_eq!(breaker.cause(), Some(Cause::Failures));
    (breaker, gate)
}

fn take(gate: &Gate, now: Micros) {
    let position = gate.get();
    assert!(position.due(now).is_some());
    assert!(gate.take_trial(position, now) && !gate.take_trial(position, now), "one trial at a time");
}

#[test]
fn a_token_between_failures_keeps_it_closed() {
    let (mut breaker, gate) = (Breaker::new(), Gate::default());
    for _ in 0..20 {
        for _ in 0..3 {
            breaker.bad(&gate, at(1000, false));
        }
        breaker.token(&gate, at(1000, false), || true);
    }
    assert_eq!(gate.get(), Position::Closed);
}

#[test]
fn two_good_trials_close_it() {
    let (mut breaker, gate) = open();
    take(&gate, Micros::from_millis(2200));
    assert_eq!(breaker.token(&gate, at(2200, true), || true), Change::None);
    take(&gate, Micros::from_millis(2200));
    assert_eq!(breaker.token(&gate, at(2300, true), || true), Change::Closed);
    assert_eq!(gate.get(), Position::Closed);
}

#[test]
fn bad_and_slow_trials_wait_longer_each_time_but_not_for_ever() {
    let (mut breaker, gate) = open();
    let mut waits = Vec::new();
    let mut now = 10_000;
    for i in 0..10 {
        take(&gate, Micros::from_millis(now));
        if i % 2 == 0 {
            breaker.bad(&gate, at(now, true));
        } else {
            breaker.token(&gate, at(now, true), || false);
        }
        waits.push(gate.get().remaining(Micros::from_millis(now)).seconds());
        now += 12_000;
    }
    assert!(waits.is_sorted() && waits[0] > 1.5 && waits[9] > 5.5 && waits[9] <= 6.0, "{waits:?}");
}

#[test]
fn a_cancelled_trial_is_due_again_at_once() {
    let (breaker, gate) = open();
    take(&gate, Micros::from_millis(3000));
    breaker.undecided(&gate, at(3500, true));
    assert!(gate.get().due(Micros::from_millis(3500)).is_some());
}

#[test]
fn a_trial_of_which_nothing_is_heard_does_not_keep_the_next_one_away_nor_decide_for_it() {
    let (mut breaker, gate) = open();
    take(&gate, Micros::from_millis(3000));
    assert_eq!(gate.get().due(Micros::from_millis(12_999)), None);
    take(&gate, Micros::from_millis(13_000));
    let second = gate.get();
    let late = |now| Evidence { sent: Micros::from_millis(3000), ..at(now, true) };
    breaker.undecided(&gate, late(13_100));
    assert_eq!(gate.get(), second);
    breaker.bad(&gate, late(13_200));
    assert_eq!(gate.get(), second);
    breaker.bad(&gate, at(13_300, true));
    assert!(matches!(gate.get(), Position::Open { .. }));
}

#[test]
fn a_refusal_of_an_old_attempt_waits_for_the_trial_that_is_on_its_way() {
    for is_bad in [false, true] {
        let (mut breaker, gate) = open();
        take(&gate, Micros::from_millis(3000));
        breaker.refused(&gate, at(3200, false), Cause::Credentials);
        let trial = Position::Trial { since: Micros::from_millis(3000) };
        assert_eq!(gate.get(), trial, "a second trial would overlap the first in a minute");
        if is_bad {
            breaker.bad(&gate, at(3500, true));
        } else {
            breaker.undecided(&gate, at(3500, true));
        }
        assert_eq!(gate.get(), Position::Open { until: Micros::from_millis(63_200) }, "bad: {is_bad}");
    }
}

#[test]
fn a_good_trial_overrules_a_refusal_of_an_old_attempt() {
    let (mut breaker, gate) = open();
    take(&gate, Micros::from_millis(3000));
    breaker.refused(&gate, at(3200, false), Cause::Credentials);
    breaker.token(&gate, at(3500, true), || true);
    take(&gate, Micros::from_millis(3600));
    assert_eq!(breaker.token(&gate, at(3600, true), || true), Change::Closed);
}

#[test]
fn answers_to_attempts_sent_before_it_opened_do_not_close_it() {
    let (mut breaker, gate) = open();
    for _ in 0..5 {
        let old = Evidence { sent: Micros::from_millis(500), ..at(1100, false) };
        assert_eq!(breaker.token(&gate, old, || true), Change::None);
    }
    assert_ne!(gate.get(), Position::Closed);
}

#[test]
fn a_refused_key_keeps_it_out_for_a_minute() {
    let (mut breaker, gate) = (Breaker::new(), Gate::default());
    breaker.refused(&gate, at(1000, false), Cause::Credentials);
    assert_eq!(gate.get().remaining(Micros::from_millis(1000)), Micros::from_millis(60_000));
    assert_eq!(breaker.cause(), Some(Cause::Credentials));
}
