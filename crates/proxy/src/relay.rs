//! An answer on its way to the client, frame by frame as the upstream sends it.
//!
//! Bytes pass unchanged. Of a stream only whole events pass: the beginning of an event waits for its end, so that an
//! error event can always be appended where the client understands it. A stream that breaks ends with exactly one
//! error event, no `[DONE]`, and a cut connection: whoever looks at it in any of the three ways sees that it broke.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use gateway_domain::{AttemptOutcome, ExchangeOutcome, Usage};
use gateway_http1::Alarm;
use http::StatusCode;
use http_body::{Body as _, Frame, SizeHint};
use tokio::time::Instant;

use crate::attempt::Coming;
use crate::body::BodyError;
use crate::drain::{Cut, CutWatch};
use crate::events::{Events, Turn};
use crate::journal::{AttemptNumber, Ending, Entry};
use crate::openai::{Endpoint, ErrorBody, StreamEnd, UsageScan};
use crate::plane::Route;
use crate::tap::Tap;
use crate::upstream::{AnswerBody, AnswerError};

/// Between the error event and the cut: time for the event to leave.
pub(crate) const CUT_AFTER: Duration = Duration::from_millis(20);

/// How long an upstream that has sent its last event may take to end its body. Only whether the connection can be used
/// again depends on it.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);

/// Says nothing; clients pass it over. Keeps proxies in between from taking a silent stream for a dead one.
pub(crate) const KEEP_ALIVE: &[u8] = b": keep-alive\n\n";
/// The same without the blank line, for streams in which a blank line would say something.
const KEEP_ALIVE_LINE: &[u8] = b": keep-alive\n";

/// What the body of an answer needs to know of the gateway.
#[derive(Debug)]
pub(crate) struct Setting {
    pub endpoint: &'static Endpoint,
    /// How long a stream may be silent before the client gets a comment; `None`: it gets none.
    pub comment_every: Option<Duration>,
    /// The end of the gateway.
    pub cut: Cut,
}

/// The body of a relayed answer.
#[derive(Debug)]
pub(crate) struct Relay {
    /// Ready for the client.
    ready: VecDeque<Bytes>,
    source: Source,
    /// `None` for a body that is no stream of events.
    events: Option<Events>,
    /// Looks for the usage in a long document.
    usage: Option<Box<UsageScan>>,
    endpoint: &'static Endpoint,
    status: StatusCode,
    /// The longest silence of the upstream.
    gap: Duration,
    /// When all of it must have come, if ever.
    deadline: Option<Instant>,
    /// When the upstream was last heard.
    heard: Instant,
    alarm: Alarm,
    /// How long the client may hear nothing.
    comment_every: Option<Duration>,
    /// When the client was last sent anything.
    spoke: Instant,
    cut: CutWatch,
    /// All of the answer has come. What the connection does from now on is no matter.
    whole: bool,
    /// Where the answer comes from.
    route: Arc<Route>,
    entry: Entry,
    number: AttemptNumber,
}

#[derive(Debug)]
enum Source {
    /// The upstream is sending.
    Flowing(AnswerBody),
    /// Everything has been said; what is ready still goes out.
    Over,
    /// The error event is on its way; then the connection is cut.
    Breaking { told: bool },
}

/// Why an answer breaks off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Break {
    /// The upstream's connection ended early.
    Interrupted,
    /// The upstream fell silent.
    Idle,
    /// The answer takes longer than any may.
    Overdue,
    /// The upstream sent what no client could read.
    Malformed,
    /// The gateway is stopping.
    Stopping,
}

// === impl Relay ===

impl Relay {
    pub(crate) fn new(
        coming: Coming,
        status: StatusCode,
        route: Arc<Route>,
        setting: Setting,
        entry: Entry,
        number: AttemptNumber,
    ) -> Self {
        let Setting { endpoint, comment_every, cut } = setting;
        let heard = Instant::now();
        let gap = route.stream_gap;
        // Comments are for streams of events; anything else they would spoil.
        let comment_every = comment_every.filter(|_| coming.events.is_some());
        let first_wake = earlier(heard + gap, comment_every.map(|every| heard + every));
        let mut relay = Self {
            ready: coming.held.into(),
            source: Source::Flowing(coming.rest),
            events: coming.events,
            usage: coming.usage,
            endpoint,
            status,
            gap,
            deadline: coming.deadline,
            heard,
            alarm: Alarm::at(earlier(first_wake, coming.deadline)),
            comment_every,
            spoke: heard,
            cut: cut.watch(),
            whole: false,
            route,
            entry,
            number,
        };
        relay.listen(&[]);
        relay.follow(coming.turn);
        relay.notice_end();
        relay
    }

    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                self.spoke = self.heard.max(self.spoke);
                self.entry.sent(bytes.len());
                self.settle_at_end();
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            match &mut self.source {
                Source::Over => {
                    self.settle_at_end();
                    return Poll::Ready(None);
                }
                Source::Breaking { told: true } => {
                    ready!(self.alarm.poll(cx));
                    return Poll::Ready(Some(Err("the upstream's answer broke off".into())));
                }
                Source::Breaking { told } => {
                    // The frames before this were handed over; let the server write them before it is cut off.
                    *told = true;
                    self.alarm.set(Instant::now() + CUT_AFTER);
                }
                Source::Flowing(body) => match Pin::new(body).poll_frame(cx) {
                    Poll::Ready(frame) => self.take(frame),
                    Poll::Pending => ready!(self.poll_trouble(cx)),
                },
            }
        }
    }

    /// While the upstream is silent: is it for too long, or must the stream be cut for another reason?
    fn poll_trouble(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.cut.poll_cut(cx) {
            self.break_off(Break::Stopping, "the gateway is stopping");
            return Poll::Ready(());
        }
        while self.alarm.poll(cx).is_ready() {
            let silence = if self.whole { self.gap.min(CLOSE_WITHIN) } else { self.gap };
            let end = earlier(self.heard + silence, self.deadline);
            let now = Instant::now();
            if end <= now {
                if self.deadline.is_some_and(|deadline| deadline <= now) {
                    self.break_off(Break::Overdue, "under way for too long");
                } else {
                    self.break_off(Break::Idle, "silent for too long");
                }
                return Poll::Ready(());
            }
            let comment_at = self.comment_every.filter(|_| !self.whole).map(|every| self.spoke + every);
            if comment_at.is_some_and(|at| at <= now) {
                self.spoke = now;
                self.alarm.set(now);
                let numbered = self.events.as_ref().is_some_and(Events::has_ids);
                self.ready.push_back(Bytes::from_static(if numbered { KEEP_ALIVE_LINE } else { KEEP_ALIVE }));
                return Poll::Ready(());
            }
            self.alarm.set(earlier(end, comment_at));
        }
        Poll::Pending
    }

    fn take(&mut self, frame: Option<Result<Frame<Bytes>, AnswerError>>) {
        match frame {
            Some(Ok(frame)) => {
                self.heard = Instant::now();
                if let Ok(data) = frame.into_data() {
                    self.pass(data);
                }
                self.notice_end();
            }
            Some(Err(error)) => self.break_off(Break::Interrupted, &error.to_string()),
            None => self.end(),
        }
    }

    /// An upstream that announced a length has ended with its last byte; nobody asks such a body once more.
    fn notice_end(&mut self) {
        if matches!(&self.source, Source::Flowing(body) if body.is_end_stream()) {
            self.end();
        }
    }

    fn pass(&mut self, data: Bytes) {
        let Some(events) = &mut self.events else {
            self.listen(&data);
            self.ready.push_back(data);
            return;
        };
        let (whole, turn) = events.feed(data, self.route.target.channel().api_key.expose());
        self.ready.extend(whole.into_iter().filter(|piece| !piece.is_empty()));
        self.follow(turn);
    }

    /// Takes note of what a body without events says of tokens.
    fn listen(&mut self, data: &[u8]) {
        let said = match &mut self.usage {
            Some(scan) => scan.feed(data),
            None => Usage::default(),
        };
        self.entry.used(Tap::from(said));
    }

    /// Does what the newest events ask for.
    fn follow(&mut self, turn: Turn) {
        let Some(events) = &self.events else { return };
        if self.whole {
            // Whatever came after the last event ends nothing but the connection.
            if !matches!(turn, Turn::GoesOn) {
                self.source = Source::Over;
            }
            return;
        }
        if self.endpoint.counts() {
            self.entry.used(events.tap());
        }
        if events.has_output() {
            self.entry.speaks(self.number);
        }
        match turn {
            Turn::GoesOn if events.is_over(self.endpoint.ends) => {
                self.became_whole();
                self.alarm.set(self.heard + self.gap.min(CLOSE_WITHIN));
            }
            Turn::GoesOn => {}
            Turn::Failed(_) => self.upstream_failed(),
            Turn::Broken(why) => self.break_off(Break::Malformed, &why),
        }
    }

    /// The upstream has ended its answer, whole or not.
    fn end(&mut self) {
        let Some(events) = self.events.as_mut().filter(|_| !self.whole) else {
            self.complete();
            return;
        };
        let (last, turn) = events.close(self.route.target.channel().api_key.expose());
        let (finished, over) = (events.has_finished(), events.is_over(self.endpoint.ends));
        if self.endpoint.counts() {
            self.entry.used(events.tap());
        }
        match turn {
            Turn::Failed(_) => {
                self.ready.push_back(last);
                self.upstream_failed();
            }
            Turn::Broken(why) => self.break_off(Break::Interrupted, &why),
            Turn::GoesOn if finished || !self.announces_its_end() => {
                self.ready.extend(Some(last).filter(|last| !last.is_empty()));
                if !over && self.ends_with_done() {
                    self.ready.push_back(Bytes::from_static(b"data: [DONE]\n\n"));
                }
                self.complete();
            }
            Turn::GoesOn => self.break_off(Break::Interrupted, "the stream ended before the answer did"),
        }
    }

    /// The upstream has told the client itself that it failed; there is nothing to add.
    fn upstream_failed(&mut self) {
        self.source = Source::Breaking { told: false };
        self.entry.end(
            self.number,
            Ending {
                outcome: AttemptOutcome::ServerError,
                status: Some(self.status.as_u16()),
                retry_after: None,
                why: "an error event in the stream".to_owned(),
            },
        );
        self.entry.settle(ExchangeOutcome::Interrupted);
    }

    /// The upstream's body has come to its end, and nothing is missing.
    fn complete(&mut self) {
        self.source = Source::Over;
        if !self.whole {
            self.became_whole();
        }
    }

    /// All of the answer is here: the attempt is over, and a good one.
    fn became_whole(&mut self) {
        self.whole = true;
        self.entry.complete(self.number, self.status.as_u16());
        // Not before the last byte has gone out: the client may still leave.
        self.entry.settle(ExchangeOutcome::ClientGone);
    }

    /// With the last byte handed over, a whole answer is one that the client got.
    fn settle_at_end(&mut self) {
        if self.whole && self.ready.is_empty() {
            self.entry.settle(ExchangeOutcome::Ok);
        }
    }

    fn break_off(&mut self, cause: Break, why: &str) {
        if self.whole {
            self.source = Source::Over;
            return;
        }
        // Dropping body and lease closes the upstream connection. A gateway that stops has time to say goodbye: its
        // connections end in order. Whatever else breaks is cut, so that no framing says "whole".
        let goodbye = cause == Break::Stopping && self.events.is_some();
        self.source = if goodbye { Source::Over } else { Source::Breaking { told: false } };
        self.entry.end(
            self.number,
            Ending {
                outcome: cause.outcome(),
                status: Some(self.status.as_u16()),
                retry_after: None,
                why: format!("the answer broke off: {why}"),
            },
        );
        self.entry.settle(ExchangeOutcome::Interrupted);
        if self.events.is_some() {
            let (message, code) = cause.words();
            let event = ErrorBody { message, kind: cause.kind(), param: None, code: Some(code) };
            self.ready.push_back(event.to_event(self.endpoint.dialect, 0));
        }
    }

    /// Whether a stream of this endpoint says when it is over, so that an end without it is a break.
    fn announces_its_end(&self) -> bool {
        self.endpoint.ends != StreamEnd::Unannounced
    }

    /// Whether the clients of this endpoint wait for `[DONE]`.
    fn ends_with_done(&self) -> bool {
        self.endpoint.ends == StreamEnd::Done
    }

    /// Whether everything has been said and sent.
    pub(crate) fn is_end_stream(&self) -> bool {
        self.ready.is_empty() && matches!(self.source, Source::Over)
    }

    /// A body that is passed on as it is keeps the length that the upstream announced; a stream has none.
    pub(crate) fn size_hint(&self) -> SizeHint {
        let rest = match &self.source {
            Source::Flowing(body) if self.events.is_none() => body.size_hint().exact(),
            Source::Over if self.events.is_none() => Some(0),
            Source::Flowing(..) | Source::Over | Source::Breaking { .. } => None,
        };
        let held: u64 = self.ready.iter().map(|bytes| bytes.len() as u64).sum();
        rest.map_or_else(SizeHint::default, |rest| SizeHint::with_exact(rest + held))
    }
}

// === impl Setting ===

impl Setting {
    /// The same, for another body.
    pub(crate) fn again(&self) -> Self {
        Self { endpoint: self.endpoint, comment_every: self.comment_every, cut: self.cut.clone() }
    }
}

fn earlier(moment: Instant, deadline: Option<Instant>) -> Instant {
    deadline.map_or(moment, |deadline| moment.min(deadline))
}

// === impl Break ===

impl Break {
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Interrupted => (
                "the upstream's answer broke off; what came before this is not the whole answer",
                "upstream_stream_interrupted",
            ),
            Self::Idle => (
                "the upstream fell silent; what came before this is not the whole answer",
                "stream_idle_timeout",
            ),
            Self::Overdue => (
                "the answer took longer than this gateway allows (proxy.stream_timeout, proxy.total_timeout); what \
                 came before this is not the whole answer",
                "stream_timeout",
            ),
            Self::Malformed => (
                "the upstream sent an event that no client can read; the answer ends here",
                "upstream_malformed_event",
            ),
            Self::Stopping => {
                ("the gateway is stopping; what came before this is not the whole answer", "gateway_stopping")
            }
        }
    }

    fn kind(self) -> &'static str {
        match self {
            Self::Interrupted | Self::Idle | Self::Overdue | Self::Malformed => "upstream_error",
            Self::Stopping => "server_error",
        }
    }

    fn outcome(self) -> AttemptOutcome {
        match self {
            Self::Interrupted => AttemptOutcome::Broken,
            Self::Idle | Self::Overdue => AttemptOutcome::Timeout,
            Self::Malformed => AttemptOutcome::BadAnswer,
            Self::Stopping => AttemptOutcome::Cancelled,
        }
    }
}
