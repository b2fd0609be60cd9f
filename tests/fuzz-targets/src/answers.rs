//! Answers: streams in pieces, and what documents and events tell.

use std::ops::ControlFlow;

use bytes::Bytes;
use gateway_domain::Usage;
use gateway_proxy::fuzz::{Passed, relay};
use gateway_proxy::openai::{
    AnswerEdits, Choices, Scanner, Seen, UpstreamError, UsageScan, error_of, hear, is_error_body,
    is_made_response, is_preamble, told_by, usage_of,
};
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::cuts::cut;

/// Long enough for most inputs, short enough that some are too long.
const MAX_EVENT: usize = 4096;

/// A stream holds the same events in whatever pieces it comes.
pub(crate) fn cut_anywhere_a_stream_says_the_same(input: &[u8]) {
    let (stream, pieces) = cut(input);
    let (whole, cut) = (scan(&[stream]), scan(&pieces));
    assert_eq!(whole, cut);
    assert!(whole.complete <= stream.len());
}

/// What passes of a stream is what came, as far as it may pass, in whatever pieces it comes.
pub(crate) fn what_passes_is_what_came(input: &[u8]) {
    let (stream, pieces) = cut(input);
    let whole = relay(&[stream], MAX_EVENT, None);
    is_the_same(&relay(&pieces, MAX_EVENT, None), &whole);
    let passed = &whole.bytes[..];
    let as_it_came = passed.strip_suffix(b"\n\n").filter(|_| whole.ended).unwrap_or(passed);
    assert!(stream.starts_with(passed) || stream.starts_with(as_it_came), "bytes that nobody sent");
    if let Some(edits) = AnswerEdits::new(Some("public"), true) {
        let edited = relay(&[stream], MAX_EVENT, Some(edits.clone()));
        is_the_same(&relay(&pieces, MAX_EVENT, Some(edits)), &edited);
        let Passed { broken, usage, .. } = edited;
        assert_eq!((broken, usage), (whole.broken, whole.usage), "what is hidden is read all the same");
    }
}

/// A stream that is ended behind an event may have been cut between the two bytes of its line end.
fn is_the_same(cut: &Passed, whole: &Passed) {
    let line_feed = whole.bytes.strip_prefix(&cut.bytes[..]) == Some(b"\n") && cut.bytes.ends_with(b"\r");
    if line_feed && whole.broken {
        assert_eq!((cut.broken, cut.usage), (whole.broken, whole.usage));
    } else {
        assert_eq!(cut, whole);
    }
}

/// An edited answer is JSON as before, with the public name where a name was, and editing it again changes nothing.
pub(crate) fn an_edited_answer_differs_in_what_is_edited(answer: &[u8]) {
    let Some(edits) = AnswerEdits::new(Some("public \"name\""), true) else { return };
    let before = Bytes::copy_from_slice(answer);
    let after = edits.document(before.clone());
    assert_eq!(edits.document(after.clone()), after);
    let (was, is) = (serde_json::from_slice::<Value>(&before), serde_json::from_slice::<Value>(&after));
    assert_eq!(is_json(&before), is_json(&after), "what was JSON is JSON");
    if let (Ok(mut was), Ok(mut is)) = (was, is) {
        for answer in [&mut was, &mut is] {
            for model in ["/model", "/response/model"] {
                if let Some(model) = answer.pointer_mut(model).filter(|model| model.is_string()) {
                    *model = Value::Null;
                }
            }
        }
        assert_eq!(was, is, "only names of models are changed");
    }
    let events = edits.events(before.clone());
    assert_eq!(edits.events(events.clone()), events);
    // As the data of an event it stays JSON as well, or the event goes.
    if is_json(&before) && !before.contains(&b'\n') && !before.contains(&b'\r') {
        let event = edits.events([b"data: ", &before[..], b"\n\n"].concat().into());
        let data = event.strip_prefix(b"data: ").and_then(|event| event.strip_suffix(b"\n\n"));
        assert!(event.is_empty() || data.is_some_and(is_json), "{event:?}");
    }
}

/// Whatever is asked about an answer is answered, and usage is the upstream's own count.
pub(crate) fn what_an_answer_tells_can_be_read(answer: &[u8]) {
    let (usage, error) = (usage_of(answer), error_of(answer));
    let _status = error.as_ref().and_then(UpstreamError::status);
    let _judged = (is_error_body(answer), is_made_response(answer));
    let Ok(text) = std::str::from_utf8(answer) else { return };
    let _heard = (hear("", text, &mut Choices::default()), hear("error", text, &mut Choices::default()));
    let _preamble = (is_preamble(text), told_by(answer));
    let Ok(tree) = serde_json::from_str::<Value>(text) else {
        return;
    };
    let counted = |names: [&str; 2]| {
        let told = [&tree["usage"], &tree["response"]["usage"]];
        told.into_iter()
            .flat_map(|usage| names.map(|name| usage[name].as_u64()))
            .flatten()
            .collect::<Vec<_>>()
    };
    // A tree has the last of those that are given twice, and so has the usage.
    if let Some(prompt) = usage.and_then(|usage| usage.prompt) {
        assert!(counted(["prompt_tokens", "input_tokens"]).contains(&prompt), "{prompt} was told by nobody");
    }
}

fn is_json(text: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(text).is_ok()
}

/// The usage of a document is the same in whatever pieces it comes, and what a parser finds in the whole.
pub(crate) fn a_scan_finds_the_usage_of_a_parser(input: &[u8]) {
    let (document, pieces) = cut(input);
    let mut scan = UsageScan::default();
    let last = pieces.into_iter().map(|piece| scan.feed(piece)).last().unwrap_or_default();
    assert_eq!(UsageScan::default().feed(document), last);
    // Nobody spells this word with escapes. Of whole answers only those are looked into that hold it as it is.
    let says_usage = document.windows(7).any(|word| word == b"\"usage\"");
    if says_usage
        && document.first() == Some(&b'{')
        && is_json(document)
        && std::str::from_utf8(document).is_ok()
    {
        assert_eq!(Some(last).filter(Usage::is_known), usage_of(document));
    }
}

/// What a scanner makes of a stream.
#[derive(Debug, PartialEq, Eq)]
struct Scanned {
    events: Vec<(String, String)>,
    /// How many bytes are whole events.
    complete: usize,
    broken: bool,
    seen: Seen,
    at_boundary: bool,
}

fn scan(pieces: &[&[u8]]) -> Scanned {
    let mut scanner = Scanner::new(MAX_EVENT);
    let mut events = Vec::new();
    let (mut complete, mut before, mut broken) = (0, 0, false);
    for piece in pieces {
        let read = scanner.feed(piece, |event| {
            events.push((event.name.to_owned(), event.data.to_owned()));
            ControlFlow::Continue(())
        });
        let upto = match read {
            Ok(fed) => fed.complete,
            Err(error) => {
                broken = true;
                error.complete()
            }
        };
        if upto > 0 {
            complete = before + upto;
        }
        before += piece.len();
        if broken {
            break;
        }
    }
    let at_boundary = broken || scanner.at_boundary();
    Scanned { events, complete, broken, seen: scanner.seen(), at_boundary }
}
