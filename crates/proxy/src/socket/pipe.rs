use bytes::{Buf as _, BufMut as _, BytesMut};
use gateway_domain::Usage;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::Instant;

use super::Ear;
use crate::websocket::{Frames, Opcode, Part, Sender, Violation, code_in};

/// How much is read at a time, until more than that comes at a time: most sockets speak seldom, and little.
const SIP: usize = 4 << 10;
/// How much of one direction is in memory at most. A frame that fits passes in one piece, so that a closing frame can
/// always be put behind it.
const ROOM: usize = 32 << 10;

/// One direction of a socket.
///
/// Nothing is read while the receiver has not taken what was read before: so the one who sends is held back by the one
/// who does not read.
pub(super) struct Pipe<R, W> {
    from: R,
    to: W,
    frames: Frames,
    /// What has been read and not sent on.
    held: BytesMut,
    /// How much is read at a time.
    appetite: usize,
    /// How much of `held` has been looked at.
    seen: usize,
    /// How much of it, from the front, ends with the end of a frame.
    whole: usize,
    /// What was sent ends inside of a frame.
    inside: bool,
    /// Something was sent and may still lie in a buffer.
    unflushed: bool,
    /// A closing frame is among what was looked at; whatever comes behind it is none of the receiver's business.
    closing: bool,
    /// Its code.
    code: Option<u16>,
    violation: Option<Violation>,
    /// What the frame is that is being looked at.
    opcode: Opcode,
    /// When something was read last.
    moved: Instant,
    /// How many bytes were sent on.
    passed: u64,
    ear: Option<Ear>,
}

/// Why a direction has come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// With a closing frame, which has been sent on.
    Closed,
    /// The sender's connection has ended without one.
    Gone,
    /// The receiver's connection takes no more.
    Stuck,
    /// The sender has broken the rules.
    Broken(Violation),
}

// === impl Pipe ===

impl<R, W> Pipe<R, W> {
    pub(super) fn new(sender: Sender, from: R, to: W, ear: Option<Ear>) -> Self {
        Self {
            from,
            to,
            frames: Frames::new(sender),
            held: BytesMut::new(),
            appetite: SIP,
            seen: 0,
            whole: 0,
            inside: false,
            unflushed: false,
            closing: false,
            code: None,
            violation: None,
            opcode: Opcode::Continuation,
            moved: Instant::now(),
            passed: 0,
            ear,
        }
    }

    /// When something came in last.
    pub(super) fn moved(&self) -> Instant {
        self.moved
    }

    /// How many bytes have gone out.
    pub(super) fn passed(&self) -> u64 {
        self.passed
    }

    /// What the messages told of usage.
    pub(super) fn usage(&self) -> Option<Usage> {
        self.ear.as_ref().map(Ear::usage)
    }

    /// The code of the closing frame that has come, if it has one.
    pub(super) fn code(&self) -> Option<u16> {
        self.code
    }

    /// How much may go out now: whole frames, and of a frame that does not fit whatever is there of it.
    fn ready(&self) -> usize {
        let fits = !self.inside && self.held.len() < ROOM;
        if fits || self.whole > 0 { self.whole } else { self.seen }
    }

    fn sent(&mut self, count: usize) {
        if count >= self.whole {
            self.inside = count > self.whole;
        }
        self.held.advance(count);
        self.seen -= count;
        self.whole = self.whole.saturating_sub(count);
        self.passed += count as u64;
        self.unflushed = true;
    }

    /// Looks at what has come.
    fn look(&mut self) {
        while !self.closing {
            let rest = self.held.get(self.seen..).unwrap_or_default();
            let piece = match self.frames.next(rest) {
                Ok(Some(piece)) => piece,
                Ok(None) => return,
                Err(violation) => {
                    self.violation = Some(violation);
                    return;
                }
            };
            let bytes = rest.get(..piece.bytes).unwrap_or_default();
            if let Part::Head(head) = piece.part {
                self.opcode = head.opcode;
            }
            if let Some(ear) = &mut self.ear {
                ear.listen(&piece, bytes);
            }
            self.seen += piece.bytes;
            if piece.ends_frame {
                // Frames that control are never sent in part, so this one begins where the one before it ended.
                let frame = self.held.get(self.whole..self.seen).unwrap_or_default();
                self.closing = self.opcode == Opcode::Close;
                self.code = Some(frame).filter(|_| self.closing).and_then(code_in);
                self.whole = self.seen;
            }
        }
    }
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Pipe<R, W> {
    /// Sends on what comes until it ends. Cancel-safe: what has been read and not sent stays for the next call.
    pub(super) async fn pump(&mut self) -> End {
        loop {
            if self.send_ready().await.is_err() {
                return End::Stuck;
            }
            if self.closing {
                return End::Closed;
            }
            if let Some(violation) = self.violation {
                return End::Broken(violation);
            }
            let room = self.appetite.min(ROOM.saturating_sub(self.held.len()));
            self.held.reserve(room);
            match self.from.read_buf(&mut (&mut self.held).limit(room)).await {
                Ok(0) | Err(_) => return End::Gone,
                Ok(count) if count == room => self.appetite = ROOM,
                Ok(_) => {}
            }
            self.moved = Instant::now();
            self.look();
        }
    }

    async fn send_ready(&mut self) -> std::io::Result<()> {
        while let ready @ 1.. = self.ready() {
            let bytes = self.held.get(..ready).unwrap_or_default();
            match self.to.write(bytes).await? {
                0 => return Err(std::io::ErrorKind::WriteZero.into()),
                count => self.sent(count),
            }
        }
        if self.unflushed {
            self.to.flush().await?;
            self.unflushed = false;
        }
        Ok(())
    }

    /// Sends what is whole, then this closing frame if none has passed, then nothing more.
    pub(super) async fn finish(&mut self, close: &[u8]) {
        let may = self.send_ready().await.is_ok() && !self.inside && !self.closing;
        if may && self.to.write_all(close).await.is_ok() {
            drop(self.to.flush().await);
        }
        // That it cannot be closed in order is no news: it is closed by force in a moment.
        drop(self.to.shutdown().await);
    }

    /// Reads what the sender still has to say, to nobody. Closing over unread bytes would be a reset, and a reset takes
    /// away what the sender has not read of the other direction.
    pub(super) async fn drain(&mut self) {
        let mut waste = vec![0; SIP];
        while let Ok(1..) = self.from.read(&mut waste).await {}
    }
}

#[cfg(test)]
mod tests;
