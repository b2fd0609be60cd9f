//! Where frames begin and end, whatever the pieces are that they come in.

/// Set where a frame is the last of its message.
const FIN: u8 = 0x80;
/// Bits that only extensions give a meaning; none is ever agreed upon.
const RESERVED: u8 = 0x70;
/// Set in opcodes of frames that control the connection.
const CONTROL: u8 = 0x08;
/// Set where the payload is masked.
const MASKED: u8 = 0x80;
/// The largest payload of a control frame.
const MAX_CONTROL: u64 = 125;

/// Whose frames are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// A client's, which are all masked.
    Client,
    /// A server's, of which none is.
    Server,
}

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the standard's own word")]
pub enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

/// What a frame says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// What it is.
    pub opcode: Opcode,
    /// Whether it is the last of its message.
    pub fin: bool,
    /// What its payload is masked with.
    pub mask: Option<[u8; 4]>,
    /// The bytes of its payload.
    pub length: u64,
}

/// A part of a frame that stands at the beginning of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// How many bytes it takes; at least one.
    pub bytes: usize,
    /// What they are.
    pub part: Part,
    /// Whether the frame ends with them.
    pub ends_frame: bool,
}

/// A part of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of its head.
    Head(Head),
    /// Some of its payload, as it came.
    Payload,
}

/// What no frame may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.words())]
pub enum Violation {
    /// A bit that only an extension could have given a meaning.
    Reserved,
    /// An opcode that the standard does not know.
    Opcode,
    /// A client's frame that is not masked, or a server's that is.
    Mask,
    /// A control frame in several pieces, or longer than 125 bytes.
    Control,
    /// A message within a message, or the continuation of none.
    Fragments,
    /// A length of 2^63 or more.
    Length,
    /// A closing frame with half a code.
    Close,
}

/// Follows the frames of one direction.
#[derive(Clone, Debug)]
pub struct Frames {
    sender: Sender,
    /// How much of the payload is still to come.
    left: u64,
    /// A message has begun, and its last frame has not come.
    in_message: bool,
}

// === impl Frames ===

impl Frames {
    /// At the beginning of a connection.
    pub const fn new(sender: Sender) -> Self {
        Self { sender, left: 0, in_message: false }
    }

    /// What stands at the beginning of `bytes`, which begin where the piece before this one ended. `None`: more of them
    /// are needed, at most [`Head::MAX_BYTES`] in all.
    ///
    /// # Errors
    ///
    /// Where the standard is broken. Nothing can be said of what follows.
    pub fn next(&mut self, bytes: &[u8]) -> Result<Option<Piece>, Violation> {
        if self.left == 0 {
            let Some((head, length)) = Head::read(bytes)? else { return Ok(None) };
            self.check(&head)?;
            self.left = head.length;
            return Ok(Some(Piece { bytes: length, part: Part::Head(head), ends_frame: self.left == 0 }));
        }
        if bytes.is_empty() {
            return Ok(None);
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX);
        let taken = bytes.len().min(most);
        self.left -= taken as u64;
        Ok(Some(Piece { bytes: taken, part: Part::Payload, ends_frame: self.left == 0 }))
    }

    fn check(&mut self, head: &Head) -> Result<(), Violation> {
        if head.mask.is_some() != (self.sender == Sender::Client) {
            return Err(Violation::Mask);
        }
        let begins = match head.opcode {
            Opcode::Close | Opcode::Ping | Opcode::Pong => {
                if !head.fin || head.length > MAX_CONTROL {
                    return Err(Violation::Control);
                }
                let half_a_code = head.opcode == Opcode::Close && head.length == 1;
                return if half_a_code { Err(Violation::Close) } else { Ok(()) };
            }
            Opcode::Text | Opcode::Binary => true,
            Opcode::Continuation => false,
        };
        if begins == self.in_message {
            return Err(Violation::Fragments);
        }
        self.in_message = !head.fin;
        Ok(())
    }
}

// === impl Head ===

impl Head {
    /// The most bytes that a head takes.
    pub const MAX_BYTES: usize = 14;

    /// The head that stands in front, and its length.
    fn read(bytes: &[u8]) -> Result<Option<(Self, usize)>, Violation> {
        let Some(([first, second], rest)) = bytes.split_first_chunk() else {
            // Half a head may be wrong already; whoever sent it learns so with its next byte.
            return Ok(None);
        };
        if first & RESERVED != 0 {
            return Err(Violation::Reserved);
        }
        let opcode = Opcode::of(first & 0x0f)?;
        let (length, rest) = match second & !MASKED {
            126 => match rest.split_first_chunk() {
                Some((length, rest)) => (u64::from(u16::from_be_bytes(*length)), rest),
                None => return Ok(None),
            },
            127 => match rest.split_first_chunk() {
                Some((length, rest)) => (u64::from_be_bytes(*length), rest),
                None => return Ok(None),
            },
            short => (u64::from(short), rest),
        };
        if length > u64::MAX / 2 {
            return Err(Violation::Length);
        }
        let (mask, rest) = if second & MASKED == 0 {
            (None, rest)
        } else {
            match rest.split_first_chunk() {
                Some((mask, rest)) => (Some(*mask), rest),
                None => return Ok(None),
            }
        };
        let head = Self { opcode, fin: first & FIN != 0, mask, length };
        Ok(Some((head, bytes.len() - rest.len())))
    }
}

// === impl Violation ===

impl Violation {
    /// What is told to whoever sent the frame.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Reserved => "reserved bits are set, and no extension was agreed upon",
            Self::Opcode => "unknown opcode",
            Self::Mask => "frames of clients are masked, and those of servers are not",
            Self::Control => "a control frame is in pieces or too long",
            Self::Fragments => "the fragments of messages are out of order",
            Self::Length => "the length of a frame is no length",
            Self::Close => "a closing frame has half a code",
        }
    }
}

// === impl Opcode ===

impl Opcode {
    const fn of(bits: u8) -> Result<Self, Violation> {
        match bits {
            0 => Ok(Self::Continuation),
            1 => Ok(Self::Text),
            2 => Ok(Self::Binary),
            8 => Ok(Self::Close),
            9 => Ok(Self::Ping),
            10 => Ok(Self::Pong),
            _ => Err(Violation::Opcode),
        }
    }

    /// Whether its frames stand between those of messages.
    pub const fn is_control(self) -> bool {
        self.bits() & CONTROL != 0
    }

    /// As it stands in a frame.
    pub const fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0,
            Self::Text => 1,
            Self::Binary => 2,
            Self::Close => 8,
            Self::Ping => 9,
            Self::Pong => 10,
        }
    }
}

#[cfg(test)]
mod tests;
