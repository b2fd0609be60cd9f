//! HTTP/1.1 towards upstreams, read straight off the socket in the task of the call that waits for it.
//!
//! A connection carries one call at a time. There is no task beside it: whoever waits for the answer writes the request
//! and reads the answer, so a message costs one write, one read and no wake-up of anybody else, and a connection that
//! nobody uses costs no more than its socket. All reading of a thread goes through one buffer.
//!
//! What is read here comes from outside and decides where one answer ends and the next begins, so it is read strictly:
//! whatever could be understood in two ways (RFC 9112 §6.3) is an error, and ends the connection.

mod body;
mod call;
mod head;
mod sending;
mod wire;

use std::io;

use gateway_http1::Malformed;

pub(super) use body::Body;
pub(super) use call::call;
#[cfg(feature = "fuzz")]
pub(super) use call::read_answer;
pub(super) use wire::{Socket, Wire};

/// Why a call over a connection failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The connection was closed or broke.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It was closed before the message was whole.
    #[error("the connection was closed too early")]
    Early,
    /// No answer had begun when it had to.
    #[error("the answer did not begin in time")]
    Late,
    /// What came is not HTTP/1.1.
    #[error("{0}")]
    Protocol(#[from] Malformed),
    /// The request's own body could not be read: the gateway's doing.
    #[error("the request's body cannot be read: {0}")]
    Body(io::Error),
}

/// A failed call, and how far it had got.
#[derive(Debug)]
pub(super) struct Failed {
    pub error: Error,
    /// Whether a byte of an answer had come.
    pub answered: bool,
}
