//! TLS on both sides: offered to clients, demanded of upstreams.

use std::sync::Arc;

use gateway_tests::{
    ADMIN_TOKEN, Frame, Gateway, GatewayBuilder, NoAnswer, Upstream, chat, eventually, soon, sse, switch,
    until,
};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{ClientConfig, HandshakeKind, RootCertStore, ServerConfig};
use rustls_pki_types::{PrivateKeyDer, ServerName};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// A certificate for the loopback with its key, in a folder, and a client's trust in it.
struct Identity {
    folder: TempDir,
    made: CertifiedKey<rcgen::KeyPair>,
}

impl Identity {
    fn new() -> Self {
        let made =
            generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).expect("a certificate can be made");
        let identity = Self { folder: TempDir::new().expect("a folder"), made };
        identity.write();
        identity
    }

    fn write(&self) {
        std::fs::write(self.folder.path().join("cert.pem"), self.made.cert.pem()).expect("a file");
        std::fs::write(self.folder.path().join("key.pem"), self.made.signing_key.serialize_pem())
            .expect("a file");
    }

    /// Puts another certificate in the place of this one.
    fn renew(&mut self) {
        self.made =
            generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).expect("a certificate can be made");
        self.write();
    }

    fn serve(&self, builder: GatewayBuilder) -> GatewayBuilder {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        builder.set("server.tls.cert", path("cert.pem")).set("server.tls.key", path("key.pem"))
    }

    fn trust(&self, protocol: &str) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.made.cert.der().clone()).expect("a certificate");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let mut config = builder.expect("versions").with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        Arc::new(config)
    }
}

#[tokio::test]
async fn clients_are_answered_over_tls_by_http_1_and_2() {
    let identity = Identity::new();
    let up = Upstream::scripted().reply(chat("one")).then(sse(["t", "wo"])).start().await;
    let gw = identity.serve(Gateway::serving("m", [&up])).start().await;

    let one = gw.chat("m").say("hi").call().tls(&identity.trust("http/1.1")).send().await;
    one.assert_text("one");
    let two = gw.chat("m").say("hi").stream().call().h2().tls(&identity.trust("h2")).send().await;
    two.assert_text("two");
    assert_eq!((one.version, two.version), (http::Version::HTTP_11, http::Version::HTTP_2));
}

#[tokio::test]
async fn the_cookie_of_the_pages_never_leaves_a_tls_connection() {
    let identity = Identity::new();
    let gw = identity.serve(Gateway::empty()).start().await;
    let login = gw.call(http::Method::POST, "/api/login").no_key().tls(&identity.trust("http/1.1"));
    let answer = login.json(&serde_json::json!({ "token": ADMIN_TOKEN })).send().await;
    assert_eq!(answer.status, 204, "{}", answer.body_text());
    let cookie = answer.header("set-cookie");
    assert!(cookie.ends_with("; HttpOnly; SameSite=Strict; Path=/api; Secure"), "{cookie}");
}

#[tokio::test]
async fn a_client_that_comes_again_resumes_its_session() {
    let identity = Identity::new();
    let up = Upstream::scripted().always(chat("ok")).start().await;
    let gw = identity.serve(Gateway::serving("m", [&up])).start().await;
    let trust = identity.trust("http/1.1");
    let mut kinds = Vec::new();
    for _ in 0..2 {
        let socket = TcpStream::connect(gw.address()).await.expect("the gateway listens");
        let name = ServerName::from(gw.address().ip());
        let mut tls = TlsConnector::from(Arc::clone(&trust)).connect(name, socket).await.expect("TLS");
        // The session comes behind the handshake, with the first answer at the latest.
        let request = "GET /livez HTTP/1.1\r\nhost: gw\r\nconnection: close\r\n\r\n";
        tls.write_all(request.as_bytes()).await.expect("it listens");
        let mut answer = Vec::new();
        tls.read_to_end(&mut answer).await.expect("it answers");
        assert!(answer.starts_with(b"HTTP/1.1 200"), "{answer:?}");
        kinds.push(tls.get_ref().1.handshake_kind());
    }
    assert_eq!(kinds, [Some(HandshakeKind::Full), Some(HandshakeKind::Resumed)]);
}

#[tokio::test]
async fn plain_bytes_on_a_tls_port_get_no_answer_from_an_upstream() {
    let identity = Identity::new();
    let up = Upstream::scripted().start().await;
    let gw = identity.serve(Gateway::serving("m", [&up])).start().await;

    let plain = gw.chat("m").say("hi").try_send().await;

    assert!(!plain.is_ok_and(|answer| answer.status == 200));
    assert_eq!(up.connections(), 0);
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_after_a_reload_and_a_broken_one_is_not() {
    let mut identity = Identity::new();
    let up = Upstream::scripted().always(chat("ok")).start().await;
    let gw = identity.serve(Gateway::serving("m", [&up])).start().await;
    let reload = async |trust: &Arc<ClientConfig>| {
        let call = gw.admin().call(http::Method::POST, "/api/config/reload").json(&serde_json::json!({}));
        call.tls(trust).send().await.status
    };
    let before = identity.trust("http/1.1");

    std::fs::write(identity.folder.path().join("cert.pem"), "no certificate").expect("a file");
    assert_eq!(reload(&before).await, 422);
    gw.chat("m").say("hi").call().tls(&before).send().await.assert_text("ok");

    identity.renew();
    assert_eq!(reload(&before).await, 200);

    let after = identity.trust("http/1.1");
    until("the new certificate is shown", async || {
        gw.chat("m").say("hi").call().tls(&after).try_send().await.ok()
    })
    .await
    .assert_text("ok");
    let old = gw.chat("m").say("hi").call().tls(&before).try_send().await;
    assert!(matches!(old, Err(NoAnswer::Connect(_))), "{old:?}");
}

#[tokio::test]
async fn a_certificate_in_other_files_is_shown_after_a_reload() {
    let (first, second) = (Identity::new(), Identity::new());
    let up = Upstream::scripted().always(chat("ok")).start().await;
    let gw = first.serve(Gateway::serving("m", [&up])).start().await;
    let (before, after) = (first.trust("http/1.1"), second.trust("http/1.1"));
    gw.chat("m").say("hi").call().tls(&before).send().await.assert_text("ok");

    for (key, file) in [("server.tls.key", "key.pem"), ("server.tls.cert", "cert.pem")] {
        gw.set(key, second.folder.path().join(file).display().to_string());
    }
    until("the other certificate is shown", async || {
        gw.chat("m").say("hi").call().tls(&after).try_send().await.ok()
    })
    .await
    .assert_text("ok");
    let shown = gw.admin().call(http::Method::GET, "/api/config").tls(&after).send().await.json();
    assert_eq!(shown["restart_needed"], serde_json::json!([]), "{shown}");
}

#[tokio::test]
async fn a_client_that_never_shakes_hands_is_let_go_when_its_first_head_is_overdue() {
    let identity = Identity::new();
    let up = Upstream::scripted().always(chat("ok")).start().await;
    let gw = identity.serve(Gateway::serving("m", [&up])).set("server.header_timeout", "200ms").start().await;

    let mut silent = TcpStream::connect(gw.address()).await.expect("a connection");
    let mut halting = TcpStream::connect(gw.address()).await.expect("a connection");
    // The beginning of a record of TLS.
    halting.write_all(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01]).await.expect("there is room for six bytes");

    for (socket, what) in [(&mut silent, "said nothing"), (&mut halting, "stopped in the middle")] {
        let read = soon(&format!("one that {what} is let go"), socket.read(&mut [0; 64])).await;
        assert_eq!(read.unwrap_or(0), 0, "one that {what} hears nothing before");
    }
    gw.chat("m").say("hi").call().tls(&identity.trust("http/1.1")).send().await.assert_text("ok");
}

// --- F26: upstreams that are not who they should be ---

/// A gateway whose only channel is this address, over TLS.
async fn over_tls(up: &Upstream, address: std::net::SocketAddr) -> Gateway {
    let builder = Gateway::serving("m", [up]).channel(up, "base_url", format!("https://{address}/v1"));
    builder.set("proxy.connect_timeout", "500ms").set("proxy.first_byte_timeout", "1s").start().await
}

#[tokio::test]
async fn an_upstream_whose_certificate_nobody_vouches_for_hears_no_request() {
    let identity = Identity::new();
    let key = PrivateKeyDer::try_from(identity.made.signing_key.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = builder.expect("versions").with_no_client_auth();
    let config = config
        .with_single_cert(vec![identity.made.cert.der().clone()], key)
        .expect("a certificate and its key");
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let up = Upstream::scripted().start().await;
    let gw = over_tls(&up, address).await;

    let accepting = async {
        let (socket, _) = listener.accept().await.expect("a connection");
        acceptor.accept(socket).await.is_ok()
    };
    let (answer, _shaken) = tokio::join!(gw.chat("m").say("hi").send(), accepting);

    answer.assert_error(502, "upstream_tls_error");
    assert_eq!(up.connections(), 0);
}

#[tokio::test]
async fn an_upstream_that_does_not_speak_tls_is_502() {
    let up = Upstream::scripted().start().await;
    let plain = Upstream::scripted().start().await;
    let gw = over_tls(&up, plain.address()).await;
    // The plain server waits for the end of a head that never comes; the connect timeout covers the handshake.
    let answer = gw.chat("m").say("hi").send().await;
    assert!(matches!(answer.status, 502 | 504), "{}", answer.body_text());
    answer.assert_error_shape();
    eventually("the connection was made", || plain.connections() == 1).await;
    assert_eq!(plain.count(), 0);
}

#[tokio::test]
async fn a_websocket_is_opened_and_closed_over_tls() {
    let identity = Identity::new();
    let up = Upstream::scripted().always(switch()).start().await;
    let gw = identity.serve(Gateway::serving("m", [&up])).start().await;
    let open = async || {
        let call = gw.get("/v1/realtime?model=m").tls(&identity.trust("http/1.1"));
        (call.tls_socket().await, up.socket().await)
    };
    let (mut client, mut upstream) = open().await;
    let large = Frame::binary(vec![7; 1 << 20]);
    for _ in 0..3 {
        let ((), heard) = tokio::join!(client.writes.send(&large), upstream.next());
        assert!(heard.as_ref() == Some(&large));
        let ((), heard) = tokio::join!(upstream.writes.send(&large), client.next());
        assert!(heard.as_ref() == Some(&large));
    }
    tokio::join!(client.close(1000, "done"), upstream.closed());
    let (client, upstream) = open().await;
    client.vanish();
    assert_eq!(upstream.closed().await.0, 1001);
    let (client, upstream) = open().await;
    upstream.vanish();
    assert_eq!(client.closed().await.0, 1014);
}
