use bytes::{Bytes, BytesMut};

use std::ops::ControlFlow;

use crate::affinity::Lesson;
use crate::openai::{AnswerEdits, Event, Heard, Scanner, Stop, StreamEnd, is_preamble};
use crate::scrub::scrub;
use crate::tap::Tap;

/// An upstream's stream of events on its way to the client: what of it may pass, and what it says.
///
/// Only whole events pass; the beginning of one waits for its end. An event that no client could read does not pass,
/// and nothing passes behind an event that tells a failure.
#[derive(Debug)]
pub(crate) struct Events {
    scanner: Scanner,
    /// Whether an event has come that says something.
    output: bool,
    /// The beginning of an event. Bounded by what the scanner takes for one event.
    partial: BytesMut,
    tap: Tap,
    /// What is to be changed in what passes.
    edits: Option<AnswerEdits>,
    /// The event that came last does not pass, and the line feed that may follow its carriage return must not either.
    line_feed_goes: bool,
    /// Wants to know how it ends.
    lesson: Option<Lesson>,
    /// Whether the stream tells again what happened earlier, which may be that it failed.
    is_retold: bool,
}

/// What the newest bytes have brought.
#[derive(Debug)]
pub(crate) enum Turn {
    /// Nothing that ends the stream.
    GoesOn,
    /// The upstream has said that it failed. Its words, without its key; as an event they are among what may pass.
    Failed(Bytes),
    /// What came cannot be passed on, and why.
    Broken(String),
}

/// Whole events, in up to two pieces that are to be sent in this order; each may be empty.
pub(crate) type Whole = [Bytes; 2];

/// What was heard while some bytes were read.
struct Heed<'u> {
    tap: &'u mut Tap,
    output: &'u mut bool,
    failure: Option<Bytes>,
    lesson: Option<&'u Lesson>,
    is_retold: bool,
}

// === impl Events ===

impl Events {
    /// A stream of which nothing has come yet, and whose events have at most `max_event_bytes`.
    pub(crate) fn new(max_event_bytes: usize, edits: Option<AnswerEdits>) -> Self {
        Self {
            scanner: Scanner::new(max_event_bytes),
            output: false,
            partial: BytesMut::new(),
            tap: Tap::default(),
            edits,
            line_feed_goes: false,
            lesson: None,
            is_retold: false,
        }
    }

    /// The same of a stream that tells again what happened earlier: that a response failed then is no failure now.
    pub(crate) fn retold(self, is_retold: bool) -> Self {
        Self { is_retold, ..self }
    }

    /// Has this learn from the event that ends the stream.
    pub(crate) fn teach(&mut self, lesson: Lesson) {
        self.lesson = Some(lesson);
    }

    /// Takes in what came, and gives what may pass.
    pub(crate) fn feed(&mut self, mut data: Bytes, key: &str) -> (Whole, Turn) {
        let mut heed = Heed {
            tap: &mut self.tap,
            output: &mut self.output,
            failure: None,
            lesson: self.lesson.as_ref(),
            is_retold: self.is_retold,
        };
        let (complete, trouble) = match self.scanner.feed(&data, |event| heed.hear(&event)) {
            Ok(fed) => {
                let malformed = fed.stopped == Some(Stop::Before);
                (fed.complete, malformed.then(|| "an event is not JSON".to_owned()))
            }
            Err(error) => (error.complete(), Some(error.to_string())),
        };
        let failure = heed.failure;
        let mut whole = [Bytes::new(), Bytes::new()];
        if complete > 0 {
            whole = [self.partial.split().freeze(), data.split_to(complete.min(data.len()))];
            if self.edits.is_some() {
                whole = [self.edited(joined(whole)), Bytes::new()];
            }
        }
        self.partial.extend_from_slice(&data);
        match (failure, trouble) {
            (Some(failure), _) => ([clean(whole, key), Bytes::new()], Turn::Failed(scrub(failure, key))),
            (None, Some(why)) => (whole, Turn::Broken(why)),
            (None, None) => (whole, Turn::GoesOn),
        }
    }

    /// The upstream has ended its stream. A last event that lacks its blank line, which some servers leave out, is an
    /// event all the same, and is given its end.
    pub(crate) fn close(&mut self, key: &str) -> (Bytes, Turn) {
        if self.scanner.at_boundary() {
            return (Bytes::new(), Turn::GoesOn);
        }
        let mut heed = Heed {
            tap: &mut self.tap,
            output: &mut self.output,
            failure: None,
            lesson: self.lesson.as_ref(),
            is_retold: self.is_retold,
        };
        let (mut stopped, mut says_something) = (false, false);
        let read = self.scanner.finish(|event| {
            let flow = heed.hear(&event);
            stopped |= flow == ControlFlow::Break(Stop::Before);
            says_something |= event.heard != Heard::Empty;
            flow
        });
        if read.is_err() || stopped {
            return (Bytes::new(), Turn::Broken("the stream ended inside an event".to_owned()));
        }
        if !says_something {
            // The first letters of an event. Clients would take them, once ended, for one without data, and die of it.
            return (Bytes::new(), Turn::GoesOn);
        }
        let failure = heed.failure;
        self.partial.extend_from_slice(b"\n\n");
        let last = self.partial.split().freeze();
        let last = self.edited(last);
        match failure {
            Some(failure) => (scrub(last, key), Turn::Failed(scrub(failure, key))),
            None => (last, Turn::GoesOn),
        }
    }

    /// Whole events as they pass.
    fn edited(&mut self, mut came: Bytes) -> Bytes {
        let Some(edits) = &self.edits else { return came };
        if std::mem::take(&mut self.line_feed_goes) && came.first() == Some(&b'\n') {
            came = came.slice(1..);
        }
        let ends_in_cr = came.last() == Some(&b'\r');
        let passes = edits.events(came);
        self.line_feed_goes = ends_in_cr && passes.last() != Some(&b'\r');
        passes
    }

    /// Whether an event has come that is part of an answer.
    pub(crate) fn has_begun(&self) -> bool {
        let seen = self.scanner.seen();
        seen.content || seen.done
    }

    /// Whether an event has come that says something: a word, a tool call, the end. What only announces an answer does
    /// not.
    pub(crate) fn has_output(&self) -> bool {
        self.output || self.scanner.seen().done
    }

    /// Whether its events are numbered. To some clients a blank line behind a number is an event, even without data.
    pub(crate) fn has_ids(&self) -> bool {
        self.scanner.seen().ids
    }

    /// Whether the model has said its last word. Its usage may still follow.
    pub(crate) fn has_finished(&self) -> bool {
        let seen = self.scanner.seen();
        seen.finish || seen.done
    }

    /// Whether the last event has come, after which clients listen no more.
    pub(crate) fn is_over(&self, ends: StreamEnd) -> bool {
        let seen = self.scanner.seen();
        match ends {
            StreamEnd::Done | StreamEnd::LastOfSeveral | StreamEnd::Unannounced => seen.done,
            StreamEnd::Response | StreamEnd::Named => seen.finish || seen.done,
        }
    }

    /// What has been heard of tokens so far.
    pub(crate) fn tap(&self) -> Tap {
        self.tap
    }
}

// === impl Heed ===

impl Heed<'_> {
    /// Breaks off before an event that must not pass, and behind one that tells a failure.
    fn hear(&mut self, event: &Event<'_>) -> ControlFlow<Stop> {
        if event.heard == Heard::Malformed {
            return ControlFlow::Break(Stop::Before);
        }
        if let (Heard::Finish | Heard::Failed, Some(lesson)) = (event.heard, self.lesson) {
            lesson.learn(event.data.as_bytes());
        }
        if event.heard == Heard::Error || (event.heard == Heard::Failed && !self.is_retold) {
            self.failure = Some(Bytes::copy_from_slice(event.data.as_bytes()));
        }
        if !*self.output {
            *self.output = match event.heard {
                Heard::Content => !is_preamble(event.data),
                Heard::Finish | Heard::Done => true,
                Heard::Failed => self.is_retold,
                // A stream that begins with an error can still be had elsewhere.
                Heard::Empty | Heard::Malformed | Heard::Error => false,
            };
        }
        self.tap.hear(event, *self.output);
        if self.failure.is_some() { ControlFlow::Break(Stop::Behind) } else { ControlFlow::Continue(()) }
    }
}

fn clean(whole: Whole, key: &str) -> Bytes {
    scrub(joined(whole), key)
}

/// One buffer of two; no copy where only one holds anything.
fn joined([head, tail]: Whole) -> Bytes {
    if head.is_empty() {
        return tail;
    }
    let mut joined = BytesMut::from(head);
    joined.extend_from_slice(&tail);
    joined.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openai::DEFAULT_MAX_EVENT_BYTES;

    const KEY: &str = "sk-canary-1";

    fn feed(events: &mut Events, data: &str) -> (String, Turn) {
        let (whole, turn) = events.feed(Bytes::copy_from_slice(data.as_bytes()), KEY);
        (String::from_utf8(whole.concat()).unwrap(), turn)
    }

    #[test]
    fn half_an_event_waits_for_its_other_half() {
        let mut events = Events::new(DEFAULT_MAX_EVENT_BYTES, None);
        assert_eq!(feed(&mut events, "data: {}\n\ndata: {\"a\"").0, "data: {}\n\n");
        assert_eq!(feed(&mut events, ":1}").0, "");
        assert_eq!(feed(&mut events, "\n\ndata").0, "data: {\"a\":1}\n\n");
    }

    #[test]
    fn a_malformed_event_and_what_follows_it_do_not_pass() {
        let mut events = Events::new(DEFAULT_MAX_EVENT_BYTES, None);
        let (passed, turn) = feed(&mut events, "data: {}\n\ndata: {\n\ndata: {}\n\n");
        assert_eq!(passed, "data: {}\n\n");
        assert!(matches!(turn, Turn::Broken(_)), "{turn:?}");
    }

    #[test]
    fn a_failure_passes_without_the_key_and_nothing_behind_it() {
        let mut events = Events::new(DEFAULT_MAX_EVENT_BYTES, None);
        feed(&mut events, "data: {}\n\ndata: {\"error\":{\"mess");
        let (passed, turn) = feed(&mut events, "age\":\"sk-canary-1\"}}\n\ndata: [DONE]\n\n");
        assert_eq!(passed, "data: {\"error\":{\"message\":\"[key]\"}}\n\n");
        let Turn::Failed(words) = turn else { panic!("{turn:?}") };
        assert_eq!(words, "{\"error\":{\"message\":\"[key]\"}}");
    }

    #[test]
    fn nothing_passes_behind_a_failure_not_even_an_event_without_data() {
        let stream = "event: error\ndata: {\"error\":{}}\n\nevent: more\n\n: a comment\n\n";
        for cut in 0..stream.len() {
            let mut events = Events::new(DEFAULT_MAX_EVENT_BYTES, None);
            let (head, tail) = stream.split_at(cut);
            let (mut passed, turn) = feed(&mut events, head);
            if matches!(turn, Turn::GoesOn) {
                passed += &feed(&mut events, tail).0;
            }
            assert_eq!(passed, "event: error\ndata: {\"error\":{}}\n\n", "{cut}");
        }
    }

    #[test]
    fn a_last_event_without_its_blank_line_is_given_one_and_half_a_last_event_is_none() {
        let mut events = Events::new(DEFAULT_MAX_EVENT_BYTES, None);
        feed(&mut events, "data: [DONE]");
        let (last, turn) = events.close(KEY);
        assert_eq!(last, "data: [DONE]\n\n");
        assert!(matches!(turn, Turn::GoesOn) && events.is_over(StreamEnd::Done));

        let mut events = Events::new(DEFAULT_MAX_EVENT_BYTES, None);
        feed(&mut events, "data: {\"a\":");
        let (last, turn) = events.close(KEY);
        assert!(last.is_empty() && matches!(turn, Turn::Broken(_)), "{turn:?}");
    }

    #[test]
    fn what_is_edited_is_edited_wherever_the_event_was_cut_and_its_usage_is_known_all_the_same() {
        for line_end in ["\n", "\r\n", "\r"] {
            let stream = "data: {\"model\":\"m\",\"choices\":[{}],\"usage\":null}\n\n\
                data: {\"model\":\"m\",\"choices\":[],\"usage\":{\"prompt_tokens\":3}}\n\ndata: [DONE]\n\n";
            let stream = stream.replace('\n', line_end);
            let edited = "data: {\"model\":\"public\",\"choices\":[{}]}\n\ndata: [DONE]\n\n";
            for cut in 0..stream.len() {
                let mut events = Events::new(DEFAULT_MAX_EVENT_BYTES, AnswerEdits::new(Some("public"), true));
                let (head, tail) = stream.split_at(cut);
                let passed = feed(&mut events, head).0 + &feed(&mut events, tail).0;
                assert_eq!(passed, edited.replace('\n', line_end), "{cut} of {line_end:?}");
                assert_eq!(events.tap().settle(None).prompt, Some(3), "{cut}");
            }
        }
    }

    #[test]
    fn an_announced_answer_has_begun_and_says_nothing_yet() {
        let mut events = Events::new(DEFAULT_MAX_EVENT_BYTES, None);
        feed(&mut events, "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\n");
        assert!(events.has_begun() && !events.has_output());
        feed(&mut events, "data: {\"choices\":[{\"delta\":{\"content\":\"H\"}}]}\n\n");
        assert!(events.has_output());
    }

    #[test]
    fn the_first_letters_of_a_last_event_are_none() {
        for letters in ["d", "data", "data:", "event: x", ": a comment"] {
            let mut events = Events::new(DEFAULT_MAX_EVENT_BYTES, None);
            feed(&mut events, "data: {\"choices\":[{\"delta\":{\"content\":\"H\"}}]}\n\n");
            feed(&mut events, letters);
            let (last, turn) = events.close(KEY);
            assert!(last.is_empty() && matches!(turn, Turn::GoesOn), "{letters:?}: {last:?} {turn:?}");
        }
    }

    #[test]
    fn a_stream_is_over_where_its_clients_stop_listening() {
        let mut events = Events::new(DEFAULT_MAX_EVENT_BYTES, None);
        feed(&mut events, "data: {\"type\":\"response.completed\",\"response\":{}}\n\n");
        assert!(events.has_finished() && events.is_over(StreamEnd::Response));
        assert!(!events.is_over(StreamEnd::Done));
    }
}
