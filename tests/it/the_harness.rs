//! The fakes themselves: a fake that cannot fail a test proves nothing.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};

use gateway_tests::{
    Answer, Call, Gate, NoAnswer, Raw, Upstream, body, chat, close, eventually, hang, html, ms, raw,
    redirect, reset, sse, status,
};
use http::Method;

fn ask(upstream: &Upstream) -> Call {
    Call::new(upstream.address(), Method::POST, "/v1/chat/completions")
        .key(upstream.key())
        .json(&serde_json::json!({"model": "m", "messages": []}))
}

fn complaint_of(upstream: Upstream) -> String {
    match catch_unwind(AssertUnwindSafe(|| drop(upstream))) {
        Ok(()) => String::new(),
        Err(panic) => panic.downcast_ref::<String>().cloned().unwrap_or_default(),
    }
}

#[tokio::test]
async fn a_script_is_played_in_order_and_then_content() {
    let upstream = Upstream::scripted().reply(status(429).retry_after(2)).then(chat("hello")).start().await;

    let first = ask(&upstream).send().await;
    let second = ask(&upstream).send().await;

    assert_eq!(
        (first.status, first.header("retry-after"), first.error_code().as_str()),
        (429, "2", "scripted_429")
    );
    second.assert_text("hello");
    assert_eq!(second.usage(), Some((3, 2)));
    assert_eq!(upstream.count(), 2);
    assert_eq!(complaint_of(upstream), "");
}

#[tokio::test]
async fn a_stream_says_its_texts_then_usage_then_done() {
    let upstream = Upstream::scripted().reply(sse(["Hel", "lo"]).usage(3, 2)).start().await;

    let answer = ask(&upstream).send().await;

    answer.assert_text("Hello");
    assert_eq!(answer.usage(), Some((3, 2)));
    assert_eq!(answer.data().len(), 5);
}

#[tokio::test]
async fn what_was_not_asked_for_is_complained_about() {
    let unplayed = Upstream::scripted().reply(chat("never")).start().await;
    assert!(complaint_of(unplayed).contains("1 replies of the script were not asked for"));

    let overplayed = Upstream::scripted().start().await;
    assert!(matches!(ask(&overplayed).try_send().await, Err(NoAnswer::Broken(_))));
    assert!(complaint_of(overplayed).contains("beyond the end of the script"));
}

#[tokio::test]
async fn foreign_keys_are_complained_about() {
    let upstream = Upstream::scripted().reply(chat("a")).then(chat("b")).start().await;

    ask(&upstream).key("sk-somebody-else").send().await.assert_text("a");
    ask(&upstream).header("x-odd", gateway_tests::USER_KEY).send().await.assert_text("b");

    let complaint = complaint_of(upstream);
    assert!(complaint.contains("another key than the channel's"), "{complaint}");
    assert!(complaint.contains("brought a user key"), "{complaint}");
}

#[tokio::test]
async fn health_probes_are_no_part_of_the_script() {
    let upstream = Upstream::scripted().models(["m"]).start().await;
    let probe = || Call::new(upstream.address(), Method::GET, "/v1/models").key(upstream.key()).send();

    assert_eq!(probe().await.json()["data"][0]["id"], "m");
    upstream.set_well(false);
    assert_eq!(probe().await.status, 503);
    assert_eq!((upstream.probes(), upstream.count()), (2, 0));
}

#[tokio::test]
async fn faults_look_as_they_should_on_the_wire() {
    let upstream = Upstream::scripted()
        .reply(reset())
        .then(close())
        .then(raw("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhi"))
        .then(chat("a long enough text").half())
        .then(chat("a long enough text").chunks_of(7).broken_chunks())
        .then(chat("text").short_length(4))
        .then(html())
        .then(redirect(302, "http://127.0.0.1:1/"))
        .start()
        .await;

    for _ in 0..2 {
        assert!(matches!(ask(&upstream).try_send().await, Err(NoAnswer::Broken(_))));
    }
    for whole in [false, false, false] {
        let answer = ask(&upstream).send().await;
        assert_eq!((answer.status, !answer.cut), (200, whole), "{answer:?}");
    }
    let short = ask(&upstream).send().await;
    assert!(serde_json::from_slice::<serde_json::Value>(&short.body).is_err(), "{short:?}");
    assert!(ask(&upstream).send().await.body_text().starts_with("<!doctype html>"));
    assert_eq!(ask(&upstream).send().await.header("location"), "http://127.0.0.1:1/");
}

#[tokio::test]
async fn streams_break_where_the_script_says() {
    let upstream = Upstream::scripted()
        .reply(sse(["a", "b", "c"]).reset_after(2))
        .then(sse(["a", "b", "c"]).close_after(1))
        .then(sse(["a", "b", "c"]).break_after(3))
        .then(sse(["a", "b"]).without_finish())
        .start()
        .await;

    let mut answers: Vec<Answer> = Vec::new();
    for _ in 0..4 {
        answers.push(ask(&upstream).send().await);
    }

    let seen: Vec<_> = answers.iter().map(|a| (a.text(), a.cut, a.is_done())).collect();
    // A reset may take with it what was sent just before.
    assert!(seen[0].1 && !seen[0].2, "{seen:?}");
    assert_eq!(seen[1..3], [("a".to_owned(), true, false), ("abc".to_owned(), true, false)]);
    assert_eq!(seen[3], ("ab".to_owned(), false, false));
}

#[tokio::test]
async fn a_gate_holds_the_stream_until_it_opens_and_leaving_is_seen() {
    let gate = Gate::shut();
    let upstream =
        Upstream::scripted().reply(sse(["a", "b"]).hold_before(1, &gate)).then(hang()).start().await;

    let mut stream = ask(&upstream).open().await;
    stream.read_until("\"a\"").await;
    assert_eq!((upstream.in_flight(), upstream.peak()), (1, 1));
    gate.open();
    stream.rest().await.assert_text("ab");
    eventually("the stream is counted out", || upstream.in_flight() == 0).await;

    assert!(tokio::time::timeout(ms(50), ask(&upstream).try_send()).await.is_err());
    eventually("the leaving is seen", || upstream.departures() == 1).await;
}

#[tokio::test]
async fn a_connection_carries_many_requests_unless_reused_ones_are_dropped() {
    let request = |upstream: &Upstream| {
        format!("GET /v1/x HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\r\n", upstream.key())
    };
    let patient = Upstream::scripted().always(body("text/plain", "x")).start().await;
    let mut socket = Raw::connect(patient.address()).await;
    for _ in 0..3 {
        socket.send(request(&patient)).await;
        assert_eq!(socket.answer().await.expect("an answer").body, "x");
    }
    assert_eq!(patient.connections(), 1);

    let strict =
        Upstream::scripted().always(body("text/plain", "x")).drops_reused_connections().start().await;
    let mut socket = Raw::connect(strict.address()).await;
    socket.send(request(&strict)).await;
    assert!(socket.answer().await.is_some());
    socket.send(request(&strict)).await;
    assert!(socket.answer().await.is_none());
    assert_eq!(strict.stale_drops(), 1);
}

#[tokio::test]
async fn an_early_answer_comes_before_the_body_is_sent() {
    let upstream = Upstream::scripted().reply(status(413).early()).start().await;
    let mut socket = Raw::connect(upstream.address()).await;
    let key = upstream.key().to_owned();

    socket
        .send(format!(
            "POST / HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-length: 9\r\n\r\n"
        ))
        .await;

    assert_eq!(socket.answer().await.map(|answer| answer.status), Some(413));
}

#[tokio::test]
async fn an_address_can_refuse_or_swallow_connections() {
    let refusing = Upstream::refusing();
    let refused = tokio::net::TcpStream::connect(refusing.address()).await;
    assert_eq!(refused.err().map(|e| e.kind()), Some(std::io::ErrorKind::ConnectionRefused));

    let hole = Upstream::black_hole().await;
    let address: SocketAddr = hole.address();
    assert!(tokio::time::timeout(ms(200), tokio::net::TcpStream::connect(address)).await.is_err());
}

#[tokio::test]
async fn a_dead_upstream_resets_and_refuses_until_it_is_revived() {
    let upstream = Upstream::answering(|_| chat("alive").after(ms(5_000))).start().await;
    let mut under_way = Raw::connect(upstream.address()).await;
    under_way.send("POST /v1/chat/completions HTTP/1.1\r\ncontent-length: 0\r\nauthorization: ").await;
    under_way.send(format!("Bearer {}\r\n\r\n", upstream.key())).await;
    eventually("the call is under way", || upstream.in_flight() == 1).await;

    upstream.die().await;

    assert!(under_way.answer().await.is_none());
    assert!(matches!(ask(&upstream).try_send().await, Err(NoAnswer::Connect(_))));
    upstream.revive();
    upstream.set_always(chat("again"));
    ask(&upstream).send().await.assert_text("again");
    assert_eq!(upstream.departures(), 0, "nobody left: it died");
}
