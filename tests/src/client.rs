//! The client side: one call over a connection of its own, HTTP/1.1 or HTTP/2 without TLS.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio_rustls::TlsConnector;

use crate::answer::Answer;
use crate::eventually::{patience, within};

/// A request in the making.
#[derive(Clone, Debug)]
pub struct Call {
    pub(crate) address: SocketAddr,
    method: Method,
    target: String,
    headers: HeaderMap,
    body: Bytes,
    version: Version,
    pub(crate) tls: Option<Arc<ClientConfig>>,
}

/// A chat completion in the making.
#[derive(Clone, Debug)]
pub struct Chat {
    call: Call,
    body: Map<String, Value>,
}

/// An answer whose body is still arriving. Dropping it closes the connection.
#[derive(Debug)]
pub struct Opened {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The version that was spoken.
    pub version: Version,
    body: Incoming,
    frames: Vec<Bytes>,
    _connection: Connection,
}

/// Why there is no answer at all.
#[derive(Debug)]
pub enum NoAnswer {
    /// The connection was refused or broke off while it was being made.
    Connect(std::io::Error),
    /// The connection ended before a whole head of an answer had come.
    Broken(hyper::Error),
}

#[derive(Debug)]
pub(crate) struct Connection(AbortHandle);

// === impl Call ===

impl Call {
    /// A call without headers and body.
    pub fn new(address: SocketAddr, method: Method, target: &str) -> Self {
        let (headers, body) = (HeaderMap::new(), Bytes::new());
        Self {
            address,
            method,
            target: target.to_owned(),
            headers,
            body,
            version: Version::HTTP_11,
            tls: None,
        }
    }

    /// Sets a header, in place of those of the same name.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let (name, value) = header(name, value);
        self.headers.insert(name, value);
        self
    }

    /// Adds a header beside those of the same name.
    #[must_use]
    pub fn also_header(mut self, name: &str, value: &str) -> Self {
        let (name, value) = header(name, value);
        self.headers.append(name, value);
        self
    }

    /// Takes a header away.
    #[must_use]
    pub fn without_header(mut self, name: &str) -> Self {
        self.headers.remove(name);
        self
    }

    /// Shows this key as `Authorization: Bearer`.
    #[must_use]
    pub fn key(self, key: &str) -> Self {
        self.header("authorization", &format!("Bearer {key}"))
    }

    /// Shows no key.
    #[must_use]
    pub fn no_key(self) -> Self {
        self.without_header("authorization")
    }

    /// Sends exactly these bytes, and no content type.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends this value as JSON.
    #[must_use]
    pub fn json(self, value: &Value) -> Self {
        self.header("content-type", "application/json").body(value.to_string())
    }

    /// Speaks HTTP/2 from the first byte (prior knowledge).
    #[must_use]
    pub fn h2(mut self) -> Self {
        self.version = Version::HTTP_2;
        self
    }

    /// Speaks TLS, and trusts whom this says.
    #[must_use]
    pub fn tls(mut self, trust: &Arc<ClientConfig>) -> Self {
        self.tls = Some(Arc::clone(trust));
        self
    }

    /// The whole answer. Fails the test when there is none.
    pub async fn send(self) -> Answer {
        self.open().await.rest().await
    }

    /// The answer's head; its body is read by the test. Fails the test when there is none.
    pub async fn open(self) -> Opened {
        match self.try_open().await {
            Ok(opened) => opened,
            Err(why) => panic!("no answer: {why:?}"),
        }
    }

    /// The whole answer, or why there is none.
    pub async fn try_send(self) -> Result<Answer, NoAnswer> {
        Ok(self.try_open().await?.rest().await)
    }

    /// The answer's head, or why there is none.
    pub async fn try_open(mut self) -> Result<Opened, NoAnswer> {
        let socket = TcpStream::connect(self.address).await.map_err(NoAnswer::Connect)?;
        let _delay = socket.set_nodelay(true);
        match self.tls.take() {
            Some(trust) => {
                let name = ServerName::from(self.address.ip());
                let connected = TlsConnector::from(trust).connect(name, socket).await;
                self.converse(connected.map_err(NoAnswer::Connect)?).await
            }
            None => self.converse(socket).await,
        }
    }

    async fn converse(
        self,
        socket: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> Result<Opened, NoAnswer> {
        let h2 = self.version == Version::HTTP_2;
        let request = self.into_request();
        let io = TokioIo::new(socket);
        let (answering, connection) = if h2 {
            let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await;
            let (mut sender, connection) = handshake.map_err(NoAnswer::Broken)?;
            (boxed(async move { sender.send_request(request).await }), Connection::drive(connection))
        } else {
            let handshake = hyper::client::conn::http1::handshake(io).await;
            let (mut sender, connection) = handshake.map_err(NoAnswer::Broken)?;
            (boxed(async move { sender.send_request(request).await }), Connection::drive(connection))
        };
        let response = arrives("the head of an answer", answering).await.map_err(NoAnswer::Broken)?;
        let (head, body) = response.into_parts();
        let (status, headers, version) = (head.status.as_u16(), head.headers, head.version);
        Ok(Opened { status, headers, version, body, frames: Vec::new(), _connection: connection })
    }

    pub(crate) fn into_request(self) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(self.body));
        *request.method_mut() = self.method;
        let target = if self.version == Version::HTTP_2 {
            format!("http://{}{}", self.address, self.target)
        } else {
            self.target
        };
        *request.uri_mut() = target.parse().expect("the target is a URI; use the raw client for others");
        *request.version_mut() = self.version;
        *request.headers_mut() = self.headers;
        if self.version != Version::HTTP_2 && !request.headers().contains_key("host") {
            let (name, value) = header("host", &self.address.to_string());
            request.headers_mut().insert(name, value);
        }
        request
    }
}

// === impl Chat ===

impl Chat {
    pub(crate) fn new(call: Call, model: &str) -> Self {
        let mut body = Map::new();
        body.insert("model".to_owned(), json!(model));
        body.insert("messages".to_owned(), json!([]));
        Self { call, body }
    }

    /// Adds a message of the user.
    #[must_use]
    pub fn say(mut self, text: &str) -> Self {
        if let Some(Value::Array(messages)) = self.body.get_mut("messages") {
            messages.push(json!({"role": "user", "content": text}));
        }
        self
    }

    /// Asks for a stream.
    #[must_use]
    pub fn stream(self) -> Self {
        self.with("stream", json!(true))
    }

    /// Sets a field of the body.
    #[must_use]
    pub fn with(mut self, field: &str, value: Value) -> Self {
        self.body.insert(field.to_owned(), value);
        self
    }

    /// Sets a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.call = self.call.header(name, value);
        self
    }

    /// Shows this key.
    #[must_use]
    pub fn key(mut self, key: &str) -> Self {
        self.call = self.call.key(key);
        self
    }

    /// Speaks HTTP/2.
    #[must_use]
    pub fn h2(mut self) -> Self {
        self.call = self.call.h2();
        self
    }

    /// The call that it comes to.
    pub fn call(self) -> Call {
        self.call.json(&Value::Object(self.body))
    }

    /// The whole answer. Fails the test when there is none.
    pub async fn send(self) -> Answer {
        self.call().send().await
    }

    /// The answer's head; its body is read by the test.
    pub async fn open(self) -> Opened {
        self.call().open().await
    }

    /// The whole answer, or why there is none.
    pub async fn try_send(self) -> Result<Answer, NoAnswer> {
        self.call().try_send().await
    }
}

// === impl Opened ===

impl Opened {
    /// The next frame of the body; `None` at its end. Fails the test when the body breaks off or nothing comes.
    pub async fn frame(&mut self) -> Option<Bytes> {
        let frame = arrives("the next frame of a body", self.body.frame()).await?;
        let data = frame.expect("the body does not break off").into_data().unwrap_or_default();
        self.frames.push(data.clone());
        Some(data)
    }

    /// Reads until the body so far holds `text`. Fails the test when the body ends first.
    pub async fn read_until(&mut self, text: &str) {
        while !String::from_utf8_lossy(&self.frames.concat()).contains(text) {
            assert!(self.frame().await.is_some(), "the body ended before {text:?} came");
        }
    }

    /// What has arrived of the body.
    pub fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.frames.concat()).into_owned()
    }

    /// A header as text; empty when it is absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Closes the connection at once, as a client does that was killed.
    pub fn leave(self) {
        drop(self);
    }

    /// Reads the rest, however it ends.
    pub async fn rest(self) -> Answer {
        let Self { status, headers, version, body, frames, _connection } = self;
        rest_of(status, version, headers, body, frames).await
    }
}

/// An answer that is read to its end, whether that is a good end or not.
pub(crate) async fn rest_of(
    status: u16,
    version: Version,
    headers: HeaderMap,
    mut body: Incoming,
    mut frames: Vec<Bytes>,
) -> Answer {
    let mut cut = false;
    loop {
        match arrives("the rest of a body", body.frame()).await {
            Some(Ok(frame)) => frames.push(frame.into_data().unwrap_or_default()),
            Some(Err(_broken)) => {
                cut = true;
                break;
            }
            None => break,
        }
    }
    let body = frames.concat().into();
    Answer::new(status, version, headers, body, frames, cut)
}

// === impl Connection ===

impl Connection {
    /// Drives a connection until this is dropped.
    pub(crate) fn drive(connection: impl Future<Output = hyper::Result<()>> + Send + 'static) -> Self {
        Self(tokio::runtime::Handle::current().spawn(quietly(connection)).abort_handle())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

type Answering = std::pin::Pin<Box<dyn Future<Output = hyper::Result<http::Response<Incoming>>> + Send>>;

fn boxed(
    future: impl Future<Output = hyper::Result<http::Response<Incoming>>> + Send + 'static,
) -> Answering {
    Box::pin(future)
}

/// Whatever ends a connection shows in the answer that it carried.
async fn quietly(connection: impl Future<Output = hyper::Result<()>>) {
    let _ended = connection.await;
}

fn header(name: &str, value: &str) -> (HeaderName, HeaderValue) {
    let name = HeaderName::try_from(name).expect("a header name");
    (name, HeaderValue::from_bytes(value.as_bytes()).expect("a header value"))
}

/// An answer may take longer than a test is patient with other things: a locked database keeps an admin waiting.
pub(crate) async fn arrives<T>(what: &str, future: impl Future<Output = T>) -> T {
    within(patience() * 3, what, future).await
}
