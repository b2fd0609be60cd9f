//! Mistakes that were made once while the algorithm was found, each with the test that would have caught it.

use std::time::Duration;

use gateway_routing::{Kind, Outcome, SessionKey, State};

use crate::traffic::{Manner, World, channels, percent};

#[test]
fn trap_a_shares_come_back_after_a_brownout_and_stay() {
    // A learned multiplier on the weight swung up and down after each brownout and took the pool with it.
    let mut world = World::of(&channels(&[4.0, 3.0, 2.0, 1.0]));
    world.run(20, 40, 400);
    world.manners[0] = Manner::Answer(4000, 9000);
    world.run(30, 40, 400);
    world.manners[0] = Manner::Answer(400, 1400);
    world.run(70, 40, 400);
    for _ in 0..6 {
        let counts = world.run(10, 40, 400);
        for (place, expected) in [40.0, 30.0, 20.0, 10.0].into_iter().enumerate() {
            let share = percent(&counts, place);
            assert!((share - expected).abs() < 7.0, "{share} instead of {expected}: {counts:?}");
        }
    }
}

#[test]
fn trap_b_a_limit_steps_down_once_per_round_trip_while_the_queue_drains() {
    // Stepping again on the evidence of the queue that the first step is for starved the channel.
    let mut world = World::of(&channels(&[1.0, 1.0]));
    world.run(20, 40, 0);
    world.manners[0] = Manner::Answer(1500, 2500);
    let (mut before, mut stepped_at, mut steps) = (f64::INFINITY, None, 0);
    for _ in 0..160 {
        let inflight = f64::from(world.view(0).inflight);
        world.run(1, 10, 0);
        let limit = world.view(0).limit.unwrap_or(f64::INFINITY);
        if limit < before - 1e-9 {
            let since = stepped_at.map_or(f64::INFINITY, |at| world.now.since(at).seconds());
            assert!(since >= 1.0, "two steps within {since} s");
            assert!(
                limit >= (0.7 * before.min(inflight)).max(3.0) - 1e-9,
                "{before} to {limit}, {inflight} in flight"
            );
            (stepped_at, steps) = (Some(world.now), steps + 1);
        }
        before = limit;
    }
    assert!(steps > 0, "it is congested against its own past");
}

#[test]
fn trap_c_congestion_of_the_whole_fleet_is_congestion() {
    // Measured against a fleet that is congested too nobody is, and at nine tenths of capacity that state holds itself.
    let mut world = World::of(&channels(&[1.0, 1.0]));
    world.run(20, 60, 0);
    world.manners = vec![Manner::Answer(1600, 2600); 2];
    world.run(10, 60, 0);
    for id in 0..2 {
        let view = world.view(id);
        assert!((view.f_lat - 1.0).abs() < 1e-9, "nobody is slower than the others: {view:?}");
        assert!(
            view.limit.is_some_and(|limit| limit < 100.0),
            "but both are slower than they were: {view:?}"
        );
    }
}

#[test]
fn trap_d_cut_attempts_are_no_errors() {
    // They were: then a channel under load looked broken, and the next was under load.
    let mut world = World::of(&channels(&[1.0, 1.0]));
    world.run(10, 20, 0);
    let before = world.view(0).error_rate;
    for _ in 0..50 {
        world.report(0, Kind::Cut);
    }
    let view = world.view(0);
    assert!(view.error_rate <= before && view.state == State::Closed, "{view:?}");
}

#[test]
fn trap_e_many_channels_in_bad_health_cost_no_more_than_in_proportion() {
    // The walk that looked for the next channel by going through all of them each time took 16 µs at 64 channels.
    let cost = |n: u16| {
        let mut world = World::of(&channels(&vec![1.0; usize::from(n)]));
        for id in 0..i64::from(n) {
            for kind in [Kind::ServerError(500), Kind::ServerError(500), Kind::CallerError(400)] {
                world.report(id, kind);
            }
            let seen = world.view(id);
            assert!(seen.f_err < 0.31, "{seen:?}");
        }
        // Rounds short enough that some of them are not interrupted on a busy machine.
        (0..200).map(|round| timed(&mut world, round)).min().unwrap()
    };
    let (few, many) = (cost(4), cost(64));
    assert!(many < 40 * few, "16 times as many channels: {few:?} became {many:?}");
}

/// How long twenty decisions take, here and now.
#[expect(clippy::disallowed_methods, reason = "what is measured is the machine, not the pool")]
fn timed(world: &mut World, round: u64) -> Duration {
    let start = std::time::Instant::now();
    for i in 0..20 {
        let ticket = world.ask(|r| r.session = Some(SessionKey(20 * round + i))).unwrap().ticket;
        ticket.finish(Outcome::of(Kind::CallerError(400)), world.now);
    }
    start.elapsed()
}

#[test]
fn a_queue_at_a_small_channel_with_a_large_weight_is_learned() {
    // Equal weights, unequal capacity: only a learned limit tells the small channel's share from its weight.
    let mut world = World::of(&channels(&[1.0, 1.0]));
    world.run(20, 40, 0);
    let mut shares = Vec::new();
    for _ in 0..60 {
        let queue = u64::from(world.view(0).inflight.saturating_sub(20)) * 70;
        world.manners[0] = Manner::Answer(400 + queue, 1900 + queue);
        shares.push(percent(&world.run(1, 40, 0), 0));
    }
    let late: f64 = shares.iter().skip(30).sum::<f64>() / 30.0;
    assert!((20.0..48.0).contains(&late), "{late}");
}
