//! What fuzz targets need to see of this crate that nobody else does. Built only for them (feature `fuzz`).

use bytes::Bytes;
use gateway_domain::Usage;

use crate::affinity::strings_in;
use crate::events::{Events, Turn};
use crate::openai::AnswerEdits;
use crate::upstream::read_answer;

pub use crate::websocket::{Frames, Head, Opcode, Part, Piece, Sender, code_in};

/// What a relay has made of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// What the client gets.
    pub bytes: Vec<u8>,
    /// The stream was ended early: it failed, or could not be passed on.
    pub broken: bool,
    /// It came to its end, and its last event may have been given its own.
    pub ended: bool,
    /// What was counted.
    pub usage: Usage,
}

/// Relays a stream that comes in these pieces, and then ends.
pub fn relay(pieces: &[&[u8]], max_event_bytes: usize, edits: Option<AnswerEdits>) -> Passed {
    let mut events = Events::new(max_event_bytes, edits);
    let mut passed = Passed::default();
    let mut turn = Turn::GoesOn;
    for piece in pieces {
        let whole;
        (whole, turn) = events.feed(Bytes::copy_from_slice(piece), "");
        passed.bytes.extend(whole.concat());
        if !matches!(turn, Turn::GoesOn) {
            break;
        }
    }
    if matches!(turn, Turn::GoesOn) {
        let last;
        (last, turn) = events.close("");
        passed.bytes.extend(last);
        passed.ended = true;
    }
    passed.broken = !matches!(turn, Turn::GoesOn);
    passed.usage = events.tap().settle(None);
    passed
}

/// The values of JSON text that are strings, as the search for objects meets them.
pub fn strings(text: &[u8]) -> Vec<String> {
    strings_in(text)
}

/// What is read of an upstream's answer that comes in these pieces over HTTP/1.1: its status, its data, whether it is over,
/// and whether it is broken behind that.
pub fn answer(pieces: &[&[u8]]) -> (Option<u16>, Vec<u8>, bool, bool) {
    read_answer(pieces)
}
