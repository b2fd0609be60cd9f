//! A WebSocket under way: frames pass from one side to the other as they come, until one of them ends it.
//!
//! Bytes pass unchanged, in both directions at once, each direction as fast as its receiver takes them and with a few
//! kilobytes in between. Whoever vanishes without a word, or breaks the rules, is the other side's news in a closing
//! frame with a code.

mod client;
mod ear;
mod ending;
mod pipe;

use std::fmt;
use std::time::Duration;

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf, split};
use tokio::time::{Instant, sleep_until, timeout};

use crate::drain::Cut;
use crate::journal::{AttemptNumber, Ending, Entry};
use crate::websocket::{Close, Sender, close_frame};

pub(crate) use client::{Around, Client, key_in_protocols, prepare};
pub(crate) use ear::{Ear, Pupil};

use ending::Cause;
use pipe::{End, Pipe};

/// How long the other side of a socket that is being closed may take to say goodbye, too.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);
/// How long a client may take to read why its socket has ended.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How long an upstream may take to hear that its client is gone: it goes on, and costs money, until it does.
const LEAVE_WITHIN: Duration = Duration::from_millis(50);

/// A socket whose upstream end is open; run it once the answer that opens the client's end has gone out.
pub struct Socket {
    opened: Opened,
    cut: Cut,
    entry: Entry,
    number: AttemptNumber,
}

/// The two ends of a socket.
#[derive(Debug)]
pub(crate) struct Opened {
    pub client: Client,
    pub upstream: Upgraded,
    pub ear: Ear,
}

/// Both directions, and the story of the call, which is complete whenever it ends.
struct Wire<C, U> {
    /// From the client to the upstream.
    up: Pipe<ReadHalf<C>, WriteHalf<U>>,
    /// From the upstream to the client.
    down: Pipe<ReadHalf<U>, WriteHalf<C>>,
    idle: Duration,
    cut: Cut,
    entry: Entry,
    number: AttemptNumber,
}

// === impl Socket ===

impl Socket {
    pub(crate) fn new(opened: Opened, cut: Cut, entry: Entry, number: AttemptNumber) -> Self {
        Self { opened, cut, entry, number }
    }

    /// Relays until the socket ends. Dropping the future closes both ends without a word.
    pub async fn run(self) {
        let Self { opened, cut, entry, number } = self;
        let Opened { client, upstream, ear } = opened;
        let idle = client.idle();
        // The answer did not reach the client: the entry tells so by itself.
        let Some(client) = client.upgraded() else { return };
        let (client_reads, client_writes) = split(client);
        let (upstream_reads, upstream_writes) = split(TokioIo::new(upstream));
        let wire = Wire {
            up: Pipe::new(Sender::Client, client_reads, upstream_writes, None),
            down: Pipe::new(Sender::Server, upstream_reads, client_writes, Some(ear)),
            idle,
            cut,
            entry,
            number,
        };
        wire.run().await;
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Socket")
    }
}

// === impl Wire ===

impl<C, U> Wire<C, U>
where
    C: AsyncRead + AsyncWrite,
    U: AsyncRead + AsyncWrite,
{
    async fn run(mut self) {
        let cause = self.relay().await;
        tracing::debug!(?cause, up = self.up.passed(), down = self.down.passed(), "a socket has ended");
        // Told before the last words, which take a while: the socket has ended when its ends no longer speak.
        self.tell(cause);
        self.part(cause).await;
    }

    /// Relays until there is a reason to stop.
    async fn relay(&mut self) -> Cause {
        loop {
            let silent_at = self.up.moved().max(self.down.moved()) + self.idle;
            // In no order: a direction that never rests must not be the only one that is served.
            tokio::select! {
                () = self.cut.happened() => return Cause::Stopping,
                end = self.down.pump() => return self.upstream_ended(end).await,
                end = self.up.pump() => return self.client_ended(end).await,
                () = sleep_until(silent_at) => {
                    if self.up.moved().max(self.down.moved()) + self.idle <= Instant::now() {
                        return Cause::Idle;
                    }
                }
            }
        }
    }

    /// What the upstream sends has come to an end. Its client may still have something to say to that.
    async fn upstream_ended(&mut self, end: End) -> Cause {
        match end {
            End::Closed => match timeout(CLOSE_WITHIN, self.up.pump()).await {
                Ok(End::Broken(violation)) => Cause::ClientBroke(violation),
                Ok(End::Closed | End::Gone | End::Stuck) | Err(_) => Cause::UpstreamClosed,
            },
            End::Gone => Cause::UpstreamGone,
            End::Broken(violation) => Cause::UpstreamBroke(violation),
            // The client takes no more. It may have said why before.
            End::Stuck => match timeout(LEAVE_WITHIN, self.up.pump()).await {
                Ok(End::Closed) => Cause::ClientClosed,
                Ok(End::Gone | End::Stuck | End::Broken(_)) | Err(_) => Cause::ClientGone,
            },
        }
    }

    /// What the client sends has come to an end.
    async fn client_ended(&mut self, end: End) -> Cause {
        match end {
            End::Closed => match timeout(CLOSE_WITHIN, self.down.pump()).await {
                Ok(End::Broken(violation)) => Cause::UpstreamBroke(violation),
                Ok(End::Closed | End::Gone | End::Stuck) | Err(_) => Cause::ClientClosed,
            },
            End::Gone => Cause::ClientGone,
            End::Broken(violation) => Cause::ClientBroke(violation),
            End::Stuck => match timeout(LAST_WORDS, self.down.pump()).await {
                Ok(End::Closed) => Cause::UpstreamClosed,
                Ok(End::Stuck) => Cause::ClientGone,
                Ok(End::Gone | End::Broken(_)) | Err(_) => Cause::UpstreamGone,
            },
        }
    }

    /// Says goodbye to both sides, to the one that costs first.
    async fn part(&mut self, cause: Cause) {
        let Self { up, down, .. } = self;
        // Whoever has closed it is answered by the other side; where that has not happened, here, with the same code.
        let echo = |code: Option<u16>| code.map(|code| Close { code, reason: "" });
        let to_upstream =
            if cause == Cause::UpstreamClosed { echo(down.code()) } else { cause.for_upstream() };
        let to_client = if cause == Cause::ClientClosed { echo(up.code()) } else { cause.for_client() };
        let mask = getrandom::u32().unwrap_or_default().to_be_bytes();
        let (to_upstream, to_client) = (close_frame(to_upstream, Some(mask)), close_frame(to_client, None));
        if cause == Cause::ClientGone {
            let leave = async {
                up.finish(&to_upstream).await;
                down.drain().await;
            };
            drop(timeout(LEAVE_WITHIN, leave).await);
            return;
        }
        drop(timeout(LEAVE_WITHIN, up.finish(&to_upstream)).await);
        let last_words = async {
            down.finish(&to_client).await;
            tokio::join!(up.drain(), down.drain());
        };
        drop(timeout(LAST_WORDS, last_words).await);
    }
}

impl<C, U> Wire<C, U> {
    /// Puts into the record what has passed, and how it ended.
    fn tell(&mut self, cause: Cause) {
        self.note();
        let (outcome, why) = (cause.of_attempt(), cause.to_string());
        self.entry.end(self.number, Ending { outcome, status: Some(101), retry_after: None, why });
        self.entry.settle(cause.of_exchange());
    }

    fn note(&mut self) {
        self.entry.carried(self.up.passed(), self.down.passed());
        if let Some(usage) = self.down.usage() {
            self.entry.used(usage.into());
        }
    }
}

impl<C, U> Drop for Wire<C, U> {
    /// A gateway that is in a hurry drops its sockets: what has passed was used all the same.
    fn drop(&mut self) {
        self.note();
    }
}
