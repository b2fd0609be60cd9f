use std::sync::Arc;

use gateway_routing::{
    BuildError, ChannelId, ChannelSet, ChannelSpec, Kind, Micros, Outcome, Params, PolicyKind, Pool,
    PoolSpec, Pools, SessionKey, State,
};

use crate::traffic::{channel, channels, plain};

const NOW: Micros = Micros::from_millis(10_000);

fn spec(name: &str, channels: Vec<ChannelSpec>) -> PoolSpec {
    PoolSpec { name: name.into(), channels, policy: PolicyKind::Adaptive, params: Params::default() }
}

fn choose(pool: &Arc<Pool>, key: u64) -> ChannelId {
    let none = ChannelSet::new();
    let request = gateway_routing::Request { session: Some(SessionKey(key)), ..plain(&none, true) };
    pool.decide(&request, NOW, key).unwrap().channel
}

#[test]
fn a_pool_that_did_not_change_stays_the_same() {
    let pools = Pools::new();
    let wanted = [spec("a", channels(&[1.0, 1.0])), spec("b", channels(&[1.0]))];
    let first = pools.adopt(&wanted).unwrap();
    let second = pools.adopt(&wanted[..1]).unwrap();
    assert!(Arc::ptr_eq(&first["a"], &second["a"]) && !second.contains_key("b"));
    assert!(Arc::ptr_eq(&second, &pools.load()));
}

#[test]
fn a_request_that_began_before_a_change_goes_on_as_it_began() {
    let pools = Pools::new();
    let before = pools.adopt(&[spec("a", channels(&[1.0, 1.0]))]).unwrap();
    let after = pools.adopt(&[spec("a", vec![channel(1, 1.0)])]).unwrap();
    assert!((0..50).any(|key| choose(&before["a"], key) == ChannelId(0)));
    assert!((0..50).all(|key| choose(&after["a"], key) == ChannelId(1)));
    // Both learn from both.
    let excluded = [ChannelId(0)].into_iter().collect();
    let ticket = before["a"].decide(&plain(&excluded, true), NOW, 1).unwrap().ticket;
    ticket.finish(Outcome::of(Kind::Credentials), NOW);
    assert_eq!(after["a"].views(NOW)[0].state, State::Open);
}

#[test]
fn verdicts_reach_pools_that_exist_and_pools_to_come() {
    let pools = Pools::new();
    pools.adopt(&[spec("a", channels(&[1.0, 1.0]))]).unwrap();
    pools.set_admitted(ChannelId(0), false);
    let map = pools.adopt(&[spec("a", channels(&[2.0, 1.0])), spec("b", channels(&[1.0, 1.0]))]).unwrap();
    for name in ["a", "b"] {
        assert!((0..50).all(|key| choose(&map[name], key) == ChannelId(1)), "{name}");
    }
    pools.set_admitted(ChannelId(0), true);
    for name in ["a", "b"] {
        assert!((0..50).any(|key| choose(&map[name], key) == ChannelId(0)), "{name}");
    }
}

#[test]
fn configured_concurrency_is_the_accounts_and_counts_over_all_pools() {
    let pools = Pools::new();
    let capped = || vec![ChannelSpec { max_concurrency: Some(3), ..channel(0, 1.0) }];
    let map = pools.adopt(&[spec("a", capped()), spec("b", capped())]).unwrap();
    let none = ChannelSet::new();
    let ask = |name: &str| map[name].decide(&plain(&none, true), NOW, 1);
    let out = [ask("a").unwrap(), ask("b").unwrap(), ask("a").unwrap()];
    assert!(ask("a").is_err() && ask("b").is_err());
    // A pool that comes while attempts are out knows of them.
    let map = pools.adopt(&[spec("a", capped()), spec("c", capped())]).unwrap();
    assert!(map["c"].decide(&plain(&none, true), NOW, 1).is_err());
    drop(out);
    assert!(map["c"].decide(&plain(&none, true), NOW, 1).is_ok());
}

#[test]
fn another_account_under_the_same_channel_begins_anew_in_all_pools() {
    let pools = Pools::new();
    let of = |account64| {
        let one = ChannelSpec { account64, requests_per_minute: Some(1), ..channel(0, 1.0) };
        [spec("a", vec![one]), spec("b", vec![one])]
    };
    let none = ChannelSet::new();
    let map = pools.adopt(&of(1)).unwrap();
    let ask = |pool: &Arc<Pool>| pool.decide(&plain(&none, true), NOW, 1);
    let refused =
        Outcome { retry_after: Some(Micros::from_millis(60_000)), ..Outcome::of(Kind::RateLimited) };
    ask(&map["a"]).unwrap().ticket.finish(refused, NOW);
    assert!(ask(&map["a"]).is_err() && ask(&map["b"]).is_err());

    let map = pools.adopt(&of(1)).unwrap();
    assert!(ask(&map["a"]).is_err() && ask(&map["b"]).is_err(), "it is the same account");
    let map = pools.adopt(&of(2)).unwrap();
    assert!(ask(&map["a"]).is_ok());
    assert!(ask(&map["b"]).is_err(), "its budget is one");
}

#[test]
fn a_bad_specification_changes_nothing_at_all() {
    let pools = Pools::new();
    let before = pools.adopt(&[spec("a", channels(&[1.0]))]).unwrap();
    let bad = [spec("a", channels(&[2.0])), spec("b", channels(&[f64::NAN]))];
    assert!(matches!(pools.adopt(&bad), Err(BuildError::Weight { .. })));
    let twice = [spec("a", channels(&[2.0])), spec("a", channels(&[1.0]))];
    assert_eq!(pools.adopt(&twice).unwrap_err(), BuildError::PoolTwice("a".into()));
    assert!(Arc::ptr_eq(&pools.load(), &before));
}
