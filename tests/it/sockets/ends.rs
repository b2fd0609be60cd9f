//! How sockets end: the other side always hears of it, and of why.

use std::time::{Duration, Instant};

use gateway_tests::{Frame, Gateway, Upstream, eventually, patience, soon, switch};

use http::Method;

use super::{ends, relayed};

#[tokio::test]
async fn codes_and_reasons_pass_in_both_directions() {
    let (up, gw) = relayed().await;
    for (code, reason) in [(1000, ""), (1001, "going away"), (4000, "this application's own: ü"), (1011, "x")]
    {
        let (client, upstream) = ends(&up, &gw).await;
        let (answered, heard) = tokio::join!(client.close(code, reason), upstream.closed());
        assert_eq!((answered.unwrap(), heard), ((code, reason.to_owned()), (code, reason.to_owned())));

        let (client, upstream) = ends(&up, &gw).await;
        let (answered, heard) = tokio::join!(upstream.close(code, reason), client.closed());
        assert_eq!((answered.unwrap(), heard), ((code, reason.to_owned()), (code, reason.to_owned())));
    }
}

#[tokio::test]
async fn a_close_without_a_code_passes_as_one() {
    let (up, gw) = relayed().await;
    let (mut client, mut upstream) = ends(&up, &gw).await;
    let bare = Frame { fin: true, opcode: 8, payload: bytes::Bytes::new() };
    client.send(&bare).await;
    assert_eq!(upstream.next().await, Some(bare.clone()));
    // An upstream that hangs up instead of answering has closed it, too.
    upstream.vanish();
    assert_eq!(client.next().await, Some(bare));
    assert_eq!(client.next().await, None);
}

#[tokio::test]
async fn an_upstream_hears_at_once_that_its_client_is_gone() {
    let (up, gw) = relayed().await;
    let mut waits = Vec::new();
    for _ in 0..20 {
        let (client, upstream) = ends(&up, &gw).await;
        let left = Instant::now();
        client.vanish();
        assert_eq!(upstream.closed().await, (1001, "the client is gone".to_owned()));
        waits.push(left.elapsed());
    }
    let waits: gateway_tests::Durations = waits.into_iter().collect();
    println!("from the client's leaving to the end of the upstream's connection: {waits}");
}

#[tokio::test]
async fn a_client_hears_that_its_upstream_is_gone() {
    let (up, gw) = relayed().await;
    let (mut client, mut upstream) = ends(&up, &gw).await;
    upstream.send(&Frame::text("last words")).await;
    upstream.vanish();
    assert_eq!(client.next_text().await, "last words");
    let (code, reason) = client.closed().await;
    assert_eq!(code, 1014);
    assert!(reason.contains("upstream"), "{reason}");
}

#[tokio::test]
async fn an_upstream_that_is_gone_in_the_middle_of_a_long_frame_leaves_a_cut_and_no_false_end() {
    let (up, gw) = relayed().await;
    let (client, mut upstream) = ends(&up, &gw).await;
    upstream.writes.bytes(b"\x82\x7f\0\0\0\0\0\x10\0\0").await.unwrap();
    upstream.writes.bytes(&vec![7; 200_000]).await.unwrap();
    upstream.vanish();
    let (received, whole) = client.reads.until_the_end().await;
    assert!(!whole && received.len() > 100_000, "{} bytes", received.len());
    assert!(received.get(10..).unwrap().iter().all(|byte| *byte == 7), "nothing was put into the frame");
}

#[tokio::test]
async fn who_breaks_the_rules_is_told_which_and_the_other_side_that_it_is_over() {
    let (up, gw) = relayed().await;
    let masked_text = b"\x81\x80\0\0\0\0";
    for (bytes, reason) in [
        (&b"\xc1\x80\0\0\0\0"[..], "reserved bits"),
        (b"\x83\x80\0\0\0\0", "opcode"),
        (b"\x81\x02hi", "masked"),
        (b"\x89\xfe\x01\x00\0\0\0\0", "control frame"),
        (b"\x09\x80\0\0\0\0", "control frame"),
        (b"\x80\x80\0\0\0\0", "fragments"),
        (b"\x81\xff\x80\0\0\0\0\0\0\0\0\0\0\0", "length"),
        (b"\x88\x81\0\0\0\0\x03", "half a code"),
    ] {
        let (mut client, mut upstream) = ends(&up, &gw).await;
        client.writes.bytes(&[&masked_text[..], bytes].concat()).await.unwrap();
        assert_eq!(upstream.next_text().await, "", "what came before it passes");
        let (told, (code, _)) = tokio::join!(client.closed(), upstream.closed());
        assert_eq!((told.0, code), (1002, 1001), "{reason}");
        assert!(told.1.contains(reason), "{told:?} {reason}");
    }
    let (client, mut upstream) = ends(&up, &gw).await;
    upstream.writes.bytes(b"\x81\x82\0\0\0\0hi").await.unwrap();
    let (told, (code, _)) = tokio::join!(upstream.closed(), client.closed());
    assert_eq!((told.0, code), (1002, 1014));
}

#[tokio::test]
async fn a_socket_in_which_nobody_speaks_is_closed_on_both_sides_and_pings_keep_it_open() {
    let up = Upstream::scripted().always(switch()).start().await;
    let gw = Gateway::serving("m", [&up]).set("proxy.socket_idle_timeout", "400ms").start().await;
    let (mut client, mut upstream) = ends(&up, &gw).await;
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(1_200) {
        client.send(&Frame::ping(b"alive")).await;
        assert_eq!(upstream.next().await, Some(Frame::ping(b"alive")));
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    let (of_client, of_upstream) = tokio::join!(client.closed(), upstream.closed());
    assert_eq!((of_client.0, of_upstream.0), (1001, 1001));
    assert!(of_client.1.contains("socket_idle_timeout"), "{of_client:?}");
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_its_upstream_back_and_costs_next_to_nothing() {
    let up = Upstream::scripted().always(switch()).start().await;
    let Some(gw) = Gateway::serving("m", [&up])
        .set("server.workers", 1)
        .set("server.write_timeout", "60s")
        .spawn()
        .await
    else {
        return;
    };
    let open = async || (gw.call(Method::GET, "/v1/realtime?model=m").socket().await, up.socket().await);
    let (mut first, mut other) = open().await;
    let large = Frame::binary(vec![1; 1 << 20]);
    for _ in 0..8 {
        tokio::join!(other.writes.send(&large), async { first.next().await.unwrap() });
    }
    let before = gw.resident_kib();
    let (mut client, mut upstream) = open().await;
    let mut sent = 0;
    let pushing = async {
        while sent < 64 {
            upstream.writes.send(&large).await;
            sent += 1;
        }
    };
    // It cannot be shown that something goes on not happening; half a second is a thousand times what it would take.
    let pushed = tokio::time::timeout(Duration::from_millis(500), pushing).await;
    assert!(pushed.is_err(), "64 MiB went to a client that reads nothing");
    let grown = gw.resident_kib().saturating_sub(before);
    assert!(grown < 8 << 10, "{grown} KiB more for a client that reads nothing");
    println!("after {sent} of 64 MiB the upstream is held back; the gateway holds {grown} KiB more");

    // The other direction, and then everything arrives after all.
    client.send(&Frame::text("still here")).await;
    assert_eq!(upstream.next_text().await, "still here");
    assert!(client.next().await == Some(large));
}

#[tokio::test]
async fn a_client_that_does_not_read_is_closed_after_its_time() {
    let up = Upstream::scripted().always(switch()).start().await;
    let gw = Gateway::serving("m", [&up]).set("server.write_timeout", "200ms").start().await;
    let (client, mut upstream) = ends(&up, &gw).await;
    let large = Frame::binary(vec![1; 1 << 20]);
    let pushing = async { while upstream.writes.try_send(&large).await.is_ok() {} };
    soon("the upstream is hung up on", pushing).await;
    drop(client);
}

#[tokio::test]
async fn a_socket_outlives_the_times_of_calls_and_connections() {
    let up = Upstream::scripted().always(switch()).start().await;
    let gw = Gateway::serving("m", [&up])
        .set("server.keep_alive", "100ms")
        .set("server.read_timeout", "100ms")
        .set("server.body_timeout", "100ms")
        .set("server.header_timeout", "100ms")
        .set("server.write_timeout", "100ms")
        .set("proxy.connect_timeout", "100ms")
        .set("proxy.total_timeout", "100ms")
        .set("proxy.stream_timeout", "100ms")
        .set("proxy.first_byte_timeout", "100ms")
        .set("proxy.stream_gap_timeout", "100ms")
        .set("proxy.pool_idle_timeout", "100ms")
        .start()
        .await;
    let (mut client, mut upstream) = ends(&up, &gw).await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    client.send(&Frame::text("still")).await;
    assert_eq!(upstream.next_text().await, "still");
    upstream.send(&Frame::text("here")).await;
    assert_eq!(client.next_text().await, "here");
}

#[tokio::test]
async fn a_gateway_that_stops_lets_sockets_go_on_for_its_grace_and_then_says_goodbye() {
    let up = Upstream::scripted().always(switch()).start().await;
    let gw = Gateway::serving("m", [&up]).set("server.shutdown_grace", "700ms").start().await;
    let (mut client, mut upstream) = ends(&up, &gw).await;
    gw.begin_stop();
    eventually("nobody is let in any more", || std::net::TcpStream::connect(gw.address()).is_err()).await;
    client.send(&Frame::text("still")).await;
    assert_eq!(upstream.next_text().await, "still");
    let (of_client, of_upstream) = tokio::join!(client.closed(), upstream.closed());
    assert_eq!((of_client.0, of_upstream.0), (1012, 1001));
    assert!(patience() > Duration::from_millis(700));
}

#[tokio::test]
async fn sockets_that_end_within_the_grace_hold_a_stop_up_no_longer() {
    let up = Upstream::scripted().always(switch()).start().await;
    let mut gw = Gateway::serving("m", [&up]).set("server.shutdown_grace", "1h").start().await;
    let (client, upstream) = ends(&up, &gw).await;
    gw.begin_stop();
    eventually("nobody is let in any more", || std::net::TcpStream::connect(gw.address()).is_err()).await;
    tokio::join!(client.close(1000, ""), upstream.closed());
    tokio::task::spawn_blocking(move || gw.stop()).await.unwrap();
}
