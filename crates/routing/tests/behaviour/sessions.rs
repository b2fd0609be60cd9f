use gateway_routing::{ChannelId, Kind, Outcome, Params, PolicyKind, Reason, SessionKey, stable_hash};

use crate::traffic::{World, channel, channels, percent, set};

/// Where each of so many sessions goes, one request at a time.
fn homes(world: &mut World, sessions: u64) -> Vec<ChannelId> {
    (0..sessions)
        .map(|session| {
            let key = SessionKey(stable_hash(&session.to_le_bytes()));
            let decision = world.ask(|r| r.session = Some(key)).unwrap();
            world.sleep(1);
            decision.ticket.finish(Outcome::of(Kind::Ok), world.now);
            decision.channel
        })
        .collect()
}

fn share(homes: &[ChannelId], id: i64) -> f64 {
    let one = homes.iter().filter(|home| home.0 == id).count();
    100.0 * f64::from(u32::try_from(one).unwrap()) / f64::from(u32::try_from(homes.len()).unwrap())
}

#[test]
fn sessions_are_shared_out_by_weight() {
    let mut world = World::of(&channels(&[10.0, 30.0]));
    let homes = homes(&mut world, 4000);
    assert!((share(&homes, 0) - 25.0).abs() < 3.0, "{}", share(&homes, 0));
}

#[test]
fn a_session_stays_where_it_is() {
    let mut world = World::of(&channels(&[10.0, 30.0]));
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..1000 {
        let decision = world.ask(|r| r.session = Some(SessionKey(42))).unwrap();
        assert_eq!(decision.reason, Reason::Home);
        seen.insert(decision.channel.0);
        world.sleep(20);
        decision.ticket.finish(Outcome::of(Kind::Ok), world.now);
    }
    assert_eq!(seen.len(), 1);
}

#[test]
fn a_request_without_a_session_is_drawn_by_weight() {
    let mut world = World::of(&channels(&[10.0, 30.0]));
    let counts = world.run(100, 40, 0);
    assert!((percent(&counts, 0) - 25.0).abs() < 3.0, "{counts:?}");
}

#[test]
fn a_channel_that_joins_takes_only_its_share_of_sessions() {
    let before = homes(&mut World::of(&channels(&[10.0, 10.0, 10.0])), 3000);
    let after = homes(&mut World::of(&channels(&[10.0, 10.0, 10.0, 10.0])), 3000);
    let moved: Vec<_> = before.iter().zip(&after).filter(|(before, after)| before != after).collect();
    assert!(moved.iter().all(|(_, after)| after.0 == 3), "whoever moves, moves to the new channel");
    assert!((650..850).contains(&moved.len()), "a quarter of them: {}", moved.len());
}

#[test]
fn replicas_agree_without_talking_and_the_order_of_channels_does_not_matter() {
    let forth = [channel(0, 3.0), channel(1, 2.0), channel(2, 1.0)];
    let back = [channel(2, 1.0), channel(1, 2.0), channel(0, 3.0)];
    assert_eq!(homes(&mut World::of(&forth), 500), homes(&mut World::of(&back), 500));
}

#[test]
fn the_pinned_channel_comes_before_the_home_while_it_is_well() {
    let mut world = World::of(&channels(&[1.0, 1.0]));
    let key = Some(SessionKey(1));
    let home = world.ask(|r| r.session = key).unwrap().channel;
    let other = ChannelId(1 - home.0);
    let decision = |world: &mut World, pin| {
        let decision = world.ask(|r| (r.session, r.pinned) = (key, Some(pin))).unwrap();
        (decision.channel, decision.reason)
    };
    assert_eq!(decision(&mut world, other), (other, Reason::Pinned));
    assert_eq!(decision(&mut world, home), (home, Reason::Home));
    world.pool.set_admitted(other, false);
    assert_eq!(decision(&mut world, other), (home, Reason::Home));
}

#[test]
fn a_session_whose_home_fails_spills_to_one_other_channel_and_comes_back() {
    let mut world = World::of(&channels(&[1.0, 1.0, 1.0]));
    let key = Some(SessionKey(1));
    let home = world.ask(|r| r.session = key).unwrap().channel;
    world.pool.set_admitted(home, false);
    let spills: Vec<_> = (0..20).map(|_| world.ask(|r| r.session = key).unwrap()).collect();
    assert!(spills.iter().all(|spill| spill.reason == Reason::Spill && spill.channel == spills[0].channel));
    drop(spills);
    world.pool.set_admitted(home, true);
    assert_eq!(world.ask(|r| r.session = key).unwrap().channel, home);
}

#[test]
fn without_stickiness_keys_and_pins_do_not_matter() {
    let params = Params { sticky: false, ..Params::default() };
    let mut world = World::with(&channels(&[1.0, 1.0]), PolicyKind::Adaptive, params);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..50 {
        let pinned = |r: &mut gateway_routing::Request<'_>| {
            (r.session, r.pinned) = (Some(SessionKey(1)), Some(ChannelId(0)));
        };
        let decision = world.ask(pinned).unwrap();
        assert_eq!(decision.reason, Reason::Keyless);
        seen.insert(decision.channel);
    }
    assert_eq!(seen.len(), 2);
}

#[test]
fn a_filter_leaves_only_its_channels() {
    let mut world = World::of(&channels(&[1.0, 1.0, 1.0]));
    let only = set(&[0, 2]);
    for session in 0..200 {
        let none = gateway_routing::ChannelSet::new();
        let request = gateway_routing::Request {
            session: Some(SessionKey(session)),
            filter: Some(&only),
            ..crate::traffic::plain(&none, true)
        };
        let decision = world.pool.decide(&request, world.now, session).unwrap();
        assert_ne!(decision.channel, ChannelId(1));
        world.sleep(1);
    }
}
