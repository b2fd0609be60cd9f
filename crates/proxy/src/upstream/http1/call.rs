use std::future::poll_fn;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use gateway_http1::{Framing, Malformed, Unframed, copied, keeps_alive, with_scratch};
use http::{Method, Response, StatusCode};
use tokio::time::Instant;

use super::body::{Arrived, Body};
use super::sending::Sending;
use super::wire::Wire;
use super::{Error, Failed, head};
use crate::upstream::pool::Home;
use crate::upstream::{Asked, Target};

/// Answers that are none yet (1xx) before the one that is, all together in bytes. Nobody has a use for more.
const MAX_INTERIM: usize = 64 << 10;

/// Sends a request and waits for the head of its answer, but not for longer than `until`. Dropping the future closes the
/// connection.
///
/// An answer may come before the whole request is out: then the rest goes out while the answer's body is read.
pub(in crate::upstream) async fn call(
    mut wire: Wire,
    asked: Asked<'_>,
    target: &Target,
    home: Home,
    until: Instant,
) -> Result<Response<Body>, Failed> {
    let mut waiting = Waiting {
        method: asked.method.clone(),
        sending: Some(Sending::new(asked, target)),
        begun: BytesMut::new(),
        broken: None,
        interim: 0,
        answered: false,
    };
    let outcome = poll_fn(|cx| match waiting.poll(&mut wire, cx) {
        Poll::Pending if wire.poll_late(until, cx).is_ready() => Poll::Ready(Err(Error::Late)),
        polled @ (Poll::Pending | Poll::Ready(_)) => polled,
    })
    .await;
    match outcome {
        Ok(Head { response, framing, arrived }) => {
            let keep = keeps_alive(response.version(), response.headers());
            let unsent = waiting.sending.map(Box::new);
            let body = Body::new(wire, framing, arrived, unsent, keep.then_some(home));
            Ok(response.map(|()| body))
        }
        Err(error) => Err(Failed { error, answered: waiting.answered }),
    }
}

/// A call whose answer has not begun.
struct Waiting {
    method: Method,
    /// What is left of the request.
    sending: Option<Sending>,
    /// The beginning of a head.
    begun: BytesMut,
    /// Why nothing more can be sent. The answer may be there all the same.
    broken: Option<Error>,
    interim: usize,
    answered: bool,
}

/// The head of an answer, and what came behind it.
struct Head {
    response: Response<()>,
    framing: Framing,
    arrived: Arrived,
}

// === impl Waiting ===

impl Waiting {
    fn poll(&mut self, wire: &mut Wire, cx: &mut Context<'_>) -> Poll<Result<Head, Error>> {
        if let Some(sending) = &mut self.sending {
            match sending.poll(wire, cx) {
                Poll::Pending => {}
                Poll::Ready(Ok(())) => self.sending = None,
                Poll::Ready(Err(error @ Error::Body(_))) => return Poll::Ready(Err(error)),
                Poll::Ready(Err(error)) => {
                    self.sending = None;
                    self.broken = Some(error);
                }
            }
        }
        loop {
            let read = with_scratch(|buffer| -> Poll<Result<Option<Head>, Error>> {
                let length = match ready!(wire.poll_read(cx, buffer)) {
                    Ok(0) => return Poll::Ready(Err(self.broken.take().unwrap_or(Error::Early))),
                    Ok(length) => length,
                    Err(error) => return Poll::Ready(Err(self.broken.take().unwrap_or(Error::Io(error)))),
                };
                self.answered = true;
                Poll::Ready(self.read(buffer.get_mut(..length).unwrap_or_default()))
            });
            if let Some(head) = ready!(read)? {
                return Poll::Ready(Ok(head));
            }
        }
    }

    /// Takes what came; gives the answer's head once it is whole.
    fn read(&mut self, bytes: &mut [u8]) -> Result<Option<Head>, Error> {
        if self.begun.is_empty() {
            let Some((head, used)) = self.final_head(bytes)? else {
                return Ok(None);
            };
            return self.with_body(head, bytes.get_mut(used..).unwrap_or_default()).map(Some);
        }
        let mut joined = std::mem::take(&mut self.begun);
        joined.extend_from_slice(bytes);
        let Some((head, used)) = self.final_head(&joined)? else { return Ok(None) };
        self.with_body(head, joined.get_mut(used..).unwrap_or_default()).map(Some)
    }

    /// The first head that is no interim one, and where it ends. What there is of an unfinished one is kept.
    fn final_head(&mut self, bytes: &[u8]) -> Result<Option<(Response<()>, usize)>, Error> {
        let mut at = 0;
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            let Some((head, length)) = head::parse(rest)? else {
                self.begun.extend_from_slice(rest);
                return Ok(None);
            };
            at += length;
            if head.status() == StatusCode::SWITCHING_PROTOCOLS {
                return Err(Malformed("the answer changes the protocol, which nobody asked for").into());
            }
            if !head.status().is_informational() {
                return Ok(Some((head, at)));
            }
            self.interim += length;
            if self.interim > MAX_INTERIM {
                return Err(Malformed("too many interim answers").into());
            }
        }
    }

    fn with_body(&self, response: Response<()>, behind: &mut [u8]) -> Result<Head, Error> {
        let mut framing = Framing::of_answer(&self.method, response.status(), response.headers())?;
        let Unframed { data, read, flaw } = framing.read(behind);
        let data = copied(behind.get(..data).unwrap_or_default()).freeze();
        Ok(Head {
            response,
            framing,
            arrived: Arrived { data, beyond: read < behind.len(), flaw: flaw.map(Error::from) },
        })
    }
}

/// What is read of an answer to a POST that comes in these pieces: its status, its data, and whether it is over or broken
/// behind that.
#[cfg(feature = "fuzz")]
pub(in crate::upstream) fn read_answer(pieces: &[&[u8]]) -> (Option<u16>, Vec<u8>, bool, bool) {
    let (method, begun) = (Method::POST, BytesMut::new());
    let mut waiting = Waiting { method, sending: None, begun, broken: None, interim: 0, answered: false };
    let (mut status, mut framing, mut data) = (None, None::<Framing>, Vec::new());
    for piece in pieces {
        let mut piece = piece.to_vec();
        let flaw = match &mut framing {
            Some(framing) if framing.is_over() => break,
            Some(framing) => {
                let read = framing.read(&mut piece);
                data.extend_from_slice(piece.get(..read.data).unwrap_or_default());
                read.flaw.map(Error::from)
            }
            None => match waiting.read(&mut piece) {
                Err(_) => return (status, data, false, true),
                Ok(None) => None,
                Ok(Some(head)) => {
                    status = Some(head.response.status().as_u16());
                    framing = Some(head.framing);
                    data.extend_from_slice(&head.arrived.data);
                    head.arrived.flaw
                }
            },
        };
        if flaw.is_some() {
            return (status, data, false, true);
        }
    }
    (status, data, framing.is_some_and(Framing::is_over), false)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use bytes::Bytes;
    use http_body_util::BodyExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::headers::Passed;
    use crate::openai::pieces;
    use crate::upstream::pool::Pool;
    use crate::upstream::{Outgoing, target_of};

    const MINUTE: Duration = Duration::from_mins(1);

    #[tokio::test]
    async fn a_connection_is_kept_whose_answer_began_before_all_of_its_request_was_out() {
        // More than the system takes at once.
        let body = Bytes::from(vec![b'x'; 16 << 20]);
        let length = body.len();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let upstream = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(socket.read_u8().await.unwrap());
            }
            socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n").await.unwrap();
            socket.read_exact(&mut vec![0; length]).await.unwrap();
            socket.write_all(b"done").await.unwrap();
            socket
        };
        let target = target_of(&format!("http://{address}"));
        let pool = Arc::new(Pool::default());
        let calling = async {
            let asked = Asked {
                method: &Method::POST,
                path: "/".into(),
                query: None,
                headers: &Passed::default(),
                secret: None,
                body: Outgoing::new(pieces(&body, [None, None, None])),
            };
            let home = Home { pool: Arc::clone(&pool), origin: Arc::clone(target.origin()), idle: MINUTE };
            let wire = Wire::plain(TcpStream::connect(address).await.unwrap());
            let until = Instant::now() + MINUTE;
            let answer = call(wire, asked, &target, home, until).await.map_err(|failed| failed.error);
            answer.unwrap().into_body().collect().await.unwrap().to_bytes()
        };
        let (_socket, answer) = tokio::join!(upstream, calling);

        assert_eq!(answer, "done");
        assert!(pool.take(target.origin(), MINUTE, Instant::now()).is_some());
    }
}
