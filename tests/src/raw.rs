//! A client on the bare socket, for what no library would send.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::eventually::{patience, soon};

/// An open connection to a gateway.
#[derive(Debug)]
pub struct Raw {
    socket: TcpStream,
    buffer: BytesMut,
}

/// An answer as it was read from the socket.
#[derive(Clone, Debug)]
pub struct RawAnswer {
    /// The status.
    pub status: u16,
    /// Status line and headers.
    pub head: String,
    /// The body without its framing.
    pub body: Bytes,
}

// === impl Raw ===

impl Raw {
    /// Connects.
    pub async fn connect(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).await.expect("the gateway accepts connections");
        let _delay = socket.set_nodelay(true);
        Self { socket, buffer: BytesMut::new() }
    }

    /// Connects with a receive buffer as small as the system allows, so that it is full as soon as nothing is read.
    pub async fn connect_narrow(address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket can be made");
        socket.set_recv_buffer_size(1).expect("SO_RCVBUF can be set");
        let socket = socket.connect(address).await.expect("the gateway accepts connections");
        Self { socket, buffer: BytesMut::new() }
    }

    /// Sends bytes. Fails the test when the connection is gone.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).await.expect("the gateway still reads");
    }

    /// Sends bytes; an error when the connection is gone.
    pub async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.socket.write_all(bytes.as_ref()).await
    }

    /// Says that nothing more will be sent, and keeps reading.
    pub async fn half_close(&mut self) {
        self.socket.shutdown().await.expect("the connection is open");
    }

    /// Makes the drop of this connection a reset.
    pub fn reset(self) {
        self.socket.set_zero_linger().expect("SO_LINGER can be set");
    }

    /// The next answer; `None` when the connection ends first. Interim answers (1xx) are left out.
    pub async fn answer(&mut self) -> Option<RawAnswer> {
        loop {
            let answer = soon("an answer on the bare socket", self.read_answer()).await?;
            if answer.status >= 200 {
                return Some(answer);
            }
        }
    }

    /// Everything that comes until the connection ends.
    pub async fn until_closed(&mut self) -> Bytes {
        soon("the end of the connection", async { while self.more().await.is_some() {} }).await;
        self.buffer.split().freeze()
    }

    /// Waits until the gateway ends the connection, and tells how long that took.
    pub async fn closed_after(&mut self) -> Duration {
        let began = Instant::now();
        let end = tokio::time::timeout(patience(), async { while self.more().await.is_some() {} }).await;
        assert!(end.is_ok(), "the connection was still open after {:?}", patience());
        began.elapsed()
    }

    /// Whether the connection is still open when nothing is sent for this long.
    pub async fn stays_open(&mut self, for_this_long: Duration) -> bool {
        let silent = async { while self.more().await.is_some() {} };
        tokio::time::timeout(for_this_long, silent).await.is_err()
    }

    /// The next answer, be it an interim one.
    pub(crate) async fn next_head(&mut self, what: &str) -> Option<RawAnswer> {
        soon(what, self.read_answer()).await
    }

    /// The connection, and what was read of it beyond the last answer.
    pub(crate) fn into_parts(self) -> (TcpStream, BytesMut) {
        (self.socket, self.buffer)
    }

    async fn read_answer(&mut self) -> Option<RawAnswer> {
        let head = loop {
            if let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                let head = self.buffer.split_to(end);
                self.buffer.advance(4);
                break String::from_utf8_lossy(&head).into_owned();
            }
            self.more().await?;
        };
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let mut answer = RawAnswer { status, head, body: Bytes::new() };
        answer.body = self.read_body(&answer).await?;
        Some(answer)
    }

    async fn read_body(&mut self, answer: &RawAnswer) -> Option<Bytes> {
        if answer.status < 200 || answer.status == 204 || answer.status == 304 {
            return Some(Bytes::new());
        }
        if answer.header("transfer-encoding") == "chunked" {
            let mut body = BytesMut::new();
            loop {
                let line = self.line().await?;
                let size = usize::from_str_radix(line.trim(), 16).ok()?;
                body.extend_from_slice(&self.exactly(size).await?);
                self.line().await?;
                if size == 0 {
                    return Some(body.freeze());
                }
            }
        }
        if let Ok(length) = answer.header("content-length").parse() {
            return self.exactly(length).await;
        }
        while self.more().await.is_some() {}
        Some(self.buffer.split().freeze())
    }

    async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|window| window == b"\r\n") {
                let line = self.buffer.split_to(end);
                self.buffer.advance(2);
                return Some(String::from_utf8_lossy(&line).into_owned());
            }
            self.more().await?;
        }
    }

    async fn exactly(&mut self, length: usize) -> Option<Bytes> {
        while self.buffer.len() < length {
            self.more().await?;
        }
        Some(self.buffer.split_to(length).freeze())
    }

    async fn more(&mut self) -> Option<()> {
        match self.socket.read_buf(&mut self.buffer).await {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(()),
        }
    }
}

// === impl RawAnswer ===

impl RawAnswer {
    /// A header as text; empty when it is absent.
    pub fn header(&self, name: &str) -> &str {
        let lines = self.head.split("\r\n").filter_map(|line| line.split_once(':'));
        let found = lines.into_iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim()).unwrap_or_default()
    }

    /// All headers.
    pub fn headers(&self) -> HeaderMap {
        let lines = self.head.split("\r\n").filter_map(|line| line.split_once(':'));
        let named = |(name, value): (&str, &str)| Some((name.parse().ok()?, value.trim().parse().ok()?));
        lines.filter_map(named).collect()
    }

    /// The code of the body's error object; empty when there is none.
    pub fn error_code(&self) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        body.pointer("/error/code").and_then(Value::as_str).unwrap_or_default().to_owned()
    }
}
