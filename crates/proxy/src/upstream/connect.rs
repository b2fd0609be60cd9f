use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::pool::Connection;
use super::shared;
use super::target::Target;
use crate::tasks;

/// An HTTP/2 connection that is silent this long is asked whether it still lives.
const H2_PING_AFTER: Duration = Duration::from_secs(20);
/// The longest name lookup; the rest of the connect time is left for the addresses.
const DNS_LIMIT: Duration = Duration::from_secs(2);

/// Makes connections.
#[derive(Clone)]
pub(crate) struct Connector {
    tls: TlsConnector,
}

/// Why there is no connection. Nothing of the request was sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    /// The host name has no address.
    #[error("name lookup failed: {0}")]
    Dns(io::Error),
    /// Refused, reset or unreachable.
    #[error("connect failed: {0}")]
    Tcp(io::Error),
    /// The certificate or the handshake is bad.
    #[error("TLS failed: {0}")]
    Tls(io::Error),
    /// Not in time.
    #[error("no connection in time")]
    Timeout,
    /// HTTP/2's own handshake failed.
    #[error("HTTP handshake failed: {0}")]
    Http(hyper::Error),
}

// === impl Connector ===

impl Connector {
    pub(crate) fn new(tls: &Arc<rustls::ClientConfig>) -> Self {
        let mut config = rustls::ClientConfig::clone(tls);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Self { tls: TlsConnector::from(Arc::new(config)) }
    }

    /// Connects within `limit`, which covers name lookup, TCP and TLS.
    pub(crate) async fn connect(&self, target: &Target, limit: Duration) -> Result<Connection, ConnectError> {
        let deadline = Instant::now() + limit;
        let tcp = dial(target.host(), target.port(), deadline).await?;
        let Some(name) = target.server_name() else {
            return http1_over(TokioIo::new(tcp)).await;
        };
        let tls: TlsStream<TcpStream> = timeout_at(deadline, self.tls.connect(name.clone(), tcp))
            .await
            .map_err(|_| ConnectError::Timeout)?
            .map_err(ConnectError::Tls)?;
        if tls.get_ref().1.alpn_protocol() == Some(b"h2") {
            http2_over(TokioIo::new(tls)).await
        } else {
            http1_over(TokioIo::new(tls)).await
        }
    }
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connector")
    }
}

/// Tries the host's addresses one after the other; each gets its share of the time that is left, so that a dead
/// first address does not use up the time of the living second one.
async fn dial(host: &str, port: u16, deadline: Instant) -> Result<TcpStream, ConnectError> {
    let addresses = resolve(host, port, deadline).await?;
    let mut last = ConnectError::Dns(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
    for (tried, address) in addresses.iter().enumerate() {
        let left = deadline.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(addresses.len() - tried).unwrap_or(1);
        last = match timeout_at(Instant::now() + share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // A small request must not wait for the acknowledgement of the one before it.
                stream.set_nodelay(true).map_err(ConnectError::Tcp)?;
                return Ok(stream);
            }
            Ok(Err(error)) => ConnectError::Tcp(error),
            Err(_) => ConnectError::Timeout,
        };
    }
    Err(last)
}

async fn resolve(host: &str, port: u16, deadline: Instant) -> Result<Vec<SocketAddr>, ConnectError> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let limit = deadline.min(Instant::now() + DNS_LIMIT);
    let found = timeout_at(limit, tokio::net::lookup_host((host, port)))
        .await
        .map_err(|_| ConnectError::Dns(io::Error::new(io::ErrorKind::TimedOut, "no answer in time")))?
        .map_err(ConnectError::Dns)?;
    Ok(found.collect())
}

async fn http1_over<I>(io: I) -> Result<Connection, ConnectError>
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let (sender, connection) =
        http1::Builder::new().max_headers(128).handshake(io).await.map_err(ConnectError::Http)?;
    tasks::drive(connection);
    Ok(Connection::H1(sender))
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
