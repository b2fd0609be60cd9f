//! TLS before an upstream: servers whose certificates are good, or bad in exactly one way.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    date_time_ymd,
};
use rustls::ServerConfig;
use rustls_pki_types::PrivateKeyDer;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::upstream::{FAKES, Upstream};

/// A certificate authority that nobody trusts unless told to.
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

/// What is wrong with a certificate. They are for 127.0.0.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Nothing.
    None,
    /// Its last day was in 2001.
    Expired,
    /// Its first day is in 2900.
    NotYetValid,
    /// It is another host's.
    WrongHost,
    /// It vouches for itself.
    SelfSigned,
}

/// A server that speaks TLS and hands what it hears to an upstream that does not.
#[derive(Debug)]
pub struct TlsFront {
    address: SocketAddr,
    counts: Arc<Counts>,
    task: tokio::task::AbortHandle,
}

#[derive(Debug, Default)]
struct Counts {
    connections: AtomicU64,
    handshakes: AtomicU64,
    resumed: AtomicU64,
    heard: AtomicU64,
    http2: AtomicU64,
}

// === impl Authority ===

impl Authority {
    /// A new one.
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key can be made");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a certificate can be made");
        let folder = TempDir::new().expect("a temporary folder can be made");
        std::fs::write(folder.path().join("authority.pem"), issuer.pem()).expect("a file can be written");
        Self { issuer, folder }
    }

    /// The file with its certificate, for those who are to trust it.
    pub fn pem_path(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    /// What a server shows that has a certificate with this flaw.
    pub(crate) fn server(&self, flaw: Flaw) -> Arc<ServerConfig> {
        let host = if flaw == Flaw::WrongHost { "other.example" } else { "127.0.0.1" };
        let mut params = CertificateParams::new([host.to_owned()]).expect("a name for a certificate");
        params.insert_extended_key_usage(ExtendedKeyUsagePurpose::ServerAuth);
        match flaw {
            Flaw::Expired => {
                (params.not_before, params.not_after) =
                    (date_time_ymd(2000, 1, 1), date_time_ymd(2001, 1, 1));
            }
            Flaw::NotYetValid => {
                (params.not_before, params.not_after) =
                    (date_time_ymd(2900, 1, 1), date_time_ymd(2901, 1, 1));
            }
            Flaw::None | Flaw::WrongHost | Flaw::SelfSigned => {}
        }
        let key = KeyPair::generate().expect("a key can be made");
        let certificate = match flaw {
            Flaw::SelfSigned => params.self_signed(&key),
            Flaw::None | Flaw::Expired | Flaw::NotYetValid | Flaw::WrongHost => {
                params.signed_by(&key, &self.issuer)
            }
        };
        let certificate = certificate.expect("a certificate can be made").der().clone();
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = builder.expect("the versions of the provider").with_no_client_auth();
        Arc::new(config.with_single_cert(vec![certificate], key).expect("a certificate and its key"))
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

// === impl TlsFront ===

impl TlsFront {
    /// Stands before an upstream, with a certificate of this authority that has this flaw.
    pub async fn before(upstream: &Upstream, authority: &Authority, flaw: Flaw) -> Self {
        Self::accepting(upstream, authority.server(flaw)).await
    }

    /// Stands before an upstream as a server that prefers HTTP/2. It only prefers it: what stands behind does not speak
    /// it.
    pub async fn preferring_http2(upstream: &Upstream, authority: &Authority) -> Self {
        let mut server = ServerConfig::clone(&authority.server(Flaw::None));
        server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Self::accepting(upstream, Arc::new(server)).await
    }

    async fn accepting(upstream: &Upstream, server: Arc<ServerConfig>) -> Self {
        let acceptor = TlsAcceptor::from(server);
        let listener = FAKES.spawn(TcpListener::bind("127.0.0.1:0")).await.expect("the fakes' runtime lives");
        let listener = listener.expect("a port of the loopback can be had");
        let address = listener.local_addr().expect("a bound socket has an address");
        let counts = Arc::new(Counts::default());
        let task = FAKES.spawn(accept(listener, acceptor, upstream.address(), Arc::clone(&counts)));
        Self { address, counts, task: task.abort_handle() }
    }

    /// The `base_url` of its channel.
    pub fn base_url(&self) -> String {
        format!("https://{}/v1", self.address)
    }

    /// How many connections have been accepted.
    pub fn connections(&self) -> u64 {
        self.counts.connections.load(Ordering::SeqCst)
    }

    /// How many of them came as far as TLS.
    pub fn handshakes(&self) -> u64 {
        self.counts.handshakes.load(Ordering::SeqCst)
    }

    /// How many of those took up where an earlier connection had left off, instead of proving everything again.
    pub fn resumed(&self) -> u64 {
        self.counts.resumed.load(Ordering::SeqCst)
    }

    /// How many agreed on HTTP/2.
    pub fn http2(&self) -> u64 {
        self.counts.http2.load(Ordering::SeqCst)
    }

    /// How many bytes of requests were heard.
    pub fn heard(&self) -> u64 {
        self.counts.heard.load(Ordering::SeqCst)
    }
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, behind: SocketAddr, counts: Arc<Counts>) {
    // Its connections end with it.
    let mut open = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        counts.connections.fetch_add(1, Ordering::SeqCst);
        let (acceptor, counts) = (acceptor.clone(), Arc::clone(&counts));
        open.spawn(async move {
            let _ended = hand_on(socket, &acceptor, behind, &counts).await;
        });
    }
}

async fn hand_on(
    socket: TcpStream,
    acceptor: &TlsAcceptor,
    behind: SocketAddr,
    counts: &Counts,
) -> std::io::Result<()> {
    let _delay = socket.set_nodelay(true);
    let accepted = acceptor.accept(socket).await?;
    if accepted.get_ref().1.alpn_protocol() == Some(b"h2") {
        counts.http2.fetch_add(1, Ordering::SeqCst);
    }
    if accepted.get_ref().1.handshake_kind() == Some(rustls::HandshakeKind::Resumed) {
        counts.resumed.fetch_add(1, Ordering::SeqCst);
    }
    let (mut read, mut write) = tokio::io::split(accepted);
    counts.handshakes.fetch_add(1, Ordering::SeqCst);
    let (mut answers, mut requests) = TcpStream::connect(behind).await?.into_split();
    let there = async {
        let mut buffer = vec![0; 16 << 10];
        loop {
            let count = read.read(&mut buffer).await?;
            if count == 0 {
                return Ok::<_, std::io::Error>(());
            }
            counts.heard.fetch_add(count as u64, Ordering::SeqCst);
            requests.write_all(buffer.get(..count).unwrap_or_default()).await?;
        }
    };
    // Whichever side ends first ends both.
    tokio::select! {
        ended = there => ended,
        copied = tokio::io::copy(&mut answers, &mut write) => copied.map(drop),
    }
}
