//! Forms with files on their way through the gateway: found, mapped, kept, sent again, refused, and never held whole.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use gateway_tests::{
    Answer, Call, Gateway, GatewayBuilder, GatewayProcess, Raw, USER_KEY, Upstream, chat, close, eventually,
    in_order, json_body, ms, soon, status,
};
use http::Method;
use serde_json::json;

const MIB: usize = 1 << 20;
const KIB_PER_MIB: u64 = 1 << 10;
const TYPE: &str = "multipart/form-data; boundary=----of-the-tests";
const PATH: &str = "/v1/audio/transcriptions";

/// A part of a form; `more` is what its head has beside the name.
fn part(name: &str, more: &str, value: &[u8]) -> Vec<u8> {
    let head = format!("------of-the-tests\r\ncontent-disposition: form-data; name=\"{name}\"{more}\r\n\r\n");
    [head.as_bytes(), value, b"\r\n"].concat()
}

fn form(parts: &[Vec<u8>]) -> Vec<u8> {
    [&parts.concat()[..], b"------of-the-tests--\r\n"].concat()
}

/// A file that is full of line ends, dashes and what looks like parts.
fn file(length: usize) -> Vec<u8> {
    let text =
        b"\r\n------of-the-test\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nno\0\xFF\n--\r";
    let content: Vec<u8> = text.iter().copied().cycle().take(length).collect();
    part("file", "; filename=\"a.wav\"\r\ncontent-type: audio/wav", &content)
}

fn heard() -> gateway_tests::Reply {
    json_body(&json!({"text": "hello", "usage": {"type": "duration", "seconds": 1}}))
}

async fn upload(gw: &Gateway, body: impl Into<Bytes>) -> Answer {
    gw.call(Method::POST, PATH).header("content-type", TYPE).body(body).send().await
}

/// A gateway that knows the model under another name at its channel.
fn mapped(up: &Upstream) -> GatewayBuilder {
    Gateway::serving("ears", [up]).mapping("ears", up, "model", "whisper-large-v3-turbo")
}

/// As `OkHttp` writes forms before its version 5.
#[tokio::test]
async fn a_length_that_a_part_has_of_its_own_changes_with_the_models_name() {
    let up = Upstream::scripted().always(heard()).start().await;
    let gw = mapped(&up).start().await;
    let file = part("file", "; filename=\"a.wav\"\r\nContent-Length: 3", b"abc");
    let model = |name: &str| {
        let more = format!("\r\nContent-Length:  {} \r\ncontent-type: text/plain", name.len());
        part("model", &more, name.as_bytes())
    };
    let answer = upload(&gw, form(&[file.clone(), model("ears"), part("language", "", b"de")])).await;
    assert_eq!(answer.status, 200, "{}", answer.body_text());
    let sent = form(&[file, model("whisper-large-v3-turbo"), part("language", "", b"de")]);
    assert_eq!(String::from_utf8_lossy(&up.only_request().body), String::from_utf8_lossy(&sent));
}

#[tokio::test]
async fn the_model_of_a_form_is_mapped_wherever_it_stands_and_every_other_byte_stays() {
    let up = Upstream::scripted().always(heard()).start().await;
    let gw = mapped(&up).start().await;
    let others = [part("language", "", b"de"), part("response_format", "", b"json")];
    let (model, backend) = (part("model", "", b"ears"), part("model", "", b"whisper-large-v3-turbo"));
    for (index, length) in [5 * MIB, 1_000].into_iter().enumerate() {
        let file = file(length);
        for (turn, first) in [true, false].into_iter().enumerate() {
            let with = |model: &Vec<u8>| {
                let [one, two] = others.clone();
                let model = model.clone();
                form(&if first { [one, model, file.clone(), two] } else { [one, file.clone(), two, model] })
            };
            let answer = upload(&gw, with(&model)).await;
            assert_eq!((answer.status, answer.json()["text"].as_str()), (200, Some("hello")), "{answer:?}");
            let requests = up.requests();
            assert_eq!(requests.len(), index * 2 + turn + 1);
            let request = requests.last().unwrap();
            assert!(request.body == with(&backend), "{length} bytes, model first: {first}");
            assert_eq!(request.header("content-type"), Some(TYPE));
            assert_eq!(request.header("content-length"), Some(&*request.body.len().to_string()));
        }
    }
}

#[tokio::test]
async fn an_upload_over_http2_and_without_a_length_arrives_the_same() {
    let up = Upstream::scripted().always(heard()).start().await;
    let gw = Gateway::serving("ears", [&up]).start().await;
    let body = form(&[file(3 * MIB), part("model", "", b"ears")]);
    let call = Call::new(gw.address(), Method::POST, PATH).key(USER_KEY).header("content-type", TYPE);
    assert_eq!(call.h2().body(body.clone()).send().await.status, 200);

    let mut raw = Raw::connect(gw.address()).await;
    let head = format!("POST {PATH} HTTP/1.1\r\nhost: gw\r\nauthorization: Bearer {USER_KEY}\r\n");
    raw.send(format!("{head}content-type: {TYPE}\r\ntransfer-encoding: chunked\r\n\r\n")).await;
    for chunk in body.chunks(70_001) {
        raw.send(format!("{:x}\r\n", chunk.len())).await;
        raw.send(chunk).await;
        raw.send("\r\n").await;
    }
    raw.send("0\r\n\r\n").await;
    assert_eq!(raw.answer().await.map(|answer| answer.status), Some(200));
    assert!(up.requests().iter().all(|request| request.body == body));
}

#[tokio::test]
async fn an_upload_is_sent_again_whole_after_a_connection_that_was_refused_or_cut() {
    let cut = Upstream::answering(|_| close()).start().await;
    for (name, first) in [("refused", &Upstream::refusing()), ("cut", &cut)] {
        for length in [1_000, 4 * MIB] {
            let good = Upstream::scripted().always(heard()).start().await;
            let gw = Gateway::serving_weighted("ears", in_order([first, &good])).start().await;
            let body = form(&[file(length), part("model", "", b"ears")]);
            let answer = upload(&gw, body.clone()).await;
            assert_eq!((answer.status, answer.attempts()), (200, 2), "{name}: {answer:?}");
            assert!(good.only_request().body == body, "{name} with {length} bytes");
        }
    }
    assert!(cut.requests().iter().all(|request| request.body.len() > 1_000));
}

#[tokio::test]
async fn a_kept_connection_that_has_gone_costs_an_upload_nothing() {
    let up = Upstream::scripted().always(heard()).drops_reused_connections().start().await;
    let gw = Gateway::serving("ears", [&up]).start().await;
    let body = form(&[file(2 * MIB), part("model", "", b"ears")]);
    for _ in 0..2 {
        let answer = upload(&gw, body.clone()).await;
        assert_eq!((answer.status, answer.attempts()), (200, 1), "{answer:?}");
    }
    assert!(up.requests().iter().all(|request| request.body == body));
}

#[tokio::test]
async fn forms_that_could_be_read_two_ways_are_refused_with_the_place_and_reach_nobody() {
    let up = Upstream::scripted().always(heard()).start().await;
    let gw = Gateway::serving("ears", [&up]).start().await;
    let model = || part("model", "", b"ears");
    let open = |parts: &[Vec<u8>]| parts.concat();
    for (body, param, says) in [
        (form(&[model(), file(10), model()]), Some("model"), "a second time"),
        (form(&[part("model", "", "é".repeat(513).as_bytes())]), Some("model"), "longer than 512 characters"),
        (form(&[part("model", "; filename=\"m\"", b"ears")]), Some("model"), "is a file"),
        (form(&[model(), part("stream", "", b"perhaps")]), Some("stream"), "neither true nor false"),
        (open(&[model(), file(10)]), None, "without its closing boundary"),
        (form(&[model(), part("x", "\r\nbroken", b"")]), None, "without a colon"),
        (form(&[model(), part("x", &format!("\r\nx: {}", "y".repeat(17_000)), b"")]), None, "over 16 KiB"),
        (
            form(&[model(), part("x", "\r\ncontent-type: multipart/mixed; boundary=y", b"")]),
            None,
            "parts of its own",
        ),
        (form(&[model(), part("x", "\r\ncontent-transfer-encoding: base64", b"")]), None, "content-transfer"),
    ] {
        let answer = upload(&gw, body).await;
        let error = answer.error().unwrap_or_else(|| panic!("{says}: {answer:?}"));
        assert_eq!((answer.status, error.param.as_deref()), (400, param), "{error:?}");
        assert!(error.message.contains(says) && error.message.contains("byte "), "{error:?}");
    }
    let long = format!("multipart/form-data; boundary={}", "b".repeat(71));
    for content_type in ["multipart/form-data", &long] {
        let call = gw.call(Method::POST, PATH).header("content-type", content_type);
        let answer = call.body(form(&[model()])).send().await;
        answer.assert_error(400, "invalid_multipart");
    }
    let missing = upload(&gw, form(&[file(10)])).await;
    missing.assert_error(400, "missing_required_parameter");
    let unknown = upload(&gw, form(&[part("model", "", b"nobody"), file(10)])).await;
    unknown.assert_error(404, "model_not_found");
    let json = gw.call(Method::POST, PATH).json(&json!({"model": "ears"})).send().await;
    json.assert_error(415, "unsupported_content_type");
    assert_eq!(up.count(), 0);
}

#[tokio::test]
async fn uploads_have_a_bound_of_their_own() {
    let up = Upstream::scripted().always(heard()).start().await;
    let gw = Gateway::serving("ears", [&up])
        .set("server.max_body_bytes", "64KiB")
        .set("proxy.max_upload_bytes", "1MiB")
        .set("proxy.spool_above", "16KiB")
        .start()
        .await;
    let of = |length| form(&[part("model", "", b"ears"), file(length)]);
    assert_eq!(upload(&gw, of(MIB / 2)).await.status, 200);
    let answer = upload(&gw, of(MIB)).await;
    answer.assert_error(413, "request_too_large");
    assert!(answer.body_text().contains("proxy.max_upload_bytes"), "{answer:?}");
    assert_eq!(up.count(), 1);
}

#[tokio::test]
async fn a_gateway_without_a_place_for_files_says_so_and_serves_what_fits_into_memory() {
    let up = Upstream::scripted().always(heard()).start().await;
    let spare = Upstream::answering(|_| chat("ok")).start().await;
    let gw = Gateway::serving("ears", [&up]).model("m", in_order([&spare]));
    let Some(gw) = gw.env("TMPDIR", "/nowhere/at/all").spawn().await else { return };
    let send = |length| {
        let body = form(&[part("model", "", b"ears"), file(length)]);
        gw.call(Method::POST, PATH).header("content-type", TYPE).body(body).send()
    };
    let answer = send(2 * MIB).await;
    answer.assert_error(503, "upload_storage_unavailable");
    assert!(answer.body_text().contains("temporary folder"), "{answer:?}");
    assert_eq!(send(MIB / 2).await.status, 200);
    gw.chat("m").say("hi").send().await.assert_text("ok");
}

#[tokio::test]
async fn an_upstream_that_refuses_before_it_has_read_everything_is_understood() {
    let refusing = Upstream::scripted().reply(status(413).early()).start().await;
    let gw = Gateway::serving("ears", [&refusing]).start().await;
    let answer = upload(&gw, form(&[part("model", "", b"ears"), file(8 * MIB)])).await;
    assert_eq!((answer.status, answer.attempts()), (413, 1), "{answer:?}");
}

#[tokio::test]
async fn clients_that_leave_in_the_middle_of_an_upload_leave_no_file_behind() {
    let up = Upstream::scripted().start().await;
    let Some(gw) = Gateway::serving("ears", [&up]).spawn().await else { return };
    let head = format!("POST {PATH} HTTP/1.1\r\nhost: gw\r\nauthorization: Bearer {USER_KEY}\r\n");
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = Raw::connect(gw.address()).await;
        client.send(format!("{head}content-type: {TYPE}\r\ncontent-length: {}\r\n\r\n", 8 * MIB)).await;
        client.send(file(4 * MIB)).await;
        clients.push(client);
    }
    eventually("each upload has a file without a name", || nameless_files(&gw) == clients.len()).await;
    drop(clients);
    eventually("all of them are gone", || nameless_files(&gw) == 0).await;
    assert_eq!(up.count(), 0);
}

/// How many files the gateway holds that nobody else can open.
fn nameless_files(gw: &GatewayProcess) -> usize {
    let open = std::fs::read_dir(format!("/proc/{}/fd", gw.id())).unwrap();
    let targets = open.flatten().filter_map(|entry| std::fs::read_link(entry.path()).ok());
    targets.filter(|target| target.to_string_lossy().ends_with(" (deleted)")).count()
}

/// An upstream that reads bodies of any length, keeps nothing of them, and counts their bytes.
fn sink() -> (SocketAddr, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, total) = (listener.local_addr().unwrap(), Arc::new(AtomicU64::new(0)));
    let counter = Arc::clone(&total);
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let _end = swallow(socket, &counter);
        }
    });
    (address, total)
}

fn swallow(mut socket: TcpStream, total: &AtomicU64) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).ok()?;
        head.extend(byte);
    }
    let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1)?.split('\r').next()?;
    let length: u64 = length.parse().ok()?;
    let read = std::io::copy(&mut Read::by_ref(&mut socket).take(length), &mut std::io::sink()).ok()?;
    total.fetch_add(read, Ordering::SeqCst);
    let answer = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: 15\r\n\r\n\
                  {\"text\":\"done\"}";
    socket.write_all(answer.as_bytes()).ok()
}

/// Sends a form of this many MiB whose model comes last, and tells by how many KiB the gateway grew at most.
async fn growth_over(gw: &GatewayProcess, mebibytes: usize) -> u64 {
    let piece: Vec<u8> = file(MIB).into_iter().skip(200).chain(*b"\r\n").collect();
    let begin = part("file", "; filename=\"a.wav\"", b"");
    let end = form(&[part("model", "", b"ears")]);
    let length = begin.len() + mebibytes * piece.len() + 2 + end.len();
    let head = format!("POST {PATH} HTTP/1.1\r\nhost: gw\r\nauthorization: Bearer {USER_KEY}\r\n");
    let before = gw.resident_kib();
    let mut most = before;
    let mut raw = Raw::connect(gw.address()).await;
    raw.send(format!("{head}content-type: {TYPE}\r\ncontent-length: {length}\r\n\r\n")).await;
    raw.send(&begin).await;
    for _ in 0..mebibytes {
        raw.send(&piece).await;
        most = most.max(gw.resident_kib());
    }
    raw.send([b"\r\n", &end[..]].concat()).await;
    let mut answer = std::pin::pin!(raw.answer());
    let answer = async {
        loop {
            tokio::select! {
                answer = &mut answer => return answer,
                () = tokio::time::sleep(ms(20)) => most = most.max(gw.resident_kib()),
            }
        }
    };
    let answer = soon("the answer to a large upload", answer).await.expect("an answer");
    assert_eq!((answer.status, &answer.body[..]), (200, &b"{\"text\":\"done\"}"[..]), "{}", answer.head);
    most.saturating_sub(before)
}

/// `GATEWAY_TEST_UPLOAD_MIB=200` makes it as large as it should be; by itself it is as large as fits into a test run.
#[tokio::test]
async fn a_large_upload_whose_model_comes_last_is_never_in_memory() {
    let mebibytes =
        std::env::var("GATEWAY_TEST_UPLOAD_MIB").ok().and_then(|text| text.parse().ok()).unwrap_or(64);
    let (address, total) = sink();
    let stand_in = Upstream::scripted().start().await;
    let gw = mapped(&stand_in).channel(&stand_in, "base_url", format!("http://{address}/v1"));
    let Some(gw) = gw.spawn().await else { return };
    growth_over(&gw, 4).await;
    let sent = total.load(Ordering::SeqCst);

    let grown = growth_over(&gw, mebibytes).await;
    assert!(grown < 32 * KIB_PER_MIB, "{grown} KiB more for an upload of {mebibytes} MiB");
    assert!(total.load(Ordering::SeqCst) - sent > (mebibytes * MIB) as u64 * 9 / 10, "all of it arrived");
    eventually("the file is gone", || nameless_files(&gw) == 0).await;
}
