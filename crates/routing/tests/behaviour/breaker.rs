use gateway_routing::{
    ChannelId, Kind, Micros, Outcome, Params, PolicyKind, Pool, Reason, SessionKey, State,
};

use crate::traffic::{Manner, World, channel, channels, percent};

/// Two channels of which the first has failed until its breaker opened.
fn with_open() -> World {
    let mut world = World::of(&channels(&[1.0, 1.0]));
    world.run(5, 20, 0);
    let settled = world.now.after(Micros::from_millis(5000));
    world.settle_until(settled);
    for _ in 0..4 {
        world.report(0, Kind::Connect);
    }
    assert_eq!(world.view(0).state, State::Open);
    world
}

/// A session that is at home at the first channel.
fn at_home(world: &World) -> SessionKey {
    (0..1000)
        .map(SessionKey)
        .find(|key| world.explain(|r| r.session = Some(*key)).home == Some(ChannelId(0)))
        .unwrap()
}

#[test]
fn an_open_channel_gets_nothing_until_its_time_has_passed() {
    let mut world = with_open();
    let key = at_home(&world);
    for _ in 0..40 {
        let decision = world.ask(|r| r.session = Some(key)).unwrap();
        assert_eq!((decision.channel, decision.reason), (ChannelId(1), Reason::Spill));
        world.sleep(19);
    }
}

#[test]
fn the_first_request_at_home_tries_it_and_one_at_a_time() {
    let mut world = with_open();
    let key = at_home(&world);
    world.sleep(1300);
    let trial = world.ask(|r| r.session = Some(key)).unwrap();
    assert_eq!((trial.channel, trial.reason, trial.probe), (ChannelId(0), Reason::Probe, true));
    assert_eq!(
        trial.first_token_deadline,
        Some(Micros::from_seconds(2.5 * 0.4).max(Micros::from_millis(800)))
    );
    let next = world.ask(|r| r.session = Some(key)).unwrap();
    assert_eq!((next.channel, next.probe), (ChannelId(1), false));
}

#[test]
fn a_trial_that_hangs_does_not_keep_a_channel_out_that_is_well_again() {
    let mut world = with_open();
    let key = at_home(&world);
    world.streaming = false;
    world.sleep(1300);
    let hangs = world.ask(|r| r.session = Some(key)).unwrap();
    assert!(hangs.probe);
    world.run(60, 20, 300);
    assert_eq!(world.view(0).state, State::Closed);
}

#[test]
fn a_trial_is_decided_by_its_first_token() {
    let mut world = with_open();
    let key = at_home(&world);
    world.sleep(1300);
    let mut trials = Vec::new();
    for _ in 0..2 {
        let mut trial = world.ask(|r| r.session = Some(key)).unwrap();
        assert!(trial.probe);
        world.sleep(300);
        trial.ticket.first_token(world.now);
        trials.push(trial.ticket);
    }
    assert_eq!(world.view(0).state, State::Closed, "both streams go on");
    for ticket in trials {
        ticket.finish(Outcome::of(Kind::BrokenStream), world.now);
    }
    assert_eq!(world.view(0).state, State::Closed, "what breaks later is no trial's verdict");
}

#[test]
fn a_slow_first_token_is_a_bad_trial() {
    let mut world = with_open();
    let key = at_home(&world);
    world.sleep(1300);
    let mut trial = world.ask(|r| r.session = Some(key)).unwrap();
    world.sleep(9000);
    trial.ticket.first_token(world.now);
    assert_eq!(world.view(0).state, State::Open);
}

#[test]
fn streams_that_end_well_after_the_outage_began_do_not_hide_it() {
    let mut world = World::of(&channels(&[1.0, 1.0]));
    let only = crate::traffic::set(&[1]);
    let mut streams = Vec::new();
    for _ in 0..6 {
        let mut ticket = world.ask_without(&only).unwrap().ticket;
        ticket.first_token(world.now);
        streams.push(ticket);
    }
    for stream in streams.into_iter().take(4) {
        world.sleep(50);
        stream.finish(Outcome::of(Kind::Ok), world.now);
        world.report(0, Kind::Connect);
    }
    assert_eq!(world.view(0).state, State::Open);
}

#[test]
fn a_retry_never_is_a_trial() {
    let mut world = with_open();
    let key = at_home(&world);
    world.sleep(60_000);
    for _ in 0..100 {
        let decision = world.ask(|r| (r.session, r.attempt) = (Some(key), 1)).unwrap();
        assert!(!decision.probe && decision.channel == ChannelId(1));
    }
}

#[test]
fn when_nobody_is_at_home_any_request_tries_it_after_two_seconds() {
    let mut world = with_open();
    let elsewhere = (0..1000)
        .map(SessionKey)
        .find(|key| world.explain(|r| r.session = Some(*key)).home == Some(ChannelId(1)))
        .unwrap();
    world.sleep(2000);
    assert!(!world.ask(|r| r.session = Some(elsewhere)).unwrap().probe);
    world.sleep(1300);
    assert!(world.ask(|r| r.session = Some(elsewhere)).unwrap().probe);
}

#[test]
fn a_session_with_a_channel_is_spared_trials_for_ten_seconds() {
    let mut world = with_open();
    let key = at_home(&world);
    let pinned = |r: &mut gateway_routing::Request<'_>| {
        (r.session, r.pinned) = (Some(key), Some(ChannelId(1)));
    };
    world.sleep(8000);
    assert_eq!(world.ask(pinned).unwrap().reason, Reason::Pinned);
    world.sleep(4000);
    assert!(world.ask(pinned).unwrap().probe, "but somebody must");
}

#[test]
fn a_recovered_channel_returns_by_slow_start() {
    let mut world = World::of(&channels(&[1.0, 1.0]));
    world.run(20, 40, 400);
    world.manners[0] = Manner::Fail(Kind::Connect, 40);
    world.run(20, 40, 400);
    assert_ne!(world.view(0).state, State::Closed);
    world.manners[0] = Manner::Answer(400, 1400);
    let mut closed_at = None;
    for second in 0..20 {
        world.run(1, 40, 400);
        if closed_at.is_none() && world.view(0).state == State::Closed {
            closed_at = Some(second);
            let limit = world.view(0).limit.expect("it begins with a limit");
            assert!(limit < 30.0, "{limit}");
        }
    }
    assert!(closed_at.is_some_and(|second| second <= 15), "{closed_at:?}");
    let counts = world.run(10, 40, 400);
    assert!(percent(&counts, 0) > 40.0, "{counts:?}");
}

#[test]
fn attempts_from_before_the_recovery_say_nothing_of_it() {
    let mut world = World::of(&channels(&[1.0, 1.0]));
    world.run(10, 40, 0);
    world.manners[0] = Manner::Hang(30_000);
    world.run(10, 40, 0);
    world.manners[0] = Manner::Answer(400, 1400);
    // The hanging attempts end, badly, while the channel is well again.
    world.run(30, 40, 0);
    assert_eq!(world.view(0).state, State::Closed);
    let counts = world.run(10, 40, 0);
    assert!(percent(&counts, 0) > 40.0, "{counts:?}");
}

#[test]
fn trials_are_rationed() {
    let mut world = World::of(&(0..20).map(|id| channel(id, 1.0)).collect::<Vec<_>>());
    world.manners = vec![Manner::Fail(Kind::Connect, 20); 20];
    world.manners[0] = Manner::Answer(400, 1400);
    world.run(20, 100, 0);
    let mut trials = 0;
    for session in 0..1000 {
        let decision = world.ask(|r| r.session = Some(SessionKey(session))).unwrap();
        trials += u32::from(decision.probe);
        let kind = if decision.channel == ChannelId(0) { Kind::Ok } else { Kind::Connect };
        world.sleep(10);
        decision.ticket.finish(Outcome::of(kind), world.now);
    }
    assert!(trials <= 24, "2 % of a thousand, and a burst: {trials}");
}

#[test]
fn two_replicas_do_not_try_at_the_same_moment() {
    let opened = |seed: u64| {
        let pool = std::sync::Arc::new(
            Pool::new(&channels(&[1.0, 1.0]), PolicyKind::Adaptive, Params::default()).unwrap(),
        );
        let excluded = crate::traffic::set(&[1]);
        for i in 0..4 {
            let request = crate::traffic::plain(&excluded, true);
            let ticket = pool.decide(&request, Micros(1), seed + i).unwrap().ticket;
            ticket.finish(Outcome::of(Kind::Connect), Micros(1));
        }
        pool.views(Micros(1))[0].open_ms
    };
    let times: Vec<_> = (0..8).map(|replica| opened(replica * 1000)).collect();
    assert!(times.iter().all(|time| (800..=1200).contains(time)), "{times:?}");
    assert!(times.iter().collect::<std::collections::BTreeSet<_>>().len() > 4, "{times:?}");
}
