//! Mistakes that were made once while the algorithm was found, each with the test that would have caught it.
//!
//! Two more are beside what they concern: a limit that shrinks while the queue built earlier drains, and congestion
//! measured against the fleet alone (`limit.rs`); cut attempts counted as errors (`blame.rs`).

use std::time::Duration;

use gateway_routing::{Kind, Outcome, SessionKey};

use crate::traffic::{Manner, World, channels, percent};

#[test]
fn shares_come_back_after_a_brownout_and_stay() {
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
fn many_channels_in_bad_health_cost_no_more_than_in_proportion() {
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
