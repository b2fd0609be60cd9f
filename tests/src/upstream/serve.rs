//! The listening side of an upstream: one task for each connection, one reply for each request.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use super::connection::Outgoing;
use super::{Departure, FAKES, Received};
use crate::USER_KEY_MARK;
use crate::script::{Ending, Reply, json_body, status};
use crate::socket::{Opened, Socket, accept_for};
use crate::wire::{self, Incoming, RequestHead};

pub(super) type Answering = Arc<dyn Fn(&Received) -> Reply + Send + Sync>;

#[derive(Default)]
pub(super) struct State {
    pub(super) script: Mutex<Script>,
    pub(super) seen: Mutex<Seen>,
    pub(super) sockets: Mutex<Opened>,
    pub(super) in_flight: AtomicUsize,
    pub(super) peak: AtomicUsize,
    pub(super) connections: AtomicU64,
    pub(super) open: AtomicUsize,
    pub(super) sent: AtomicU64,
    pub(super) dying: AtomicBool,
    pub(super) stale_drops: AtomicU64,
    pub(super) unwell: AtomicBool,
    pub(super) key: String,
    pub(super) models: Vec<String>,
    pub(super) drops_reused: bool,
}

#[derive(Default)]
pub(super) struct Script {
    pub(super) steps: VecDeque<Reply>,
    pub(super) always: Option<Reply>,
    pub(super) answering: Option<Answering>,
    pub(super) anybody: bool,
}

#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) requests: Vec<Received>,
    pub(super) probes: u64,
    pub(super) departures: Vec<Departure>,
    pub(super) complaints: Vec<String>,
}

// === impl State ===

impl State {
    /// Whether what is cut off now is cut off by death.
    pub(super) fn is_dying(&self) -> bool {
        self.dying.load(Ordering::SeqCst)
    }

    fn left_by(&self, request: &Received) {
        let departure = Departure { request: request.clone(), at: Instant::now() };
        lock(&self.seen).departures.push(departure);
    }

    fn complain(&self, what: String) {
        lock(&self.seen).complaints.push(what);
    }

    fn models_reply(&self) -> Reply {
        if self.unwell.load(Ordering::SeqCst) {
            return status(503);
        }
        let data: Vec<Value> = self.models.iter().map(|id| json!({"id": id, "object": "model"})).collect();
        json_body(&json!({"object": "list", "data": data}))
    }

    /// The reply for a request whose head is known, when it does not depend on the body.
    fn early_step(&self) -> Option<Reply> {
        let mut script = lock(&self.script);
        if script.steps.front().is_some_and(|step| step.early) { script.steps.pop_front() } else { None }
    }

    fn next_step(&self, request: &Received) -> Option<Reply> {
        let mut script = lock(&self.script);
        if let Some(step) = script.steps.pop_front() {
            return Some(step);
        }
        if let Some(answer) = script.answering.clone() {
            drop(script);
            return Some(answer(request));
        }
        script.always.clone()
    }

    fn inspect(&self, head: &RequestHead, body: &[u8]) {
        let wanted = format!("Bearer {}", self.key);
        let shown = head.header("authorization").unwrap_or_default();
        if shown != wanted && !lock(&self.script).anybody {
            self.complain(format!(
                "{} {} came with another key than the channel's",
                head.method, head.target
            ));
        }
        let mark = USER_KEY_MARK.as_bytes();
        let in_headers = head.headers.iter().any(|(_, value)| value.contains(USER_KEY_MARK));
        if in_headers
            || head.target.contains(USER_KEY_MARK)
            || body.windows(mark.len()).any(|part| part == mark)
        {
            self.complain(format!("{} {} brought a user key", head.method, head.target));
        }
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("seen", &self.seen).finish_non_exhaustive()
    }
}

pub(super) async fn accept(listener: TcpListener, state: Arc<State>) {
    let mut open = HashMap::new();
    while let Ok((stream, _)) = listener.accept().await {
        let number = state.connections.fetch_add(1, Ordering::SeqCst);
        let task = FAKES.spawn(converse(stream, number, Arc::clone(&state)));
        open.retain(|_, task: &mut AbortOnDrop| !task.0.is_finished());
        open.insert(number, AbortOnDrop(task.abort_handle()));
    }
}

async fn converse(stream: TcpStream, connection: u64, state: Arc<State>) {
    let _delay = stream.set_nodelay(true);
    let _open = Counted::one_more(&state.open);
    let (read, write) = stream.into_split();
    let mut incoming = Incoming::new(read);
    let mut outgoing = Outgoing::new(write, Arc::clone(&state));
    let mut served = 0_u64;
    while let Some(head) = incoming.head().await {
        let probe = head.method == "GET" && head.target.ends_with("/models");
        if state.drops_reused && served > 0 && !probe {
            state.stale_drops.fetch_add(1, Ordering::SeqCst);
            wire::reset(outgoing.socket());
            return;
        }
        served += 1;
        let early = if probe { None } else { state.early_step() };
        let body = match &early {
            Some(_) => Bytes::new(),
            None => match incoming.body(&head).await {
                Some(body) => body,
                None => return,
            },
        };
        state.inspect(&head, &body);
        let request = Received { head, body, connection, at: Instant::now() };
        let reply = if probe {
            lock(&state.seen).probes += 1;
            Some(state.models_reply())
        } else {
            lock(&state.seen).requests.push(request.clone());
            early.or_else(|| state.next_step(&request))
        };
        let Some(reply) = reply else {
            state.complain(format!(
                "{} {} is beyond the end of the script",
                request.method(),
                request.target()
            ));
            return;
        };
        if reply.switches() {
            let (opening, protocol) = answer_handshake(reply, &request);
            if wire::play(&opening, outgoing.socket(), &state.sent).await.is_ok() {
                let (reads, buffer) = incoming.into_parts();
                let socket = Socket::of_server(reads, buffer, outgoing.release(), protocol);
                lock(&state.sockets).push_back(socket);
            }
            return;
        }
        if !answer(&reply, &request, &mut incoming, outgoing.socket(), &state).await {
            return;
        }
    }
}

/// Answers key and subprotocols of a handshake, of which the first is chosen.
fn answer_handshake(reply: Reply, request: &Received) -> (Reply, String) {
    let accept = accept_for(request.header("sec-websocket-key").unwrap_or_default());
    let offered = request.header("sec-websocket-protocol").unwrap_or_default();
    let protocol = offered.split(',').next().unwrap_or_default().trim().to_owned();
    let mut reply = reply.or_header("sec-websocket-accept", &accept);
    if !protocol.is_empty() {
        reply = reply.or_header("sec-websocket-protocol", &protocol);
    }
    (reply, protocol)
}

/// Plays the reply and watches for the caller's leaving meanwhile. Tells whether the connection goes on.
async fn answer(
    reply: &Reply,
    request: &Received,
    incoming: &mut Incoming,
    write: &mut tokio::net::tcp::OwnedWriteHalf,
    state: &State,
) -> bool {
    let counted = Counted::one_more(&state.in_flight);
    state.peak.fetch_max(counted.now, Ordering::SeqCst);
    let left = async {
        // An early answer leaves the body unread: what arrives is no departure, and an end would be no news.
        if reply.early { std::future::pending().await } else { incoming.left().await }
    };
    tokio::select! {
        biased;
        played = wire::play(reply, write, &state.sent) => match played {
            Ok(_) if reply.early && reply.ending != Ending::CutOff => {
                // Closing over unread bytes would be a reset, and could take the answer with it.
                wire::drain(incoming, write).await;
                false
            }
            Ok(goes_on) => goes_on,
            Err(_gone) => {
                state.left_by(request);
                false
            }
        },
        () = left => {
            state.left_by(request);
            false
        }
    }
}

/// One more of something that is counted, until it ends, however that is.
struct Counted<'a> {
    counter: &'a AtomicUsize,
    /// How many there were, this one among them.
    now: usize,
}

impl<'a> Counted<'a> {
    fn one_more(counter: &'a AtomicUsize) -> Self {
        let now = counter.fetch_add(1, Ordering::SeqCst) + 1;
        Self { counter, now }
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.counter.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Ends a connection with its listener.
struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
