use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::http1::Wire;
use super::names::{LookupError, Names};
use super::pool::Connection;
use super::race::race;
use super::shared;
use super::target::Target;
use crate::tasks;

/// An HTTP/2 connection that is silent this long is asked whether it still lives.
const H2_PING_AFTER: Duration = Duration::from_secs(20);

/// Makes connections.
#[derive(Clone)]
pub(crate) struct Connector {
    tls: TlsConnector,
    /// For connections that are to speak HTTP/1.1.
    tls_http1: TlsConnector,
    names: Names,
}

/// Why there is no connection. Nothing of the request was sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    /// The host name has no address, as far as can be learnt.
    #[error("name lookup failed: {0}")]
    Dns(LookupError),
    /// Refused, reset or unreachable.
    #[error("connect failed: {0}")]
    Tcp(io::Error),
    /// The certificate or the handshake is bad.
    #[error("TLS failed: {0}")]
    Tls(io::Error),
    /// Not in time.
    #[error("no connection in time")]
    Timeout,
    /// The process, or the machine, has as many files open as it may. Nobody was asked.
    #[error("no file is left for a connection")]
    NoFile,
    /// HTTP/2's own handshake failed.
    #[error("HTTP handshake failed: {0}")]
    Http(hyper::Error),
}

// === impl Connector ===

impl Connector {
    pub(crate) fn new(tls: &Arc<rustls::ClientConfig>, names: Names) -> Self {
        let offering = |protocols: &[&[u8]]| {
            let mut config = rustls::ClientConfig::clone(tls);
            config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
            TlsConnector::from(Arc::new(config))
        };
        Self { tls: offering(&[b"h2", b"http/1.1"]), tls_http1: offering(&[b"http/1.1"]), names }
    }

    /// Connects within `limit`, which covers name lookup, TCP and TLS.
    pub(crate) async fn connect(&self, target: &Target, limit: Duration) -> Result<Connection, ConnectError> {
        let deadline = Instant::now() + limit;
        let tcp = self.dial(target, deadline).await?;
        let Some(name) = target.server_name() else {
            return Ok(Connection::H1(Wire::plain(tcp)));
        };
        let tls = secure(&self.tls, name, tcp, deadline).await?;
        if tls.get_ref().1.alpn_protocol() == Some(b"h2") {
            http2_over(TokioIo::new(tls)).await
        } else {
            Ok(Connection::H1(Wire::tls(tls)))
        }
    }

    /// Connects likewise, for one call that may make something else of the connection than HTTP/1.1.
    pub(crate) async fn connect_alone(&self, target: &Target, limit: Duration) -> Result<Wire, ConnectError> {
        let deadline = Instant::now() + limit;
        let tcp = self.dial(target, deadline).await?;
        match target.server_name() {
            None => Ok(Wire::plain(tcp)),
            Some(name) => Ok(Wire::tls(secure(&self.tls_http1, name, tcp, deadline).await?)),
        }
    }

    /// Connects to one of the very addresses that were looked up: nothing is resolved a second time.
    async fn dial(&self, target: &Target, deadline: Instant) -> Result<TcpStream, ConnectError> {
        let addresses = self.names.addresses(target.host(), deadline).await?;
        let addresses = addresses.into_iter().map(|address| SocketAddr::new(address, target.port()));
        let finish = race(addresses.collect(), deadline).await;
        // Otherwise no address was asked.
        if !matches!(finish.won, Err(ConnectError::NoFile)) {
            self.names.raced(target.host(), &finish);
        }
        let (stream, _) = finish.won?;
        // A small request must not wait for the acknowledgement of the one before it.
        stream.set_nodelay(true).map_err(ConnectError::Tcp)?;
        Ok(stream)
    }
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connector")
    }
}

impl From<LookupError> for ConnectError {
    fn from(error: LookupError) -> Self {
        if error == LookupError::NoFile { Self::NoFile } else { Self::Dns(error) }
    }
}

async fn secure(
    connector: &TlsConnector,
    name: &ServerName<'static>,
    tcp: TcpStream,
    deadline: Instant,
) -> Result<TlsStream<TcpStream>, ConnectError> {
    timeout_at(deadline, connector.connect(name.clone(), tcp))
        .await
        .map_err(|_| ConnectError::Timeout)?
        .map_err(ConnectError::Tls)
}

pub(super) async fn http2_over<I>(io: I) -> Result<Connection, ConnectError>
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(H2_PING_AFTER)
        .keep_alive_while_idle(false)
        .handshake(io)
        .await
        .map_err(ConnectError::Http)?;
    let (seat, driven) = shared::open(sender, connection);
    tasks::drive(driven);
    Ok(Connection::H2(seat))
}
