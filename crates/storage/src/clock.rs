use std::time::{SystemTime, UNIX_EPOCH};

use gateway_domain::UnixMillis;

/// The wall clock's moment; a clock before 1970 reads as 1970.
pub(crate) fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
