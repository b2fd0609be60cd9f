//! What a decision tells besides the channel, and what a view tells of shares.

use gateway_routing::{
    Cause, ChannelId, ChannelSpec, Kind, Micros, Outcome, Params, PolicyKind, Reason, SessionKey, State,
};

use crate::traffic::{Manner, World, channel, channels, percent};

#[test]
fn a_decision_tells_the_home_also_when_it_is_not_taken() {
    let mut world = World::of(&channels(&[1.0, 1.0, 1.0]));
    for key in (0..30).map(SessionKey) {
        let home = world.explain(|r| r.session = Some(key)).home;
        let decision = world.ask(|r| r.session = Some(key)).unwrap();
        assert_eq!((Some(decision.channel), decision.home), (home, home));
        let elsewhere = ChannelId((decision.channel.0 + 1) % 3);
        let pinned = world.ask(|r| (r.session, r.pinned) = (Some(key), Some(elsewhere))).unwrap();
        assert_eq!((pinned.channel, pinned.reason, pinned.home), (elsewhere, Reason::Pinned, home));
    }
    assert_eq!(world.ask(|_| ()).unwrap().home, None, "no session, no home");
}

#[test]
fn a_decision_tells_the_health_that_its_account_shows() {
    let mut world = World::of(&channels(&[1.0, 1.0]));
    world.manners[0] = Manner::Answer(1300, 2000);
    world.run(20, 30, 300);
    for key in (0..40).map(SessionKey) {
        let account = world.explain(|r| r.session = Some(key));
        let decision = world.ask(|r| r.session = Some(key)).unwrap();
        let shown = account.candidates.iter().find(|candidate| candidate.id == decision.channel).unwrap();
        assert!((decision.health - shown.h).abs() < 1e-12, "{decision:?}");
    }
    let only = World::of(&channels(&[1.0])).ask(|_| ()).unwrap();
    assert!((only.health - 1.0).abs() < 1e-12);
}

#[test]
fn what_is_late_is_learned_for_each_kind_of_answer_with_every_policy() {
    for policy in PolicyKind::ALL {
        let mut world = World::with(&channels(&[1.0, 1.0]), policy, Params::default());
        assert_eq!(world.ask(|_| ()).unwrap().hedge_after, None);
        world.run(3, 20, 0);
        world.settle();
        let late = world.ask(|_| ()).unwrap().hedge_after.expect("more than twenty have answered");
        assert!((350..=480).contains(&late.millis_up()), "first tokens after 400 ms: {late:?}");
        assert_eq!(
            world.ask(|r| r.streaming = false).unwrap().hedge_after,
            None,
            "of these nothing is known"
        );
        world.streaming = false;
        world.run(3, 20, 0);
        world.settle();
        let late = world.ask(|_| ()).unwrap().hedge_after.unwrap();
        assert!((1200..=1700).contains(&late.millis_up()), "whole answers after 1400 ms: {late:?}");
    }
}

#[test]
fn a_long_tail_is_late_after_four_medians() {
    let mut world = World::of(&channels(&[1.0]));
    for i in 0..200 {
        let mut ticket = world.ask(|_| ()).unwrap().ticket;
        world.sleep(if i % 8 == 0 { 9000 } else { 300 });
        ticket.first_token(world.now);
        ticket.finish(Outcome::of(Kind::Ok), world.now);
    }
    let late = world.ask(|_| ()).unwrap().hedge_after.unwrap();
    assert!((1000..=1400).contains(&late.millis_up()), "{late:?}");
}

#[test]
fn failures_are_no_answers_to_tell_lateness_from() {
    let mut world = World::of(&channels(&[1.0]));
    for kind in [Kind::ServerError(500), Kind::RateLimited, Kind::CallerError(400), Kind::Cancelled] {
        for _ in 0..30 {
            let ticket = world.ask(|_| ()).unwrap().ticket;
            world.sleep(10);
            ticket.finish(Outcome::of(kind), world.now);
            world.sleep(20_000);
        }
    }
    assert_eq!(world.ask(|_| ()).unwrap().hedge_after, None);
}

#[test]
fn a_model_that_is_not_served_closes_the_channel_in_this_pool_for_a_minute() {
    let mut world = World::of(&channels(&[1.0, 1.0]));
    world.report(0, Kind::Unserved);
    let view = world.view(0);
    assert_eq!((view.state, view.cause, view.open_ms), (State::Open, Some(Cause::Unserved), 60_000));
    assert_eq!((view.error_rate, view.f_err), (0.0, 1.0), "it is no failure");
    assert!((0..50).all(|_| world.ask(|_| ()).unwrap().channel == ChannelId(1)));
    world.sleep(60_000);
    world.run(10, 20, 0);
    assert_eq!(world.view(0).state, State::Closed, "and then it is tried");
}

#[test]
fn shares_tell_where_traffic_went_and_where_weights_would_send_it() {
    let mut world = World::of(&[
        channel(0, 30.0),
        channel(1, 10.0),
        channel(2, 0.0),
        ChannelSpec { tier: 1, ..channel(3, 5.0) },
    ]);
    let expected = [0.75, 0.25, 0.0, 0.0];
    for (id, expected) in (0..).zip(expected) {
        let view = world.view(id);
        assert_eq!((view.share, view.expected_share), (0.0, expected), "nothing was sent yet");
    }
    let counts = world.run(60, 30, 0);
    for (id, place) in (0..).zip(0..4) {
        let view = world.view(id);
        assert!((view.share - percent(&counts, place) / 100.0).abs() < 0.03, "{view:?}");
    }
    world.pool.set_admitted(ChannelId(0), false);
    world.run(200, 30, 0);
    assert!(world.view(0).share < 0.05 && world.view(1).share > 0.95, "what is past fades");
    assert!((world.view(0).expected_share - 0.75).abs() < 1e-12);
}

#[test]
fn retries_do_not_count_as_shares() {
    let mut world = World::of(&channels(&[1.0, 1.0]));
    world.report(0, Kind::Ok);
    for _ in 0..20 {
        let excluded = crate::traffic::set(&[0]);
        let request = gateway_routing::Request { attempt: 1, ..crate::traffic::plain(&excluded, true) };
        let ticket = world.pool.decide(&request, world.now, 1).unwrap().ticket;
        ticket.finish(Outcome::of(Kind::Ok), world.now.after(Micros(1000)));
    }
    assert!((world.view(0).share - 1.0).abs() < 1e-9);
}
