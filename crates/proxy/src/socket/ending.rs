use gateway_domain::{AttemptOutcome, ExchangeOutcome};

use crate::websocket::{Close, Violation};

/// Why a socket has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Cause {
    /// The client has closed it, in order.
    #[error("the client has closed it")]
    ClientClosed,
    /// The upstream has, whatever its code says.
    #[error("the upstream has closed it")]
    UpstreamClosed,
    /// The client's connection has ended without a closing frame, or takes nothing any more.
    #[error("the client is gone")]
    ClientGone,
    /// The upstream's has.
    #[error("the socket's connection ended without a closing frame")]
    UpstreamGone,
    /// The client has broken the standard.
    #[error("the client broke the rules: {0}")]
    ClientBroke(Violation),
    /// The upstream has.
    #[error("the upstream broke the rules of WebSockets: {0}")]
    UpstreamBroke(Violation),
    /// Neither side has said anything for too long.
    #[error("silent for too long")]
    Idle,
    /// The gateway's grace is over.
    #[error("the gateway is stopping")]
    Stopping,
}

// === impl Cause ===

impl Cause {
    /// What the client is told; `None` where it has been told by the upstream, or cannot be told.
    pub(super) const fn for_client(self) -> Option<Close> {
        let (code, reason) = match self {
            Self::ClientClosed | Self::UpstreamClosed | Self::ClientGone => return None,
            Self::UpstreamGone => (1014, "the upstream's connection ended without a closing frame"),
            Self::ClientBroke(violation) => (1002, violation.words()),
            Self::UpstreamBroke(_) => (1014, "the upstream broke the rules of WebSockets"),
            Self::Idle => (1001, "silent for too long (proxy.socket_idle_timeout)"),
            Self::Stopping => (1012, "the gateway is stopping"),
        };
        Some(Close { code, reason })
    }

    /// What the upstream is told; `None` where it has been told by the client, or cannot be told.
    pub(super) const fn for_upstream(self) -> Option<Close> {
        let (code, reason) = match self {
            Self::ClientClosed | Self::UpstreamClosed | Self::UpstreamGone => return None,
            Self::ClientGone => (1001, "the client is gone"),
            Self::ClientBroke(_) => (1001, "the client broke the rules of WebSockets"),
            Self::UpstreamBroke(violation) => (1002, violation.words()),
            Self::Idle => (1001, "silent for too long"),
            Self::Stopping => (1001, "the gateway is stopping"),
        };
        Some(Close { code, reason })
    }

    /// What is learned of the channel. How long a socket lasts, and with which code it is closed, is a matter between its
    /// ends.
    pub(super) const fn of_attempt(self) -> AttemptOutcome {
        match self {
            Self::ClientClosed | Self::UpstreamClosed | Self::Idle => AttemptOutcome::Ok,
            Self::ClientGone | Self::ClientBroke(_) | Self::Stopping => AttemptOutcome::Cancelled,
            Self::UpstreamGone => AttemptOutcome::Broken,
            Self::UpstreamBroke(_) => AttemptOutcome::BadAnswer,
        }
    }

    pub(super) const fn of_exchange(self) -> ExchangeOutcome {
        match self {
            Self::ClientClosed | Self::UpstreamClosed => ExchangeOutcome::Ok,
            Self::ClientGone => ExchangeOutcome::ClientGone,
            Self::UpstreamGone
            | Self::ClientBroke(_)
            | Self::UpstreamBroke(_)
            | Self::Idle
            | Self::Stopping => ExchangeOutcome::Interrupted,
        }
    }
}
