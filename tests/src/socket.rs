//! One end of a WebSocket, a client's or an upstream's, that reads and writes frames by itself: what a library would
//! mend or hide, a test wants to see.

use std::collections::VecDeque;
use std::fmt;

use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::client::Call;
use crate::eventually::soon;
use crate::raw::{Raw, RawAnswer};

/// The key of every client's handshake, and what it is answered with (the example of RFC 6455).
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Whether it is the last of its message.
    pub fin: bool,
    /// As in RFC 6455: 0 continuation, 1 text, 2 binary, 8 close, 9 ping, 10 pong.
    pub opcode: u8,
    /// Without its mask.
    pub payload: Bytes,
}

/// An open WebSocket, seen from one end.
#[derive(Debug)]
pub struct Socket {
    /// What comes in.
    pub reads: FrameReader,
    /// What goes out.
    pub writes: FrameWriter,
    /// The subprotocol that was agreed upon; empty when there is none.
    pub protocol: String,
    /// The headers of the answer that opened it, at the client's end.
    pub headers: HeaderMap,
}

/// Frames that come in.
pub struct FrameReader {
    socket: Box<dyn AsyncRead + Send + Unpin>,
    buffer: BytesMut,
    /// Whether the other end must mask.
    masked: bool,
}

/// Frames that go out.
pub struct FrameWriter {
    socket: Box<dyn AsyncWrite + Send + Unpin>,
    masks: bool,
    /// Makes masks, each another one.
    masks_made: u32,
}

/// Sockets that an upstream has opened and nobody has asked for yet.
pub(crate) type Opened = VecDeque<Socket>;

/// What a server answers a key with.
pub(crate) fn accept_for(key: &str) -> String {
    let whole = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let mut text = String::new();
    for chunk in digest(&SHA1_FOR_LEGACY_USE_ONLY, whole.as_bytes()).as_ref().chunks(3) {
        let bits = chunk.iter().chain(&[0; 3]).take(3).fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        for digit in 0..4 {
            let value = u8::try_from(bits >> (18 - 6 * digit) & 63).unwrap_or_default();
            text.push(match value {
                _ if digit > chunk.len() => '=',
                0..26 => char::from(b'A' + value),
                26..52 => char::from(b'a' + value - 26),
                52..62 => char::from(b'0' + value - 52),
                62 => '+',
                _ => '/',
            });
        }
    }
    text
}

// === impl Frame ===

impl Frame {
    /// A whole text message.
    pub fn text(text: impl Into<Bytes>) -> Self {
        Self { fin: true, opcode: 1, payload: text.into() }
    }

    /// A whole binary message.
    pub fn binary(bytes: impl Into<Bytes>) -> Self {
        Self { fin: true, opcode: 2, payload: bytes.into() }
    }

    /// A ping.
    pub fn ping(bytes: &'static [u8]) -> Self {
        Self { fin: true, opcode: 9, payload: Bytes::from_static(bytes) }
    }

    /// A closing frame.
    pub fn close(code: u16, reason: &str) -> Self {
        Self { fin: true, opcode: 8, payload: [&code.to_be_bytes(), reason.as_bytes()].concat().into() }
    }

    /// The first frame of a message that others follow.
    #[must_use]
    pub fn unfinished(self) -> Self {
        Self { fin: false, ..self }
    }

    /// Goes on with a message.
    #[must_use]
    pub fn continued(self) -> Self {
        Self { opcode: 0, ..self }
    }

    /// Code and reason of a closing frame.
    pub fn closed_with(&self) -> Option<(u16, String)> {
        let (code, reason) = self.payload.split_first_chunk().filter(|_| self.opcode == 8)?;
        Some((u16::from_be_bytes(*code), String::from_utf8_lossy(reason).into_owned()))
    }

    fn bytes(&self, mask: Option<[u8; 4]>) -> Vec<u8> {
        let mut bytes = vec![u8::from(self.fin) << 7 | self.opcode];
        let bit = u8::from(mask.is_some()) << 7;
        match self.payload.len() {
            length @ 0..=125 => bytes.push(bit | u8::try_from(length).unwrap_or_default()),
            length @ 126..=0xffff => {
                bytes.push(bit | 0x7e);
                bytes.extend(u16::try_from(length).unwrap_or_default().to_be_bytes());
            }
            length => {
                bytes.push(bit | 0x7f);
                bytes.extend((length as u64).to_be_bytes());
            }
        }
        bytes.extend(mask.unwrap_or_default().iter().take(if mask.is_some() { 4 } else { 0 }));
        let key = mask.unwrap_or_default();
        bytes.extend(self.payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
        bytes
    }
}

// === impl Socket ===

impl Socket {
    /// The upstream's end of a connection that has just been switched.
    pub(crate) fn of_server(
        reads: impl AsyncRead + Send + Unpin + 'static,
        buffer: BytesMut,
        writes: impl AsyncWrite + Send + Unpin + 'static,
        protocol: String,
    ) -> Self {
        Self {
            reads: FrameReader { socket: Box::new(reads), buffer, masked: true },
            writes: FrameWriter { socket: Box::new(writes), masks: false, masks_made: 0 },
            protocol,
            headers: HeaderMap::new(),
        }
    }

    /// The client's end, after this answer.
    fn of_client(
        socket: (impl AsyncRead + Send + Unpin + 'static, impl AsyncWrite + Send + Unpin + 'static),
        buffer: BytesMut,
        answer: &RawAnswer,
    ) -> Self {
        assert_eq!(answer.header("sec-websocket-accept"), ACCEPT);
        assert_eq!(answer.header("upgrade"), "websocket");
        assert_eq!(answer.header("sec-websocket-extensions"), "");
        Self {
            reads: FrameReader { socket: Box::new(socket.0), buffer, masked: false },
            writes: FrameWriter { socket: Box::new(socket.1), masks: true, masks_made: 0 },
            protocol: answer.header("sec-websocket-protocol").to_owned(),
            headers: answer.headers(),
        }
    }

    /// Sends a frame. Fails the test when the connection is gone.
    pub async fn send(&mut self, frame: &Frame) {
        self.writes.send(frame).await;
    }

    /// The next frame; `None` when the connection has ended.
    pub async fn next(&mut self) -> Option<Frame> {
        self.reads.next().await
    }

    /// The next frame, which must be a whole text message.
    pub async fn next_text(&mut self) -> String {
        let frame = self.next().await.expect("the socket is open");
        assert_eq!((frame.fin, frame.opcode), (true, 1), "{frame:?}");
        String::from_utf8(frame.payload.to_vec()).expect("the message is text")
    }

    /// Code and reason of the closing frame, which must be the next one; answers it with the same and waits for the end
    /// of the connection.
    pub async fn closed(mut self) -> (u16, String) {
        let frame = self.next().await.expect("a closing frame comes before the end");
        let why = frame.closed_with().unwrap_or_else(|| panic!("no closing frame: {frame:?}"));
        let _gone = self.writes.try_send(&frame).await;
        assert_eq!(self.next().await, None, "nothing follows a closing frame");
        why
    }

    /// Closes it in order, and tells what the other end answered.
    pub async fn close(mut self, code: u16, reason: &str) -> Option<(u16, String)> {
        self.send(&Frame::close(code, reason)).await;
        loop {
            match self.next().await {
                Some(frame) if frame.opcode == 8 => return frame.closed_with(),
                Some(_) => {}
                None => return None,
            }
        }
    }

    /// Closes the connection without a closing frame.
    pub fn vanish(self) {
        drop(self);
    }
}

impl fmt::Debug for FrameReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FrameReader({} bytes)", self.buffer.len())
    }
}

impl fmt::Debug for FrameWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FrameWriter")
    }
}

// === impl FrameReader ===

impl FrameReader {
    /// The next frame; `None` when the connection has ended. Fails the test when none comes.
    pub async fn next(&mut self) -> Option<Frame> {
        soon("a frame", async {
            loop {
                if let Some(frame) = self.take() {
                    return Some(frame);
                }
                match self.socket.read_buf(&mut self.buffer).await {
                    Ok(0) | Err(_) => {
                        assert!(self.buffer.is_empty(), "the connection ended inside of a frame");
                        return None;
                    }
                    Ok(_) => {}
                }
            }
        })
        .await
    }

    /// Everything that comes until the connection ends, and whether that was between two frames.
    pub async fn until_the_end(mut self) -> (Bytes, bool) {
        let rest = async { while let Ok(1..) = self.socket.read_buf(&mut self.buffer).await {} };
        soon("the end of the connection", rest).await;
        let all = self.buffer.clone().freeze();
        while self.take().is_some() {}
        (all, self.buffer.is_empty())
    }

    /// The frame that has come whole.
    fn take(&mut self) -> Option<Frame> {
        let mut rest = self.buffer.clone().freeze();
        if rest.remaining() < 2 {
            return None;
        }
        let (first, second) = (rest.get_u8(), rest.get_u8());
        assert_eq!(first & 0x70, 0, "no reserved bits are set");
        assert_eq!(second & 0x80 != 0, self.masked, "clients mask and servers do not");
        let length = match second & 0x7f {
            126 if rest.remaining() >= 2 => usize::from(rest.get_u16()),
            127 if rest.remaining() >= 8 => usize::try_from(rest.get_u64()).expect("it fits"),
            126 | 127 => return None,
            short => usize::from(short),
        };
        let keys = if self.masked { 4 } else { 0 };
        if rest.remaining() < keys + length {
            return None;
        }
        let key = rest.split_to(keys);
        let payload = rest.split_to(length);
        let payload = if self.masked {
            payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect()
        } else {
            payload
        };
        let taken = self.buffer.len() - rest.len();
        self.buffer.advance(taken);
        Some(Frame { fin: first & 0x80 != 0, opcode: first & 0x0f, payload })
    }
}

// === impl FrameWriter ===

impl FrameWriter {
    /// Sends a frame. Fails the test when the connection is gone.
    pub async fn send(&mut self, frame: &Frame) {
        self.try_send(frame).await.expect("the other end still reads");
    }

    /// Sends a frame; an error when the connection is gone.
    pub async fn try_send(&mut self, frame: &Frame) -> std::io::Result<()> {
        self.masks_made = self.masks_made.wrapping_mul(0x9e37_79b1).wrapping_add(1);
        let mask = self.masks.then(|| self.masks_made.to_be_bytes());
        self.bytes(&frame.bytes(mask)).await
    }

    /// Sends bytes that may be no frame.
    pub async fn bytes(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.socket.write_all(bytes).await
    }
}

// === impl Call ===

impl Call {
    /// Opens a WebSocket. Fails the test when the answer is another one.
    pub async fn socket(self) -> Socket {
        let opened = self.try_socket().await;
        opened.unwrap_or_else(|answer| panic!("no socket: {answer:?}"))
    }

    /// Opens a WebSocket, or tells what was answered instead. Headers of the handshake that the call has itself stay;
    /// those that it has with an empty value are left out.
    pub async fn try_socket(self) -> Result<Socket, RawAnswer> {
        let mut raw = Raw::connect(self.address).await;
        raw.send(self.handshake()).await;
        let answer = raw.next_head("the answer to a handshake").await.expect("an answer");
        if answer.status != 101 {
            return Err(answer);
        }
        let (socket, buffer) = raw.into_parts();
        Ok(Socket::of_client(socket.into_split(), buffer, &answer))
    }

    /// Opens a WebSocket over TLS. Fails the test when the answer is another one.
    pub async fn tls_socket(mut self) -> Socket {
        let trust = self.tls.take().expect("the call says whom it trusts");
        let address = self.address;
        let tcp = TcpStream::connect(address).await.expect("the gateway accepts connections");
        let connecting = TlsConnector::from(trust).connect(ServerName::from(address.ip()), tcp);
        let (mut reads, mut writes) = split(connecting.await.expect("TLS"));
        writes.write_all(self.handshake().as_bytes()).await.expect("the gateway reads");
        let mut buffer = BytesMut::new();
        let end = soon("the answer to a handshake", async {
            loop {
                if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                    return end;
                }
                let count = reads.read_buf(&mut buffer).await.expect("an answer");
                assert!(count > 0, "the connection ended before an answer");
            }
        });
        let end = end.await;
        let head = String::from_utf8_lossy(&buffer.split_to(end + 4)).into_owned();
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        Socket::of_client((reads, writes), buffer, &RawAnswer { status: 101, head, body: Bytes::new() })
    }

    /// The head of the request.
    fn handshake(self) -> String {
        let request = self.into_request();
        let mut head = format!("{} {} HTTP/1.1\r\n", request.method(), request.uri());
        let defaults = [
            ("connection", "Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", KEY),
        ];
        let own = request.headers();
        let missing = defaults.into_iter().filter(|(name, _)| !own.contains_key(*name));
        let own = own.iter().filter(|(_, value)| !value.is_empty());
        let own = own.map(|(name, value)| (name.as_str(), value.to_str().expect("a header is text")));
        for (name, value) in missing.chain(own) {
            head.extend([name, ": ", value, "\r\n"]);
        }
        head + "\r\n"
    }
}
