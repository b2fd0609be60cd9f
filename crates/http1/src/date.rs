use std::cell::RefCell;
use std::io::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::BufMut;
use httpdate::HttpDate;

/// The length of a date in the format of RFC 9110 §5.6.7.
const LENGTH: usize = 29;

/// A date that was written, and the second it is for.
struct Written {
    second: u64,
    text: [u8; LENGTH],
}

thread_local! {
    static LAST: RefCell<Written> = const { RefCell::new(Written { second: u64::MAX, text: [0; LENGTH] }) };
}

/// Writes the time, which is formatted once a second.
pub(crate) fn put(into: &mut impl BufMut) {
    let second = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    LAST.with_borrow_mut(|last| {
        if last.second != second {
            let date = HttpDate::from(UNIX_EPOCH + Duration::from_secs(second));
            // It fits: dates have one length until the year 9999, and `HttpDate` knows no later one.
            drop(write!(last.text.as_mut_slice(), "{date}"));
            last.second = second;
        }
        into.put_slice(&last.text);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_is_now_in_the_format_of_http() {
        let mut text = Vec::new();
        put(&mut text);
        let told = httpdate::parse_http_date(std::str::from_utf8(&text).unwrap()).unwrap();
        assert!(SystemTime::now().duration_since(told).unwrap() < Duration::from_mins(1));
    }
}
