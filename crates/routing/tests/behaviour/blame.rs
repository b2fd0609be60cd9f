//! Who is blamed for what.

use gateway_routing::{Cause, ChannelId, Kind, Micros, NoRoute, Outcome, SessionKey, State};

use crate::traffic::{World, channels, set};

#[test]
fn a_callers_error_never_blames_a_channel() {
    let mut world = World::of(&channels(&[1.0, 1.0]));
    world.run(10, 20, 0);
    let before = world.view(0);
    for _ in 0..100 {
        world.report(0, Kind::CallerError(400));
    }
    let after = world.view(0);
    assert_eq!((after.state, after.error_rate, after.blocked_ms), (State::Closed, before.error_rate, 0));
    assert!((after.h - before.h).abs() < 1e-9 && (after.latency_ms - before.latency_ms).abs() < 1e-6);
}

#[test]
fn a_client_that_leaves_never_blames_a_channel() {
    let mut world = World::of(&channels(&[1.0, 1.0]));
    world.run(10, 20, 0);
    world.settle();
    let before = world.view(0);
    for _ in 0..100 {
        let only = set(&[1]);
        let ticket = world.ask_without(&only).unwrap().ticket;
        world.sleep(10);
        ticket.finish(Outcome::of(Kind::Cancelled), world.now);
    }
    let after = world.view(0);
    assert_eq!((after.state, after.blocked_ms), (State::Closed, 0));
    assert!(after.error_rate <= before.error_rate && after.h >= before.h);
    assert!((after.latency_ms - before.latency_ms).abs() < 5.0, "leaving early says nothing of latency");
}

#[test]
fn a_dropped_ticket_frees_its_place() {
    let mut world = World::of(&channels(&[1.0]));
    let tickets: Vec<_> = (0..5).map(|_| world.ask(|_| ()).unwrap().ticket).collect();
    assert_eq!((world.view(0).inflight, world.view(0).waiting), (5, 5));
    drop(tickets);
    assert_eq!((world.view(0).inflight, world.view(0).waiting), (0, 0));
}

#[test]
fn cut_attempts_are_no_errors() {
    let mut world = World::of(&channels(&[1.0, 1.0]));
    for _ in 0..50 {
        world.report(0, Kind::Cut);
    }
    let view = world.view(0);
    assert_eq!((view.error_rate, view.state), (0.0, State::Closed));
}

#[test]
fn failing_fast_does_not_look_fast() {
    let mut world = World::of(&channels(&[1.0, 1.0]));
    world.run(20, 20, 0);
    let before = world.view(0).latency_ms;
    for _ in 0..3 {
        world.report(0, Kind::ServerError(500));
    }
    assert!(world.view(0).latency_ms >= before - 1e-6);
    assert!(world.view(0).error_rate > 0.1);
}

#[test]
fn a_refused_key_takes_the_channel_out_for_a_minute() {
    let mut world = World::of(&channels(&[1.0, 1.0]));
    world.report(0, Kind::Credentials);
    let view = world.view(0);
    assert_eq!((view.state, view.cause), (State::Open, Some(Cause::Credentials)));
    assert_eq!(view.open_ms, 60_000);
    assert!(view.error_rate.abs() < 1e-9, "it is no failure");
}

#[test]
fn a_rate_limit_is_no_error_and_passes() {
    let mut world = World::of(&channels(&[1.0, 1.0]));
    let limited = Outcome { retry_after: Some(Micros::from_millis(7000)), ..Outcome::of(Kind::RateLimited) };
    world.report_with(0, limited);
    assert_eq!((world.view(0).blocked_ms, world.view(0).error_rate), (7000, 0.0));
    for session in 0..50 {
        let decision = world.ask(|r| r.session = Some(SessionKey(session))).unwrap();
        assert_eq!(decision.channel.0, 1);
        decision.ticket.finish(Outcome::of(Kind::Ok), world.now);
    }
    world.sleep(7000);
    let spread: Vec<_> =
        (0..50).map(|key| world.ask(|r| r.session = Some(SessionKey(key))).unwrap().channel.0).collect();
    assert!(spread.contains(&0));
}

#[test]
fn refusals_that_go_on_move_sessions_for_good_and_not_to_and_fro() {
    // The first channel lets in four a second; its sessions ask for ten.
    let mut world = World::of(&channels(&[1.0, 1.0]));
    let (mut allowance, mut at) = (4.0_f64, world.now);
    let mut moves = 0;
    let mut last = std::collections::BTreeMap::new();
    for i in 0..4000_u64 {
        world.sleep(50);
        let key = i % 300;
        let decision = world
            .ask(|r| r.session = Some(SessionKey(gateway_routing::stable_hash(&key.to_le_bytes()))))
            .unwrap();
        allowance = (allowance + 4.0 * world.now.since(at).seconds()).min(4.0);
        at = world.now;
        let refused = decision.channel.0 == 0 && allowance < 1.0;
        if decision.channel.0 == 0 && !refused {
            allowance -= 1.0;
        }
        if i >= 2000 {
            moves += u32::from(last.insert(key, decision.channel).is_some_and(|was| was != decision.channel));
        }
        let kind = if refused { Kind::RateLimited } else { Kind::Ok };
        decision.ticket.finish(Outcome::of(kind), world.now);
    }
    let view = world.view(0);
    assert!(view.refused > 0.02 && view.refused < 0.15 && view.f_load < 0.85, "{view:?}");
    assert!(moves < 400, "of 1700 that could have moved: {moves}");
}

#[test]
fn an_overloaded_upstream_that_names_a_time_is_left_alone_until_then() {
    for status in [503, 529] {
        let mut world = World::of(&channels(&[1.0, 1.0]));
        let retry_after = Some(Micros::from_millis(3000));
        world.report_with(0, Outcome { retry_after, ..Outcome::of(Kind::ServerError(status)) });
        assert_eq!(world.view(0).blocked_ms, 3000);
        assert!(world.view(0).error_rate > 0.0, "and it is a failure");
    }
}

#[test]
fn when_all_are_rate_limited_the_first_to_return_says_when() {
    let mut world = World::of(&channels(&[1.0, 1.0]));
    for (id, millis) in [(0, 9000), (1, 4000)] {
        let retry_after = Some(Micros::from_millis(millis));
        world.report_with(id, Outcome { retry_after, ..Outcome::of(Kind::RateLimited) });
    }
    let retry_after = Micros::from_millis(4000);
    assert_eq!(world.ask(|_| ()).unwrap_err(), NoRoute::AllLimited { retry_after });
    let tried = set(&[1]);
    let retry_after = Micros::from_millis(9000);
    assert_eq!(world.ask_without(&tried).unwrap_err(), NoRoute::AllLimited { retry_after });
}

#[test]
fn where_nothing_is_well_a_rate_limited_channel_is_left_alone_all_the_same() {
    let mut world = World::of(&channels(&[10.0, 1.0]));
    for _ in 0..100 {
        world.report(0, Kind::Ok);
    }
    for _ in 0..24 {
        world.report(1, Kind::ServerError(500));
    }
    let wait = Some(Micros::from_millis(60_000));
    world.report_with(0, Outcome { retry_after: wait, ..Outcome::of(Kind::RateLimited) });
    for key in 0..50 {
        let decision = world.ask(|r| r.session = Some(SessionKey(key))).unwrap();
        assert_eq!((decision.channel, decision.panic), (ChannelId(1), true));
    }
}
