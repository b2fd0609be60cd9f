//! What an upstream's messages tell beside the copy: tokens, and responses that were made.

use std::fmt;

use gateway_domain::{ChannelId, Usage, UserId};
use memchr::memmem;

use crate::affinity::{Directory, Lesson};
use crate::clock::Clock;
use crate::openai::{Told, told_by};
use crate::websocket::{Opcode, Part, Piece};

/// Longer messages are not looked into: they are sound.
const LONGEST: usize = 1 << 20;

/// How much room is kept from one message to the next.
const KEPT: usize = 16 << 10;

/// Listens to what an upstream says in text.
#[derive(Debug)]
pub(crate) struct Ear {
    /// The message so far.
    message: Vec<u8>,
    /// It is of the kind that is listened to, and not too long.
    listens: bool,
    /// A part of a message is open, in contrast to a frame that only stands between.
    in_message: bool,
    /// The frame is the last of its message.
    fin: bool,
    usage: Usage,
    /// Who remembers the responses that are made; `None` where they cannot be asked for again.
    pupil: Option<Pupil>,
}

/// Remembers for whom a channel makes responses.
#[derive(Clone)]
pub(crate) struct Pupil {
    pub directory: Directory,
    pub clock: Clock,
    pub channel: ChannelId,
    pub user: UserId,
}

// === impl Ear ===

impl Ear {
    pub(crate) fn new(pupil: Option<Pupil>) -> Self {
        Self {
            message: Vec::new(),
            listens: false,
            in_message: false,
            fin: false,
            usage: Usage::default(),
            pupil,
        }
    }

    /// All that was told so far.
    pub(super) fn usage(&self) -> Usage {
        self.usage
    }

    /// Hears the next piece of the stream of frames.
    pub(super) fn listen(&mut self, piece: &Piece, bytes: &[u8]) {
        match piece.part {
            Part::Head(head) => {
                self.in_message = !head.opcode.is_control();
                if !self.in_message {
                    return;
                }
                self.fin = head.fin;
                if head.opcode != Opcode::Continuation {
                    self.listens = head.opcode == Opcode::Text;
                    self.message.clear();
                    self.message.shrink_to(KEPT);
                }
            }
            Part::Payload if self.in_message && self.listens => {
                if self.message.len() + bytes.len() > LONGEST {
                    self.listens = false;
                    self.message = Vec::new();
                } else {
                    self.message.extend_from_slice(bytes);
                }
            }
            Part::Payload => {}
        }
        if piece.ends_frame && self.in_message && self.fin && self.listens {
            self.hear();
        }
    }

    fn hear(&mut self) {
        // Nearly every message is a delta, and has none of these words.
        let has = |word: &str| memmem::find(&self.message, word.as_bytes()).is_some();
        let may_tell = has("\"usage\"") || (self.pupil.is_some() && has("response.created"));
        if !may_tell {
            return;
        }
        let Some(told) = told_by(&self.message) else { return };
        if let Some(pupil) = &self.pupil {
            pupil.lesson().learn_whole(&self.message);
        }
        if let Told::Over { usage: Some(usage) } = told {
            self.usage = self.usage.and(usage);
        }
    }
}

// === impl Pupil ===

impl Pupil {
    fn lesson(&self) -> Lesson {
        let now = self.clock.unix();
        Lesson { directory: self.directory.clone(), channel: self.channel, user: self.user, now }
    }
}

impl fmt::Debug for Pupil {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pupil")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::websocket::{Frames, Sender};

    /// What an ear has heard of these frames, which come in pieces of this size.
    fn heard(frames: &[(u8, &[u8])], size: usize) -> Usage {
        let mut bytes = Vec::new();
        for (first, payload) in frames {
            bytes.extend([*first, 127]);
            bytes.extend((payload.len() as u64).to_be_bytes());
            bytes.extend(*payload);
        }
        let (mut frames, mut ear, mut from) = (Frames::new(Sender::Server), Ear::new(None), 0);
        for to in (size..).step_by(size).map(|to| to.min(bytes.len())) {
            while let Some(piece) = frames.next(&bytes[from..to]).unwrap() {
                ear.listen(&piece, &bytes[from..from + piece.bytes]);
                from += piece.bytes;
            }
            if to == bytes.len() {
                break;
            }
        }
        ear.usage()
    }

    const DONE: &[u8] =
        br#"{"type":"response.done","response":{"usage":{"input_tokens":7,"output_tokens":2}}}"#;

    #[test]
    fn usage_is_summed_over_messages_however_they_are_cut() {
        let (one, two) = DONE.split_at(40);
        let pong: &[u8] = br#"{"usage":{}}"#;
        let frames =
            [(0x81, DONE), (0x01, one), (0x8a, &pong[..1]), (0x80, two), (0x82, DONE), (0x81, b"{}")];
        for size in [1, 2, 7, 64, 4096] {
            let usage = heard(&frames, size);
            assert_eq!((usage.prompt, usage.completion), (Some(14), Some(4)), "in pieces of {size}");
        }
    }

    #[test]
    fn a_message_that_is_too_long_is_not_kept_and_the_next_one_is_heard() {
        let long = [b"{\"usage\":\"", vec![b'a'; LONGEST].as_slice(), b"\"}"].concat();
        let usage = heard(&[(0x01, &long), (0x80, DONE), (0x81, DONE)], 50_000);
        assert_eq!(usage.prompt, Some(7));
    }
}
