//! Streams that are cut off at a byte of the wire, wherever that lies.

use std::fmt;

use bytes::Bytes;

use crate::chance::Chance;
use crate::meant::Meant;
use crate::script::{Ending, Framing, Head, Piece, Reply, Wait, ms};

/// A stream, its bytes on the wire, and where they end.
#[derive(Clone, Debug)]
pub struct CutStream {
    /// What would have been said.
    pub meant: Meant,
    chunked: bool,
    wire: Vec<u8>,
    /// Behind the last byte of each event there is this byte of the wire.
    ends: Vec<usize>,
    at: usize,
    spot: Spot,
    reset: bool,
    segments: Vec<usize>,
}

/// Where a stream is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spot {
    /// In the head of the answer.
    Head,
    /// Between the bytes of one character.
    Character,
    /// In the line that tells a chunk's length.
    ChunkHeader,
    /// Right behind an event.
    Boundary,
    /// Behind the finish, at the latest in the framing behind `[DONE]`.
    AfterFinish,
    /// Right behind the finish, by an upstream that takes this for the end: the body ends with its connection, which is
    /// closed. Usage and `[DONE]` are never sent.
    Unclosed,
    /// At any byte behind the head.
    Anywhere,
    /// Nowhere: all of it is sent.
    Nowhere,
}

const SPOTS: [Spot; 17] = [
    Spot::Head,
    Spot::Character,
    Spot::Character,
    Spot::Character,
    Spot::ChunkHeader,
    Spot::ChunkHeader,
    Spot::ChunkHeader,
    Spot::Boundary,
    Spot::Boundary,
    Spot::AfterFinish,
    Spot::AfterFinish,
    Spot::AfterFinish,
    Spot::Unclosed,
    Spot::Anywhere,
    Spot::Anywhere,
    Spot::Anywhere,
    Spot::Nowhere,
];

// === impl CutStream ===

impl CutStream {
    /// Stream, framing, place and manner of the cut, all drawn by chance.
    pub fn draw(chance: &mut Chance) -> Self {
        let meant = Meant::draw(chance);
        let mut spot = chance.one_of(&SPOTS);
        let chunked = spot != Spot::Unclosed && chance.percent(60);
        let framing = if chunked { "transfer-encoding: chunked" } else { "connection: close" };
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n{framing}\r\n\r\n");
        let body = meant.bytes();
        let mut wire = head.clone().into_bytes();
        // Where each byte of the body lies on the wire, and which bytes of the wire tell lengths.
        let (mut places, mut lengths) = (Vec::with_capacity(body.len()), Vec::new());
        let mut left = &body[..];
        while !left.is_empty() {
            let (chunk, after) = left.split_at(chance.between(1, 400).min(left.len()));
            if chunked {
                let line = format!("{:x}\r\n", chunk.len());
                lengths.extend(wire.len()..wire.len() + line.len());
                wire.extend_from_slice(line.as_bytes());
            }
            places.extend(wire.len()..wire.len() + chunk.len());
            wire.extend_from_slice(chunk);
            if chunked {
                wire.extend_from_slice(b"\r\n");
            }
            left = after;
        }
        if chunked {
            wire.extend_from_slice(b"0\r\n\r\n");
        }
        let place = |at: usize| places.get(at - 1).map_or(head.len(), |place| place + 1);
        let ends: Vec<usize> = meant.boundaries().into_iter().map(place).collect();
        let inside: Vec<usize> = (1..body.len())
            .filter(|at| body.get(*at).is_some_and(|byte| byte & 0xc0 == 0x80))
            .map(place)
            .collect();
        let at = match spot {
            Spot::Head => chance.below(head.len()),
            Spot::Character if !inside.is_empty() => chance.one_of(&inside),
            Spot::ChunkHeader if !lengths.is_empty() => chance.one_of(&lengths) + 1,
            Spot::Boundary => chance.one_of(&ends),
            Spot::AfterFinish if chance.percent(50) => {
                let finished = place(meant.finished());
                let behind: Vec<usize> = ends.iter().copied().filter(|end| *end >= finished).collect();
                chance.one_of(&behind)
            }
            Spot::AfterFinish => chance.between(place(meant.finished()), wire.len()),
            Spot::Unclosed => place(meant.finished()),
            Spot::Nowhere => wire.len(),
            Spot::Character | Spot::ChunkHeader | Spot::Anywhere => {
                spot = Spot::Anywhere;
                chance.between(head.len(), wire.len())
            }
        };
        let mut segments: Vec<usize> = (0..chance.below(5)).map(|_| chance.below(at.max(1))).collect();
        segments.sort_unstable();
        let reset = spot != Spot::Unclosed && chance.percent(50);
        Self { meant, chunked, wire, ends, at, spot, reset, segments }
    }

    /// Where it is cut.
    pub fn spot(&self) -> Spot {
        self.spot
    }

    /// Whether everything that was meant is sent, and the connection closed and not reset behind it: then no gateway
    /// has a reason to give anything but all of it.
    pub fn is_sent_whole(&self) -> bool {
        !self.reset && self.ends.last().is_some_and(|end| self.at >= *end)
    }

    /// What its upstream plays: the bytes up to the cut, in a few writes.
    pub fn reply(&self) -> Reply {
        let sent = Bytes::copy_from_slice(self.wire.get(..self.at).unwrap_or_default());
        let mut pieces = Vec::new();
        let mut from = 0;
        for to in self.segments.iter().copied().chain([self.at]) {
            let wait = Wait { pause: if from == 0 { ms(0) } else { ms(1) }, ..Wait::default() };
            pieces.push(Piece { bytes: sent.slice(from..to), wait });
            from = to;
        }
        let ending = if self.reset { Ending::Reset } else { Ending::CutOff };
        let head = Head::Raw(Bytes::new());
        Reply { head, framing: Framing::UntilClose, pieces, ..Reply::nothing(ending) }
    }
}

impl fmt::Display for CutStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let framing = if self.chunked { "chunked" } else { "close-delimited" };
        let how = if self.reset { "reset" } else { "closed" };
        let (spot, at, all) = (self.spot, self.at, self.wire.len());
        write!(f, "{:?}, {framing}, {how} {spot:?} at {at} of {all}", self.meant.dialect)
    }
}
