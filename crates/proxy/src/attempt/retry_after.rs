//! How long an upstream asks to wait, in each of the ways in which upstreams say it.

use std::time::{Duration, SystemTime};

use http::HeaderMap;

/// The longest wait that is believed.
const LONGEST: Duration = Duration::from_mins(2);

/// What upstreams count apart, as the rest and the end of it stand in the names of their headers: OpenAI's way (which
/// most others took over), and Anthropic's.
const BUCKETS: [[&str; 2]; 6] = [
    ["x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"],
    ["x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"],
    ["anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"],
    ["anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"],
    ["anthropic-ratelimit-input-tokens-remaining", "anthropic-ratelimit-input-tokens-reset"],
    ["anthropic-ratelimit-output-tokens-remaining", "anthropic-ratelimit-output-tokens-reset"],
];

/// The wait that an answer asks for: `retry-after-ms`, else `retry-after` in seconds or as a date.
pub(super) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let millis = text(headers, "retry-after-ms").and_then(number).map(|ms| ms / 1000.0);
    let seconds = || text(headers, "retry-after").and_then(number);
    let date = || {
        let moment = httpdate::parse_http_date(text(headers, "retry-after")?).ok()?;
        Some(moment.duration_since(now).unwrap_or_default().as_secs_f64())
    };
    believed(millis.or_else(seconds).or_else(date)?)
}

/// For rate limits without a `retry-after`: until every bucket that is empty has been filled again. A bucket whose rest
/// is not told counts as empty.
pub(super) fn until_reset(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    longest_reset(headers, || now, |rest| rest.is_none_or(|rest| rest <= 0.0))
}

/// Whether a good answer says that it was the last for a while, and for how long: the next call would be refused.
pub(super) fn exhausted(headers: &HeaderMap, now: impl FnOnce() -> SystemTime) -> Option<Duration> {
    longest_reset(headers, now, |rest| rest.is_some_and(|rest| rest <= 0.0))
}

fn longest_reset(
    headers: &HeaderMap,
    now: impl FnOnce() -> SystemTime,
    is_empty: impl Fn(Option<f64>) -> bool,
) -> Option<Duration> {
    // Looking for each name costs more than looking at all that there are, and most answers have none of them.
    if !headers.keys().any(|name| name.as_str().contains("-ratelimit-")) {
        return None;
    }
    let now = now();
    BUCKETS
        .iter()
        .filter_map(|[remaining, reset]| {
            let end = text(headers, reset)?;
            let left = text(headers, remaining).and_then(number);
            is_empty(left).then(|| believed(spelled_out(end).or_else(|| at_moment(end, now))?)).flatten()
        })
        .max()
}

/// Seconds until a moment as RFC 3339 writes it; 0 for one that has passed.
fn at_moment(text: &str, now: SystemTime) -> Option<f64> {
    let moment = SystemTime::from(text.parse::<jiff::Timestamp>().ok()?);
    Some(moment.duration_since(now).unwrap_or_default().as_secs_f64())
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok()
}

fn believed(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok().map(|wait| wait.min(LONGEST))
}

/// Seconds in `1h2m3.5s`, `6ms` or, without a unit, `3`.
fn spelled_out(text: &str) -> Option<f64> {
    if let Some(seconds) = number(text) {
        return Some(seconds);
    }
    let mut rest = text;
    let mut sum = 0.0;
    while !rest.is_empty() {
        let unit_at = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (count, behind) = rest.split_at_checked(unit_at)?;
        let next_at = behind.find(|c: char| c.is_ascii_digit()).unwrap_or(behind.len());
        let (unit, next) = behind.split_at_checked(next_at)?;
        let seconds = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 0.001,
            "us" | "µs" => 0.000_001,
            _ => return None,
        };
        sum += number(count)? * seconds;
        rest = next;
    }
    Some(sum).filter(|_| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v))).collect()
    }

    fn wait(pairs: &[(&'static str, &'static str)]) -> Option<Duration> {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        retry_after(&headers(pairs), now)
    }

    #[test]
    fn retry_after_is_read_in_each_of_its_spellings_and_capped() {
        assert_eq!(wait(&[]), None);
        assert_eq!(wait(&[("retry-after", "2")]), Some(Duration::from_secs(2)));
        assert_eq!(wait(&[("retry-after", "0.5")]), Some(Duration::from_millis(500)));
        assert_eq!(
            wait(&[("retry-after", "9"), ("retry-after-ms", "250")]),
            Some(Duration::from_millis(250))
        );
        assert_eq!(wait(&[("retry-after", "Sun, 06 Nov 1994 08:49:40 GMT")]), Some(Duration::from_secs(3)));
        assert_eq!(wait(&[("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT")]), Some(Duration::ZERO));
        assert_eq!(wait(&[("retry-after", "9999")]), Some(LONGEST));
        for nonsense in ["soon", "-1", "NaN", "inf", ""] {
            assert_eq!(wait(&[("retry-after", nonsense)]), None, "{nonsense:?}");
        }
    }

    #[test]
    fn a_reset_is_read_as_openai_spells_it() {
        let reset =
            |text| until_reset(&headers(&[("x-ratelimit-reset-requests", text)]), SystemTime::UNIX_EPOCH);
        assert_eq!(reset("6ms"), Some(Duration::from_millis(6)));
        assert_eq!(reset("1m30.5s"), Some(Duration::from_millis(90_500)));
        assert_eq!(reset("2"), Some(Duration::from_secs(2)));
        assert_eq!(reset("1h"), Some(LONGEST));
        for nonsense in ["", "s", "1x", "1.2.3s", "-1s", "1m 2s"] {
            assert_eq!(reset(nonsense), None, "{nonsense:?}");
        }
    }

    #[test]
    fn only_empty_buckets_are_waited_for_and_the_last_of_them() {
        let pairs = [
            ("x-ratelimit-remaining-requests", "0"),
            ("x-ratelimit-reset-requests", "2s"),
            ("x-ratelimit-remaining-tokens", "900"),
            ("x-ratelimit-reset-tokens", "1m"),
        ];
        let reset = |pairs: &[_]| until_reset(&headers(pairs), SystemTime::UNIX_EPOCH);
        assert_eq!(reset(&pairs), Some(Duration::from_secs(2)));
        assert_eq!(reset(&pairs[1..2]), Some(Duration::from_secs(2)));
        assert_eq!(reset(&pairs[2..]), None);
        assert_eq!(reset(&[pairs[1], pairs[3]]), Some(Duration::from_mins(1)));
    }

    #[test]
    fn a_good_answer_tells_of_an_empty_bucket_only_when_it_says_so() {
        let now = SystemTime::UNIX_EPOCH;
        let said = |pairs: &[_]| exhausted(&headers(pairs), || now);
        let reset = ("x-ratelimit-reset-requests", "20s");
        assert_eq!(said(&[reset]), None);
        assert_eq!(said(&[("x-ratelimit-remaining-requests", "1"), reset]), None);
        let wait = said(&[("x-ratelimit-remaining-requests", "0"), reset]);
        assert_eq!(wait, Some(Duration::from_secs(20)));
    }

    #[test]
    fn anthropics_moments_are_read_as_waits() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_mins(1);
        let wait = |reset| {
            let pairs = [
                ("anthropic-ratelimit-input-tokens-remaining", "0"),
                ("anthropic-ratelimit-input-tokens-reset", reset),
            ];
            exhausted(&headers(&pairs), || now)
        };
        assert_eq!(wait("1970-01-01T00:01:07Z"), Some(Duration::from_secs(7)));
        assert_eq!(wait("1970-01-01T00:00:01Z"), Some(Duration::ZERO));
        assert_eq!(wait("tomorrow"), None);
    }
}
