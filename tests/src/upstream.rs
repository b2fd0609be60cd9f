//! An upstream account that says what its script tells it to, and remembers what it was asked.
//!
//! It complains when it is dropped: about replies that nobody asked for, about requests beyond the end of the
//! script, about calls without its own key, and about the gateway's user keys in what it was sent.

mod connection;
mod received;
mod serve;

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, LazyLock, Mutex};

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Runtime;
use tokio::task::AbortHandle;

use crate::eventually::until;
use crate::script::Reply;
use crate::socket::Socket;
pub use received::{Departure, Received};
use serve::{State, accept, lock};

/// A fake upstream account on a port of its own.
#[derive(Debug)]
pub struct Upstream {
    address: SocketAddr,
    name: String,
    key: String,
    state: Arc<State>,
    task: Mutex<Option<AbortHandle>>,
    /// Keeps the port while nobody listens on it.
    grave: Mutex<Option<TcpSocket>>,
    // Sockets that keep an address refusing or silent.
    _held: Vec<TcpSocket>,
    _connections: Vec<TcpStream>,
}

/// An [`Upstream`] before it listens.
#[derive(Debug, Default)]
pub struct UpstreamBuilder {
    state: State,
}

/// All fakes of a test process live here, so that a test may block its own thread without stopping them.
pub(crate) static FAKES: LazyLock<Runtime> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime for the fakes can be made")
});

// === impl UpstreamBuilder ===

impl UpstreamBuilder {
    /// The next reply of the script.
    #[must_use]
    pub fn reply(self, reply: impl Into<Reply>) -> Self {
        lock(&self.state.script).steps.push_back(reply.into());
        self
    }

    /// The next reply of the script: reads better after the first.
    #[must_use]
    pub fn then(self, reply: impl Into<Reply>) -> Self {
        self.reply(reply)
    }

    /// The same reply this many times.
    #[must_use]
    pub fn times(self, count: usize, reply: impl Into<Reply>) -> Self {
        let reply = reply.into();
        lock(&self.state.script).steps.extend(std::iter::repeat_n(reply, count));
        self
    }

    /// What is said to every request after the script's end, be there none or many.
    #[must_use]
    pub fn always(self, reply: impl Into<Reply>) -> Self {
        lock(&self.state.script).always = Some(reply.into());
        self
    }

    /// The model names that `GET /models` lists (health probes ask it; it is no part of the script).
    #[must_use]
    pub fn models(mut self, names: impl IntoIterator<Item: AsRef<str>>) -> Self {
        self.state.models = names.into_iter().map(|name| name.as_ref().to_owned()).collect();
        self
    }

    /// Resets a connection that brings a second request, as a server does whose keep-alive time was over.
    #[must_use]
    pub fn drops_reused_connections(mut self) -> Self {
        self.state.drops_reused = true;
        self
    }

    /// Accepts calls with any key or none (for channels that share an upstream).
    #[must_use]
    pub fn for_anybody(self) -> Self {
        lock(&self.state.script).anybody = true;
        self
    }

    /// Begins to listen.
    pub async fn start(mut self) -> Upstream {
        let listener = FAKES.spawn(TcpListener::bind("127.0.0.1:0")).await.expect("the fakes' runtime lives");
        let listener = listener.expect("a port of the loopback can be had");
        let address = listener.local_addr().expect("a bound socket has an address");
        let key = key_for(address);
        self.state.key.clone_from(&key);
        let state = Arc::new(self.state);
        let accepting = accept(listener, Arc::clone(&state));
        let task = Mutex::new(Some(FAKES.spawn(accepting).abort_handle()));
        Upstream {
            name: name_for(address),
            address,
            key,
            state,
            task,
            grave: Mutex::default(),
            _held: Vec::new(),
            _connections: Vec::new(),
        }
    }
}

// === impl Upstream ===

impl Upstream {
    /// An upstream that plays a script, and complains about every request beyond it.
    pub fn scripted() -> UpstreamBuilder {
        UpstreamBuilder::default()
    }

    /// An upstream that makes its reply out of each request.
    pub fn answering(answer: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> UpstreamBuilder {
        let builder = UpstreamBuilder::default();
        lock(&builder.state.script).answering = Some(Arc::new(answer));
        builder
    }

    /// An address that refuses connections. The port stays taken, so nobody else can begin to listen there.
    pub fn refusing() -> Self {
        let (socket, address) = bound();
        Self::silent(address, vec![socket], Vec::new(), None)
    }

    /// An address where connections are neither accepted nor refused: its queue is full, so a SYN gets no answer.
    pub async fn black_hole() -> Self {
        let (socket, address) = bound();
        let _runtime = FAKES.enter();
        let listener = socket.listen(1).expect("a bound socket can listen");
        let mut connections = Vec::new();
        for _ in 0..16 {
            let connecting = FAKES.spawn(TcpStream::connect(address));
            match tokio::time::timeout(std::time::Duration::from_millis(50), connecting).await {
                Ok(Ok(Ok(connection))) => connections.push(connection),
                _ => break,
            }
        }
        // The listener must live, and must never accept.
        let held = FAKES.spawn(async move {
            let _listener = listener;
            std::future::pending::<()>().await;
        });
        Self::silent(address, Vec::new(), connections, Some(held.abort_handle()))
    }

    /// The channel name that the gateway knows it by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The `base_url` of a channel that knows it by this name.
    pub fn base_url_at(&self, host: &str) -> String {
        format!("http://{host}:{}/v1", self.address.port())
    }

    /// The `base_url` of its channel.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// The key that it takes; the channel's `api_key`.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// All requests so far, health probes not among them.
    pub fn requests(&self) -> Vec<Received> {
        lock(&self.state.seen).requests.clone()
    }

    /// The next WebSocket that was opened by a reply of [`switch`](crate::switch).
    pub async fn socket(&self) -> Socket {
        until("a socket is opened", async || lock(&self.state.sockets).pop_front()).await
    }

    /// Whether a request has come whose body holds this text.
    pub fn was_told(&self, text: &str) -> bool {
        let told = |request: &Received| request.body.windows(text.len()).any(|part| part == text.as_bytes());
        lock(&self.state.seen).requests.iter().rev().any(told)
    }

    /// The only request so far; fails the test when there are more or none.
    pub fn only_request(&self) -> Received {
        let requests = self.requests();
        assert_eq!(requests.len(), 1, "{} was to get exactly one request", self.name);
        requests.into_iter().next().expect("there is one")
    }

    /// How many requests have come, health probes not counted.
    pub fn count(&self) -> usize {
        lock(&self.state.seen).requests.len()
    }

    /// How many health probes (`GET /models`) have come.
    pub fn probes(&self) -> u64 {
        lock(&self.state.seen).probes
    }

    /// How many connections have been accepted.
    pub fn connections(&self) -> u64 {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// How many requests were left by their caller before the reply was played to its end.
    pub fn departures(&self) -> u64 {
        u64::try_from(lock(&self.state.seen).departures.len()).unwrap_or(u64::MAX)
    }

    /// The requests that were left by their caller before the reply was played to its end, and when.
    pub fn departed(&self) -> Vec<Departure> {
        lock(&self.state.seen).departures.clone()
    }

    /// How many requests were dropped because their connection was a reused one.
    pub fn stale_drops(&self) -> u64 {
        self.state.stale_drops.load(Ordering::SeqCst)
    }

    /// Requests that are being answered at this moment.
    pub fn in_flight(&self) -> usize {
        self.state.in_flight.load(Ordering::SeqCst)
    }

    /// The most requests that were answered at one time.
    pub fn peak(&self) -> usize {
        self.state.peak.load(Ordering::SeqCst)
    }

    /// Begins to watch for [`Upstream::peak`] anew.
    pub fn forget_peak(&self) {
        self.state.peak.store(self.in_flight(), Ordering::SeqCst);
    }

    /// Connections that are open at this moment, idle ones among them.
    pub fn open_connections(&self) -> usize {
        self.state.open.load(Ordering::SeqCst)
    }

    /// How many bytes of bodies were handed to the system so far; the system may still hold some of them.
    pub fn sent(&self) -> u64 {
        self.state.sent.load(Ordering::SeqCst)
    }

    /// From now on health probes are answered with 503 (`false`) or with the list of models (`true`).
    pub fn set_well(&self, well: bool) {
        self.state.unwell.store(!well, Ordering::SeqCst);
    }

    /// From now on this is said to every request; replaces what is left of the script.
    pub fn set_always(&self, reply: impl Into<Reply>) {
        let mut script = lock(&self.state.script);
        script.steps.clear();
        script.answering = None;
        script.always = Some(reply.into());
    }

    /// Dies as a machine does: its connections are reset, and new ones are refused.
    pub async fn die(&self) {
        self.state.dying.store(true, Ordering::SeqCst);
        if let Some(task) = lock(&self.task).take() {
            task.abort();
        }
        let address = self.address;
        let bound = until("the port is let go", async || {
            let socket = TcpSocket::new_v4().ok()?;
            socket.set_reuseaddr(true).ok()?;
            socket.bind(address).ok()?;
            Some(socket)
        });
        *lock(&self.grave) = Some(bound.await);
    }

    /// Listens again where it did before it died.
    pub fn revive(&self) {
        let socket = lock(&self.grave).take().expect("it has died");
        self.state.dying.store(false, Ordering::SeqCst);
        let _runtime = FAKES.enter();
        let listener = socket.listen(1024).expect("a bound socket can listen");
        let accepting = accept(listener, Arc::clone(&self.state));
        *lock(&self.task) = Some(FAKES.spawn(accepting).abort_handle());
    }

    /// Ends the checks that follow a drop: for an upstream that is to be left in the middle of its script.
    pub fn forgive(&self) {
        lock(&self.state.script).steps.clear();
        lock(&self.state.seen).complaints.clear();
    }

    /// What it will complain about when it is dropped.
    pub fn complaints(&self) -> Vec<String> {
        let mut complaints = lock(&self.state.seen).complaints.clone();
        let left = lock(&self.state.script).steps.len();
        if left > 0 {
            complaints.push(format!("{left} replies of the script were not asked for"));
        }
        complaints
    }

    fn silent(
        address: SocketAddr,
        held: Vec<TcpSocket>,
        connections: Vec<TcpStream>,
        task: Option<AbortHandle>,
    ) -> Self {
        let (name, key) = (name_for(address), key_for(address));
        Self {
            address,
            name,
            key,
            state: Arc::default(),
            task: Mutex::new(task),
            grave: Mutex::default(),
            _held: held,
            _connections: connections,
        }
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        if let Some(task) = lock(&self.task).take() {
            task.abort();
        }
        let complaints = self.complaints();
        let content = complaints.is_empty() || std::thread::panicking();
        assert!(content, "upstream {} complains: {}", self.name, complaints.join("; "));
    }
}

fn bound() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().expect("a socket can be made");
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port of the loopback can be had");
    let address = socket.local_addr().expect("a bound socket has an address");
    (socket, address)
}

fn name_for(address: SocketAddr) -> String {
    format!("up-{}", address.port())
}

fn key_for(address: SocketAddr) -> String {
    format!("sk-{}-{:05}-7f3a9c", crate::CHANNEL_KEY_MARK, address.port())
}
