use std::sync::Arc;

use gateway_routing::{
    ChannelId, ChannelSet, ChannelSpec, Kind, Micros, Outcome, Params, PolicyKind, Pool, Reason, Request,
    SessionKey, State, Verdict, stable_hash,
};
use proptest::prelude::*;

use crate::story::{Step, World, chosen, policy, specs, step, weights};

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_decision_keeps_every_rule(
        weights in weights(),
        policy in policy(),
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut world = World::new(&weights, policy);
        for step in &steps {
            world.take(step, policy, |world, request, _, decided| {
                let Ok(decision) = decided else { return };
                let id = decision.channel;
                assert!(!request.excluded.contains(id), "tried channels are left alone");
                assert!(request.filter.is_none_or(|filter| filter.contains(id)), "filters hold");
                assert!(world.weight(id) > 0.0, "drained channels are left alone");
                assert!(world.is_admitted(id) || decision.panic, "verdicts hold but in panic");
                assert!(!decision.probe || request.attempt == 0 || decision.reason == Reason::OnlyOne);
                let view = world.pool.views(world.now).into_iter().find(|view| view.id == id);
                let view = view.expect("the channel is in the pool");
                assert!(view.inflight >= 1 && (id.0 != 2 || view.inflight <= 3), "limits hold: {view:?}");
                assert!(view.h > 0.0 && view.h <= 1.0 && view.latency_ms >= 1.0 && view.latency_ms.is_finite());
            });
        }
    }

    #[test]
    fn equal_stories_have_equal_decisions(
        weights in weights(),
        policy in policy(),
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let (mut one, mut other) = (World::new(&weights, policy), World::new(&weights, policy));
        for step in &steps {
            let (mut first, mut second) = (None, None);
            one.take(step, policy, |_, _, _, decided| {
                first = Some(decided.as_ref().map(chosen).map_err(Clone::clone));
            });
            other.take(step, policy, |_, _, _, decided| {
                second = Some(decided.as_ref().map(chosen).map_err(Clone::clone));
            });
            prop_assert_eq!(first, second);
        }
    }

    #[test]
    fn a_pinned_channel_that_is_well_comes_first(
        weights in prop::collection::vec(0.01..100.0_f64, 1..3),
        session in any::<u64>(),
        pin in 0..3_i64,
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut world = World::new(&weights, PolicyKind::Adaptive);
        for step in &steps {
            if !matches!(step, Step::Weigh { .. }) {
                world.take(step, PolicyKind::Adaptive, |_, _, _, _| ());
            }
        }
        let none = ChannelSet::new();
        let request = Request {
            session: Some(SessionKey(session)),
            pinned: Some(ChannelId(pin)),
            streaming: true,
            prompt_tokens: 0,
            attempt: 1,
            excluded: &none,
            filter: None,
        };
        let explained = world.pool.explain(&request, world.now, 1);
        let pinned = explained.candidates.iter().find(|candidate| candidate.id == ChannelId(pin));
        if let Some(pinned) = pinned
            && pinned.verdict == Verdict::Accepted
        {
            let chosen = explained.chosen.expect("there is one");
            prop_assert_eq!(chosen.channel, ChannelId(pin));
        }
    }

    #[test]
    fn every_attempt_that_ends_leaves_nothing_behind(
        weights in weights(),
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut world = World::new(&weights, PolicyKind::Adaptive);
        for step in &steps {
            world.take(step, PolicyKind::Adaptive, |_, _, _, _| ());
        }
        world.live.clear();
        for view in world.pool.views(world.now) {
            prop_assert_eq!((view.inflight, view.waiting), (0, 0));
        }
    }

    #[test]
    fn a_pool_that_everything_happened_to_recovers(
        weights in prop::collection::vec(0.5..2.0_f64, 1..3),
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut world = World::new(&weights, PolicyKind::Adaptive);
        for step in steps.iter().filter(|step| !matches!(step, Step::Weigh { .. })) {
            world.take(step, PolicyKind::Adaptive, |_, _, _, _| ());
        }
        world.live.clear();
        for id in 0..8 {
            world.pool.set_admitted(ChannelId(id), true);
        }
        // Ten minutes of a good answer a second.
        let none = ChannelSet::new();
        for i in 0..600_u64 {
            world.now = world.now.after(Micros::from_millis(600));
            let session = Some(SessionKey(stable_hash(&i.to_le_bytes())));
            let request =
                Request { session, pinned: None, streaming: true, prompt_tokens: 0, attempt: 0, excluded: &none, filter: None };
            let Ok(mut decision) = world.pool.decide(&request, world.now, i) else { continue };
            world.now = world.now.after(Micros::from_millis(300));
            decision.ticket.first_token(world.now);
            world.now = world.now.after(Micros::from_millis(100));
            decision.ticket.finish(Outcome::of(Kind::Ok), world.now);
        }
        for view in world.pool.views(world.now) {
            prop_assert!(view.state == State::Closed && view.h > 0.9, "{:?}", view);
        }
    }

    #[test]
    fn weights_hold_over_many_keys(weights in prop::collection::vec(1.0..20.0_f64, 2..6), salt in any::<u64>()) {
        let pool = Arc::new(Pool::new(&specs_in_one_tier(&weights), PolicyKind::Adaptive, Params::default()).expect("sound"));
        let all: f64 = weights.iter().sum();
        let homes = homes(&pool, salt, 3000);
        for (id, weight) in (0..).zip(&weights) {
            let share = homes.iter().filter(|home| home.0 == id).count();
            let share = f64::from(u32::try_from(share).unwrap_or(0)) / 3000.0;
            prop_assert!((share - weight / all).abs() < 0.045, "{} instead of {}", share, weight / all);
        }
    }

    #[test]
    fn removing_a_channel_moves_only_its_sessions(
        weights in prop::collection::vec(0.1..20.0_f64, 2..7),
        gone in 0..7_usize,
        salt in any::<u64>(),
    ) {
        let specs = specs_in_one_tier(&weights);
        let pool = Arc::new(Pool::new(&specs, PolicyKind::Adaptive, Params::default()).expect("sound"));
        let before = homes(&pool, salt, 300);
        let gone = ChannelId(i64::try_from(gone % weights.len()).unwrap_or(0));
        let rest: Vec<_> = specs.into_iter().filter(|spec| spec.id != gone).collect();
        pool.update(&rest, PolicyKind::Adaptive, Params::default()).expect("sound");
        let after = homes(&pool, salt, 300);
        for (before, after) in before.iter().zip(&after) {
            prop_assert!(before == after || *before == gone);
            prop_assert_ne!(*after, gone);
        }
    }
}

fn specs_in_one_tier(weights: &[f64]) -> Vec<ChannelSpec> {
    specs(weights)
        .into_iter()
        .map(|spec| ChannelSpec { tier: 0, max_concurrency: None, requests_per_minute: None, ..spec })
        .collect()
}

/// Where sessions are served while all is well.
fn homes(pool: &Arc<Pool>, salt: u64, sessions: u64) -> Vec<ChannelId> {
    let none = ChannelSet::new();
    (0..sessions)
        .map(|session| {
            let key = SessionKey(stable_hash(&(session ^ salt).to_le_bytes()));
            let request = Request {
                session: Some(key),
                pinned: None,
                streaming: true,
                prompt_tokens: 0,
                attempt: 0,
                excluded: &none,
                filter: None,
            };
            pool.decide(&request, Micros(1_000_000), session).expect("all is well").channel
        })
        .collect()
}
