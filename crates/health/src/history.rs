use std::time::Duration;

use gateway_domain::{ChannelId, HealthStatus, UnixMillis};

/// Another verdict on a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// Whose.
    pub channel: ChannelId,
    /// The verdict from then on.
    pub to: HealthStatus,
}

/// One line of a channel's history: a probe, or a change of the verdict by something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick {
    /// When.
    pub at: UnixMillis,
    /// Who spoke.
    pub witness: Witness,
    /// Whether it spoke well of the channel.
    pub ok: bool,
    /// The verdict from then on.
    pub status: HealthStatus,
    /// How long a good probe took.
    pub latency: Option<Duration>,
}

/// Who told something about a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Witness {
    /// A probe.
    Probe,
    /// A call of a client. Only those that change the verdict enter the history.
    Traffic,
    /// Nobody: a pause was over.
    Time,
    /// An operator: the channel has another address or key, or is probed no longer.
    Settings,
}

// === impl Witness ===

impl Witness {
    /// The word for it on every surface.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Probe => "probe",
            Self::Traffic => "traffic",
            Self::Time => "time",
            Self::Settings => "settings",
        }
    }
}
