//! What clients send over HTTP/1.1.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use gateway_http1::{Connection, Flaw};
use http::header::DATE;
use http::{HeaderValue, Request, Response};
use http_body::{Body, Frame};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::cuts::cut;

/// A conversation is answered the same in whatever pieces it comes, and never with more answers than it can hold requests.
pub(crate) fn cut_anywhere_a_conversation_is_the_same(input: &[u8]) {
    let (bytes, pieces) = cut(input);
    let whole = said_to(&[bytes]);
    assert_eq!(String::from_utf8_lossy(&said_to(&pieces)), String::from_utf8_lossy(&whole));
    let answers = whole.windows(9).filter(|nine| nine == b"HTTP/1.1 " || nine == b"HTTP/1.0 ").count();
    // Nothing that is sent may look like an answer, so what is echoed is only its length.
    assert!(answers <= bytes.len() / MIN_REQUEST + 1, "{answers} answers to {} bytes", bytes.len());
}

/// The shortest request there is.
const MIN_REQUEST: usize = "G / HTTP/1.1\n\n".len();

/// What a server says that answers with the length of each body.
fn said_to(pieces: &[&[u8]]) -> Vec<u8> {
    let said = Arc::default();
    let pipe = Pipe { pieces: pieces.iter().map(|piece| piece.to_vec()).collect(), said: Arc::clone(&said) };
    let connection = pin!(Connection::new(pipe, 4 << 10, answer, refuse));
    assert!(
        connection.poll(&mut Context::from_waker(Waker::noop())).is_ready(),
        "nothing is left to wait for"
    );
    let said = said.lock().expect("nobody panicked");
    // A body is asked for only where nothing of it is there yet.
    String::from_utf8_lossy(&said).replace("HTTP/1.1 100 Continue\r\n\r\n", "").into_bytes()
}

fn answer(request: Request<gateway_http1::Body>) -> Ready<Response<Length>> {
    let mut body = request.into_body();
    let (mut length, mut broken) = (0, false);
    while let Poll::Ready(Some(frame)) =
        Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop()))
    {
        let Ok(frame) = frame else {
            broken = true;
            break;
        };
        length += frame.into_data().unwrap_or_default().len();
    }
    ready(dated(Response::new(Length(Some(if broken { "broken".to_owned() } else { length.to_string() })))))
}

fn refuse(flaw: Flaw) -> Response<Length> {
    let mut response = dated(Response::new(Length(None)));
    *response.status_mut() = flaw.status();
    response
}

/// Both conversations take place at the same time.
fn dated(mut response: Response<Length>) -> Response<Length> {
    response.headers_mut().insert(DATE, HeaderValue::from_static("now"));
    response
}

/// A text of unknown length.
struct Length(Option<String>);

impl Body for Length {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|text| Ok(Frame::data(text.into()))))
    }
}

/// A client that sends these pieces and then nothing more, and takes everything.
struct Pipe {
    pieces: VecDeque<Vec<u8>>,
    said: Arc<Mutex<Vec<u8>>>,
}

impl AsyncRead for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(piece) = self.pieces.front_mut() {
            let length = piece.len().min(buffer.remaining());
            buffer.put_slice(&piece[..length]);
            piece.drain(..length);
            if piece.is_empty() {
                self.pieces.pop_front();
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.said.lock().expect("nobody panicked").extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
