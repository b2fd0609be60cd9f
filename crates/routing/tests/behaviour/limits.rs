//! Configured concurrency, and tiers.

use gateway_routing::{
    ChannelId, ChannelSpec, Kind, Micros, NoRoute, Outcome, PolicyKind, Reason, SessionKey, Verdict,
};

use crate::traffic::{World, channel, channels};

fn capped(id: i64, max: u32) -> ChannelSpec {
    ChannelSpec { max_concurrency: Some(max), ..channel(id, 1.0) }
}

#[test]
fn configured_concurrency_is_never_exceeded() {
    let mut world = World::of(&[capped(0, 3), capped(1, 5)]);
    let tickets: Vec<_> = (0..8).map(|_| world.ask(|_| ()).unwrap().ticket).collect();
    assert_eq!((world.view(0).inflight, world.view(1).inflight), (3, 5));
    let full = vec![(ChannelId(0), Verdict::Full), (ChannelId(1), Verdict::Full)];
    assert_eq!(world.ask(|_| ()).unwrap_err(), NoRoute::Unavailable { exclusions: full });
    drop(tickets);
    assert!(world.ask(|_| ()).is_ok());
}

#[test]
fn the_only_channel_is_refused_too_when_it_is_full() {
    let mut world = World::of(&[capped(0, 1)]);
    let ticket = world.ask(|_| ()).unwrap().ticket;
    assert!(matches!(world.ask(|_| ()).unwrap_err(), NoRoute::Unavailable { .. }));
    drop(ticket);
    assert_eq!(world.ask(|_| ()).unwrap().reason, Reason::OnlyOne);
}

/// Two channels in the first tier, one behind them.
fn tiered() -> World {
    World::of(&[channel(0, 1.0), channel(1, 1.0), ChannelSpec { tier: 1, ..channel(2, 5.0) }])
}

#[test]
fn the_second_tier_gets_nothing_while_the_first_accepts() {
    let mut world = tiered();
    for session in 0..200 {
        let decision = world.ask(|r| r.session = Some(SessionKey(session))).unwrap();
        assert_ne!(decision.channel, ChannelId(2));
        world.sleep(10);
        decision.ticket.finish(Outcome::of(Kind::Ok), world.now);
    }
}

#[test]
fn the_second_tier_serves_when_the_first_cannot() {
    for policy in PolicyKind::ALL {
        let specs = [channel(0, 1.0), channel(1, 1.0), ChannelSpec { tier: 1, ..channel(2, 5.0) }];
        let mut world = World::with(&specs, policy, gateway_routing::Params::default());
        world.pool.set_admitted(ChannelId(0), false);
        let retry_after = Some(Micros::from_millis(5000));
        world.report_with(1, Outcome { retry_after, ..Outcome::of(Kind::RateLimited) });
        let decision = world.ask(|_| ()).unwrap();
        assert_eq!((decision.channel, decision.panic), (ChannelId(2), false), "{policy}");
    }
}

#[test]
fn a_session_comes_back_from_the_second_tier() {
    let mut world = tiered();
    let asked = |r: &mut gateway_routing::Request<'_>| {
        (r.session, r.pinned) = (Some(SessionKey(5)), Some(ChannelId(2)));
    };
    world.pool.set_admitted(ChannelId(0), false);
    world.pool.set_admitted(ChannelId(1), false);
    assert_eq!(world.ask(asked).unwrap().reason, Reason::Pinned);
    world.pool.set_admitted(ChannelId(0), true);
    assert_eq!(world.ask(asked).unwrap().channel, ChannelId(0), "its pin is in a tier that rests again");
}

#[test]
fn one_hot_session_spreads_when_it_is_far_more_than_its_channels_share() {
    let mut spread = 0;
    for session in 0..20 {
        let mut world = World::of(&channels(&[1.0; 4]));
        let hot = |world: &mut World| world.ask(|r| r.session = Some(SessionKey(session))).unwrap().ticket;
        let tickets: Vec<_> = (0..80).map(|_| hot(&mut world)).collect();
        spread += u32::from((0..4).all(|id| world.view(id).inflight < 60));
        drop(tickets);
    }
    assert!(spread >= 5, "those that are the quicker to leave: {spread}");
}
