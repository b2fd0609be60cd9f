//! The workers that accept on one address, and how they share what comes.
//!
//! The kernel gives each new connection to one of their sockets by a hash of its addresses, whatever that worker has to
//! do already. With few connections, or with long streams, chance is not even; see ADR 0023.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use metrics::Gauge;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// How many more connections than the least busy one a worker may have and still take a new one itself. To hand one over
/// costs a wake of another thread, which short connections would pay for nothing.
const SLACK: usize = 4;

/// One of the workers.
#[derive(Debug)]
pub(crate) struct Member {
    index: usize,
    crew: Arc<[Seat]>,
    inbox: UnboundedReceiver<Handed>,
}

/// A connection that is counted with a worker, until this is dropped.
#[derive(Debug)]
pub(crate) struct Berth {
    crew: Arc<[Seat]>,
    index: usize,
}

/// A connection on its way from the worker that accepted it to the one that will serve it.
#[derive(Debug)]
pub(crate) struct Handed {
    pub(super) socket: std::net::TcpStream,
    pub(super) peer: SocketAddr,
    pub(super) berth: Berth,
}

#[derive(Debug)]
struct Seat {
    open: AtomicUsize,
    shown: Gauge,
    door: UnboundedSender<Handed>,
}

// === impl Member ===

impl Member {
    /// A crew of as many as there are gauges, which show how many connections each has.
    pub(crate) fn crew(gauges: Vec<Gauge>) -> Vec<Self> {
        let (seats, inboxes): (Vec<_>, Vec<_>) = gauges
            .into_iter()
            .map(|shown| {
                let (door, inbox) = unbounded_channel();
                (Seat { open: AtomicUsize::new(0), shown, door }, inbox)
            })
            .unzip();
        let crew: Arc<[Seat]> = seats.into();
        let member = |(index, inbox)| Self { index, crew: Arc::clone(&crew), inbox };
        inboxes.into_iter().enumerate().map(member).collect()
    }

    /// One that has nobody to share with.
    pub(crate) fn alone() -> Option<Self> {
        Self::crew(vec![Gauge::noop()]).pop()
    }

    /// Where a new connection belongs: here, unless another worker has clearly fewer.
    pub(super) fn berth(&self) -> Berth {
        let open = |seat: &Seat| seat.open.load(Ordering::Relaxed);
        let mine = self.crew.get(self.index).map_or(0, open);
        let least = self.crew.iter().map(open).enumerate().min_by_key(|(_, open)| *open);
        let index = match least {
            Some((least, open)) if mine > open + SLACK => least,
            Some(_) | None => self.index,
        };
        Berth::new(Arc::clone(&self.crew), index)
    }

    /// One that is to be served here.
    pub(super) fn own_berth(&self) -> Berth {
        Berth::new(Arc::clone(&self.crew), self.index)
    }

    /// Whether it belongs to this worker.
    pub(super) fn has(&self, berth: &Berth) -> bool {
        berth.index == self.index
    }

    /// Gives a connection to the worker where it is counted; gives it back when that one takes none any more.
    pub(super) fn hand(&self, handed: Handed) -> Result<(), Handed> {
        match self.crew.get(handed.berth.index) {
            Some(seat) => seat.door.send(handed).map_err(|refused| refused.0),
            None => Err(handed),
        }
    }

    /// What others have handed over.
    pub(super) async fn handed(&mut self) -> Option<Handed> {
        self.inbox.recv().await
    }

    /// Takes no more, and gives what is still there.
    pub(super) fn close(&mut self) -> Vec<Handed> {
        self.inbox.close();
        std::iter::from_fn(|| self.inbox.try_recv().ok()).collect()
    }
}

// === impl Berth ===

impl Berth {
    fn new(crew: Arc<[Seat]>, index: usize) -> Self {
        if let Some(seat) = crew.get(index) {
            seat.open.fetch_add(1, Ordering::Relaxed);
            seat.shown.increment(1.0);
        }
        Self { crew, index }
    }
}

impl Drop for Berth {
    fn drop(&mut self) {
        if let Some(seat) = self.crew.get(self.index) {
            seat.open.fetch_sub(1, Ordering::Relaxed);
            seat.shown.decrement(1.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crew(of: usize) -> Vec<Member> {
        Member::crew((0..of).map(|_| Gauge::noop()).collect())
    }

    #[test]
    fn all_connections_at_one_socket_end_up_spread_over_the_workers() {
        let crew = crew(4);
        let berths: Vec<_> = (0..400).map(|_| crew[0].berth()).collect();
        let mut counts = [0; 4];
        for berth in &berths {
            counts[berth.index] += 1;
        }
        assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= SLACK + 1, "{counts:?}");
    }

    #[test]
    fn a_few_connections_more_are_served_where_they_came() {
        let crew = crew(2);
        let berths: Vec<_> = (0..=SLACK).map(|_| crew[1].berth()).collect();
        assert!(berths.iter().all(|berth| crew[1].has(berth)));
    }

    #[test]
    fn ended_connections_count_no_more() {
        let crew = crew(2);
        drop((0..100).map(|_| crew[0].berth()).collect::<Vec<_>>());
        assert!(crew[0].has(&crew[0].berth()));
    }

    #[tokio::test]
    async fn what_a_worker_no_longer_takes_comes_back() {
        let mut crew = crew(2);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = listener.local_addr().unwrap();
        let hand = |crew: &[Member]| {
            let socket = std::net::TcpStream::connect(peer).unwrap();
            crew[0].hand(Handed { socket, peer, berth: crew[1].own_berth() })
        };
        assert!(hand(&crew).is_ok());
        assert_eq!(crew[1].close().len(), 1);
        assert!(hand(&crew).is_err());
    }
}
