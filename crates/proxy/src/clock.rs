use std::time::{Instant, SystemTime, UNIX_EPOCH};

use gateway_domain::UnixMillis;
use gateway_routing::Micros;

/// The two clocks of the data plane: a monotonic one for durations and routing, the wall clock for records.
///
/// Every worker and the admin side share one origin, so that routing's moments mean the same everywhere.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
}

// === impl Clock ===

impl Clock {
    /// A clock whose monotonic side begins now.
    pub fn start() -> Self {
        Self { origin: Instant::now() }
    }

    /// Microseconds since the clock was started; never goes back.
    pub fn now(&self) -> Micros {
        Micros(u64::try_from(self.origin.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    /// The wall clock. May jump: for records and expiry only, never for durations.
    pub fn unix(&self) -> UnixMillis {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        UnixMillis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}
