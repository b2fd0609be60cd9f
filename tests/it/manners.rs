//! The manners of the server itself: timers, limits, framing, and what is no business of a gateway.

use gateway_tests::{Gateway, GatewayBuilder, Raw, Upstream, chat, ms, until};

/// Short timers; the upstream may answer, if anything gets that far.
pub(crate) fn quick(up: &Upstream) -> GatewayBuilder {
    Gateway::serving("m", [up])
        .set("server.header_timeout", "200ms")
        .set("server.read_timeout", "200ms")
        .set("server.body_timeout", "500ms")
        .set("server.keep_alive", "200ms")
}

pub(crate) const BODY: &str = r#"{"model":"m","messages":[]}"#;

pub(crate) fn head(extra: &str) -> String {
    let key = gateway_tests::USER_KEY;
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: gw\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n{extra}\r\n"
    )
}

pub(crate) fn request() -> String {
    format!("{}{BODY}", head(&format!("content-length: {}\r\n", BODY.len())))
}

// --- F40: connections that do not come to the point ---

#[tokio::test]
async fn silent_partial_and_slow_heads_are_closed_in_time() {
    let up = Upstream::scripted().start().await;
    let gw = quick(&up).start().await;
    let beginnings: [&[u8]; 7] = [
        b"",
        b"P",
        b"PRI * HTT",
        b"PRI * HTTP/2.0\r\n\r\nSM",
        b"POST /v1/chat/completions HTTP/1.1\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: gw\r\nx: y",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: gw\r\n",
    ];
    let address = gw.address();
    let closings = beginnings.into_iter().map(|bytes| async move {
        let mut socket = Raw::connect(address).await;
        socket.send(bytes).await;
        socket.closed_after().await;
    });
    gateway_tests::all(closings).await;
    assert_eq!(up.connections(), 0);
}

#[tokio::test]
async fn a_head_that_drips_is_closed_though_it_never_pauses() {
    let up = Upstream::scripted().start().await;
    let gw = quick(&up).start().await;
    let mut socket = Raw::connect(gw.address()).await;
    socket.send("POST /v1/chat/completions HTTP/1.1\r\nhost: gw\r\n").await;

    let dripped = async {
        for number in 0..10_000 {
            if socket.try_send(format!("x-{number}: y\r\n")).await.is_err() {
                return;
            }
            tokio::time::sleep(ms(20)).await;
        }
    };
    gateway_tests::soon("the gateway closes a dripping head", dripped).await;
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_keep_alive() {
    let up = Upstream::scripted().reply(chat("ok")).start().await;
    let gw = quick(&up).start().await;
    let mut socket = Raw::connect(gw.address()).await;

    socket.send(request()).await;
    assert_eq!(socket.answer().await.map(|a| a.status), Some(200));

    socket.closed_after().await;
}

#[tokio::test]
async fn an_idle_http2_connection_is_closed_too() {
    let up = Upstream::scripted().start().await;
    let gw = quick(&up).start().await;
    let mut socket = Raw::connect(gw.address()).await;

    // The preface and an empty SETTINGS frame, then nothing.
    socket.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00").await;

    socket.closed_after().await;
}

// --- F41: bodies that do not arrive ---

#[tokio::test]
async fn a_stalled_body_is_408_and_no_upstream_hears_of_it() {
    let up = Upstream::scripted().start().await;
    let gw = quick(&up).start().await;
    for framing in
        [format!("content-length: {}\r\n", BODY.len() + 10), "transfer-encoding: chunked\r\n".to_owned()]
    {
        let mut socket = Raw::connect(gw.address()).await;
        socket.send(head(&framing)).await;
        socket.send(if framing.starts_with('c') { BODY } else { "5\r\n{\"mod\r\n" }).await;

        let answer = socket.answer().await.expect("an answer to a stalled body");

        assert_eq!((answer.status, answer.error_code().as_str()), (408, "request_timeout"), "{framing}");
        assert!(!answer.header("x-request-id").is_empty());
        socket.closed_after().await;
    }
    assert_eq!(up.connections(), 0);
}

#[tokio::test]
async fn a_body_that_drips_is_408_though_it_never_pauses() {
    let up = Upstream::scripted().start().await;
    let gw = quick(&up).start().await;
    let mut socket = Raw::connect(gw.address()).await;
    socket.send(head("content-length: 100000\r\n")).await;

    let dripped = async {
        while socket.try_send(" ").await.is_ok() {
            tokio::time::sleep(ms(30)).await;
            if !socket.stays_open(ms(1)).await {
                return;
            }
        }
    };
    gateway_tests::soon("the gateway gives up on a dripping body", dripped).await;

    assert_eq!(up.connections(), 0);
}

#[tokio::test]
async fn a_slow_client_within_the_limits_is_served() {
    let up = Upstream::scripted().reply(chat("ok")).start().await;
    let gw = quick(&up).start().await;
    let mut socket = Raw::connect(gw.address()).await;

    let whole = request();
    for part in whole.as_bytes().chunks(whole.len() / 5) {
        socket.send(part).await;
        tokio::time::sleep(ms(20)).await;
    }

    assert_eq!(socket.answer().await.map(|a| a.status), Some(200));
}

// --- methods and hosts that are no business of a gateway ---

#[tokio::test]
async fn connect_and_trace_are_405() {
    let up = Upstream::scripted().start().await;
    let gw = quick(&up).start().await;
    for line in [
        "CONNECT 127.0.0.1:1 HTTP/1.1\r\nhost: 127.0.0.1:1",
        "CONNECT gw:443 HTTP/1.1\r\nhost: gw:443",
        "TRACE /v1/models HTTP/1.1\r\nhost: gw",
        "TRACE / HTTP/1.1\r\nhost: gw",
    ] {
        let mut socket = Raw::connect(gw.address()).await;
        socket.send(format!("{line}\r\n\r\n")).await;
        let answer = socket.answer().await.unwrap_or_else(|| panic!("no answer to {line}"));
        assert_eq!(answer.status, 405, "{line}");
        assert!(!answer.header("x-request-id").is_empty(), "{line}: {}", answer.head);
    }
}

#[tokio::test]
async fn a_request_without_one_good_host_is_400() {
    let up = Upstream::scripted().start().await;
    let gw = quick(&up).start().await;
    let key = gateway_tests::USER_KEY;
    for hosts in [
        "",
        "host: a\r\nhost: b\r\n",
        "host: a/b\r\n",
        "host: a?b\r\n",
        "host: a#b\r\n",
        "host: u@a\r\n",
        "host: a b\r\n",
        "host:\r\n",
    ] {
        let mut socket = Raw::connect(gw.address()).await;
        socket.send(format!("GET /v1/models HTTP/1.1\r\n{hosts}authorization: Bearer {key}\r\n\r\n")).await;
        let answer = socket.answer().await.unwrap_or_else(|| panic!("no answer to {hosts:?}"));
        assert_eq!(answer.status, 400, "{hosts:?}: {}", answer.head);
    }
}

#[tokio::test]
async fn an_absolute_form_with_another_authority_is_400() {
    let up = Upstream::scripted().start().await;
    let gw = quick(&up).start().await;
    let mut socket = Raw::connect(gw.address()).await;
    let key = gateway_tests::USER_KEY;

    socket
        .send(format!(
            "GET http://evil.test/v1/models HTTP/1.1\r\nhost: gw\r\nauthorization: Bearer {key}\r\n\r\n"
        ))
        .await;

    assert_eq!(socket.answer().await.map(|a| a.status), Some(400));
}

// --- limits ---

#[tokio::test]
async fn heads_that_are_too_large_are_431() {
    let up = Upstream::scripted().start().await;
    let gw = quick(&up).set("server.max_header_bytes", 16_384).start().await;
    for extra in [format!("x-long: {}\r\n", "y".repeat(20_000)), "x-many: y\r\n".repeat(200)] {
        let mut socket = Raw::connect(gw.address()).await;
        // The gateway may close before everything is sent.
        let _refused = socket.try_send(head(&extra)).await;
        let answer = socket.answer().await.expect("an answer to a large head");
        assert_eq!(
            (answer.status, answer.error_code().as_str()),
            (431, "headers_too_large"),
            "{}",
            answer.head
        );
        assert!(!answer.header("x-request-id").is_empty(), "{}", answer.head);
    }
    assert_eq!(up.connections(), 0);
}

#[tokio::test]
async fn the_limit_of_heads_is_the_same_over_http2() {
    let up = Upstream::scripted().always(chat("ok")).start().await;
    for (limit, status) in [(65_536, 200), (16_384, 431)] {
        let gw = quick(&up).set("server.max_header_bytes", limit).start().await;
        let answer = gw.chat("m").say("hi").header("x-long", &"y".repeat(30_000)).h2().send().await;
        assert_eq!(answer.status, status, "{limit}");
    }
}

#[tokio::test]
async fn another_limit_of_heads_holds_for_the_next_connection() {
    let up = Upstream::scripted().always(chat("ok")).start().await;
    let gw = quick(&up).start().await;
    let head = head(&format!("x-long: {}\r\n", "y".repeat(20_000)));
    gw.set("server.max_header_bytes", 16_384);
    let refused = async || {
        let mut socket = Raw::connect(gw.address()).await;
        let _refused = socket.try_send(&head).await;
        let answer = socket.answer().await?;
        (answer.status == 431).then_some(())
    };
    until("the limit holds", refused).await;
}

#[tokio::test]
async fn a_target_that_is_too_long_is_refused() {
    let up = Upstream::scripted().start().await;
    let gw = quick(&up).set("server.max_header_bytes", 16_384).start().await;
    let mut socket = Raw::connect(gw.address()).await;
    let _refused = socket.try_send(format!("GET /{} HTTP/1.1\r\nhost: gw\r\n\r\n", "a".repeat(70_000))).await;
    let answer = socket.answer().await.expect("an answer to a long target");
    assert!([414, 431].contains(&answer.status), "{}", answer.head);
}

#[tokio::test]
async fn what_is_no_request_is_400_and_told_why() {
    let up = Upstream::scripted().start().await;
    let gw = quick(&up).start().await;
    for nonsense in [
        "\x16\x03\x01\x02\0\x01\0\x01\u{1}\x03\x03",
        "GET /v1/models HTTP/1.1\r\nhost : gw\r\n\r\n",
        "GET /v1/models HTTP/3.0\r\n\r\n",
        "POST /v1/models HTTP/1.1\r\nhost: gw\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
    ] {
        let mut socket = Raw::connect(gw.address()).await;
        socket.send(nonsense).await;
        let answer = socket.answer().await.unwrap_or_else(|| panic!("no answer to {nonsense:?}"));
        assert_eq!((answer.status, answer.error_code().as_str()), (400, "malformed_request"), "{nonsense:?}");
        socket.closed_after().await;
    }
    assert_eq!(up.connections(), 0);
}

// --- probes of the gateway itself ---

#[tokio::test]
async fn health_live_and_ready_answer_without_a_key() {
    let up = Upstream::scripted().start().await;
    let gw = Gateway::serving("m", [&up]).start().await;
    for path in ["/health", "/livez", "/readyz"] {
        let answer = gw.get(path).no_key().send().await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body_text());
    }
    assert_eq!(gw.get("/health").no_key().send().await.json()["status"], "ok");
}
