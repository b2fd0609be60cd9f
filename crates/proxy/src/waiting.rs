//! The body of an answer that was begun before there was one: comments keep the connection awake until the search has
//! ended, then the found stream follows, or the news that there is none.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use gateway_domain::ExchangeOutcome;
use http_body::Frame;
use tokio::time::{Instant, Sleep};

use crate::attempt::{Answer, Content};
use crate::body::BodyError;
use crate::commit::Searching;
use crate::error::ProxyError;
use crate::journal::{AttemptNumber, Entry};
use crate::relay::{CUT_AFTER, KEEP_ALIVE, Relay, Setting};
use crate::respond::error_event;
use crate::search::Found;

/// The body of an answer that is still searched for.
pub(crate) struct Waiting {
    stage: Stage,
    timer: Pin<Box<Sleep>>,
}

enum Stage {
    /// No answer yet.
    Searching { search: Searching, setting: Setting, greeted: bool },
    /// There is one.
    Relaying(Box<Relay>),
    /// There will be none, and the client is to hear of it.
    Failing(Bytes),
    /// It has; then the connection is cut, so that no framing says "whole".
    Breaking,
}

// === impl Waiting ===

impl Waiting {
    pub(crate) fn new(search: Searching, setting: Setting) -> Self {
        let timer = Box::pin(tokio::time::sleep(Duration::ZERO));
        Self { stage: Stage::Searching { search, setting, greeted: false }, timer }
    }

    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        loop {
            match &mut self.stage {
                Stage::Searching { search, setting, greeted } => {
                    if let Poll::Ready(found) = search.as_mut().poll(cx) {
                        self.stage = Stage::of(found, setting);
                        continue;
                    }
                    match setting.comment_every {
                        None if *greeted => return Poll::Pending,
                        Some(_) if *greeted => ready!(self.timer.as_mut().poll(cx)),
                        None | Some(_) => *greeted = true,
                    }
                    if let Some(every) = setting.comment_every {
                        self.timer.as_mut().reset(Instant::now() + every);
                    }
                    return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(KEEP_ALIVE)))));
                }
                Stage::Relaying(relay) => return relay.poll_frame(cx),
                Stage::Failing(event) => {
                    let event = std::mem::take(event);
                    self.stage = Stage::Breaking;
                    self.timer.as_mut().reset(Instant::now() + CUT_AFTER);
                    return Poll::Ready(Some(Ok(Frame::data(event))));
                }
                Stage::Breaking => {
                    ready!(self.timer.as_mut().poll(cx));
                    return Poll::Ready(Some(Err("no upstream had an answer".into())));
                }
            }
        }
    }

    pub(crate) fn is_end_stream(&self) -> bool {
        match &self.stage {
            Stage::Relaying(relay) => relay.is_end_stream(),
            Stage::Searching { .. } | Stage::Failing(_) | Stage::Breaking => false,
        }
    }
}

impl std::fmt::Debug for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Waiting")
    }
}

// === impl Stage ===

impl Stage {
    fn of(found: Found, setting: &Setting) -> Self {
        let Found { mut entry, outcome } = found;
        entry.answers(200);
        entry.streams();
        match outcome {
            Ok((answer, number)) => Self::relay(answer, number, entry, setting),
            Err(error) => Self::fail(&error, entry, setting),
        }
    }

    fn relay(answer: Answer, number: AttemptNumber, mut entry: Entry, setting: &Setting) -> Self {
        let Answer { route, status, content, .. } = answer;
        match content {
            Content::Coming(mut coming) if coming.events.is_some() => {
                drop_mark(&mut coming.held);
                Self::Relaying(Box::new(Relay::new(*coming, status, route, setting.again(), entry, number)))
            }
            // The client was told that a stream comes; to hand it anything else would break its parser.
            Content::Coming(_) | Content::Whole { .. } | Content::Socket(_) => {
                if let Content::Whole { usage, .. } = content {
                    entry.used(usage.into());
                }
                entry.complete(number, status.as_u16());
                Self::fail(&ProxyError::InvalidAnswer, entry, setting)
            }
        }
    }

    fn fail(error: &ProxyError, mut entry: Entry, setting: &Setting) -> Self {
        let event = error_event(error, setting.endpoint.dialect);
        entry.sent(event.len());
        entry.settle(ExchangeOutcome::Interrupted);
        Self::Failing(event)
    }
}

/// Takes the byte order mark off a stream: behind a comment it is no longer at the beginning, where alone it means
/// nothing, and clients would read it as a part of the first field's name.
fn drop_mark(held: &mut [Bytes]) {
    let mark = b"\xEF\xBB\xBF";
    if !held.iter().flatten().take(mark.len()).eq(mark) {
        return;
    }
    let mut rest = mark.len();
    for piece in held {
        let here = rest.min(piece.len());
        piece.advance(here);
        rest -= here;
    }
}
