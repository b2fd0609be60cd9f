use http::HeaderValue;

use super::*;

const NOW: UnixMillis = UnixMillis(1_000_000);

fn later(millis: i64) -> UnixMillis {
    UnixMillis(NOW.0 + millis)
}

fn peer(number: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, number])
}

fn give(gate: &Gate, token: &str, peer: IpAddr, now: UnixMillis) -> u16 {
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, HeaderValue::try_from(format!("Bearer {token}")).unwrap());
    gate.admit(&headers, peer, now).map_or_else(|error| error.status().as_u16(), |_| 200)
}

fn exhausted() -> Gate {
    let gate = Gate::new(Some(token_digest("right")));
    for _ in 0..10 {
        assert_eq!(give(&gate, "wrong", peer(1), NOW), 401);
    }
    assert_eq!(give(&gate, "wrong", peer(1), NOW), 429);
    gate
}

#[test]
fn a_peer_that_guessed_too_often_gets_one_try_every_six_seconds() {
    let gate = exhausted();
    assert_eq!(give(&gate, "wrong", peer(1), later(5_999)), 429);
    assert_eq!(give(&gate, "wrong", peer(1), later(6_000)), 401);
    assert_eq!(give(&gate, "wrong", peer(1), later(6_001)), 429);
    assert_eq!(give(&gate, "right", peer(1), later(12_000)), 200);
}

#[test]
fn a_minute_of_quiet_forgives_everything() {
    let gate = exhausted();
    for _ in 0..10 {
        assert_eq!(give(&gate, "wrong", peer(1), later(60_000)), 401);
    }
    assert_eq!(give(&gate, "wrong", peer(1), later(60_000)), 429);
}

#[test]
fn right_tokens_cost_nothing() {
    let gate = Gate::new(Some(token_digest("right")));
    for _ in 0..100 {
        assert_eq!(give(&gate, "right", peer(1), NOW), 200);
    }
    assert_eq!(give(&gate, "wrong", peer(1), NOW), 401);
}

#[test]
fn a_guesser_behind_the_administrators_proxy_does_not_lock_it_out() {
    let gate = Gate::new(Some(token_digest("right")));
    assert_eq!(give(&gate, "right", peer(1), NOW), 200);
    let statuses: Vec<u16> = (0..20).map(|_| give(&gate, "wrong", peer(1), NOW)).collect();
    assert_eq!(statuses, [[401; 10], [429; 10]].concat());
    assert_eq!(give(&gate, "right", peer(1), NOW), 200);
}

#[test]
fn a_peer_that_was_right_long_ago_is_a_stranger() {
    let gate = Gate::new(Some(token_digest("right")));
    assert_eq!(give(&gate, "right", peer(1), NOW), 200);
    for now in [later(86_400_000), later(-86_400_000)] {
        while give(&gate, "wrong", peer(1), now) == 401 {}
        assert_eq!(give(&gate, "right", peer(1), now), 429);
    }
}

#[test]
fn the_memory_of_known_peers_is_bounded() {
    let gate = Gate::new(Some(token_digest("right")));
    for number in 0..=u32::try_from(MAX_PEERS).unwrap() {
        assert_eq!(give(&gate, "right", IpAddr::V4((0x0a00_0000 + number).into()), NOW), 200);
    }
    assert!(gate.tries().known_at.len() <= MAX_PEERS);
}

#[test]
fn the_wait_that_is_told_is_the_wait_there_is() {
    let gate = exhausted();
    let headers = HeaderMap::new();
    let Err(ApiError::TooManyTries { retry_after }) = gate.admit(&headers, peer(1), later(3_500)) else {
        panic!("not limited");
    };
    assert_eq!(retry_after, 3);
    assert_eq!(give(&gate, "right", peer(1), later(3_500 + 3_000)), 200);
}

#[test]
fn a_clock_that_goes_back_locks_nobody_out_for_longer_than_a_minute() {
    let gate = exhausted();
    let day_before = later(-86_400_000);
    let headers = HeaderMap::new();
    let Err(ApiError::TooManyTries { retry_after }) = gate.admit(&headers, peer(1), day_before) else {
        panic!("not limited");
    };
    assert_eq!(retry_after, 6);
}

#[test]
fn addresses_of_one_ipv6_network_are_one_peer() {
    let gate = Gate::new(Some(token_digest("right")));
    for number in 0..10_u16 {
        let peer = IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, number]);
        assert_eq!(give(&gate, "wrong", peer, NOW), 401);
    }
    assert_eq!(give(&gate, "wrong", "2001:db8:0:1::ffff".parse().unwrap(), NOW), 429);
    assert_eq!(give(&gate, "wrong", "2001:db8:0:2::1".parse().unwrap(), NOW), 401);
    assert_eq!(network_of("::ffff:192.0.2.1".parse().unwrap()), peer(1));
}

#[test]
fn the_memory_of_guessers_is_bounded_and_keeps_the_worst() {
    let gate = exhausted();
    for number in 0..(2 * u32::try_from(MAX_PEERS).unwrap()) {
        let peer = IpAddr::V4((0x0a00_0000 + number).into());
        assert_eq!(give(&gate, "wrong", peer, NOW), 401);
    }
    assert_eq!(gate.tries().full_at.len(), MAX_PEERS);
    assert_eq!(give(&gate, "right", peer(1), NOW), 429);
    assert_eq!(give(&gate, "wrong", peer(2), later(6_000)), 401);
    assert_eq!(gate.tries().full_at.len(), 2, "those that are forgiven are dropped");
}

#[test]
fn an_empty_token_opens_nothing() {
    let gate = Gate::new(Some(token_digest("")));
    assert_eq!(give(&gate, "", peer(1), NOW), 401);
    assert_eq!(give(&gate, " ", peer(1), NOW), 401);
}
