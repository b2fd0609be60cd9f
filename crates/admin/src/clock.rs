//! Moments as people read them.

use gateway_domain::UnixMillis;
use jiff::Timestamp;

/// RFC 3339 in UTC, `2026-01-31T10:00:00Z`; with milliseconds unless they are zero. Years outside 0 to 9999, which
/// no honest clock tells, become the nearest moment inside.
pub(crate) fn rfc3339(moment: UnixMillis) -> String {
    /// 0000-01-01T00:00:00Z.
    const FIRST: i64 = -62_167_219_200_000;
    Timestamp::from_millisecond(moment.0.max(FIRST)).unwrap_or(Timestamp::MAX).to_string()
}

/// Reads a moment back.
pub(crate) fn parse_rfc3339(text: &str) -> Option<UnixMillis> {
    text.parse::<Timestamp>().ok().map(|moment| UnixMillis(moment.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_read_as_the_original_wrote_them() {
        assert_eq!(rfc3339(UnixMillis(1_769_853_600_000)), "2026-01-31T10:00:00Z");
        assert_eq!(rfc3339(UnixMillis(1_769_853_600_120)), "2026-01-31T10:00:00.12Z");
    }

    #[test]
    fn impossible_moments_are_shown_without_a_fuss() {
        assert!(rfc3339(UnixMillis(i64::MAX)).starts_with("9999-12-3"));
        assert_eq!(rfc3339(UnixMillis(i64::MIN)), "0000-01-01T00:00:00Z");
    }

    #[test]
    fn what_was_written_can_be_read() {
        let moment = UnixMillis(1_769_853_600_120);
        assert_eq!(parse_rfc3339(&rfc3339(moment)), Some(moment));
        assert_eq!(parse_rfc3339("yesterday"), None);
    }
}
