use std::time::{SystemTime, UNIX_EPOCH};

use gateway_domain::UnixMillis;

/// The wall clock. The root reads it and hands moments to the crates that must not.
pub(crate) fn unix_now() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
