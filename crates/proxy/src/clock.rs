use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gateway_domain::UnixMillis;
use gateway_routing::Micros;
use tokio::time::Instant;

/// The two clocks of the data plane: a monotonic one for durations and routing, the wall clock for records.
///
/// Every worker and the admin side share one origin, so that routing's moments mean the same everywhere.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: std::time::Instant,
}

// === impl Clock ===

impl Clock {
    /// A clock whose monotonic side begins now.
    pub fn start() -> Self {
        Self { origin: std::time::Instant::now() }
    }

    /// Microseconds since the clock was started; never goes back.
    pub fn now(&self) -> Micros {
        Micros(u64::try_from(self.origin.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    /// The same moment as timers count.
    pub(crate) fn instant(&self, moment: Micros) -> Instant {
        (self.origin + Duration::from_micros(moment.0)).into()
    }

    /// The wall clock. May jump: for records and expiry only, never for durations.
    pub fn unix(&self) -> UnixMillis {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        UnixMillis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}
