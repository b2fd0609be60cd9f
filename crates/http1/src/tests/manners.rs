//! What a connection does beside answering: asks for bodies, keeps to its call, ends, and is given away.

use std::cell::RefCell;
use std::future::{pending, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;

use crate::{Body, Connection, Error, OnUpgrade};
use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

use super::house::{Pieces, answer, ask, read, refuse, said};

const MOST: usize = 16 << 10;

type Answer<'a> = Pin<Box<dyn Future<Output = Response<Pieces>> + 'a>>;

/// A connection over one end of a pipe that holds so many bytes, and the other end.
fn connected<'a, A>(
    holds: usize,
    answers: A,
) -> (impl Future<Output = Result<(), Error>>, tokio::io::DuplexStream)
where
    A: Fn(Request<Body>) -> Answer<'a> + Unpin,
{
    let (client, server) = duplex(holds);
    (Connection::new(server, MOST, answers, refuse), client)
}

/// Runs `talk` beside a connection; whichever ends first.
async fn beside<T>(server: impl Future<Output = Result<(), Error>>, talk: impl Future<Output = T>) -> T {
    let mut server = pin!(server);
    tokio::select! {
        biased;
        talked = talk => talked,
        never = async { drop(server.as_mut().await); pending::<T>().await } => never,
    }
}

fn echo<'a>(request: Request<Body>) -> Answer<'a> {
    Box::pin(answer(request))
}

#[tokio::test]
async fn a_body_is_asked_for_when_somebody_wants_it() {
    let head = "POST /echo HTTP/1.1\r\nhost: gw\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n";
    let (server, mut client) = connected(1 << 16, echo);
    let said = beside(server, async {
        client.write_all(head.as_bytes()).await.unwrap();
        let mut word = [0; 25];
        client.read_exact(&mut word).await.unwrap();
        assert_eq!(&word, b"HTTP/1.1 100 Continue\r\n\r\n");
        client.write_all(b"hi").await.unwrap();
        let mut answer = vec![0; 1_000];
        let length = client.read(&mut answer).await.unwrap();
        answer[..length].to_vec()
    });
    let told = read(&said.await);
    assert!(told[0].status == 200 && told[0].body.ends_with(b" hi"), "{told:?}");
}

#[tokio::test]
async fn a_body_that_nobody_asked_for_ends_the_connection_with_the_answer() {
    let head = "POST /unread HTTP/1.1\r\nhost: gw\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n";
    let said = ask(&[Bytes::from(head)], async |io| {
        Connection::new(io, MOST, echo, refuse).await.unwrap();
    })
    .await;
    let told = read(&said);
    assert_eq!(told.len(), 1);
    assert!(told[0].headers.contains(&("connection".to_owned(), b"close".to_vec())), "{told:?}");
}

#[tokio::test]
async fn a_large_body_can_be_gathered_where_it_is_to_stand() {
    let body: Vec<u8> = (0..300_000_u32).map(|at| at.to_le_bytes()[0]).collect();
    let gathered = RefCell::new(BytesMut::new());
    let answers = |request: Request<Body>| -> Answer<'_> {
        let gathered = &gathered;
        Box::pin(async move {
            let mut body = request.into_body();
            let mut whole = BytesMut::with_capacity(300_001);
            while let Some(more) = poll_fn(|cx| body.poll_gather(cx, &mut whole)).await {
                more.unwrap();
            }
            assert!(http_body::Body::is_end_stream(&body));
            gathered.borrow_mut().extend_from_slice(&whole);
            Response::new(Pieces::known(""))
        })
    };
    let head = format!("POST /x HTTP/1.1\r\nhost: gw\r\ncontent-length: {}\r\n\r\n", body.len());
    let next = b"GET /bye HTTP/1.1\r\nhost: gw\r\nconnection: close\r\n\r\n";
    let all = Bytes::from([head.as_bytes(), &body, next].concat());
    let said_all = ask(&[all], async |io| Connection::new(io, MOST, answers, refuse).await.unwrap()).await;
    assert_eq!(said(&read(&said_all)), [200, 200]);
    assert!(*gathered.borrow() == body);
}

#[tokio::test]
async fn a_body_that_is_kept_does_not_read_on_in_the_next_request() {
    let kept: Rc<RefCell<Vec<Body>>> = Rc::default();
    let answers = |request: Request<Body>| -> Answer<'_> {
        let kept = Rc::clone(&kept);
        Box::pin(async move {
            let mut body = request.into_body();
            let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
            kept.borrow_mut().push(body);
            Response::new(Pieces::known(first))
        })
    };
    let one = |data: &str| {
        format!("POST /x HTTP/1.1\r\nhost: gw\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{data}\r\n0\r\n\r\n")
    };
    let last = "POST /x HTTP/1.1\r\nhost: gw\r\ncontent-length: 1\r\nconnection: close\r\n\r\n!";
    let all = Bytes::from(one("ab") + &one("cd") + last);
    let said_all = ask(&[all], async |io| Connection::new(io, MOST, answers, refuse).await.unwrap()).await;
    let bodies: Vec<_> = read(&said_all).into_iter().map(|told| told.body).collect();
    assert_eq!(bodies, [&b"ab"[..], b"cd", b"!"]);
    for mut body in kept.take() {
        assert!(body.frame().await.is_none());
    }
}

#[tokio::test]
async fn a_peer_that_leaves_takes_its_call_with_it() {
    struct Told(Rc<RefCell<bool>>);
    impl Drop for Told {
        fn drop(&mut self) {
            *self.0.borrow_mut() = true;
        }
    }
    let dropped: Rc<RefCell<bool>> = Rc::default();
    let answers = |_: Request<Body>| -> Answer<'_> {
        let told = Told(Rc::clone(&dropped));
        Box::pin(async move {
            pending::<()>().await;
            drop(told);
            Response::new(Pieces::known(""))
        })
    };
    let (server, mut client) = connected(1 << 16, answers);
    client.write_all(b"GET /x HTTP/1.1\r\nhost: gw\r\n\r\n").await.unwrap();
    let leave = async {
        tokio::task::yield_now().await;
        drop(client);
    };
    let (ended, ()) = tokio::join!(server, leave);
    assert!(matches!(ended, Err(Error::Early)));
    assert!(*dropped.borrow());
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_seen_to_be_broken_with_everything_before_it() {
    for (request, bytes) in
        [("GET /broken HTTP/1.1\r\nhost: gw\r\n\r\n", 100), ("GET /broken HTTP/1.0\r\n\r\n", 100)]
    {
        let ended = RefCell::new(None);
        let said_all = ask(&[Bytes::from(request)], async |io| {
            ended.replace(Some(Connection::new(io, MOST, echo, refuse).await));
        })
        .await;
        let told = read(&said_all);
        assert_eq!(told[0].body.len(), bytes, "{told:?}");
        assert!(matches!(ended.take(), Some(Err(Error::Answer(_)))));
    }
}

#[tokio::test]
async fn an_answer_of_another_length_than_announced_is_cut() {
    for (announced, given) in [(10, "too short"), (3, "too long")] {
        let answers = |_: Request<Body>| -> Answer<'_> {
            Box::pin(async move {
                let mut response = Response::new(Pieces::unknown([Bytes::from(given)]));
                response.headers_mut().insert("content-length", HeaderValue::from(announced));
                response
            })
        };
        let ended = RefCell::new(None);
        let said_all = ask(&[Bytes::from("GET / HTTP/1.1\r\nhost: gw\r\n\r\n")], async |io| {
            ended.replace(Some(Connection::new(io, MOST, answers, refuse).await));
        })
        .await;
        let told = read(&said_all);
        assert!(!told[0].whole && told[0].body.len() < announced.try_into().unwrap(), "{told:?}");
        assert!(matches!(ended.take(), Some(Err(Error::Answer(_)))), "{given}");
    }
}

#[tokio::test]
async fn a_reader_that_is_slow_gets_all_of_it() {
    let (server, mut client) = connected(100, echo);
    let talk = async {
        client.write_all(b"GET /stream HTTP/1.1\r\nhost: gw\r\n\r\n").await.unwrap();
        client.write_all(b"GET /large HTTP/1.1\r\nhost: gw\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut all = Vec::new();
        client.read_to_end(&mut all).await.unwrap();
        all
    };
    let (ended, all) = tokio::join!(server, talk);
    ended.unwrap();
    let told = read(&all);
    assert_eq!(
        told.iter().map(|told| (told.body.len(), told.whole)).collect::<Vec<_>>(),
        [(19_014, true), (100_000, true)]
    );
}

#[tokio::test]
async fn a_connection_that_winds_down_ends_with_its_call_or_at_once() {
    // One that has served nobody yet answers its first request, and says that it was the last.
    let (client, server) = duplex(1 << 16);
    let mut server = Connection::new(server, MOST, echo, refuse);
    let mut client = client;
    server.wind_down();
    client.write_all(b"GET /echo HTTP/1.1\r\nhost: gw\r\n\r\n").await.unwrap();
    server.await.unwrap();
    let mut all = Vec::new();
    client.read_to_end(&mut all).await.unwrap();
    assert!(read(&all)[0].headers.contains(&("connection".to_owned(), b"close".to_vec())));

    // One that waits for its next request ends now.
    let (mut client, server) = duplex(1 << 16);
    let mut server = Connection::new(server, MOST, echo, refuse);
    client.write_all(b"GET /echo HTTP/1.1\r\nhost: gw\r\n\r\n").await.unwrap();
    let once = poll_fn(|cx| Poll::Ready(Pin::new(&mut server).poll(cx)));
    assert!(once.await.is_pending());
    server.wind_down();
    server.await.unwrap();
}

#[tokio::test]
async fn a_connection_that_switches_is_given_away_with_what_came_early() {
    let slot: Rc<RefCell<Option<OnUpgrade>>> = Rc::default();
    let answers = |request: Request<Body>| -> Answer<'_> {
        *slot.borrow_mut() = request.extensions().get::<OnUpgrade>().cloned();
        Box::pin(async {
            let mut response = Response::new(Pieces::known(""));
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            response.headers_mut().insert("connection", HeaderValue::from_static("upgrade"));
            response.headers_mut().insert("upgrade", HeaderValue::from_static("other"));
            response
        })
    };
    let (server, mut client) = connected(1 << 16, answers);
    client
        .write_all(b"GET / HTTP/1.1\r\nhost: gw\r\nconnection: upgrade\r\nupgrade: other\r\n\r\nearly")
        .await
        .unwrap();
    server.await.unwrap();
    let upgrade = slot.take().unwrap();
    let mut upgraded = upgrade.take().unwrap();
    assert!(upgrade.take().is_none());
    client.write_all(b" and late").await.unwrap();
    let mut heard = [0; 14];
    upgraded.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"early and late");
    upgraded.write_all(b"done").await.unwrap();
    drop(upgraded);
    let mut all = Vec::new();
    client.read_to_end(&mut all).await.unwrap();
    let text = String::from_utf8(all).unwrap();
    assert!(text.starts_with("HTTP/1.1 101 ") && text.contains("connection: upgrade\r\n"), "{text}");
    assert!(!text.contains("content-length") && text.ends_with("\r\n\r\ndone"), "{text}");
}

#[tokio::test]
async fn whoever_does_not_ask_for_another_protocol_has_no_way_to_it() {
    let answers = |request: Request<Body>| -> Answer<'_> {
        assert!(request.extensions().get::<OnUpgrade>().is_none());
        Box::pin(answer(request))
    };
    let request = Bytes::from("GET /echo HTTP/1.0\r\nupgrade: other\r\n\r\n");
    let said_all =
        ask(&[request], async |io| Connection::new(io, MOST, answers, refuse).await.unwrap()).await;
    assert_eq!(said(&read(&said_all)), [200]);
}

#[tokio::test]
async fn a_head_without_end_is_refused_at_the_limit() {
    let (server, mut client) = connected(1 << 16, echo);
    let talk = async {
        client.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        while client
            .write_all(b"x: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n")
            .await
            .is_ok()
        {
            tokio::task::yield_now().await;
        }
        let mut all = Vec::new();
        drop(client.read_to_end(&mut all).await);
        all
    };
    let ((), all) = tokio::join!(async { drop(server.await) }, talk);
    assert_eq!(said(&read(&all)), [431]);
}
