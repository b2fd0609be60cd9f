use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::CONNECTION;
use http::{HeaderMap, Method, Request, Response, StatusCode, Version};
use http_body::Body as HttpBody;

use crate::answer::{self, Asked, Coding};
use crate::body::{Body, CONTINUE};
use crate::framing::Framing;
use crate::line::{Held, Io, Line, Shared, lock};
use crate::outgoing::Outgoing;
use crate::request::{Flaw, Head, may_be_whole, parse};
use crate::{Error, OnUpgrade, Upgraded, keeps_alive, scratch, spare};

/// How much is read at a time where a head is expected. What stands behind the head is copied out, so it should not be
/// much more than a head and a small body.
const SIP: usize = 16 << 10;
/// How much, where the request before had a large body: what of this one comes behind the head is then better read to
/// where it is to stand.
const SMALL_SIP: usize = 2 << 10;

/// The server's side of one connection: reads a request, has it answered, writes the answer, and begins again.
///
/// A future that ends with the connection. While an answer is waited for it looks whether the peer is still there; one that
/// has left takes its call with it. Requests that come before their turn wait in the socket.
pub struct Connection<S, A, R, C, B> {
    /// `None` once it was given away.
    line: Option<Shared<S>>,
    /// Answers requests.
    answers: A,
    /// Answers what is no request.
    refuses: R,
    /// How large a head may be.
    max_head: usize,
    /// How many bytes of an unfinished head were looked at.
    seen: usize,
    /// How much is read where a head is expected.
    sip: usize,
    /// Calls that have begun.
    calls: u64,
    /// The connection ends with the call that is under way.
    winding_down: bool,
    state: State<C, B>,
}

/// What a connection is at.
enum State<C, B> {
    /// Waits for a head, or for the rest of one.
    Listening,
    /// Waits for an answer.
    Answering {
        call: C,
        asked: Asked,
        keep: bool,
        /// Whether the request's body was there with its head.
        whole: bool,
        upgrade: Option<OnUpgrade>,
    },
    /// Writes one.
    Writing { answer: Outgoing<B>, keep: bool, upgrade: Option<OnUpgrade> },
    /// Says goodbye.
    Closing,
}

/// What came where a head was expected.
#[expect(clippy::large_enum_variant, reason = "it lives for a moment, and is nearly always a head")]
enum Came {
    Head(Head),
    Flaw(Flaw),
    /// Nothing more will come.
    End,
}

// === impl Connection ===

impl<S, A, R, C, B> Connection<S, A, R, C, B>
where
    S: Io,
    A: Fn(Request<Body>) -> C,
    R: Fn(Flaw) -> Response<B>,
    C: Future<Output = Response<B>> + Unpin,
    B: HttpBody<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Unpin,
{
    /// Serves a socket: `answers` gives what each request is answered with, `refuses` what a head is answered with that is
    /// none or is larger than `max_head` bytes; the connection ends with that.
    pub fn new(io: S, max_head: usize, answers: A, refuses: R) -> Self {
        Self {
            line: Some(Arc::new(Mutex::new(Line::new(io)))),
            answers,
            refuses,
            max_head,
            seen: 0,
            sip: SIP,
            calls: 0,
            winding_down: false,
            state: State::Listening,
        }
    }

    /// Lets the connection end with the call that is under way, or at once where there is none. On a connection that has
    /// served nobody yet the first request is still answered.
    pub fn wind_down(&mut self) {
        self.winding_down = true;
        let idle = self.line.as_ref().is_some_and(|line| lock(line).rest.is_empty());
        if idle && self.calls > 0 && matches!(self.state, State::Listening) {
            self.state = State::Closing;
        }
    }

    /// The next head; with the line, which its body is still to be taken from.
    fn poll_head<'l>(
        &mut self,
        line: &'l Mutex<Line<S>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(Came, Held<'l, S>), Error>> {
        let mut taken = lock(line);
        let came = ready!(self.poll_line(&mut taken, cx))?;
        Poll::Ready(Ok((came, taken)))
    }

    fn poll_line(&mut self, line: &mut Line<S>, cx: &mut Context<'_>) -> Poll<Result<Came, Error>> {
        loop {
            if line.rest.len() > self.seen && (self.seen == 0 || may_be_whole(&line.rest, self.seen)) {
                match parse(&line.rest, self.max_head) {
                    Ok(Some((head, length))) => {
                        self.seen = 0;
                        // What is left of nothing keeps no room.
                        drop(line.take_rest(length));
                        return Poll::Ready(Ok(Came::Head(head)));
                    }
                    Ok(None) => {}
                    Err(flaw) => return Poll::Ready(Ok(Came::Flaw(flaw))),
                }
            }
            self.seen = line.rest.len();
            if self.seen >= self.max_head {
                return Poll::Ready(Ok(Came::Flaw(Flaw::TooLarge)));
            }
            let read = scratch::with(|buffer| -> Poll<Result<Option<Came>, Error>> {
                let buffer = buffer.get_mut(..self.sip).unwrap_or_default();
                let length = ready!(line.poll_read(cx, buffer))?;
                let bytes = buffer.get(..length).unwrap_or_default();
                if bytes.is_empty() {
                    return Poll::Ready(match parse(&line.rest, self.max_head) {
                        _ if line.rest.is_empty() => Ok(Some(Came::End)),
                        Err(flaw) => Ok(Some(Came::Flaw(flaw))),
                        Ok(_) => Err(Error::Early),
                    });
                }
                // Nearly always a head comes whole, and nothing was there before it.
                let mut used = 0;
                let came = if line.rest.is_empty() {
                    match parse(bytes, self.max_head) {
                        Ok(Some((head, length))) => {
                            used = length;
                            Some(Came::Head(head))
                        }
                        Ok(None) => {
                            self.seen = bytes.len();
                            None
                        }
                        Err(flaw) => Some(Came::Flaw(flaw)),
                    }
                } else {
                    None
                };
                let behind = bytes.get(used..).unwrap_or_default();
                // What is no whole head may wait for long, and takes no more room than it has bytes.
                if used > 0 {
                    line.put_behind_head(behind);
                } else {
                    line.rest.extend_from_slice(behind);
                }
                Poll::Ready(Ok(came))
            });
            if let Some(came) = ready!(read)? {
                return Poll::Ready(Ok(came));
            }
        }
    }

    /// Has a request answered.
    fn begin(&mut self, line: &Shared<S>, taken: Held<'_, S>, head: Head) -> State<C, B> {
        let Head { mut request, framing, keeps_alive, expects, upgrades } = head;
        self.calls += 1;
        let is_large = framing.left().is_none_or(|length| length > SIP as u64);
        self.sip = if is_large { SMALL_SIP } else { SIP };
        let asked = Asked { method: request.method().clone(), version: request.version() };
        let upgrade = upgrades.then(OnUpgrade::default);
        if let Some(upgrade) = &upgrade {
            request.extensions_mut().insert(upgrade.clone());
        }
        let body = self.body(line, taken, framing, expects);
        let whole = body.is_whole();
        let call = (self.answers)(request.map(|()| body));
        State::Answering { call, asked, keep: keeps_alive, whole, upgrade }
    }

    fn body(&self, shared: &Shared<S>, mut line: Held<'_, S>, framing: Framing, expects: bool) -> Body {
        line.call = self.calls;
        line.unasked = 0;
        if let Framing::Length(length) = framing
            && let Ok(length) = usize::try_from(length)
            && length <= line.rest.len()
        {
            line.framing = Framing::Length(0);
            return Body::whole(line.take_rest(length));
        }
        line.framing = framing;
        if expects && line.rest.is_empty() {
            line.unasked = CONTINUE.len();
        }
        drop(line);
        Body::coming(shared, self.calls)
    }

    /// Begins to write an answer.
    fn answer(
        &self,
        line: &Mutex<Line<S>>,
        cx: &mut Context<'_>,
        response: Response<B>,
        (asked, keep, whole): (&Asked, bool, bool),
    ) -> (Outgoing<B>, bool) {
        let (parts, body) = response.into_parts();
        let hint = body.size_hint();
        let coding = Coding::of(asked, &parts, &hint);
        // A body that nobody has read, and that is not there to be passed over, stands between this call and the next.
        let keep = keep
            && !self.winding_down
            && coding != Coding::ToTheEnd
            && !closes(&parts.headers)
            && (whole || lock(line).skip_body(cx));
        let mut flat = spare::buffer();
        answer::write(asked, parts, (coding, &hint), keep, &mut flat);
        (Outgoing::new(flat, body, coding), keep)
    }

    /// Goes on as far as it goes; at the end with whoever wants the socket.
    fn advance(&mut self, line: &Shared<S>, cx: &mut Context<'_>) -> Poll<Result<Option<OnUpgrade>, Error>> {
        loop {
            self.state = match &mut self.state {
                State::Listening => match ready!(self.poll_head(line, cx))? {
                    (Came::Head(head), taken) => self.begin(line, taken, head),
                    (Came::Flaw(flaw), taken) => {
                        drop(taken);
                        let asked = Asked { method: Method::GET, version: Version::HTTP_11 };
                        let response = (self.refuses)(flaw);
                        let (answer, keep) = self.answer(line, cx, response, (&asked, false, true));
                        State::Writing { answer, keep, upgrade: None }
                    }
                    (Came::End, _) => State::Closing,
                },
                State::Answering { call, asked, keep, whole, upgrade } => {
                    let Poll::Ready(response) = Pin::new(call).poll(cx) else {
                        lock(line).watch(cx)?;
                        return Poll::Pending;
                    };
                    let switches = response.status() == StatusCode::SWITCHING_PROTOCOLS;
                    let upgrade = upgrade.take().filter(|_| switches);
                    let (asked, keep, whole) = (asked.clone(), *keep, *whole);
                    let (answer, keep) = self.answer(line, cx, response, (&asked, keep, whole));
                    State::Writing { answer, keep, upgrade }
                }
                State::Writing { answer, keep, upgrade } => {
                    let Poll::Ready(written) = answer.poll(line, cx) else {
                        lock(line).watch(cx)?;
                        return Poll::Pending;
                    };
                    written?;
                    if upgrade.is_some() {
                        return Poll::Ready(Ok(upgrade.take()));
                    }
                    if *keep && !self.winding_down { State::Listening } else { State::Closing }
                }
                State::Closing => {
                    ready!(Pin::new(&mut lock(line).io).poll_shutdown(cx))?;
                    return Poll::Ready(Ok(None));
                }
            };
        }
    }
}

impl<S, A, R, C, B> Future for Connection<S, A, R, C, B>
where
    S: Io,
    A: Fn(Request<Body>) -> C + Unpin,
    R: Fn(Flaw) -> Response<B> + Unpin,
    C: Future<Output = Response<B>> + Unpin,
    B: HttpBody<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Unpin,
{
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let this = &mut *self;
        let Some(line) = this.line.take() else { return Poll::Ready(Ok(())) };
        let ended = match this.advance(&line, cx) {
            Poll::Pending => {
                this.line = Some(line);
                return Poll::Pending;
            }
            Poll::Ready(ended) => ended?,
        };
        // A body of this connection that is still held keeps the socket: then nobody gets it.
        if let Some(upgrade) = ended
            && let Some(line) = Arc::into_inner(line)
        {
            let line = line.into_inner().unwrap_or_else(PoisonError::into_inner);
            upgrade.give(Upgraded::new(line.io, line.rest.freeze()));
        }
        Poll::Ready(Ok(()))
    }
}

impl<S, A, R, C, B> fmt::Debug for Connection<S, A, R, C, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("calls", &self.calls).finish_non_exhaustive()
    }
}

// === impl Line ===

impl<S: Io> Line<S> {
    /// Looks whether the peer is still there, while nothing is to be read. The beginning of its next request is put aside.
    fn watch(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        if !self.framing.is_over() || !self.rest.is_empty() {
            return Ok(());
        }
        scratch::with(|buffer| match self.poll_read(cx, buffer.get_mut(..SIP).unwrap_or_default()) {
            Poll::Pending => Ok(()),
            Poll::Ready(Ok(0)) => Err(Error::Early),
            Poll::Ready(Ok(length)) => {
                self.rest.extend_from_slice(buffer.get(..length).unwrap_or_default());
                Ok(())
            }
            Poll::Ready(Err(error)) => Err(Error::Io(error)),
        })
    }
}

/// Whether an answer's own head ends the connection.
fn closes(headers: &HeaderMap) -> bool {
    headers.contains_key(CONNECTION) && !keeps_alive(Version::HTTP_11, headers)
}
