use std::sync::Arc;
use std::time::Duration;

use tokio::net::tcp::OwnedWriteHalf;

use super::serve::State;
use crate::wire;

/// The side of a connection that an upstream writes to, and the way in which it goes.
///
/// A socket half that is dropped says first that nothing more will come. A reset must not: whoever reads to the end of
/// a connection would have had it.
#[derive(Debug)]
pub(super) struct Outgoing {
    socket: Option<OwnedWriteHalf>,
    state: Arc<State>,
}

// === impl Outgoing ===

impl Outgoing {
    pub(super) fn new(socket: OwnedWriteHalf, state: Arc<State>) -> Self {
        Self { socket: Some(socket), state }
    }

    /// Lets go of the socket as it is.
    pub(super) fn release(mut self) -> OwnedWriteHalf {
        self.socket.take().expect("it is there until the drop")
    }

    pub(super) fn socket(&mut self) -> &mut OwnedWriteHalf {
        self.socket.as_mut().expect("it is there until the drop")
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        let Some(socket) = self.socket.take() else { return };
        if self.state.is_dying() {
            wire::reset(&socket);
        }
        if socket.as_ref().linger().is_ok_and(|linger| linger == Some(Duration::ZERO)) {
            // The other half closes the connection, and then it is a reset and nothing else.
            socket.forget();
        }
    }
}
