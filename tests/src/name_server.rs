//! A name server on loopback that says what a test tells it to.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::UdpSocket;
use tokio::task::AbortHandle;

use crate::upstream::FAKES;

/// Type 1 of a question: an IPv4 address.
const A: u8 = 1;
/// Code 3 of an answer: there is no such name.
const NXDOMAIN: u8 = 3;

/// A fake name server. It knows no name until it is told, and counts what it is asked.
#[derive(Debug)]
pub struct NameServer {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    task: AbortHandle,
}

#[derive(Debug, Default)]
struct State {
    says: HashMap<String, Says>,
    asked: HashMap<String, usize>,
}

#[derive(Clone, Copy, Debug)]
enum Says {
    Address(Ipv4Addr, u8),
    Code(u8),
    Nothing,
}

// === impl NameServer ===

impl NameServer {
    /// Begins to listen.
    pub async fn start() -> Self {
        let socket = FAKES.spawn(UdpSocket::bind("127.0.0.1:0")).await.expect("the fakes' runtime lives");
        let socket = socket.expect("a port of the loopback can be had");
        let address = socket.local_addr().expect("a bound socket has an address");
        let state = Arc::<Mutex<State>>::default();
        let serving = serve(socket, Arc::clone(&state));
        Self { address, state, task: FAKES.spawn(serving).abort_handle() }
    }

    /// Where it listens, as `proxy.dns_servers` takes it.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// From now on the name has this address, for so many seconds.
    pub fn knows(&self, name: &str, address: [u8; 4], ttl: u8) {
        self.says(name, Says::Address(address.into(), ttl));
    }

    /// From now on it is answered with this code: 2 is SERVFAIL, 3 NXDOMAIN.
    pub fn fails(&self, name: &str, code: u8) {
        self.says(name, Says::Code(code));
    }

    /// From now on it is not answered.
    pub fn is_silent_about(&self, name: &str) {
        self.says(name, Says::Nothing);
    }

    /// How often it was asked for the IPv4 address of this name.
    pub fn asked(&self, name: &str) -> usize {
        locked(&self.state).asked.get(name).copied().unwrap_or(0)
    }

    fn says(&self, name: &str, says: Says) {
        locked(&self.state).says.insert(name.to_owned(), says);
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(socket: UdpSocket, state: Arc<Mutex<State>>) {
    let mut buffer = [0; 512];
    while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
        let question = buffer.get(..length).unwrap_or_default();
        let answer = answer(question, &mut locked(&state));
        if let Some(answer) = answer {
            let sent = socket.send_to(&answer, from).await;
            sent.expect("loopback takes an answer");
        }
    }
}

/// The answer to a question with one name, in the wire format of RFC 1035.
fn answer(question: &[u8], state: &mut State) -> Option<Vec<u8>> {
    let (mut labels, mut rest) = (Vec::new(), question.get(12..)?);
    let kind = loop {
        let (&length, after) = rest.split_first()?;
        if length == 0 {
            rest = after;
            break *after.get(1)?;
        }
        let (label, after) = after.split_at_checked(length.into())?;
        labels.push(String::from_utf8_lossy(label));
        rest = after;
    };
    let name = labels.join(".");
    let says = state.says.get(&name).copied().unwrap_or(Says::Code(NXDOMAIN));
    if kind == A {
        *state.asked.entry(name).or_default() += 1;
    }
    let (code, address) = match says {
        Says::Address(address, ttl) => (0, (kind == A).then_some((address, ttl))),
        Says::Code(code) => (code, None),
        Says::Nothing => return None,
    };
    let end = question.len() - rest.len() + 4;
    let mut answer = question.get(..2)?.to_vec();
    answer.extend([0x81, 0x80 | code, 0, 1, 0, u8::from(address.is_some()), 0, 0, 0, 0]);
    answer.extend(question.get(12..end)?);
    if let Some((address, ttl)) = address {
        // The name again (a pointer to it), type A, class IN, the TTL, four bytes.
        answer.extend([0xc0, 12, 0, A, 0, 1, 0, 0, 0, ttl, 0, 4]);
        answer.extend(address.octets());
    }
    Some(answer)
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
