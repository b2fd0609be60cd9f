//! WebSockets (RFC 6455) as far as a relay must know them: how a connection becomes one, and where frames begin and end.
//!
//! Pure functions over bytes, like [`openai`](crate::openai): nothing here does I/O, and nothing panics on what the
//! network sends. Frames are only looked at, never changed; the only ones that are made here are closing ones.

mod close;
mod frames;
mod handshake;

pub use close::{Close, MAX_REASON, close_frame, code_in};
pub use frames::{Frames, Head, Opcode, Part, Piece, Sender, Violation};
pub use handshake::{HandshakeError, KEY_BYTES, accept_for, check, encode_key, protocols};
