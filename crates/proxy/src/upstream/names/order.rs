use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::time::Instant;

/// How long an address that could not be reached, or not as quickly as another one, is tried last.
const LOST_FOR: Duration = Duration::from_mins(10);

/// In which order the addresses of a name are tried.
///
/// The families take turns, IPv6 first, so that neither can block the other (RFC 8305). Within a family each
/// connection begins one address further on: a name server that hands out its addresses in turns means to spread
/// load, and an answer that is kept would undo that. What lost comes last.
#[derive(Debug, Default)]
pub(super) struct Order {
    turn: usize,
    lost: Vec<(IpAddr, Instant)>,
}

// === impl Order ===

impl Order {
    /// All of these addresses, the most promising first.
    pub(super) fn arrange(&mut self, addresses: &[IpAddr], now: Instant) -> Vec<IpAddr> {
        self.lost.retain(|(address, until)| now < *until && addresses.contains(address));
        let has_lost = |address: &IpAddr| self.lost.iter().any(|(loser, _)| loser == address);
        let (losers, others): (Vec<_>, Vec<_>) = addresses.iter().copied().partition(has_lost);
        let mut order = interleaved(others, self.turn);
        order.extend(interleaved(losers, self.turn));
        self.turn = self.turn.wrapping_add(1);
        order
    }

    /// Notes who won and who lost.
    pub(super) fn raced(&mut self, winner: Option<IpAddr>, losers: &[SocketAddr], now: Instant) {
        self.lost.retain(|(address, _)| Some(*address) != winner);
        for loser in losers.iter().map(SocketAddr::ip) {
            self.lost.retain(|(address, _)| *address != loser);
            self.lost.push((loser, now + LOST_FOR));
        }
    }
}

fn interleaved(addresses: Vec<IpAddr>, turn: usize) -> Vec<IpAddr> {
    let (mut six, mut four): (Vec<_>, Vec<_>) = addresses.into_iter().partition(IpAddr::is_ipv6);
    for family in [&mut six, &mut four] {
        let places = turn.checked_rem(family.len()).unwrap_or(0);
        family.rotate_left(places);
    }
    let (mut six, mut four) = (six.into_iter(), four.into_iter());
    let mut order = Vec::with_capacity(six.len() + four.len());
    while six.len() + four.len() > 0 {
        order.extend(six.next());
        order.extend(four.next());
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn lost(text: &str) -> [SocketAddr; 1] {
        [SocketAddr::new(text.parse().unwrap(), 443)]
    }

    #[test]
    fn the_families_take_turns_and_ipv6_begins() {
        let known = addresses(&["1.0.0.1", "1.0.0.2", "1.0.0.3", "::1", "::2"]);
        let order = Order::default().arrange(&known, Instant::now());
        assert_eq!(order, addresses(&["::1", "1.0.0.1", "::2", "1.0.0.2", "1.0.0.3"]));
    }

    #[test]
    fn each_connection_begins_one_address_further_on() {
        let (mut order, now) = (Order::default(), Instant::now());
        let known = addresses(&["1.0.0.1", "1.0.0.2", "1.0.0.3"]);
        let firsts: Vec<_> = (0..4).map(|_| order.arrange(&known, now)[0]).collect();
        assert_eq!(firsts, addresses(&["1.0.0.1", "1.0.0.2", "1.0.0.3", "1.0.0.1"]));
    }

    #[test]
    fn what_lost_comes_last_until_it_wins_or_ten_minutes_are_over() {
        let (mut order, now) = (Order::default(), Instant::now());
        let known = addresses(&["::1", "1.0.0.1"]);
        order.raced(None, &lost("::1"), now);
        assert_eq!(order.arrange(&known, now), addresses(&["1.0.0.1", "::1"]));
        assert_eq!(order.arrange(&known, now + LOST_FOR), known);

        order.raced(None, &lost("::1"), now);
        order.raced(Some("::1".parse().unwrap()), &lost("1.0.0.1"), now);
        assert_eq!(order.arrange(&known, now), known);
    }

    #[test]
    fn where_all_lost_all_are_tried() {
        let (mut order, now) = (Order::default(), Instant::now());
        let known = addresses(&["::1", "1.0.0.1"]);
        order.raced(None, &lost("::1"), now);
        order.raced(None, &lost("1.0.0.1"), now);
        assert_eq!(order.arrange(&known, now), known);
    }
}
