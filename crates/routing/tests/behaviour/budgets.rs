//! Requests and tokens a minute: what an account is granted, and who waits when it is used up.

use gateway_routing::{
    BuildError, ChannelId, ChannelSet, ChannelSpec, Kind, Limited, Micros, NoRoute, Outcome, Params,
    PolicyKind, Pool, PoolSpec, Pools, Reason, SessionKey, Verdict,
};

use crate::traffic::{World, channel, channels, plain};

fn requests(id: i64, per_minute: u32) -> ChannelSpec {
    ChannelSpec { requests_per_minute: Some(per_minute), ..channel(id, 1.0) }
}

fn tokens(id: i64, per_minute: u32) -> ChannelSpec {
    ChannelSpec { tokens_per_minute: Some(per_minute), ..channel(id, 1.0) }
}

/// How many of a hundred requests, all at once, go to channel 0.
fn first_of_hundred(world: &mut World) -> usize {
    (0..100)
        .filter(|_| {
            let decision = world.ask(|_| ()).unwrap();
            let first = decision.channel == ChannelId(0);
            decision.ticket.finish(Outcome::of(Kind::Ok), world.now);
            first
        })
        .count()
}

#[test]
fn requests_per_minute_are_never_exceeded_and_refill_evenly() {
    for policy in PolicyKind::ALL {
        let mut world = World::with(&[requests(0, 12), channel(1, 1.0)], policy, Params::default());
        assert_eq!(first_of_hundred(&mut world), 12, "{policy}");
        world.sleep(10_000);
        assert_eq!(first_of_hundred(&mut world), 2, "{policy}: one every five seconds");
    }
}

#[test]
fn an_attempt_that_is_not_made_costs_nothing() {
    for spec in [requests(0, 2), tokens(0, 200)] {
        let mut world = World::with(&[spec], PolicyKind::Adaptive, Params::default());
        for _ in 0..100 {
            world.ask(|r| r.prompt_tokens = 100).unwrap().ticket.unsent(world.now);
        }
        let view = world.view(0);
        assert_eq!((view.limited_by, view.inflight, view.h.to_bits()), (None, 0, 1.0_f64.to_bits()));
    }
}

#[test]
fn a_session_spills_while_its_home_is_used_up_and_comes_back() {
    let mut world = World::of(&[requests(0, 60), channel(1, 1.0)]);
    let key = (0..1000)
        .map(SessionKey)
        .find(|key| world.explain(|r| r.session = Some(*key)).home == Some(ChannelId(0)));
    let seen: Vec<_> = (0..62).map(|_| world.ask(|r| r.session = key).unwrap()).collect();
    assert!(seen[..60].iter().all(|decision| decision.reason == Reason::Home));
    assert!(seen[60..].iter().all(|decision| decision.reason == Reason::Spill && !decision.panic));
    assert!(seen[61].home == Some(ChannelId(0)) && seen[61].channel == ChannelId(1));
    let account = world.explain(|r| r.session = key);
    assert_eq!(account.why_not_home(), Some(Verdict::Limited));
    let home = account.candidates.iter().find(|candidate| candidate.id == ChannelId(0)).unwrap();
    assert_eq!((home.limited_by, home.blocked_ms), (Some(Limited::Requests), 1000));
    assert_eq!((world.view(0).limited_by, world.view(0).score), (Some(Limited::Requests), 0.0));
    drop(seen);
    world.sleep(1000);
    assert_eq!(world.ask(|r| r.session = key).unwrap().reason, Reason::Home);
}

#[test]
fn tokens_are_taken_with_the_decision_and_settled_with_the_outcome() {
    let mut world = World::of(&[tokens(0, 6000)]);
    let mut ask = |tokens| world.ask(|r| r.prompt_tokens = tokens);
    let first = ask(4000).unwrap();
    let retry_after = Micros::from_millis(20_000);
    assert_eq!(ask(4000).unwrap_err(), NoRoute::AllLimited { retry_after }, "2000 are left");
    let counted = Outcome { prompt_tokens: 1000, output_tokens: 500, ..Outcome::of(Kind::Ok) };
    first.ticket.finish(counted, world.now);
    let second = world.ask(|r| r.prompt_tokens = 4000).expect("4500 are left");
    let counted = Outcome { prompt_tokens: 4000, output_tokens: 3000, ..Outcome::of(Kind::Ok) };
    second.ticket.finish(counted, world.now);
    let retry_after = Micros::from_millis(25_010);
    assert_eq!(
        world.ask(|r| r.prompt_tokens = 1).unwrap_err(),
        NoRoute::AllLimited { retry_after },
        "a debt"
    );
    assert_eq!(world.explain(|r| r.prompt_tokens = 1).candidates[0].limited_by, Some(Limited::Tokens));
}

#[test]
fn a_used_up_budget_counts_with_rate_limits_when_all_are_limited() {
    let mut world = World::of(&[requests(0, 6), channel(1, 1.0)]);
    let retry_after = Some(Micros::from_millis(30_000));
    world.report_with(1, Outcome { retry_after, ..Outcome::of(Kind::RateLimited) });
    for _ in 0..6 {
        assert_eq!(world.ask(|_| ()).unwrap().channel, ChannelId(0));
    }
    let retry_after = Micros::from_millis(10_000);
    assert_eq!(world.ask(|_| ()).unwrap_err(), NoRoute::AllLimited { retry_after });
}

#[test]
fn not_even_panic_goes_beyond_a_budget() {
    let mut world = World::of(&[requests(0, 1), channel(1, 1.0)]);
    world.report(0, Kind::Ok);
    world.report(1, Kind::Credentials);
    for _ in 0..50 {
        let decision = world.ask(|_| ()).unwrap();
        assert_eq!((decision.channel, decision.panic), (ChannelId(1), true));
    }
}

#[test]
fn budgets_are_the_accounts_and_count_over_all_pools() {
    let pools = Pools::new();
    let spec = |name: &str| PoolSpec {
        name: name.into(),
        channels: vec![requests(0, 3)],
        policy: PolicyKind::Adaptive,
        params: Params::default(),
    };
    let now = Micros::from_millis(100_000);
    let none = ChannelSet::new();
    let map = pools.adopt(&[spec("a"), spec("b")]).unwrap();
    let kept: Vec<_> =
        ["a", "b", "a"].map(|name| map[name].decide(&plain(&none, true), now, 1)).into_iter().collect();
    assert!(kept.iter().all(Result::is_ok));
    assert!(map["a"].decide(&plain(&none, true), now, 1).is_err());
    assert!(map["b"].decide(&plain(&none, true), now, 1).is_err());
    let more = PoolSpec { channels: vec![requests(0, 6)], ..spec("a") };
    let map = pools.adopt(&[more, spec("c")]).unwrap();
    assert!(map["c"].decide(&plain(&none, true), now, 1).is_err(), "a pool that comes later knows of it");
}

#[test]
fn a_budget_of_nothing_is_refused() {
    for spec in [requests(0, 0), tokens(0, 0)] {
        let error = Pool::new(&[spec], PolicyKind::Adaptive, Params::default()).unwrap_err();
        assert_eq!(error, BuildError::NoBudget(ChannelId(0)));
    }
}

#[test]
fn an_answer_that_says_the_budget_is_used_up_blocks_without_counting_as_a_refusal() {
    let blocked = |millis| {
        let mut world = World::of(&channels(&[1.0]));
        let ticket = world.ask(|_| ()).unwrap().ticket;
        ticket.exhausted(Micros::from_millis(millis), world.now);
        ticket.finish(Outcome::of(Kind::Ok), world.now);
        (world.view(0).blocked_ms, world.view(0).error_rate, world)
    };
    let (blocked_ms, error_rate, mut world) = blocked(7000);
    assert_eq!((blocked_ms, error_rate), (7000, 0.0));
    assert_eq!(world.view(0).limited_by, Some(Limited::Upstream));
    let retry_after = Micros::from_millis(7000);
    assert_eq!(world.ask(|_| ()).unwrap_err(), NoRoute::AllLimited { retry_after });
    world.sleep(7000);
    world.report(0, Kind::RateLimited);
    assert_eq!(world.view(0).blocked_ms, 500, "the first refusal, as if nothing had been");
    assert_eq!(blocked(3_600_000).0, 120_000, "headers are believed for two minutes");
    assert_eq!(blocked(3).0, 500, "room for one more is no room");
    assert_eq!(blocked(0).0, 0);
}
