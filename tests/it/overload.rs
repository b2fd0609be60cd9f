//! More than the gateway may carry: whoever is one too many is told so at once, and everybody else notices nothing.

use gateway_tests::{Answer, Gate, Gateway, Raw, Upstream, all, chat, eventually, in_good_time, soon, sse};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::manners::request;

/// The refusal of a call at a bad moment.
fn assert_told_to_come_again(answer: &Answer, code: &str) {
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert_eq!(answer.header("retry-after"), "1");
    let error = answer.error().expect("an error in OpenAI's shape");
    assert_eq!((error.kind.as_str(), error.code.as_deref()), ("server_error", Some(code)));
}

/// What probes and administrators ask is answered.
async fn assert_well(gw: &Gateway) {
    for path in ["/livez", "/readyz"] {
        assert_eq!(gw.get(path).no_key().send().await.status, 200, "{path}");
    }
    assert_eq!(gw.admin().get("/api/status").await.status, 200);
}

// --- calls ---

#[tokio::test]
async fn calls_beyond_the_limit_are_refused_at_once_and_the_others_finish() {
    let gate = Gate::shut();
    let up = Upstream::scripted().always(chat("done").behind(&gate)).start().await;
    let gw = Gateway::serving("m", [&up]).set("server.max_calls", 4).start().await;
    let mut carried: JoinSet<_> = (0..4).map(|_| gw.chat("m").say("hi").send()).collect();
    eventually("four calls are with the upstream", || up.in_flight() == 4).await;

    // None of these would end while the gate is shut if it were kept waiting.
    let refused =
        soon("every other call is refused", all((0..40).map(|_| gw.chat("m").say("hi").send()))).await;
    for answer in &refused {
        assert_told_to_come_again(answer, "too_many_requests_in_flight");
    }
    assert_well(&gw).await;
    assert_eq!(up.count(), 4, "the upstream has heard of the calls that were let in, and of no other");
    assert_eq!(gw.metrics().await.count("gateway_calls_refused_total", &[]), 40);

    gate.open();
    while let Some(answer) = carried.join_next().await {
        assert_eq!(answer.unwrap().status, 200);
    }
    in_good_time("there is room again", async || {
        (gw.chat("m").say("hi").send().await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_stream_takes_its_place_until_its_end_and_the_limit_can_be_raised_meanwhile() {
    let gate = Gate::shut();
    let up =
        Upstream::scripted().reply(sse(["a", "b"]).hold_before(1, &gate)).then(chat("next")).start().await;
    let gw = Gateway::serving("m", [&up]).set("server.max_calls", 1).start().await;
    let mut stream = gw.chat("m").say("hi").stream().open().await;
    stream.read_until("\"a\"").await;
    let refused = gw.chat("m").say("hi").send().await;
    assert_told_to_come_again(&refused, "too_many_requests_in_flight");

    gw.set("server.max_calls", 2);
    assert_eq!(gw.admin().post("/api/config/reload", &serde_json::json!({})).await.status, 200);
    assert_eq!(gw.chat("m").say("hi").send().await.status, 200);
    gate.open();
    stream.rest().await.assert_text("ab");
}

// --- memory for bodies ---

#[tokio::test]
async fn bodies_that_find_no_room_are_refused_whether_they_announce_their_length_or_not() {
    let gate = Gate::shut();
    let up = Upstream::scripted().always(chat("done").behind(&gate)).start().await;
    let gw = Gateway::serving("m", [&up]).set("server.max_body_memory", "1MiB").start().await;
    let (large, small) = ("x".repeat(700 << 10), "x".repeat(100));
    let mut let_in = JoinSet::new();
    let_in.spawn(gw.chat("m").say(&large).send());
    eventually("the large call is with the upstream", || up.in_flight() == 1).await;

    let announced = soon("a second one is refused", Box::pin(gw.chat("m").say(&large).send())).await;
    assert_told_to_come_again(&announced, "out_of_body_memory");
    let mut unannounced = Raw::connect(gw.address()).await;
    unannounced.send(crate::manners::head("transfer-encoding: chunked\r\n")).await;
    let _may_be_cut_off = unannounced.try_send(format!("{:x}\r\n{large}\r\n", large.len())).await;
    let answer = unannounced.answer().await.expect("an answer before the body has ended");
    assert_eq!((answer.status, answer.error_code().as_str()), (503, "out_of_body_memory"));
    assert_eq!(gw.metrics().await.count("gateway_bodies_refused_total", &[]), 2);

    let_in.spawn(gw.chat("m").say(&small).send());
    eventually("a small call finds room", || up.in_flight() == 2).await;
    assert_well(&gw).await;
    gate.open();
    while let Some(answer) = let_in.join_next().await {
        assert_eq!(answer.unwrap().status, 200);
    }
    in_good_time("the room is free again", async || {
        (gw.chat("m").say(&large).send().await.status == 200).then_some(())
    })
    .await;
}

// --- connections ---

#[tokio::test]
async fn on_connections_beyond_the_limit_calls_are_refused_and_probes_are_answered() {
    let up = Upstream::scripted().always(chat("ok")).start().await;
    let gw = Gateway::serving("m", [&up]).set("server.max_connections", 8).start().await;
    let mut held = Vec::new();
    for _ in 0..8 {
        let mut socket = Raw::connect(gw.address()).await;
        socket.send(request()).await;
        assert_eq!(socket.answer().await.map(|answer| answer.status), Some(200));
        held.push(socket);
    }

    let mut surplus = Raw::connect(gw.address()).await;
    surplus.send(request()).await;
    let answer = surplus.answer().await.expect("a refusal that can be read");
    assert_eq!((answer.status, answer.error_code().as_str()), (503, "too_many_connections"));
    assert_eq!((answer.header("retry-after"), answer.header("connection")), ("1", "close"));
    assert_well(&gw).await;

    held.clear();
    in_good_time("there is room again", async || {
        (gw.chat("m").say("hi").send().await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_http_2_connection_beyond_the_limit_ends_however_often_its_client_asks_again() {
    let up = Upstream::scripted().always(chat("ok")).start().await;
    let gw = Gateway::serving("m", [&up]).set("server.max_connections", 1).start().await;
    let mut held = Raw::connect(gw.address()).await;
    held.send(request()).await;
    assert_eq!(held.answer().await.map(|answer| answer.status), Some(200));

    let io = TokioIo::new(TcpStream::connect(gw.address()).await.expect("a connection"));
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await;
    let (mut sender, connection) = handshake.expect("HTTP/2 is spoken");
    let mut connections = JoinSet::new();
    connections.spawn(connection);
    let mut refused = 0;
    loop {
        let uri = format!("http://{}/v1/models", gw.address());
        let request = http::Request::get(uri).body(String::new()).expect("a request");
        let Ok(answer) = sender.send_request(request).await else { break };
        assert_eq!(answer.status(), 503);
        refused += 1;
        assert!(refused < 1000, "the connection goes on for ever");
    }
    assert!(refused > 0, "nobody was told anything");
    let ended = soon("the connection ends", connections.join_next()).await.expect("it was there");
    ended.expect("no panic").expect("in order");
}

#[tokio::test]
async fn a_flood_of_connections_does_not_get_further_than_the_limit() {
    let up = Upstream::scripted().always(chat("ok")).start().await;
    let gw = Gateway::serving("m", [&up]).set("server.max_connections", 8).start().await;
    let mut flood = Vec::new();
    for _ in 0..100 {
        flood.push(Raw::connect(gw.address()).await);
    }
    // All of those that may be silent for a moment are; whoever comes now is told so in one breath.
    let mut late = Raw::connect(gw.address()).await;
    let _may_be_cut_off = late.try_send(request()).await;
    if let Some(answer) = late.answer().await {
        assert_eq!(answer.status, 503);
    }
    drop(flood);
    in_good_time("there is room again", async || {
        let answer = gw.chat("m").say("hi").try_send().await;
        answer.is_ok_and(|answer| answer.status == 200).then_some(())
    })
    .await;
}

// --- workers ---

#[tokio::test]
async fn there_are_as_many_workers_as_cores_that_the_process_may_use() {
    let all = sched_getaffinity(None).expect("the thread's cores");
    let first = (0..CpuSet::MAX_CPU).find(|core| all.is_set(*core)).expect("a core");
    let mut one = CpuSet::new();
    one.set(first);
    for cores in [all, one, all] {
        // What a thread starts may use the cores that the thread may use.
        sched_setaffinity(None, &cores).expect("a thread can be kept to its cores");
        let Some(gw) = Gateway::empty().set("server.workers", 0).spawn().await else { return };
        // Fewer where the process has only a share of them.
        let may_use = std::thread::available_parallelism().expect("a number of cores").get();
        assert!(may_use <= usize::try_from(cores.count()).expect("a number of cores"));
        in_good_time(&format!("there are {may_use} workers"), async || {
            (gw.threads("worker-") == may_use).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn long_streams_are_spread_over_the_workers_and_none_of_them_is_lost() {
    const STREAMS: i64 = 90;
    let gate = Gate::shut();
    let up = Upstream::scripted().always(sse(["a", "b"]).hold_before(1, &gate)).start().await;
    let gw = Gateway::serving("m", [&up]).set("server.workers", 3).start().await;
    let mut streams = Vec::new();
    for _ in 0..STREAMS {
        let mut stream = gw.chat("m").say("hi").stream().open().await;
        stream.read_until("\"a\"").await;
        streams.push(stream);
    }

    let metrics = gw.metrics().await;
    let of = |worker| metrics.count("gateway_worker_connections", &[("worker", worker)]);
    let counts = ["0", "1", "2"].map(of);
    let [least, most] = [counts.iter().min(), counts.iter().max()].map(|count| count.copied().unwrap_or(0));
    // What the kernel's hash gives by chance differs by more nearly always; the scrape is a connection, too.
    assert!(most - least <= 6, "{counts:?}");
    assert!(counts.iter().sum::<i64>() >= STREAMS, "{counts:?}");

    gate.open();
    for stream in streams {
        stream.rest().await.assert_text("ab");
    }
}
