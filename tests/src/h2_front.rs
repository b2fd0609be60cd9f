//! HTTP/2 before an upstream: a server that agrees on it under TLS and asks an upstream that does not speak it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::header::HOST;
use http::{HeaderValue, Request, Response, Version};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use crate::client::Connection;
use crate::tls_front::{Authority, Flaw};
use crate::upstream::{FAKES, Upstream};

/// A server that speaks HTTP/2 only.
#[derive(Debug)]
pub struct H2Front {
    address: SocketAddr,
    carried: Arc<AtomicU64>,
    task: AbortHandle,
}

// === impl H2Front ===

impl H2Front {
    /// Stands before an upstream, with a good certificate of this authority. Bodies pass frame by frame.
    pub async fn before(upstream: &Upstream, authority: &Authority) -> Self {
        let mut config = (*authority.server(Flaw::None)).clone();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = FAKES.spawn(TcpListener::bind("127.0.0.1:0")).await.expect("the fakes' runtime lives");
        let listener = listener.expect("a port of the loopback can be had");
        let address = listener.local_addr().expect("a bound socket has an address");
        let carried = Arc::new(AtomicU64::new(0));
        let task = FAKES.spawn(accept(listener, acceptor, upstream.address(), Arc::clone(&carried)));
        Self { address, carried, task: task.abort_handle() }
    }

    /// The `base_url` of its channel.
    pub fn base_url(&self) -> String {
        format!("https://{}/v1", self.address)
    }

    /// How many requests it has carried.
    pub fn carried(&self) -> u64 {
        self.carried.load(Ordering::SeqCst)
    }
}

impl Drop for H2Front {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, behind: SocketAddr, carried: Arc<AtomicU64>) {
    // Its connections end with it.
    let mut open = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        let (acceptor, carried) = (acceptor.clone(), Arc::clone(&carried));
        open.spawn(async move {
            let _delay = socket.set_nodelay(true);
            let Ok(socket) = acceptor.accept(socket).await else { return };
            let serving = service_fn(|request| {
                carried.fetch_add(1, Ordering::SeqCst);
                ask(request, behind)
            });
            let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            let _ended = server.serve_connection(TokioIo::new(socket), serving).await;
        });
    }
}

/// Asks the upstream over a connection of its own, which lives as long as the body of the answer.
async fn ask(mut request: Request<Incoming>, behind: SocketAddr) -> Result<Response<Answered>, hyper::Error> {
    let socket = TcpStream::connect(behind).await.expect("the upstream accepts connections");
    let _delay = socket.set_nodelay(true);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await?;
    let connection = Connection::drive(connection);
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str()).to_owned();
    *request.uri_mut() = target.parse().expect("a path is a target");
    *request.version_mut() = Version::HTTP_11;
    let host = HeaderValue::from_str(&behind.to_string()).expect("an address is a header");
    request.headers_mut().insert(HOST, host);
    let mut response = sender.send_request(request).await?;
    for name in ["connection", "transfer-encoding"] {
        response.headers_mut().remove(name);
    }
    Ok(response.map(|body| Answered { body, _connection: connection }))
}

/// The body of an answer, and the connection that it comes by.
struct Answered {
    body: Incoming,
    _connection: Connection,
}

impl hyper::body::Body for Answered {
    type Data = bytes::Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<bytes::Bytes>, hyper::Error>>> {
        std::pin::Pin::new(&mut self.body).poll_frame(cx)
    }
}
