//! What both servers serve, and one reader of what they say.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::Flaw;
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH};
use http::{HeaderValue, Request, Response, StatusCode, Version};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex, split};

/// A body of some pieces, whose length may be known.
#[derive(Debug)]
pub(super) struct Pieces {
    left: VecDeque<Bytes>,
    tells: bool,
    breaks: bool,
    /// Pending once between two pieces.
    rests: bool,
}

impl Pieces {
    pub(super) fn known(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let left = Some(bytes).filter(|bytes| !bytes.is_empty()).into_iter().collect();
        Self { left, tells: true, breaks: false, rests: false }
    }

    pub(super) fn unknown(pieces: impl IntoIterator<Item = Bytes>) -> Self {
        Self { left: pieces.into_iter().collect(), tells: false, breaks: false, rests: true }
    }

    pub(super) fn breaking(self) -> Self {
        Self { breaks: true, ..self }
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if !self.tells {
            self.rests = !self.rests;
            if !self.rests {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
        match self.left.pop_front() {
            Some(piece) => Poll::Ready(Some(Ok(Frame::data(piece)))),
            None if self.breaks => Poll::Ready(Some(Err(io::Error::other("broken")))),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.tells && self.left.is_empty() && !self.breaks
    }

    fn size_hint(&self) -> SizeHint {
        if self.tells {
            SizeHint::with_exact(self.left.iter().map(|piece| piece.len() as u64).sum())
        } else {
            SizeHint::default()
        }
    }
}

fn letters(length: usize) -> Bytes {
    (0..length).map(|at| b"abcdefghij"[at % 10]).collect::<Vec<_>>().into()
}

/// One answer for each path; `/echo` says what it was asked.
pub(super) async fn answer<B>(request: Request<B>) -> Response<Pieces>
where
    B: Body<Data = Bytes, Error: std::fmt::Debug> + Unpin,
{
    let (head, body) = request.into_parts();
    let mut response = Response::new(Pieces::known("fine"));
    let path = head.uri.path();
    let came = if path == "/unread" {
        Bytes::new()
    } else if let Ok(came) = body.collect().await {
        came.to_bytes()
    } else {
        *response.status_mut() = StatusCode::BAD_REQUEST;
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        return response;
    };
    match path {
        "/unread" => {}
        "/stream" => {
            let sizes = [1, 10, 0, 4_000, 5_000, 10_000, 3];
            *response.body_mut() = Pieces::unknown(sizes.map(letters));
        }
        "/large" => *response.body_mut() = Pieces::known(letters(100_000)),
        "/announced" => {
            *response.body_mut() = Pieces::unknown([letters(4_000), letters(20_000)]);
            response.headers_mut().insert(CONTENT_LENGTH, 24_000.into());
        }
        "/204" => {
            *response.status_mut() = StatusCode::NO_CONTENT;
            *response.body_mut() = Pieces::known("");
        }
        "/304" => {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response.headers_mut().insert(CONTENT_LENGTH, 24_000.into());
            *response.body_mut() = Pieces::known("");
        }
        "/close" => {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        "/broken" => *response.body_mut() = Pieces::unknown([letters(100)]).breaking(),
        _ => {
            let mut headers: Vec<_> = head.headers.iter().map(|pair| format!("{pair:?}")).collect();
            headers.sort();
            let told = format!("{} {} {:?} {headers:?} ", head.method, head.uri, head.version);
            *response.body_mut() = Pieces::known([told.as_bytes(), &came].concat());
            response.headers_mut().insert("x-heard", HeaderValue::from_static("yes"));
        }
    }
    response
}

pub(super) fn refuse(flaw: Flaw) -> Response<Pieces> {
    let mut response = Response::new(Pieces::known(flaw.to_string()));
    *response.status_mut() = flaw.status();
    response
}

/// Sends these pieces to a server, one by one, and gives all that it says until it closes.
pub(super) async fn ask(pieces: &[Bytes], serve: impl AsyncFnOnce(DuplexStream)) -> Vec<u8> {
    let (client, server) = duplex(1 << 20);
    let (mut reads, mut writes) = split(client);
    let mut said = Vec::new();
    let send = async {
        for piece in pieces {
            if writes.write_all(piece).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
        // Held open: only the server ends a conversation.
        writes
    };
    let hear = async { drop(reads.read_to_end(&mut said).await) };
    let ((), _writes, ()) = tokio::join!(serve(server), send, hear);
    said
}

/// One answer, as a client reads it.
#[derive(PartialEq, Eq)]
pub(super) struct Told {
    pub version: Version,
    pub status: u16,
    /// But for the date.
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
    /// Everything that was announced has come.
    pub whole: bool,
}

impl std::fmt::Debug for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let headers: Vec<_> = self
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value)))
            .collect();
        let body = String::from_utf8_lossy(self.body.get(..200).unwrap_or(&self.body));
        write!(
            f,
            "{:?} {} {headers:?} {} bytes {body:?} whole: {}",
            self.version,
            self.status,
            self.body.len(),
            self.whole
        )
    }
}

pub(super) fn said(told: &[Told]) -> Vec<u16> {
    told.iter().map(|told| told.status).collect()
}

/// Reads answers. None of them may be to a HEAD but where its length is not announced, or is followed by another answer.
pub(super) fn read(mut bytes: &[u8]) -> Vec<Told> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let mut space = [httparse::EMPTY_HEADER; 32];
        let mut head = httparse::Response::new(&mut space);
        let length = head.parse(bytes).unwrap().unwrap();
        let version = if head.version == Some(1) { Version::HTTP_11 } else { Version::HTTP_10 };
        let status = head.code.unwrap();
        let mut headers: Vec<_> = head
            .headers
            .iter()
            .map(|header| (header.name.to_ascii_lowercase(), header.value.to_vec()))
            .filter(|(name, _)| name != "date")
            .collect();
        headers.sort();
        bytes = &bytes[length..];
        let value =
            |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_slice());
        let bodiless = [204, 304].contains(&status) || bytes.starts_with(b"HTTP/1.1 ");
        let (body, whole) = if bodiless {
            (Vec::new(), true)
        } else if value("transfer-encoding").is_some() {
            chunks(&mut bytes)
        } else if let Some(length) = value("content-length") {
            let length: usize = std::str::from_utf8(length).unwrap().parse().unwrap();
            let (body, rest) = bytes.split_at(length.min(bytes.len()));
            bytes = rest;
            (body.to_vec(), body.len() == length)
        } else {
            (std::mem::take(&mut bytes).to_vec(), true)
        };
        all.push(Told { version, status, headers, body, whole });
    }
    all
}

fn chunks(bytes: &mut &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    loop {
        let Some(end) = bytes.windows(2).position(|pair| pair == b"\r\n") else { return (body, false) };
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[..end]).unwrap(), 16).unwrap();
        *bytes = &bytes[end + 2..];
        let data = &bytes[..size.min(bytes.len())];
        body.extend_from_slice(data);
        if bytes.len() < size + 2 {
            *bytes = &[];
            return (body, false);
        }
        assert_eq!(&bytes[size..size + 2], b"\r\n");
        *bytes = &bytes[size + 2..];
        if size == 0 {
            return (body, true);
        }
    }
}
