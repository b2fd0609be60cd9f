//! Which of a name's addresses is connected to: the first that answers (RFC 8305, "happy eyeballs").

#[cfg(test)]
mod tests;

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use gateway_health::is_out_of_files;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

use super::ConnectError;

/// How long one address is given before the next one is tried beside it.
const NEXT_AFTER: Duration = Duration::from_millis(250);

/// How a race ended.
#[derive(Debug)]
pub(super) struct Finish {
    /// The connection, and whom it leads to.
    pub(super) won: Result<(TcpStream, SocketAddr), ConnectError>,
    /// Those that failed, and those that had a start over the winner and did not use it.
    pub(super) lost: Vec<SocketAddr>,
}

struct Race {
    waiting: std::vec::IntoIter<SocketAddr>,
    /// In the order in which they were started.
    running: Vec<Runner>,
    lost: Vec<SocketAddr>,
}

struct Runner {
    address: SocketAddr,
    dial: Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>,
}

/// Connects to one of these addresses until `deadline`. They are tried in this order, each beside those before it:
/// [`NEXT_AFTER`] later, or as soon as one has failed. The first connection wins and the others are dropped.
pub(super) async fn race(addresses: Vec<SocketAddr>, deadline: Instant) -> Finish {
    let mut race = Race { waiting: addresses.into_iter(), running: Vec::new(), lost: Vec::new() };
    let mut next = race.start_one();
    loop {
        tokio::select! {
            (place, end) = race.first_end() => match (end, race.leaves(place)) {
                (Ok(stream), Some(winner)) => return race.won_by(stream, winner, place),
                (Ok(_), None) => {}
                // It was not asked, and the next one would not be, either; those that run may still win.
                (Err(error), _) if is_out_of_files(&error) => {
                    if race.running.is_empty() {
                        return Finish { won: Err(ConnectError::NoFile), lost: race.lost };
                    }
                }
                (Err(error), loser) => {
                    race.lost.extend(loser);
                    next = race.start_one();
                    if race.running.is_empty() {
                        return Finish { won: Err(ConnectError::Tcp(error)), lost: race.lost };
                    }
                }
            },
            () = sleep_until(next), if !race.waiting.as_slice().is_empty() => next = race.start_one(),
            () = sleep_until(deadline) => return race.timed_out(),
        }
    }
}

// === impl Race ===

impl Race {
    /// Starts the next one that waits, if there is one. Tells when it is the turn of the one after it.
    fn start_one(&mut self) -> Instant {
        if let Some(address) = self.waiting.next() {
            self.running.push(Runner { address, dial: Box::pin(TcpStream::connect(address)) });
        }
        Instant::now() + NEXT_AFTER
    }

    /// Waits for the first that comes to an end. For ever, if nobody runs.
    async fn first_end(&mut self) -> (usize, io::Result<TcpStream>) {
        poll_fn(|cx| {
            let ends = self.running.iter_mut().enumerate().find_map(|(place, runner)| {
                match runner.dial.as_mut().poll(cx) {
                    Poll::Ready(end) => Some((place, end)),
                    Poll::Pending => None,
                }
            });
            ends.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    fn leaves(&mut self, place: usize) -> Option<SocketAddr> {
        (place < self.running.len()).then(|| self.running.remove(place).address)
    }

    fn won_by(self, stream: TcpStream, winner: SocketAddr, place: usize) -> Finish {
        let mut lost = self.lost;
        lost.extend(self.running.iter().take(place).map(|runner| runner.address));
        Finish { won: Ok((stream, winner)), lost }
    }

    fn timed_out(self) -> Finish {
        let mut lost = self.lost;
        lost.extend(self.running.iter().map(|runner| runner.address));
        Finish { won: Err(ConnectError::Timeout), lost }
    }
}
