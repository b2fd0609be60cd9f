//! Held against hyper: what it answers is answered alike, byte for byte of every body, and what it refuses is refused.

use ::hyper::service::service_fn;
use bytes::Bytes;
use http::{Request, Version};
use http_body_util::BodyExt as _;
use hyper_util::rt::TokioIo;
use proptest::prelude::*;

use super::house::{answer, ask, read, refuse, said};

/// The last request of every conversation: both servers close after it.
const BYE: &str = "GET /bye HTTP/1.1\r\nhost: gw\r\nconnection: close\r\n\r\n";

/// What hyper says to these pieces.
async fn hyper_says(pieces: &[Bytes]) -> Vec<u8> {
    ask(pieces, async |io| {
        let service = service_fn(async |request: Request<::hyper::body::Incoming>| {
            Ok::<_, std::convert::Infallible>(answer(request).await)
        });
        let mut server = ::hyper::server::conn::http1::Builder::new();
        drop(server.max_buf_size(16 << 10).serve_connection(TokioIo::new(io), service).await);
    })
    .await
}

/// What is said here.
async fn we_say(pieces: &[Bytes]) -> Vec<u8> {
    ask(pieces, async |io| {
        let answers = |request: Request<crate::Body>| Box::pin(answer(request));
        drop(crate::Connection::new(io, 16 << 10, answers, refuse).await);
    })
    .await
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

#[test]
fn requests_of_every_shape_are_answered_alike() {
    let rows = [
        "GET /echo HTTP/1.1\r\nhost: gw\r\n\r\n",
        "GET /echo?a=b%20c HTTP/1.1\r\nHOST: gw\r\nx-a: 1\r\nX-A: 2\r\n\r\n",
        "GET http://gw/echo HTTP/1.1\r\nhost: gw\r\n\r\n",
        "GET /\u{e4} HTTP/1.1\r\nhost: gw\r\n\r\n",
        // The name of a host, to `Uri`.
        "GET echo HTTP/1.1\r\nhost: gw\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nhost: gw\r\n\r\n",
        "\r\n\r\nGET /echo HTTP/1.1\r\nhost: gw\r\n\r\n",
        "GET /echo HTTP/1.1\nhost: gw\n\n",
        "POST /echo HTTP/1.1\r\nhost: gw\r\ncontent-length: 0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nhost: gw\r\ncontent-length: 5\r\n\r\nhello",
        "POST /echo HTTP/1.1\r\nhost: gw\r\ncontent-length: 5\r\ncontent-length: 5\r\n\r\nhello",
        "POST /echo HTTP/1.1\r\nhost: gw\r\ntransfer-encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nx-t: 1\r\n\r\n",
        "POST /echo HTTP/1.1\r\nhost: gw\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n000A\r\n0123456789\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nhost: gw\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        // Bodies that nobody reads, and that are there.
        "POST /unread HTTP/1.1\r\nhost: gw\r\ncontent-length: 5\r\n\r\nhello",
        "POST /unread HTTP/1.1\r\nhost: gw\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "HEAD /echo HTTP/1.1\r\nhost: gw\r\n\r\n",
        "HEAD /stream HTTP/1.1\r\nhost: gw\r\n\r\n",
        "GET /stream HTTP/1.1\r\nhost: gw\r\n\r\n",
        "GET /large HTTP/1.1\r\nhost: gw\r\n\r\n",
        "GET /announced HTTP/1.1\r\nhost: gw\r\n\r\n",
        "GET /204 HTTP/1.1\r\nhost: gw\r\n\r\n",
        "GET /304 HTTP/1.1\r\nhost: gw\r\n\r\n",
        "GET /close HTTP/1.1\r\nhost: gw\r\n\r\n",
        "GET /broken HTTP/1.1\r\nhost: gw\r\n\r\n",
        "GET /echo HTTP/1.1\r\nhost: gw\r\nconnection: x, close\r\n\r\n",
        "GET /echo HTTP/1.0\r\n\r\n",
        "GET /stream HTTP/1.0\r\n\r\n",
        "GET /echo HTTP/1.0\r\nconnection: keep-alive\r\n\r\n",
        "POST /echo HTTP/1.0\r\ncontent-length: 2\r\n\r\nhi",
    ];
    runtime().block_on(async {
        for row in rows {
            let both = Bytes::from(format!("{row}{row}{BYE}"));
            let (theirs, ours) = (hyper_says(std::slice::from_ref(&both)).await, we_say(&[both]).await);
            assert_eq!(read(&ours), read(&theirs), "{row:?}\n{}", String::from_utf8_lossy(&ours));
        }
    });
}

#[test]
fn what_hyper_refuses_is_refused() {
    let rows = [
        "GET\r\n\r\n",
        "GET /echo\r\n\r\n",
        "G@T /echo HTTP/1.1\r\nhost: gw\r\n\r\n",
        "GET /echo HTTP/1.2\r\nhost: gw\r\n\r\n",
        "GET /echo HTTP/2.0\r\nhost: gw\r\n\r\n",
        "GET /e cho HTTP/1.1\r\nhost: gw\r\n\r\n",
        "GET /echo HTTP/1.1\r\nhost : gw\r\n\r\n",
        "GET /echo HTTP/1.1\r\nhost: gw\r\n folded\r\n\r\n",
        "GET /echo HTTP/1.1\r\nhost: g\0w\r\n\r\n",
        "GET /echo HTTP/1.1\r\nx y: z\r\n\r\n",
        "POST /echo HTTP/1.1\r\nhost: gw\r\ncontent-length: x\r\n\r\n",
        "POST /echo HTTP/1.1\r\nhost: gw\r\ncontent-length: -1\r\n\r\n",
        "POST /echo HTTP/1.1\r\nhost: gw\r\ncontent-length: +5\r\n\r\nhello",
        "POST /echo HTTP/1.1\r\nhost: gw\r\ncontent-length:\r\n\r\n",
        "POST /echo HTTP/1.1\r\nhost: gw\r\ncontent-length: 18446744073709551616\r\n\r\n",
        "POST /echo HTTP/1.1\r\nhost: gw\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
        "POST /echo HTTP/1.1\r\nhost: gw\r\ncontent-length: 5, 5\r\n\r\nhello",
        "POST /echo HTTP/1.1\r\nhost: gw\r\ntransfer-encoding: gzip\r\n\r\n",
        "POST /echo HTTP/1.1\r\nhost: gw\r\ntransfer-encoding: chunked, gzip\r\n\r\n",
        "POST /echo HTTP/1.1\r\nhost: gw\r\ntransfer-encoding: xchunked\r\n\r\n",
        "POST /echo HTTP/1.0\r\nhost: gw\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ];
    runtime().block_on(async {
        for row in rows {
            let pieces = [Bytes::from(format!("{row}{BYE}"))];
            let (theirs, ours) = (read(&hyper_says(&pieces).await), read(&we_say(&pieces).await));
            assert_eq!((said(&ours), said(&theirs)), (vec![400], vec![400]), "{row:?}");
        }
        let long = format!("GET /{} HTTP/1.1\r\nhost: gw\r\n\r\n", "a".repeat(20_000));
        let large = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "a".repeat(20_000));
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(101));
        for row in [long, large, many] {
            let pieces = [Bytes::from(row)];
            let (theirs, ours) = (read(&hyper_says(&pieces).await), read(&we_say(&pieces).await));
            assert_eq!((said(&ours), said(&theirs)), (vec![431], vec![431]));
        }
    });
}

#[test]
fn what_only_hyper_takes_could_be_two_requests() {
    // hyper believes the chunks, or the last coding; here whoever says two things is not believed at all.
    let rows = [
        "POST /echo HTTP/1.1\r\nhost: gw\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nhost: gw\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nhost: gw\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ];
    runtime().block_on(async {
        for row in rows {
            let pieces = [Bytes::from(format!("{row}{BYE}"))];
            assert_eq!(said(&read(&hyper_says(&pieces).await))[0], 200, "{row:?}");
            assert_eq!(said(&read(&we_say(&pieces).await)), [400], "{row:?}");
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_conversation_cut_anywhere_is_answered_alike(
        requests in prop::collection::vec((0..8_usize, prop::collection::vec(any::<u8>(), 0..600), any::<bool>()), 1..5),
        cuts in prop::collection::vec(1..200_usize, 0..30),
    ) {
        let mut all = Vec::new();
        for (path, body, chunked) in requests {
            let path = ["echo", "echo", "echo", "echo", "stream", "large", "204", "announced"][path];
            if chunked {
                let head = format!("POST /{path} HTTP/1.1\r\nhost: gw\r\ntransfer-encoding: chunked\r\n\r\n");
                all.extend_from_slice(head.as_bytes());
                for piece in body.chunks(97) {
                    all.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
                    all.extend_from_slice(piece);
                    all.extend_from_slice(b"\r\n");
                }
                all.extend_from_slice(b"0\r\n\r\n");
            } else {
                let head = format!("POST /{path} HTTP/1.1\r\nhost: gw\r\ncontent-length: {}\r\n\r\n", body.len());
                all.extend_from_slice(head.as_bytes());
                all.extend_from_slice(&body);
            }
        }
        all.extend_from_slice(BYE.as_bytes());
        let mut rest = Bytes::from(all);
        let mut pieces = Vec::new();
        for cut in cuts {
            pieces.push(rest.split_to(cut.min(rest.len())));
        }
        pieces.push(rest);
        let (theirs, ours) = runtime().block_on(async { (hyper_says(&pieces).await, we_say(&pieces).await) });
        prop_assert_eq!(read(&ours), read(&theirs));
    }
}

#[test]
fn the_reader_of_answers_is_not_blind() {
    let told =
        read(b"HTTP/1.1 200 OK\r\nX-A: 1\r\ncontent-length: 2\r\n\r\nhiHTTP/1.0 404 Not Found\r\n\r\nrest");
    assert_eq!(said(&told), [200, 404]);
    assert_eq!((told[0].version, told[1].version), (Version::HTTP_11, Version::HTTP_10));
    assert_eq!((told[0].body.as_slice(), told[1].body.as_slice()), (&b"hi"[..], &b"rest"[..]));
    runtime().block_on(async {
        let request = Request::get("/stream").body(http_body_util::Empty::<Bytes>::new()).unwrap();
        let body = answer(request).await.into_body().collect().await.unwrap().to_bytes();
        assert!(body.len() > 19_000);
    });
}
