use gateway_routing::{ChannelId, Kind, Micros, Outcome, Params, PolicyKind, Reason};

use crate::traffic::{Manner, World, channels, percent, set};

fn world(policy: PolicyKind, weights: &[f64]) -> World {
    World::with(&channels(weights), policy, Params::default())
}

#[test]
fn weighted_draws_by_weight_whatever_the_channels_do() {
    let mut world = world(PolicyKind::Weighted, &[10.0, 30.0]);
    world.manners[1] = Manner::Answer(3000, 4000);
    let counts = world.run(100, 40, 0);
    assert!((percent(&counts, 0) - 25.0).abs() < 3.0, "{counts:?}");
}

#[test]
fn weighted_score_moves_traffic_from_slow_and_failing_channels() {
    let mut slow = world(PolicyKind::WeightedScore, &[1.0, 1.0]);
    slow.manners = vec![Manner::Answer(3000, 4000), Manner::Answer(1000, 2000)];
    slow.run(30, 20, 0);
    let counts = slow.run(100, 20, 0);
    assert!((percent(&counts, 0) - 33.3).abs() < 5.0, "1/(1+3) to 1/(1+1): {counts:?}");

    let mut failing = world(PolicyKind::WeightedScore, &[1.0, 1.0]);
    for _ in 0..3 {
        failing.report(0, Kind::ServerError(500));
    }
    let first = (0..600).filter(|_| failing.ask(|_| ()).unwrap().channel == ChannelId(0)).count();
    assert!(first < 270, "{first} of 600");
}

#[test]
fn least_inflight_fills_channels_in_proportion_to_their_weights() {
    let mut world = world(PolicyKind::LeastInflight, &[1.0, 3.0]);
    let tickets: Vec<_> = (0..40).map(|_| world.ask(|_| ()).unwrap().ticket).collect();
    assert_eq!((world.view(0).inflight, world.view(1).inflight), (10, 30));
    drop(tickets);
}

#[test]
fn round_robin_takes_turns_among_those_that_may_serve() {
    let mut world = world(PolicyKind::RoundRobin, &[1.0, 9.0, 0.0, 1.0]);
    let turns: Vec<_> = (0..6).map(|_| world.ask(|_| ()).unwrap().channel.0).collect();
    assert_eq!(turns, [0, 1, 3, 0, 1, 3]);
}

#[test]
fn every_policy_keeps_out_what_must_not_be_chosen() {
    for policy in PolicyKind::ALL {
        // 0 is drained, 1 tried, 2 rate limited, 3 unwell, 4 broken, 5 is left.
        let mut world = world(policy, &[0.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
        world.run(5, 20, 0);
        let retry_after = Some(Micros::from_millis(30_000));
        world.report_with(2, Outcome { retry_after, ..Outcome::of(Kind::RateLimited) });
        world.pool.set_admitted(ChannelId(3), false);
        world.report(4, Kind::Credentials);
        let tried = set(&[1]);
        for _ in 0..100 {
            let decision = world.ask_without(&tried).unwrap();
            assert_eq!((decision.channel, decision.panic), (ChannelId(5), false), "{policy}");
        }
    }
}

#[test]
fn every_policy_stays_with_the_pinned_channel_while_it_may_serve() {
    for policy in PolicyKind::ALL {
        let mut world = world(policy, &[1.0, 1.0, 1.0]);
        for _ in 0..20 {
            let decision = world.ask(|r| r.pinned = Some(ChannelId(1))).unwrap();
            assert_eq!((decision.channel, decision.reason), (ChannelId(1), Reason::Pinned), "{policy}");
            world.sleep(10);
            decision.ticket.finish(Outcome::of(Kind::Ok), world.now);
        }
        world.report(1, Kind::Credentials);
        assert_ne!(world.ask(|r| r.pinned = Some(ChannelId(1))).unwrap().channel, ChannelId(1), "{policy}");
    }
}

#[test]
fn only_the_adaptive_policy_gives_deadlines_and_judges_latency() {
    for policy in PolicyKind::ALL {
        let adaptive = policy == PolicyKind::Adaptive;
        let mut world = world(policy, &[1.0, 1.0]);
        world.run(10, 20, 0);
        assert_eq!(world.ask(|_| ()).unwrap().first_token_deadline.is_some(), adaptive, "{policy}");
        world.manners[0] = Manner::Hang(60_000);
        world.run(10, 40, 300);
        assert_eq!(world.view(0).cause.is_some(), adaptive, "{policy}");
    }
}
