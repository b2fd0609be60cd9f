use tokio::net::{TcpListener, TcpSocket};

use super::*;

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

async fn listening(on: &str) -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind(on).await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn refusing() -> SocketAddr {
    listening("127.0.0.1:0").await.1
}

/// An address that takes no more connections and does not say so: its backlog is full.
struct BlackHole {
    address: SocketAddr,
    _held: (TcpListener, Vec<TcpStream>),
}

impl BlackHole {
    async fn open() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let mut held = Vec::new();
        while let Ok(stream) = tokio::time::timeout(NEXT_AFTER, TcpStream::connect(address)).await {
            held.push(stream.unwrap());
        }
        Self { address, _held: (listener, held) }
    }
}

#[tokio::test]
async fn the_first_address_is_used_where_it_answers() {
    let (_first, one) = listening("127.0.0.1:0").await;
    let (_second, other) = listening("127.0.0.1:0").await;
    let finish = race(vec![one, other], soon()).await;
    assert_eq!((finish.won.unwrap().1, finish.lost), (one, vec![]));
}

#[tokio::test]
async fn the_next_address_is_tried_at_once_where_one_fails() {
    let (_listener, good) = listening("127.0.0.1:0").await;
    // Waiting for each of them would take longer than there is time.
    let bad = vec![refusing().await; 100];
    let finish = race([bad.clone(), vec![good]].concat(), soon()).await;
    assert_eq!((finish.won.unwrap().1, finish.lost), (good, bad));
}

#[tokio::test]
async fn the_other_family_is_used_where_the_first_fails() {
    let (_listener, good) = listening("127.0.0.1:0").await;
    let six = SocketAddr::new("::1".parse().unwrap(), refusing().await.port());
    let finish = race(vec![six, good], soon()).await;
    assert_eq!((finish.won.unwrap().1, finish.lost), (good, vec![six]));
}

#[tokio::test]
async fn an_address_that_does_not_answer_is_passed_by() {
    let hole = BlackHole::open().await;
    let (_listener, good) = listening("127.0.0.1:0").await;
    let finish = race(vec![hole.address, good], soon()).await;
    assert_eq!((finish.won.unwrap().1, finish.lost), (good, vec![hole.address]));
}

#[tokio::test]
async fn the_deadline_is_for_all_addresses_together() {
    let (one, other) = (BlackHole::open().await, BlackHole::open().await);
    let deadline = Instant::now() + NEXT_AFTER * 2;
    let finish = race(vec![one.address, other.address], deadline).await;
    assert!(matches!(finish.won, Err(ConnectError::Timeout)), "{finish:?}");
    assert_eq!(finish.lost, [one.address, other.address]);
}

#[tokio::test]
async fn where_all_refuse_the_last_refusal_is_told() {
    let (one, other) = (refusing().await, refusing().await);
    let finish = race(vec![one, other], soon()).await;
    assert!(
        matches!(&finish.won, Err(ConnectError::Tcp(error)) if error.kind() == io::ErrorKind::ConnectionRefused)
    );
    assert_eq!(finish.lost, [one, other]);
}
