//! WebSockets: opened like any call, relayed frame by frame, ended by either side and never without a word.

mod ends;
mod opening;
mod records;
mod secrets;

use bytes::Bytes;
use gateway_tests::{Frame, Gateway, Socket, Upstream, switch};

/// An upstream that opens every socket that it is asked for, and a gateway in front of it.
async fn relayed() -> (Upstream, Gateway) {
    let up = Upstream::scripted().always(switch()).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;
    (up, gw)
}

/// Both ends of one socket.
async fn ends(up: &Upstream, gw: &Gateway) -> (Socket, Socket) {
    let client = gw.get("/v1/realtime?model=m").socket().await;
    (client, up.socket().await)
}

/// A frame for each number: messages of both kinds and several sizes, in one piece and in several, and pings between.
fn frames(count: usize, said_by: u8) -> Vec<Frame> {
    let mut frames = Vec::new();
    for number in 0..count {
        let size = [0, 1, 20, 125, 126, 4_000, 65_535, 70_000][number % 8] * usize::from(number % 3 != 0);
        let text: Bytes = format!("{number}:{}", char::from(said_by).to_string().repeat(size)).into();
        match number % 5 {
            0 => frames.push(Frame::binary((said_by..=u8::MAX).cycle().take(size).collect::<Bytes>())),
            1 => frames.extend([
                Frame::text(text.clone()).unfinished(),
                Frame::ping(b"between"),
                Frame::text("…").unfinished().continued(),
                Frame::text("").continued(),
            ]),
            _ => frames.push(Frame::text(text)),
        }
    }
    frames
}

#[tokio::test]
async fn a_thousand_messages_pass_in_each_direction_in_order_and_unchanged() {
    let (up, gw) = relayed().await;
    let (mut client, mut upstream) = ends(&up, &gw).await;
    let (down, upwards) = (frames(1_000, b'd'), frames(1_000, b'u'));
    let sends = async {
        for frame in &upwards {
            client.writes.send(frame).await;
        }
    };
    let answers = async {
        for frame in &down {
            upstream.writes.send(frame).await;
        }
    };
    let hears = async {
        for frame in &down {
            assert_eq!(client.reads.next().await.as_ref(), Some(frame));
        }
    };
    let listens = async {
        for frame in &upwards {
            assert_eq!(upstream.reads.next().await.as_ref(), Some(frame));
        }
    };
    tokio::join!(sends, answers, hears, listens);
    let close = tokio::join!(client.close(1000, "done"), upstream.closed());
    assert_eq!(close, (Some((1000, "done".to_owned())), (1000, "done".to_owned())));
}

#[tokio::test]
async fn a_message_of_many_megabytes_passes() {
    let (up, gw) = relayed().await;
    let (mut client, mut upstream) = ends(&up, &gw).await;
    let large = Frame::binary(vec![7; 9 << 20]);
    let ((), heard) = tokio::join!(client.writes.send(&large), upstream.next());
    assert!(heard.as_ref() == Some(&large));
    let ((), heard) = tokio::join!(upstream.writes.send(&large), client.next());
    assert!(heard.as_ref() == Some(&large));
}

#[tokio::test]
async fn many_sockets_at_once_do_not_meet() {
    let (up, gw) = relayed().await;
    let mut sockets = Vec::new();
    for _ in 0..20 {
        sockets.push(ends(&up, &gw).await);
    }
    for (number, (client, upstream)) in sockets.iter_mut().enumerate() {
        client.send(&Frame::text(number.to_string())).await;
        upstream.send(&Frame::text(format!("to {number}"))).await;
    }
    for (number, (client, upstream)) in sockets.iter_mut().enumerate() {
        assert_eq!(upstream.next_text().await, number.to_string());
        assert_eq!(client.next_text().await, format!("to {number}"));
    }
    assert_eq!(gw.metrics().await.count("gateway_requests_in_flight", &[]), 20);
}
