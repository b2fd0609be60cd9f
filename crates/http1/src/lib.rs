//! HTTP/1.1 on a connection: where messages end, on both sides, and the server's side of it.
//!
//! [`Connection`] reads requests off a socket and writes answers to it, in one future that holds no buffer: all reading and
//! writing of a thread goes through two buffers of its own, and only what has to wait is copied out, in the size that it
//! has. So an open stream costs hardly more than its socket. [`Framing`] tells both sides where a body ends.
//!
//! What is read here comes from outside and decides where one message ends and the next begins, so it is read strictly:
//! whatever could be understood in two ways (RFC 9112 §6.3) is refused, and ends the connection.
//!
//! **Must never know:** OpenAI, channels, users, how long a client may take; what answers a request, and what guards the
//! socket, is given by whoever serves. [`Alarm`] is here for them: both sides of a connection have a timer to look at.

mod alarm;
mod answer;
mod body;
mod chunked;
mod connection;
mod date;
mod framing;
mod line;
mod numbers;
mod outgoing;
mod request;
mod scratch;
mod spare;
#[cfg(test)]
mod tests;
mod upgrade;
mod values;

use std::io;

pub use alarm::Alarm;
pub use body::Body;
pub use chunked::Chunked;
pub use connection::Connection;
pub use framing::{Framing, Unframed, keeps_alive};
pub use line::Io;
pub use numbers::put_decimal;
pub use request::{Flaw, Head, parse};
pub use scratch::with as with_scratch;
pub use spare::{buffer as spare_buffer, copied, headers as spare_headers, keep_buffer, keep_headers};
pub use upgrade::{OnUpgrade, Upgraded};
pub use values::header_value;

/// What a message breaks of HTTP/1.1, in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub &'static str);

/// Why a connection, or the body of a request, has ended before its time.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The socket failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The peer has sent its last byte before the message was whole, or before it had its answer.
    #[error("the connection was closed too early")]
    Early,
    /// What came is not HTTP/1.1.
    #[error("{0}")]
    Malformed(#[from] Malformed),
    /// The answer's body failed, or has another length than was announced: the connection is cut, so that the peer sees
    /// that the answer is not whole.
    #[error("the answer broke off: {0}")]
    Answer(Box<dyn std::error::Error + Send + Sync>),
}
