use std::sync::Arc;

use crate::{ChannelId, UnixMillis};

/// What is known of a channel's health.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum HealthStatus {
    /// The last probes or calls went well.
    Healthy,
    /// It failed often enough in a row to be taken out of rotation.
    Unhealthy,
    /// Nothing is known yet; it is in rotation.
    #[default]
    Unknown,
}

/// A channel's health as it is shown to people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthReport {
    /// Whose health.
    pub channel: ChannelId,
    /// The verdict.
    pub status: HealthStatus,
    /// When a probe or a call last told something.
    pub last_checked: Option<UnixMillis>,
    /// Why the last failure was one, without secrets; kept until the next success.
    pub last_error: Option<String>,
    /// Failures since the last success.
    pub consecutive_failures: u32,
    /// The models whose calls failed on this channel, three times in a row or more, whatever the others do; the worst
    /// first, at most 32.
    pub troubled_models: Vec<ModelTrouble>,
}

/// A model whose calls fail on one channel, again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelTrouble {
    /// Which model, by the name that clients give.
    pub model: Arc<str>,
    /// When the first call failed after the last that was served.
    pub since: UnixMillis,
    /// Calls that failed since then.
    pub failures: u32,
    /// Why the last of them did, without secrets.
    pub last_error: String,
}

// === impl HealthStatus ===

impl HealthStatus {
    /// The word for it on every surface: `healthy`, `unhealthy`, `unknown`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
            Self::Unknown => "unknown",
        }
    }
}
