//! The worker's side towards upstreams: connections, kept and made, and one request sent over one of them.
//!
//! Each worker owns its connections: nothing here is shared between cores, so the lock around the idle list is never
//! contended. A failure says how far the request had got, because that decides whether it may be tried again.

mod connect;
mod names;
mod outgoing;
mod pool;
mod race;
mod shared;
mod target;

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;

pub(crate) use connect::{ConnectError, Connector};
pub use names::Names;
pub(crate) use outgoing::Outgoing;
pub(crate) use pool::Lease;
pub(crate) use target::Target;

use pool::{Connection, Pool};

/// One worker's connections to all upstreams.
#[derive(Clone, Debug)]
pub(crate) struct Upstreams {
    pool: Arc<Pool>,
    connector: Connector,
}

/// An answer's head, and the connection that its body is still arriving on.
#[derive(Debug)]
pub(crate) struct Sent {
    /// Head and body.
    pub response: Response<Incoming>,
    /// To be released when the body has been read to its end; dropped otherwise, which closes the connection.
    pub lease: Lease,
}

/// Why no answer's head came.
#[derive(Debug)]
pub(crate) enum SendError {
    /// No connection: nothing of the request was sent.
    Connect(ConnectError),
    /// The connection ended before an answer's head was whole. The upstream may have seen the request.
    Closed(hyper::Error),
    /// What came is not HTTP.
    Protocol(hyper::Error),
    /// The request's own body could not be read: the gateway's doing.
    Body(hyper::Error),
}

// === impl Upstreams ===

impl Upstreams {
    /// Connections made with this TLS configuration, none yet.
    pub(crate) fn new(tls: &Arc<rustls::ClientConfig>, names: Names) -> Self {
        Self { pool: Arc::new(Pool::default()), connector: Connector::new(tls, names) }
    }

    /// Sends one request and waits for the answer's head. Cancel-safe: dropping the future closes the connection.
    ///
    /// A kept connection may have been closed by the other side at this very moment. That is nobody's failure: where
    /// such a connection ended before an answer's head, the request is made and sent once more over a fresh one.
    pub(crate) async fn send(
        &self,
        target: &Target,
        request: impl Fn() -> Request<Outgoing>,
        timeouts: Timeouts,
    ) -> Result<Sent, SendError> {
        if let Some(kept) = self.pool.take(&target.origin(), timeouts.idle) {
            match self.send_over(kept, target, request(), timeouts).await {
                Err(SendError::Closed(error)) if is_stale(&error) => {}
                settled => return settled,
            }
        }
        // Rare beside the calls over kept connections, and large: a future of its own, so that those do not carry it.
        Box::pin(self.send_fresh(target, request(), timeouts)).await
    }

    async fn send_fresh(
        &self,
        target: &Target,
        request: Request<Outgoing>,
        timeouts: Timeouts,
    ) -> Result<Sent, SendError> {
        let fresh = self.connect(target, timeouts).await.map_err(SendError::Connect)?;
        self.send_over(fresh, target, request, timeouts).await
    }

    async fn send_over(
        &self,
        mut connection: Connection,
        target: &Target,
        mut request: Request<Outgoing>,
        timeouts: Timeouts,
    ) -> Result<Sent, SendError> {
        target.address(&mut request, connection.is_h2());
        match connection.send(request).await {
            Ok(response) => {
                let lease = Lease::new(connection, Arc::clone(&self.pool), target.origin(), timeouts.idle);
                Ok(Sent { response, lease })
            }
            Err(error) if error.is_user() => Err(SendError::Body(error)),
            Err(error) if error.is_parse() => Err(SendError::Protocol(error)),
            Err(error) => Err(SendError::Closed(error)),
        }
    }

    async fn connect(&self, target: &Target, timeouts: Timeouts) -> Result<Connection, ConnectError> {
        let connection = self.connector.connect(target, timeouts.connect).await?;
        self.pool.share(target.origin(), &connection, timeouts.idle);
        Ok(connection)
    }
}

/// Whether it was the connection that ended. An HTTP/2 upstream can give up one request and keep the connection: that is
/// its failure, and the request may have cost it much; only what it says it has not looked at may be sent again.
fn is_stale(error: &hyper::Error) -> bool {
    let http2 = error.source().and_then(|source| source.downcast_ref::<h2::Error>());
    http2.is_none_or(|error| !error.is_reset() || error.reason() == Some(h2::Reason::REFUSED_STREAM))
}

/// The limits of one send.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    /// For name, TCP and TLS together.
    pub connect: Duration,
    /// How long an unused connection is kept.
    pub idle: Duration,
}
