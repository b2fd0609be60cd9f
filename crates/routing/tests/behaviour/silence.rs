//! Channels that have gone silent: seen before their timeouts, left by the attempts that can still be saved.

use gateway_routing::{Cause, ChannelId, Kind, Micros, Outcome, Params, PolicyKind, State};

use crate::traffic::{Manner, World, channels, percent, set};

#[test]
fn a_black_hole_is_left_within_seconds() {
    let mut world = World::of(&channels(&[1.0, 1.0, 1.0]));
    world.run(20, 40, 300);
    world.manners[0] = Manner::Hang(60_000);
    world.run(3, 40, 300);
    let counts = world.run(5, 40, 300);
    assert!(percent(&counts, 0) < 5.0, "{counts:?}");
    assert_eq!(world.view(0).cause, Some(Cause::Slow));
}

#[test]
fn a_slow_channel_is_left_and_returned_to() {
    let mut world = World::of(&channels(&[1.0, 1.0, 1.0]));
    world.run(20, 40, 300);
    world.manners[0] = Manner::Answer(5000, 6000);
    world.run(5, 40, 300);
    let during = world.run(15, 40, 300);
    assert!(percent(&during, 0) < 5.0, "{during:?}");
    world.manners[0] = Manner::Answer(400, 1400);
    world.run(20, 40, 300);
    let after = world.run(10, 40, 300);
    assert!(percent(&after, 0) > 25.0, "{after:?}");
}

#[test]
fn when_all_are_slow_alike_nobody_is_penalised() {
    let mut world = World::of(&channels(&[2.0, 1.0]));
    world.run(20, 20, 300);
    world.manners = vec![Manner::Answer(4000, 5000); 2];
    world.run(30, 20, 300);
    let counts = world.run(20, 20, 300);
    assert!((percent(&counts, 0) - 66.7).abs() < 8.0, "{counts:?}");
    assert!(world.view(0).f_lat > 0.8 && world.view(1).f_lat > 0.8);
}

#[test]
fn whole_answers_do_not_make_their_channel_look_slow() {
    // Half of the traffic does not stream, and all of that half goes to the first channel.
    let mut world = World::of(&channels(&[1.0, 1.0]));
    for _ in 0..400 {
        let to_first = set(&[1]);
        let none = set(&[]);
        world.streaming = false;
        let whole = world.ask_without(&to_first).unwrap().ticket;
        world.streaming = true;
        let mut stream = world.ask_without(&none).unwrap().ticket;
        world.sleep(400);
        stream.first_token(world.now);
        stream.finish(Outcome::of(Kind::Ok), world.now);
        world.sleep(3600);
        whole.finish(Outcome::of(Kind::Ok), world.now);
    }
    let view = world.view(0);
    assert_eq!(view.state, State::Closed);
    assert!(view.f_lat > 0.9, "{view:?}");
}

#[test]
fn the_first_attempt_of_a_stream_has_a_deadline_and_no_other_has() {
    let mut world = World::of(&channels(&[1.0, 1.0]));
    world.run(20, 20, 0);
    let deadline = |world: &mut World, streaming, attempt| {
        let decision = world.ask(|r| (r.streaming, r.attempt) = (streaming, attempt)).unwrap();
        decision.first_token_deadline
    };
    assert_eq!(deadline(&mut world, true, 0), Some(Micros::from_millis(3000)));
    assert_eq!(deadline(&mut world, false, 0), None);
    assert_eq!(deadline(&mut world, true, 1), None);
    let params = Params { cut: false, ..Params::default() };
    let mut patient = World::with(&channels(&[1.0, 1.0]), PolicyKind::Adaptive, params);
    assert_eq!(deadline(&mut patient, true, 0), None);
}

#[test]
fn an_attempt_is_cut_only_when_its_channel_looks_bad_and_another_is_better() {
    let mut world = World::of(&channels(&[1.0, 1.0]));
    world.run(20, 20, 0);
    let settled = world.now.after(Micros::from_millis(3000));
    world.settle_until(settled);
    let not_second = set(&[1]);
    let hanging: Vec<_> = (0..6).map(|_| world.ask_without(&not_second).unwrap().ticket).collect();
    world.sleep(300);
    assert!(!hanging[0].confirm_cut(world.now), "it is not late");
    world.sleep(5000);
    assert!(hanging[0].confirm_cut(world.now), "its channel is silent and the other is not");
    world.pool.set_admitted(ChannelId(1), false);
    assert!(!hanging[1].confirm_cut(world.now), "there is nowhere to go");
}

#[test]
fn cuts_are_rationed() {
    let mut world = World::of(&channels(&[1.0, 1.0]));
    world.run(20, 20, 0);
    let settled = world.now.after(Micros::from_millis(3000));
    world.settle_until(settled);
    let not_second = set(&[1]);
    let hanging: Vec<_> = (0..60).map(|_| world.ask_without(&not_second).unwrap().ticket).collect();
    world.sleep(8000);
    let cut = hanging.iter().filter(|ticket| ticket.confirm_cut(world.now)).count();
    assert!((20..=25).contains(&cut), "a burst of twenty and a hundredth of the requests: {cut}");
}

#[test]
fn an_attempt_that_has_begun_to_answer_is_never_cut() {
    let mut world = World::of(&channels(&[1.0, 1.0]));
    world.run(20, 20, 0);
    let mut ticket = world.ask(|_| ()).unwrap().ticket;
    world.sleep(20_000);
    ticket.first_token(world.now);
    assert!(!ticket.confirm_cut(world.now));
}
