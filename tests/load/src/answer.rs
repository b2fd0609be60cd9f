//! What came back for one request, judged.

use std::time::Instant;

use memchr::memchr_iter;

/// The last words of every stream.
const DONE: &[u8] = b"data: [DONE]\n\n";

/// A body as it comes.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// When the first piece came.
    pub first: Option<Instant>,
    /// Events that ended, the closing word among them.
    pub events: u64,
    end: Vec<u8>,
    line_is_empty: bool,
}

// === impl Answer ===

impl Answer {
    /// Takes the next piece.
    pub(crate) fn take(&mut self, piece: &[u8]) {
        if piece.is_empty() {
            return;
        }
        self.first.get_or_insert_with(Instant::now);
        let mut line = 0;
        for at in memchr_iter(b'\n', piece) {
            if at == line && (line > 0 || self.line_is_empty) {
                self.events += 1;
            }
            line = at + 1;
        }
        self.line_is_empty = line == piece.len();
        let kept = piece.len().min(DONE.len());
        self.end.extend_from_slice(piece.get(piece.len() - kept..).unwrap_or_default());
        let surplus = self.end.len().saturating_sub(DONE.len());
        self.end.drain(..surplus);
    }

    /// Whether a stream of so many events came whole.
    pub(crate) fn is_whole(&self, events: u32) -> bool {
        self.end == DONE && self.events == u64::from(events) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(pieces: &[&str]) -> Answer {
        let mut answer = Answer::default();
        for piece in pieces {
            answer.take(piece.as_bytes());
        }
        answer
    }

    #[test]
    fn a_stream_is_whole_however_it_was_cut_into_pieces() {
        assert!(answer(&["data: 1\n\ndata: 2\n\ndata: [DONE]\n\n"]).is_whole(2));
        assert!(answer(&["data: 1\n", "\ndata: 2\n\n", "data: [DO", "NE]\n", "\n"]).is_whole(2));
    }

    #[test]
    fn a_stream_that_lacks_an_event_or_its_end_is_not() {
        assert!(!answer(&["data: 1\n\ndata: [DONE]\n\n"]).is_whole(2));
        assert!(!answer(&["data: 1\n\ndata: 2\n\ndata: 3\n\n"]).is_whole(2));
    }
}
