use gateway_routing::{
    BuildError, ChannelId, ChannelSpec, Kind, Micros, NoRoute, Outcome, Params, PolicyKind, Pool, Reason,
    SessionKey, State, stable_hash,
};

use crate::traffic::{Manner, World, channel, channels, set};

#[test]
fn one_channel_is_always_chosen_whatever_its_breaker_says() {
    let mut world = World::of(&channels(&[1.0]));
    for _ in 0..20 {
        let decision = world.ask(|_| ()).unwrap();
        assert_eq!(decision.reason, Reason::OnlyOne);
        world.sleep(100);
        decision.ticket.finish(Outcome::of(Kind::Connect), world.now);
    }
    assert_ne!(world.view(0).state, State::Closed);
    world.pool.set_admitted(ChannelId(0), false);
    assert!(world.ask(|_| ()).unwrap().panic);
}

#[test]
fn one_channel_recovers_on_its_own() {
    let mut world = World::of(&channels(&[1.0]));
    for kind in [Kind::Connect; 6].into_iter().chain([Kind::Ok; 2]) {
        let ticket = world.ask(|_| ()).unwrap().ticket;
        world.sleep(100);
        ticket.finish(Outcome::of(kind), world.now);
    }
    assert_eq!(world.view(0).state, State::Closed);
}

#[test]
fn a_drained_channel_is_chosen_by_nobody_not_even_in_panic() {
    let mut world = World::of(&channels(&[0.0, 1.0]));
    world.report(1, Kind::Credentials);
    world.pool.set_admitted(ChannelId(1), false);
    for session in 0..50 {
        let decision = world.ask(|r| {
            (r.session, r.pinned) = (Some(SessionKey(session)), Some(ChannelId(0)));
        });
        assert_eq!(decision.unwrap().channel, ChannelId(1));
    }
    assert_eq!(World::of(&channels(&[0.0])).ask(|_| ()).unwrap_err(), NoRoute::Empty);
    assert_eq!(World::of(&[]).ask(|_| ()).unwrap_err(), NoRoute::Empty);
}

#[test]
fn when_all_are_broken_the_least_bad_is_tried() {
    let mut world = World::of(&channels(&[1.0, 1.0, 1.0]));
    for id in 0..3 {
        for _ in 0..4 {
            world.report(id, Kind::Connect);
        }
    }
    world.pool.set_admitted(ChannelId(2), false);
    for session in 0..50 {
        let decision = world.ask(|r| r.session = Some(SessionKey(session))).unwrap();
        assert!(decision.panic && decision.reason == Reason::Panic);
        assert_ne!(decision.channel, ChannelId(2), "an outside verdict is the last to be ignored");
    }
    let tried = set(&[0, 1]);
    assert_eq!(
        world.ask_without(&tried).unwrap().channel,
        ChannelId(2),
        "but it is ignored when nothing is left"
    );
}

#[test]
fn a_pool_in_panic_recovers_from_what_it_tries() {
    let mut world = World::of(&channels(&[1.0, 1.0]));
    for id in 0..2 {
        for _ in 0..4 {
            world.report(id, Kind::Connect);
        }
    }
    world.run(2, 20, 0);
    assert!((0..2).all(|id| world.view(id).state == State::Closed), "{:?}", world.pool.views(world.now));
}

#[test]
fn a_request_that_has_tried_everything_is_told_so() {
    let mut world = World::of(&channels(&[1.0, 1.0, 0.0]));
    assert_eq!(world.ask_without(&set(&[0, 1])).unwrap_err(), NoRoute::AllExcluded);
}

#[test]
fn a_retry_goes_elsewhere_and_says_so() {
    let mut world = World::of(&channels(&[1.0, 1.0]));
    let tried = set(&[0]);
    let request = gateway_routing::Request {
        attempt: 1,
        session: Some(SessionKey(3)),
        ..crate::traffic::plain(&tried, true)
    };
    let decision = world.pool.decide(&request, world.now, 1).unwrap();
    assert_eq!((decision.channel, decision.reason), (ChannelId(1), Reason::Retry));
    world.sleep(1);
}

#[test]
fn impossible_configurations_are_refused_and_change_nothing() {
    let build = |specs: &[ChannelSpec], params| Pool::new(specs, PolicyKind::Adaptive, params).unwrap_err();
    for weight in [f64::NAN, f64::INFINITY, -1.0] {
        assert!(matches!(build(&[channel(0, weight)], Params::default()), BuildError::Weight { .. }));
    }
    assert_eq!(
        build(&[channel(0, 1.0), channel(0, 1.0)], Params::default()),
        BuildError::Twice(ChannelId(0))
    );
    let same = ChannelSpec { key64: channel(0, 1.0).key64, ..channel(1, 1.0) };
    let error = BuildError::SameKey(ChannelId(0), ChannelId(1));
    assert_eq!(build(&[channel(0, 1.0), same], Params::default()), error);
    let none = ChannelSpec { max_concurrency: Some(0), ..channel(0, 1.0) };
    assert_eq!(build(&[none], Params::default()), BuildError::NoConcurrency(ChannelId(0)));
    for slack in [0.9, f64::NAN] {
        let params = Params { slack, ..Params::default() };
        assert!(matches!(build(&channels(&[1.0]), params), BuildError::Slack(_)));
    }

    let world = World::of(&channels(&[1.0, 2.0]));
    let before = world.pool.views(world.now);
    world.pool.update(&[channel(0, f64::NAN)], PolicyKind::Weighted, Params::default()).unwrap_err();
    assert_eq!(world.pool.views(world.now), before);
}

#[test]
fn a_clock_that_stands_still_does_no_harm() {
    let mut world = World::of(&channels(&[1.0, 1.0]));
    for i in 0..500 {
        let mut ticket = world.ask(|r| r.session = Some(SessionKey(i))).unwrap().ticket;
        ticket.first_token(world.now);
        ticket.finish(Outcome::of(Kind::Ok), world.now);
    }
    let views = world.pool.views(world.now);
    assert!(
        views.iter().all(|view| view.h > 0.9 && view.latency_ms >= 1.0 && view.inflight == 0),
        "{views:?}"
    );
}

#[test]
fn a_clock_that_goes_back_does_no_harm() {
    let mut world = World::of(&channels(&[1.0, 1.0]));
    world.run(10, 20, 0);
    for step in 0..200_u64 {
        let mut ticket = world.ask(|r| r.session = Some(SessionKey(step))).unwrap().ticket;
        world.now = Micros(world.now.0.saturating_sub(7_000_000));
        ticket.first_token(world.now);
        ticket.finish(Outcome::of(Kind::Ok), world.now);
    }
    let view = world.view(0);
    assert!(view.state == State::Closed && view.h > 0.9 && view.latency_ms < 500.0, "{view:?}");
}

#[test]
fn a_channel_may_leave_and_come_back_with_attempts_out() {
    let mut world = World::of(&channels(&[1.0, 1.0]));
    let to_first = set(&[1]);
    let mut ticket = world.ask_without(&to_first).unwrap().ticket;
    let update = |world: &World, specs: &[ChannelSpec]| {
        world.pool.update(specs, PolicyKind::Adaptive, Params::default()).unwrap();
    };
    update(&world, &[channel(1, 1.0)]);
    assert_eq!(world.ask(|_| ()).unwrap().channel, ChannelId(1));
    world.sleep(100);
    ticket.first_token(world.now);
    update(&world, &channels(&[1.0, 1.0]));
    ticket.finish(Outcome::of(Kind::Ok), world.now);
    assert_eq!((world.view(0).inflight, world.view(0).waiting), (0, 0), "it comes back as a new channel");
}

#[test]
fn an_update_keeps_what_is_known_of_channels_that_stay() {
    let mut world = World::of(&channels(&[1.0, 1.0]));
    world.report(0, Kind::Credentials);
    let out = world.ask_without(&set(&[0])).unwrap();
    let next = [channel(0, 2.0), channel(1, 3.0), channel(2, 1.0)];
    world.pool.update(&next, PolicyKind::Weighted, Params::default()).unwrap();
    assert_eq!((world.view(0).state, world.view(0).weight), (State::Open, 2.0));
    assert_eq!(world.view(1).inflight, 1);
    drop(out);
    assert_eq!(world.view(1).inflight, 0);
}

#[test]
fn a_channel_that_joins_a_busy_pool_starts_slowly() {
    let mut world = World::of(&channels(&[1.0, 1.0]));
    let busy: Vec<_> = (0..30).map(|_| world.ask(|_| ()).unwrap().ticket).collect();
    world.pool.update(&channels(&[1.0, 1.0, 1.0]), PolicyKind::Adaptive, Params::default()).unwrap();
    assert_eq!((world.view(0).limit, world.view(2).limit), (None, Some(4.0)));
    drop(busy);
}

#[test]
fn when_all_are_slow_alike_nobody_is_penalised() {
    let mut world = World::of(&channels(&[2.0, 1.0, 1.0]));
    world.run(20, 20, 0);
    world.manners = vec![Manner::Answer(3000, 4000); 3];
    world.run(30, 5, 0);
    for id in 0..3 {
        let view = world.view(id);
        assert!(view.f_lat > 0.99 && view.state == State::Closed, "{view:?}");
    }
}

#[test]
fn a_pool_that_was_idle_for_long_starts_from_what_the_fleet_is_like() {
    let mut world = World::of(&channels(&[1.0, 1.0]));
    world.manners[0] = Manner::Answer(1500, 2500);
    world.run(20, 20, 0);
    world.settle();
    assert!(world.view(0).f_lat < 0.7);
    world.sleep(120_000);
    let view = world.view(0);
    assert!(view.f_lat > 0.99 && view.error_rate < 1e-3, "what is known fades: {view:?}");
}

#[test]
fn a_channel_whose_weight_grows_takes_sessions_and_nobody_else_moves() {
    let before = World::of(&channels(&[1.0, 1.0, 1.0]));
    let after = World::of(&channels(&[1.0, 2.0, 1.0]));
    let home = |world: &World, key| world.explain(|r| r.session = Some(SessionKey(key))).home.unwrap();
    let mut moved = 0;
    for key in 0..2000_u64 {
        let key = stable_hash(&key.to_le_bytes());
        let (was, is) = (home(&before, key), home(&after, key));
        assert!(was == is || is == ChannelId(1));
        moved += u32::from(was != is);
    }
    assert!(moved.abs_diff(333) < 70, "from a third to a half: {moved}");
}

#[test]
fn many_channels_still_serve_by_weight() {
    let weights: Vec<f64> = (0..200).map(|i| if i < 100 { 3.0 } else { 1.0 }).collect();
    let mut world = World::of(&channels(&weights));
    let mut heavy = 0;
    for session in 0..4000_u64 {
        let key = SessionKey(stable_hash(&session.to_le_bytes()));
        let decision = world.ask(|r| r.session = Some(key)).unwrap();
        heavy += u32::from(decision.channel.0 < 100);
        world.sleep(1);
        decision.ticket.finish(Outcome::of(Kind::Ok), world.now);
    }
    assert!(heavy.abs_diff(3000) < 120, "three quarters: {heavy}");
}
