use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use arc_swap::ArcSwapOption;
use gateway_config::Live;
use gateway_health::is_out_of_files;
use hyper_util::server::graceful::GracefulShutdown;
use rustls::ServerConfig;
use socket2::{Domain, Protocol as SocketProtocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::activity::Leaving;
use super::connection::{self, Closing};
use super::crew::{Berth, Handed, Member};
use super::places::Places;
use crate::dispatch::Door;
use crate::life::{Life, LifeWatch};
use crate::reply;

/// How many connections may wait in the kernel to be accepted: a burst must not be lost while a worker computes.
const BACKLOG: i32 = 4096;
/// How long accepting rests when the process has run out of something; without a rest it would spin.
const REST: Duration = Duration::from_millis(50);
/// A peer that vanished without a word is found after about this long plus three tries.
const KEEP_ALIVE: Duration = Duration::from_mins(1);

/// One listener's connections: who answers them and by which rules.
#[derive(Debug)]
pub(crate) struct Stand {
    /// Who answers.
    pub(crate) door: Arc<Door>,
    /// Timers and limits; connections take them as they are when they begin.
    pub(crate) live: Arc<Live>,
    /// All connections of the process.
    pub(crate) places: Arc<Places>,
    /// Certificate and key, when this listener speaks TLS; may be replaced at run time.
    pub(crate) tls: Option<Arc<ArcSwapOption<ServerConfig>>>,
    pub(super) leaving: Leaving,
}

/// Binds one address `count` times, so that as many threads can accept on it without meeting each other. Port 0
/// becomes one free port for all of them.
///
/// The kernel would let a second gateway join the same port, and half of the calls would go to a process that its
/// operator has forgotten. So the address is first bound alone, which fails when anybody listens there.
pub(crate) fn bind(host: &str, port: u16, count: usize) -> anyhow::Result<Vec<std::net::TcpListener>> {
    let context = || format!("cannot listen on {host}:{port}");
    let mut last = None;
    for address in (host, port).to_socket_addrs().with_context(context)? {
        match bind_all(address, count) {
            Ok(listeners) => return Ok(listeners),
            Err(error) => last = Some(error),
        }
    }
    let none = || io::Error::new(io::ErrorKind::AddrNotAvailable, "the name has no address");
    Err(last.unwrap_or_else(none)).with_context(context)
}

fn bind_all(address: SocketAddr, count: usize) -> io::Result<Vec<std::net::TcpListener>> {
    if address.port() != 0 {
        drop(bind_one(address, false)?);
    }
    let first = bind_one(address, true)?;
    let bound = first.local_addr()?;
    let mut listeners = vec![first];
    for _ in 1..count {
        listeners.push(bind_one(bound, true)?);
    }
    Ok(listeners)
}

fn bind_one(address: SocketAddr, shared: bool) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(SocketProtocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Accepts and serves until `closes_at`, then lets the connections end, until [`Life::Over`].
pub(crate) async fn accept(
    listener: std::net::TcpListener,
    mut member: Member,
    stand: Arc<Stand>,
    life: LifeWatch,
    closes_at: Life,
) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, "a listener cannot be used");
            return;
        }
    };
    let graceful = GracefulShutdown::new();
    let closing = Closing { life: life.clone(), at: closes_at, leaving: stand.leaving.clone(), enough: None };
    let mut end = life.clone();
    let mut struggling = false;
    loop {
        tokio::select! {
            biased;
            () = end.reaches(closes_at) => break,
            // Counted here already, and waiting longer than what comes.
            Some(handed) = member.handed() => take_over(handed, &stand, &graceful, &closing),
            accepted = listener.accept() => match accepted {
                Ok((socket, peer)) => {
                    struggling = false;
                    share((socket, peer), &member, &stand, &graceful, &closing);
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) if is_out_of_files(&error) && stand.door.give_up_idle() => {}
                Err(error) => {
                    if !struggling {
                        tracing::warn!(%error, "accepting connections fails; it is tried again");
                    }
                    struggling = true;
                    tokio::time::sleep(REST).await;
                }
            },
        }
    }
    take_in_waiting(&listener, &member, &stand, &graceful, &closing).await;
    drop(listener);
    // Workers stop at the same moment, not in the same instant.
    for handed in member.close() {
        take_over(handed, &stand, &graceful, &closing);
    }
    stand.leaving.now();
    let mut over = life;
    tokio::select! {
        () = graceful.shutdown() => {}
        () = over.reaches(Life::Over) => {}
    }
}

/// Connections that the kernel has accepted already would be reset when the listener closes: they are served.
async fn take_in_waiting(
    listener: &TcpListener,
    member: &Member,
    stand: &Arc<Stand>,
    graceful: &GracefulShutdown,
    closing: &Closing,
) {
    while let Ok(Ok((socket, peer))) = tokio::time::timeout(Duration::ZERO, listener.accept()).await {
        take_in((socket, peer, member.own_berth()), stand, graceful, closing.clone());
    }
}

/// Serves a new connection, or has it served by a worker that has fewer.
fn share(
    (socket, peer): (TcpStream, SocketAddr),
    member: &Member,
    stand: &Arc<Stand>,
    graceful: &GracefulShutdown,
    closing: &Closing,
) {
    let berth = member.berth();
    if member.has(&berth) {
        take_in((socket, peer, berth), stand, graceful, closing.clone());
        return;
    }
    match socket.into_std() {
        Ok(socket) => {
            if let Err(mut handed) = member.hand(Handed { socket, peer, berth }) {
                handed.berth = member.own_berth();
                take_over(handed, stand, graceful, closing);
            }
        }
        Err(error) => tracing::debug!(%peer, %error, "a connection was gone before it began"),
    }
}

/// Serves what another worker has accepted.
fn take_over(handed: Handed, stand: &Arc<Stand>, graceful: &GracefulShutdown, closing: &Closing) {
    let Handed { socket, peer, berth } = handed;
    match TcpStream::from_std(socket) {
        Ok(socket) => take_in((socket, peer, berth), stand, graceful, closing.clone()),
        Err(error) => tracing::debug!(%peer, %error, "a connection was gone before it began"),
    }
}

fn take_in(
    (socket, peer, berth): (TcpStream, SocketAddr, Berth),
    stand: &Arc<Stand>,
    graceful: &GracefulShutdown,
    closing: Closing,
) {
    let allowed = stand.live.load().settings.server.max_connections;
    let Some(place) = stand.places.take_or_stand(allowed) else {
        refuse(&socket, stand);
        return;
    };
    if let Err(error) = tune(&socket) {
        tracing::debug!(%peer, %error, "a connection was gone before it began");
        return;
    }
    // Whatever the connection becomes is waited for: a call, or a socket.
    let (stand, stays) = (Arc::clone(stand), graceful.watcher());
    // Boxed: what is kept for each connection is one allocation of its exact size.
    let task = Box::pin(async move {
        connection::serve(socket, peer, &stand, place.is_standing(), closing).await;
        drop((place, berth, stays));
    });
    drop(tokio::runtime::Handle::current().spawn(task));
}

/// Says why in one write, if the socket takes it at once, and closes. A TLS client only sees the end.
fn refuse(socket: &TcpStream, stand: &Stand) {
    if stand.acceptor().is_none() {
        drop(socket.try_write(&reply::too_many_connections()));
    }
}

fn tune(socket: &TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let keep_alive =
        TcpKeepalive::new().with_time(KEEP_ALIVE).with_interval(Duration::from_secs(10)).with_retries(3);
    SockRef::from(socket).set_tcp_keepalive(&keep_alive)
}

/// The peer gave up while it waited: nothing is wrong with the listener.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}

// === impl Stand ===

impl Stand {
    pub(crate) fn new(
        door: Arc<Door>,
        live: Arc<Live>,
        places: Arc<Places>,
        tls: Option<Arc<ArcSwapOption<ServerConfig>>>,
    ) -> Arc<Self> {
        Arc::new(Self { door, live, places, tls, leaving: Leaving::default() })
    }

    pub(super) fn acceptor(&self) -> Option<TlsAcceptor> {
        self.tls.as_ref().and_then(|tls| tls.load_full()).map(TlsAcceptor::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_listeners_of_port_0_share_one_port() {
        let listeners = bind("127.0.0.1", 0, 3).unwrap();
        let ports: std::collections::BTreeSet<_> =
            listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
        assert_eq!((listeners.len(), ports.len()), (3, 1));
        assert!(!ports.contains(&0));
    }

    #[test]
    fn a_port_where_another_gateway_listens_is_refused() {
        let first = bind("127.0.0.1", 0, 1).unwrap();
        let port = first.first().unwrap().local_addr().unwrap().port();
        let error = bind("127.0.0.1", port, 1).unwrap_err();
        assert!(format!("{error:#}").contains(&format!("127.0.0.1:{port}")), "{error:#}");
    }
}
