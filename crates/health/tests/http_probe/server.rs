//! A scripted server per test, and the probes that are sent to it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use gateway_domain::{BaseUrl, Channel, ChannelId, ChannelTuning, ManagedBy, ProbePlan, Secret};
use gateway_health::{HttpProbe, Observation, Probe, ProbeReport};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

pub(super) const KEY: &str = "sk-canary-7f3a";
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
pub(super) const SHORT: Duration = Duration::from_millis(300);

/// A server that gives every connection the same bytes, and keeps what it was asked.
pub(super) struct Server {
    pub(super) base_url: String,
    connections: JoinSet<String>,
}

/// What the server does after it has sent its bytes.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Then {
    Close,
    Hang,
}

impl Server {
    /// Answers one connection.
    pub(super) async fn start(answer: impl Into<Vec<u8>>, then: Then) -> Self {
        let (answer, listener) = (answer.into(), TcpListener::bind("127.0.0.1:0").await.unwrap());
        let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
        let mut connections = JoinSet::new();
        connections.spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut asked = Vec::new();
            while !is_whole(&asked) {
                assert_ne!(socket.read_buf(&mut asked).await.unwrap(), 0, "the probe hung up early");
            }
            socket.write_all(&answer).await.unwrap();
            if then == Then::Hang {
                // Until the probe gives up.
                assert_eq!(socket.read(&mut [0; 1]).await.unwrap_or(0), 0);
            }
            String::from_utf8(asked).unwrap()
        });
        Self { base_url, connections }
    }

    /// The request, once the connection is over.
    pub(super) async fn asked(mut self) -> String {
        self.connections.join_next().await.unwrap().unwrap()
    }
}

pub(super) fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.parse().unwrap())
}

pub(super) fn http_answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}connection: close\r\n\r\n{body}", body.len())
}

pub(super) fn channel(base_url: &str, probe: ProbePlan) -> Arc<Channel> {
    Arc::new(Channel {
        id: ChannelId(1),
        name: "one".into(),
        base_url: BaseUrl::parse(base_url).unwrap(),
        api_key: Secret::new(KEY.to_owned()),
        weight: 10,
        enabled: true,
        serves_any_model: false,
        max_concurrency: None,
        probe,
        tuning: ChannelTuning::default(),
        managed_by: ManagedBy::Api,
    })
}

pub(super) fn http_probe() -> HttpProbe {
    http_probe_trusting(RootCertStore::empty())
}

pub(super) fn http_probe_trusting(roots: RootCertStore) -> HttpProbe {
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    HttpProbe::new(Arc::new(tls))
}

/// Serves one connection over TLS, and says by which protocol it was asked.
pub(super) async fn serve_tls(listener: TcpListener, tls: ServerConfig) -> Option<Vec<u8>> {
    let (socket, _) = listener.accept().await.unwrap();
    let socket = TlsAcceptor::from(Arc::new(tls)).accept(socket).await.ok()?;
    let protocol = socket.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
    let answer = |_| async { Ok::<_, Infallible>(hyper::Response::new(String::from("{}"))) };
    let server = auto::Builder::new(TokioExecutor::new());
    server.serve_connection(TokioIo::new(socket), service_fn(answer)).await.unwrap();
    protocol
}

/// Probes a server that gives this answer.
pub(super) async fn probe(answer: impl Into<Vec<u8>>, then: Then, plan: ProbePlan) -> (ProbeReport, String) {
    let server = Server::start(answer, then).await;
    let patience = if then == Then::Hang { SHORT } else { PATIENCE };
    let report = http_probe().probe(channel(&server.base_url, plan), patience).await;
    assert_clean(&report);
    (report, server.asked().await)
}

/// The verdict on a server whose whole answer is this status.
pub(super) async fn verdict(status: &str, plan: ProbePlan) -> &'static str {
    let (report, _) = probe(http_answer(status, "", ""), Then::Close, plan).await;
    assert_eq!(report.status.map(|status| status.to_string()).as_deref(), status.get(..3));
    match report.observation().expect("the channel was asked") {
        Observation::ProbeOk { .. } => "ok",
        Observation::ProbeFailed { .. } => "failed",
        Observation::ProbeRefused { .. } => "refused",
        Observation::ProbeMisasked { .. } => "misasked",
        Observation::TrafficOk | Observation::TrafficFailed { .. } => {
            unreachable!("a probe is no traffic")
        }
    }
}

pub(super) fn assert_clean(report: &ProbeReport) {
    let why = report.why.clone().unwrap_or_default();
    let body = report.body.clone().unwrap_or_default();
    assert!(why.chars().count() <= 300 && !why.contains(char::is_control), "{why:?}");
    assert!(!format!("{report:?}").contains(KEY) && body.len() <= 64 * 1024, "{report:?}");
    assert!(report.is_ok() || !why.is_empty(), "every failure has its reason");
}
