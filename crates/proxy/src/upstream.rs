//! The worker's side towards upstreams: connections, kept and made, and one request sent over one of them.
//!
//! Each worker owns its connections: nothing here is shared between cores on the way of a request, so the lock around the idle
//! list is not contended; others take from it only when no file is left ([`EveryPool`]). A failure says how far the request
//! had got, because that decides whether it may be tried again.

mod answer_body;
mod asked;
mod connect;
mod every_pool;
mod http1;
mod idleness;
mod names;
mod outgoing;
mod pool;
mod race;
mod shared;
mod switch;
mod target;

use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, Version};
use tokio::time::{Instant, timeout_at};

pub(crate) use answer_body::{AnswerBody, AnswerError};
pub(crate) use asked::Asked;
pub(crate) use connect::{ConnectError, Connector};
pub(crate) use every_pool::EveryPool;
pub use names::Names;
pub(crate) use outgoing::Outgoing;
pub(crate) use switch::Switched;
pub(crate) use target::Target;
#[cfg(test)]
pub(crate) use target::target_of;

use pool::{Connection, Home, Pool};

#[cfg(feature = "fuzz")]
pub(crate) fn read_answer(pieces: &[&[u8]]) -> (Option<u16>, Vec<u8>, bool, bool) {
    http1::read_answer(pieces)
}

/// A kept connection that was closed while nobody used it says so within a round trip. Whoever closes one later has read the
/// request, and may have begun with it.
const TOLD_WITHIN: Duration = Duration::from_millis(500);

/// One worker's connections to all upstreams.
#[derive(Clone, Debug)]
pub(crate) struct Upstreams {
    pool: Arc<Pool>,
    every_pool: EveryPool,
    connector: Connector,
}

/// Why no answer's head came.
#[derive(Debug)]
pub(crate) enum SendError {
    /// No connection: nothing of the request was sent.
    Connect(ConnectError),
    /// The connection ended before an answer's head was whole. The upstream may have seen the request.
    Closed {
        /// What was noticed.
        error: AnswerError,
        /// How far the request had come.
        progress: Progress,
    },
    /// What came is not HTTP.
    Protocol(AnswerError),
    /// The request's own body could not be read: the gateway's doing.
    Body(AnswerError),
    /// The request's URI is none: the gateway's doing.
    Target,
    /// No answer had begun when it had to.
    Late,
}

/// How far a request had come when its connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// The other side has not looked at it.
    Unread,
    /// Nothing of an answer had come: on a kept connection that is how one ends that the other side has closed.
    Unanswered,
    /// An answer had begun, or the other side has given up this one request.
    Answered,
}

// === impl Progress ===

impl Progress {
    fn may_be_sent_again(self, within: Within) -> bool {
        match self {
            Self::Unread => true,
            Self::Unanswered => within.may_repeat || within.from.elapsed() < TOLD_WITHIN,
            Self::Answered => false,
        }
    }
}

// === impl Upstreams ===

impl Upstreams {
    /// Connections made with this TLS configuration, none yet, kept in a pool beside those of others.
    pub(crate) fn new(tls: &Arc<rustls::ClientConfig>, names: Names, every_pool: &EveryPool) -> Self {
        Self {
            pool: every_pool.open(),
            every_pool: every_pool.clone(),
            connector: Connector::new(tls, names),
        }
    }

    /// Sends one request and waits for the answer's head. Cancel-safe: dropping the future closes the connection.
    ///
    /// A kept connection may have been closed by the other side at this very moment. That is nobody's failure: where such a
    /// connection ended before an answer's head, the request is made and sent once more over a fresh one. If it may not be
    /// carried out twice, only where the end came so soon that it tells of the past.
    pub(crate) async fn send<'c>(
        &self,
        target: &Target,
        asked: impl Fn() -> Asked<'c>,
        timeouts: Timeouts,
        within: Within,
    ) -> Result<Response<AnswerBody>, SendError> {
        if let Some(kept) = self.pool.take(target.origin(), timeouts.idle, within.from) {
            match self.send_over(kept, target, asked(), timeouts, within.until).await {
                Err(SendError::Closed { progress, .. }) if progress.may_be_sent_again(within) => {}
                settled => return settled,
            }
        }
        // Rare beside the calls over kept connections, and large: a future of its own, so that those do not carry it.
        let fresh = Box::pin(self.send_fresh(target, asked(), timeouts, within.until));
        timeout_at(within.until, fresh).await.unwrap_or(Err(SendError::Late))
    }

    async fn send_fresh(
        &self,
        target: &Target,
        asked: Asked<'_>,
        timeouts: Timeouts,
        until: Instant,
    ) -> Result<Response<AnswerBody>, SendError> {
        let fresh = self.connect(target, timeouts).await.map_err(SendError::Connect)?;
        self.send_over(fresh, target, asked, timeouts, until).await
    }

    async fn send_over(
        &self,
        connection: Connection,
        target: &Target,
        asked: Asked<'_>,
        timeouts: Timeouts,
        until: Instant,
    ) -> Result<Response<AnswerBody>, SendError> {
        match connection {
            Connection::H1(wire) => {
                let pool = Arc::clone(&self.pool);
                let home = Home { pool, origin: Arc::clone(target.origin()), idle: timeouts.idle };
                let response = http1::call(wire, asked, target, home, until).await?;
                Ok(response.map(AnswerBody::http1))
            }
            Connection::H2(seat) => {
                let request = asked.into_request(target, Version::HTTP_2).map_err(|_| SendError::Target)?;
                // Large, and not needed over HTTP/1.1.
                let sending = Box::pin(seat.send(request));
                timeout_at(until, sending).await.unwrap_or(Err(SendError::Late))
            }
        }
    }

    /// Sends one request that asks for another protocol, over a connection of its own: that of a call could not be given
    /// back afterwards, and no protocol but HTTP is spoken on HTTP/2's.
    pub(crate) async fn switch(
        &self,
        target: &Target,
        request: Request<Outgoing>,
        timeouts: Timeouts,
    ) -> Result<Switched, SendError> {
        let connect = |limit| self.connector.connect_alone(target, limit);
        let alone = self.with_a_file(timeouts.connect, connect).await.map_err(SendError::Connect)?;
        switch::over(alone, request).await
    }

    async fn connect(&self, target: &Target, timeouts: Timeouts) -> Result<Connection, ConnectError> {
        let connect = |limit| self.connector.connect(target, limit);
        let connection = self.with_a_file(timeouts.connect, connect).await?;
        self.pool.share(Arc::clone(target.origin()), &connection, timeouts.idle);
        Ok(connection)
    }

    /// Connects; where no file is left for that, again with those of connections that nobody uses.
    async fn with_a_file<C, F>(
        &self,
        limit: Duration,
        connect: impl Fn(Duration) -> F,
    ) -> Result<C, ConnectError>
    where
        F: Future<Output = Result<C, ConnectError>>,
    {
        let until = Instant::now() + limit;
        loop {
            match connect(until.saturating_duration_since(Instant::now())).await {
                Err(ConnectError::NoFile) if self.every_pool.give_up_idle() => {}
                settled => return settled,
            }
        }
    }
}

impl From<http1::Failed> for SendError {
    fn from(failed: http1::Failed) -> Self {
        let http1::Failed { error, answered } = failed;
        match error {
            http1::Error::Late => Self::Late,
            error @ http1::Error::Body(_) => Self::Body(error.into()),
            error @ http1::Error::Protocol(_) => Self::Protocol(error.into()),
            error @ (http1::Error::Io(_) | http1::Error::Early) => {
                let progress = if answered { Progress::Answered } else { Progress::Unanswered };
                Self::Closed { error: error.into(), progress }
            }
        }
    }
}

/// The time in which an answer must begin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Within {
    /// Now, or a moment ago: what was idle for too long by then is not used.
    pub from: Instant,
    /// When it is [too late](SendError::Late).
    pub until: Instant,
    /// Whether the request may be sent once more though the other side may have had it.
    pub may_repeat: bool,
}

/// The limits of one send.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    /// For name, TCP and TLS together.
    pub connect: Duration,
    /// How long an unused connection is kept.
    pub idle: Duration,
}
