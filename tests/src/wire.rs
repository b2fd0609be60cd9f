//! The server side of HTTP/1.1, just enough of it, and open at every byte.
//!
//! A library would refuse to send most of what a broken upstream sends, so the fakes read and write by themselves.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::script::{Ending, Framing, Head, Reply};

/// What can be read of a request before its body.
#[derive(Clone, Debug)]
pub(crate) struct RequestHead {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
}

/// One side of a connection with what has arrived and is not read yet.
#[derive(Debug)]
pub(crate) struct Incoming {
    socket: OwnedReadHalf,
    buffer: BytesMut,
}

// === impl RequestHead ===

impl RequestHead {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.split("\r\n");
        let mut request = lines.next()?.split(' ');
        let (method, target) = (request.next()?.to_owned(), request.next()?.to_owned());
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers = headers.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect();
        Some(Self { method, target, headers })
    }
}

// === impl Incoming ===

impl Incoming {
    pub(crate) fn new(socket: OwnedReadHalf) -> Self {
        Self { socket, buffer: BytesMut::new() }
    }

    /// The connection, and what was read of it and belongs to no request.
    pub(crate) fn into_parts(self) -> (OwnedReadHalf, BytesMut) {
        (self.socket, self.buffer)
    }

    /// The next request's head; `None` when the other side has closed.
    pub(crate) async fn head(&mut self) -> Option<RequestHead> {
        loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                let head = self.buffer.split_to(end);
                self.buffer.advance(4);
                return RequestHead::parse(&String::from_utf8_lossy(&head));
            }
            self.more().await?;
        }
    }

    /// The body that belongs to `head`, without its framing; `None` when the connection ended before it.
    pub(crate) async fn body(&mut self, head: &RequestHead) -> Option<Bytes> {
        if head.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            return self.chunks().await;
        }
        let length = head.header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
        self.exactly(length).await
    }

    /// Returns when the other side has closed or reset the connection.
    pub(crate) async fn left(&mut self) {
        while self.more().await.is_some() {}
    }

    async fn chunks(&mut self) -> Option<Bytes> {
        let mut body = BytesMut::new();
        loop {
            let line = self.line().await?;
            let size = usize::from_str_radix(line.split(';').next()?.trim(), 16).ok()?;
            if size == 0 {
                while !self.line().await?.is_empty() {}
                return Some(body.freeze());
            }
            body.extend_from_slice(&self.exactly(size).await?);
            self.line().await?;
        }
    }

    async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = find(&self.buffer, b"\r\n") {
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

/// Plays a reply. `Ok(true)`: the connection may carry another request. `Err`: the other side is gone. What of the
/// body has been handed to the system is added to `sent`.
pub(crate) async fn play(
    reply: &Reply,
    socket: &mut OwnedWriteHalf,
    sent: &AtomicU64,
) -> std::io::Result<bool> {
    reply.wait.over().await;
    socket.write_all(&head_bytes(reply)).await?;
    for piece in &reply.pieces {
        piece.wait.over().await;
        // An empty chunk would end the body: an empty piece is only something to wait for.
        if piece.bytes.is_empty() {
            continue;
        }
        if reply.framing == Framing::Chunked {
            let mut chunk = format!("{:x}\r\n", piece.bytes.len()).into_bytes();
            chunk.extend_from_slice(&piece.bytes);
            chunk.extend_from_slice(b"\r\n");
            socket.write_all(&chunk).await?;
        } else {
            socket.write_all(&piece.bytes).await?;
        }
        sent.fetch_add(piece.bytes.len() as u64, Ordering::SeqCst);
    }
    match reply.ending {
        Ending::KeepAlive | Ending::Close => {
            if reply.framing == Framing::Chunked {
                socket.write_all(b"0\r\n\r\n").await?;
            }
            Ok(reply.ending == Ending::KeepAlive && reply.framing != Framing::UntilClose)
        }
        Ending::CutOff => Ok(false),
        Ending::Reset => {
            reset(socket);
            Ok(false)
        }
        Ending::Hang => std::future::pending().await,
        Ending::BrokenChunk => {
            socket.write_all(b"zz\r\nnot a chunk").await?;
            Ok(false)
        }
    }
}

/// Says that nothing more is sent, and reads what still comes until the other side closes too.
pub(crate) async fn drain(incoming: &mut Incoming, socket: &mut OwnedWriteHalf) {
    let _shut = socket.shutdown().await;
    incoming.left().await;
}

/// Makes the coming close a reset.
pub(crate) fn reset(socket: &OwnedWriteHalf) {
    let set = socket.as_ref().set_zero_linger();
    debug_assert!(set.is_ok(), "SO_LINGER cannot be set");
}

fn head_bytes(reply: &Reply) -> Vec<u8> {
    let (status, headers) = match &reply.head {
        Head::Status(status, headers) => (*status, headers),
        Head::Raw(bytes) => return bytes.to_vec(),
        Head::Absent => return Vec::new(),
    };
    let length =
        i64::try_from(reply.pieces.iter().map(|piece| piece.bytes.len()).sum::<usize>()).unwrap_or(i64::MAX);
    let framing = match reply.framing {
        Framing::Length => Some(("content-length".to_owned(), length.to_string())),
        Framing::WrongLength(by) => Some(("content-length".to_owned(), (length + by).to_string())),
        Framing::Chunked => Some(("transfer-encoding".to_owned(), "chunked".to_owned())),
        Framing::UntilClose => Some(("connection".to_owned(), "close".to_owned())),
        Framing::Bodiless => None,
    };
    let mut lines = vec![format!("HTTP/1.1 {status} Scripted")];
    lines.extend(headers.iter().chain(&framing).map(|(name, value)| format!("{name}: {value}")));
    lines.push("\r\n".to_owned());
    lines.join("\r\n").into_bytes()
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
