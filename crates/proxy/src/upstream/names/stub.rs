//! A name server on loopback that says what a test tells it to, over UDP and TCP.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinSet;

pub(super) const A: u16 = 1;
pub(super) const AAAA: u16 = 28;

/// What a question is answered with.
#[derive(Clone, Debug)]
pub(super) enum Say {
    /// These of them that are of the family that was asked for.
    Addresses(u32, Vec<IpAddr>),
    /// The same over TCP; over UDP that there is too much to say.
    TooMuch(Vec<IpAddr>),
    /// A code that stands for failure.
    Code(u8),
    Silence,
}

pub(super) const SERVFAIL: Say = Say::Code(2);
pub(super) const NXDOMAIN: Say = Say::Code(3);

type Answer = Box<dyn Fn(&str, u16) -> Say + Send>;

pub(super) struct NameServer {
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

struct Shared {
    answer: Mutex<Answer>,
    asked: Mutex<Vec<(String, u16)>>,
}

/// An answer with a TTL in seconds.
pub(super) fn addresses(ttl: u32, texts: &[&str]) -> Say {
    Say::Addresses(ttl, texts.iter().map(|text| text.parse().unwrap()).collect())
}

// === impl NameServer ===

impl NameServer {
    /// Answers by name, without its last dot, and type.
    pub(super) async fn answering(answer: impl Fn(&str, u16) -> Say + Send + 'static) -> Self {
        let shared = Arc::new(Shared { answer: Mutex::new(Box::new(answer)), asked: Mutex::default() });
        let (udp, tcp) = loop {
            let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            // The same port, which may be taken by chance.
            if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
                break (udp, tcp);
            }
        };
        let address = udp.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(over_udp(udp, Arc::clone(&shared)));
        tasks.spawn(over_tcp(tcp, Arc::clone(&shared)));
        Self { address, shared, _tasks: tasks }
    }

    /// Answers everything alike.
    pub(super) async fn saying(say: Say) -> Self {
        Self::answering(move |_, _| say.clone()).await
    }

    /// Answers everything alike from now on.
    pub(super) fn say(&self, say: Say) {
        *self.shared.answer.lock().unwrap() = Box::new(move |_, _| say.clone());
    }

    /// The names that were asked for with this type, in their order.
    pub(super) fn asked(&self, kind: u16) -> Vec<String> {
        let asked = self.shared.asked.lock().unwrap();
        asked.iter().filter(|(_, of)| *of == kind).map(|(name, _)| name.clone()).collect()
    }
}

async fn over_udp(socket: UdpSocket, shared: Arc<Shared>) {
    let mut buffer = [0; 1500];
    loop {
        let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
        if let Some(answer) = shared.answer(&buffer[..length], false) {
            socket.send_to(&answer, from).await.unwrap();
        }
    }
}

async fn over_tcp(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            while let Ok(length) = stream.read_u16().await {
                let mut question = vec![0; length.into()];
                stream.read_exact(&mut question).await.unwrap();
                if let Some(answer) = shared.answer(&question, true) {
                    stream.write_u16(answer.len().try_into().unwrap()).await.unwrap();
                    stream.write_all(&answer).await.unwrap();
                }
            }
        });
    }
}

// === impl Shared ===

impl Shared {
    fn answer(&self, question: &[u8], over_tcp: bool) -> Option<Vec<u8>> {
        let (mut labels, mut at) = (Vec::new(), 12);
        while question[at] != 0 {
            let end = at + 1 + usize::from(question[at]);
            labels.push(String::from_utf8(question[at + 1..end].to_vec()).unwrap());
            at = end;
        }
        let kind = u16::from_be_bytes([question[at + 1], question[at + 2]]);
        let name = labels.join(".");
        self.asked.lock().unwrap().push((name.clone(), kind));
        let (code, truncated, ttl, addresses) = match (self.answer.lock().unwrap())(&name, kind) {
            Say::Addresses(ttl, addresses) => (0, false, ttl, addresses),
            Say::TooMuch(addresses) if over_tcp => (0, false, 60, addresses),
            Say::TooMuch(_) => (0, true, 0, Vec::new()),
            Say::Code(code) => (code, false, 0, Vec::new()),
            Say::Silence => return None,
        };
        let of_kind = |address: &IpAddr| if kind == A { address.is_ipv4() } else { address.is_ipv6() };
        let addresses: Vec<IpAddr> = addresses.into_iter().filter(of_kind).collect();
        let count = u8::try_from(addresses.len()).unwrap();
        let mut answer = question[..2].to_vec();
        answer.extend([0x81 | (u8::from(truncated) << 1), 0x80 | code, 0, 1, 0, count, 0, 0, 0, 0]);
        answer.extend(&question[12..at + 5]);
        for address in addresses {
            let data = match address {
                IpAddr::V4(four) => four.octets().to_vec(),
                IpAddr::V6(six) => six.octets().to_vec(),
            };
            answer.extend([0xc0, 12]);
            answer.extend(kind.to_be_bytes());
            answer.extend([0, 1]);
            answer.extend(ttl.to_be_bytes());
            answer.extend([0, u8::try_from(data.len()).unwrap()]);
            answer.extend(data);
        }
        Some(answer)
    }
}
