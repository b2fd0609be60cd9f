//! F26: upstreams that are not who they should be. They never hear a word of the request.
//!
//! The gateway trusts whom its platform trusts, so these tests run the binary with an authority of their own in
//! `SSL_CERT_FILE`, as operators do.

use std::process::Stdio;

use gateway_tests::{
    Authority, Flaw, Frame, Gateway, GatewayProcess, TlsFront, Upstream, chat, eventually, in_good_time,
    in_order, sse, switch, weighted,
};
use http::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A gateway that trusts this authority; the upstream, at this address, serves `bad` alone and `mended` before another.
async fn trusting(
    authority: &Authority,
    bad: &Upstream,
    url: &str,
    good: &Upstream,
) -> Option<GatewayProcess> {
    Gateway::serving_weighted("mended", in_order([bad, good]))
        .model("bad", weighted([(bad, 10)]))
        .channel(bad, "base_url", url)
        .set("proxy.connect_timeout", "700ms")
        .set("proxy.first_byte_timeout", "3s")
        .set("proxy.pool_idle_timeout", "50ms")
        .env("SSL_CERT_FILE", &authority.pem_path().display().to_string())
        .spawn()
        .await
}

/// The upstream at this address is never told anything, and a call for it ends so.
async fn is_never_trusted(authority: &Authority, url: &str, status: u16, code: &str) {
    let bad = Upstream::scripted().start().await;
    let good = Upstream::scripted().reply(chat("good")).start().await;
    let Some(gw) = trusting(authority, &bad, url, &good).await else { return };

    gw.chat("bad").say("hi").send().await.assert_error(status, code);
    gw.chat("mended").say("hi").send().await.assert_text("good");

    assert_eq!(bad.connections(), 0);
    let in_flight = async || gw.metrics().await.count("gateway_requests_in_flight", &[]);
    in_good_time("all calls are counted out", async || (in_flight().await == 0).then_some(())).await;
}

#[tokio::test]
async fn an_upstream_that_a_named_authority_vouches_for_is_trusted() {
    let authority = Authority::new();
    let up = Upstream::scripted().reply(chat("over TLS")).then(sse(["over ", "TLS"])).start().await;
    let other = Upstream::scripted().start().await;
    let front = TlsFront::before(&up, &authority, Flaw::None).await;
    let Some(gw) = trusting(&authority, &up, &front.base_url(), &other).await else {
        up.forgive();
        return;
    };

    gw.chat("bad").say("hi").send().await.assert_text("over TLS");
    gw.chat("bad").say("hi").stream().send().await.assert_text("over TLS");

    assert!(front.heard() > 0 && front.handshakes() >= 1);
    eventually("idle connections are closed", || up.open_connections() == 0).await;
}

#[tokio::test]
async fn a_new_connection_resumes_the_session_of_an_earlier_one() {
    let authority = Authority::new();
    let up = Upstream::scripted().always(chat("over TLS")).start().await;
    let other = Upstream::scripted().start().await;
    let front = TlsFront::before(&up, &authority, Flaw::None).await;
    let Some(gw) = trusting(&authority, &up, &front.base_url(), &other).await else { return };

    gw.chat("bad").say("hi").send().await.assert_text("over TLS");
    eventually("the idle connection is closed", || up.open_connections() == 0).await;
    gw.chat("bad").say("hi").send().await.assert_text("over TLS");

    assert_eq!((front.handshakes(), front.resumed()), (2, 1));
}

#[tokio::test]
async fn a_websocket_is_asked_for_over_http_1_where_the_upstream_would_rather_speak_http_2() {
    let authority = Authority::new();
    let up = Upstream::scripted().reply(switch()).start().await;
    let other = Upstream::scripted().start().await;
    let front = TlsFront::preferring_http2(&up, &authority).await;
    let Some(gw) = trusting(&authority, &up, &front.base_url(), &other).await else {
        up.forgive();
        return;
    };
    let mut client = gw.call(Method::GET, "/v1/realtime?model=bad").socket().await;
    let mut upstream = up.socket().await;
    client.send(&Frame::text("over TLS")).await;
    assert_eq!(upstream.next_text().await, "over TLS");
    tokio::join!(client.close(1000, ""), upstream.closed());
    assert_eq!((front.handshakes(), front.http2()), (1, 0));
}

#[tokio::test]
async fn a_certificate_with_any_flaw_is_refused_before_a_word_is_said() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let flaws = [Flaw::Expired, Flaw::NotYetValid, Flaw::WrongHost, Flaw::SelfSigned];
    let of_strangers = std::iter::once((&stranger, Flaw::None));
    for (signer, flaw) in flaws.map(|flaw| (&authority, flaw)).into_iter().chain(of_strangers) {
        let behind = Upstream::scripted().start().await;
        let front = TlsFront::before(&behind, signer, flaw).await;

        is_never_trusted(&authority, &front.base_url(), 502, "upstream_tls_error").await;

        assert_eq!((front.heard(), behind.connections()), (0, 0), "{flaw:?}");
        assert!(front.connections() <= 3, "{flaw:?}: {} connections for two calls", front.connections());
    }
}

#[tokio::test]
async fn a_handshake_that_hangs_ends_with_the_connect_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("https://{}/v1", listener.local_addr().expect("an address"));
    let holding = async {
        let mut held = Vec::new();
        while let Ok((socket, _)) = listener.accept().await {
            held.push(socket);
        }
    };
    let authority = Authority::new();
    tokio::select! {
        () = holding => {}
        () = is_never_trusted(&authority, &url, 504, "upstream_timeout") => {}
    }
}

#[tokio::test]
async fn what_is_no_handshake_is_a_tls_error() {
    let authority = Authority::new();
    for garbage in
        [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], b"\x15\x03\x01\x00\x02\x02\x28", &[0xff; 4096], b""]
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("https://{}/v1", listener.local_addr().expect("an address"));
        let answering = async {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut hello = [0; 1024];
                let _heard = socket.read(&mut hello).await;
                let _said = socket.write_all(garbage).await;
                assert!(
                    hello.first() == Some(&0x16),
                    "the gateway began with something else than a handshake"
                );
            }
        };
        tokio::select! {
            () = answering => {}
            () = is_never_trusted(&authority, &url, 502, "upstream_tls_error") => {}
        }
    }
}

#[tokio::test]
async fn a_server_that_knows_only_old_versions_of_tls_is_refused() {
    let free = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let folder = tempfile::TempDir::new().expect("a folder");
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).expect("a file");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("a file");
    let server = tokio::process::Command::new("openssl")
        .args(["s_server", "-quiet", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0", "-accept", &free.to_string()])
        .arg("-cert")
        .arg(&cert)
        .arg("-key")
        .arg(&key)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn();
    let Ok(mut server) = server else {
        // No openssl here; rustls has no code for such versions in any case.
        return;
    };
    in_good_time("openssl listens", async || tokio::net::TcpStream::connect(free).await.ok()).await;

    is_never_trusted(&Authority::new(), &format!("https://{free}/v1"), 502, "upstream_tls_error").await;

    server.kill().await.expect("openssl can be ended");
    let mut heard = Vec::new();
    server.stdout.take().expect("a pipe").read_to_end(&mut heard).await.expect("a pipe can be read");
    assert!(heard.is_empty(), "{}", String::from_utf8_lossy(&heard));
}
