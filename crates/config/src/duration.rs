use std::time::Duration;

use crate::refused::Refused;

/// What a plain number means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Seconds,
    Minutes,
}

/// The longest time that can be set. A bound keeps sums of moments and times from overflowing anywhere.
pub(crate) const LONGEST: Duration = Duration::from_hours(24 * 366);

const DAY: u64 = 86_400_000;

/// The units of the text form, in milliseconds, the largest first.
const UNITS: [(&str, u64); 5] = [("d", DAY), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// A plain number, in the unit of its key.
pub(crate) fn from_number(number: u64, unit: Unit) -> Result<Duration, Refused> {
    let seconds = match unit {
        Unit::Seconds => number,
        Unit::Minutes => number.saturating_mul(60),
    };
    bounded(Duration::from_secs(seconds))
}

/// Reads a time as the configuration file writes it: `30s`, `5m`, `1h30m`, `250ms`. The error says what is wrong and
/// how it is written, and does not repeat the text.
pub fn time_of_text(text: &str) -> Result<Duration, String> {
    from_text(text).map_err(|refused| match refused.advice.as_str() {
        "" => refused.message,
        advice => format!("{}: {advice}", refused.message),
    })
}

/// The way round: a time as the configuration file writes it, exact to the millisecond.
pub fn text_of_time(time: Duration) -> String {
    show(time)
}

/// `30s`, `5m`, `1h30m`, `250ms`: whole numbers with units, the larger unit first.
pub(crate) fn from_text(text: &str) -> Result<Duration, Refused> {
    let mut rest = text;
    let mut total: u64 = 0;
    let mut smaller = UNITS.as_slice();
    if rest.is_empty() {
        return Err(not_a_time());
    }
    while !rest.is_empty() {
        let (digits, after) = split(rest, |c| c.is_ascii_digit());
        let (name, after) = split(after, |c| c.is_ascii_alphabetic());
        let number: u64 = digits.parse().map_err(|_no| not_a_time())?;
        let at = smaller.iter().position(|(unit, _)| *unit == name).ok_or_else(not_a_time)?;
        let (_, milliseconds) = smaller.get(at).ok_or_else(not_a_time)?;
        total = total.saturating_add(number.saturating_mul(*milliseconds));
        smaller = smaller.get(at + 1..).unwrap_or_default();
        rest = after;
    }
    bounded(Duration::from_millis(total))
}

/// The text form of a time, exact to the millisecond.
pub(crate) fn show(time: Duration) -> String {
    let mut rest = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    if rest == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, milliseconds) in UNITS {
        let count = rest / milliseconds;
        rest %= milliseconds;
        if count > 0 {
            text.push_str(&count.to_string());
            text.push_str(unit);
        }
    }
    text
}

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

fn bounded(time: Duration) -> Result<Duration, Refused> {
    if time > LONGEST {
        return Err(Refused::new(format!("is longer than {}", show(LONGEST))));
    }
    Ok(time)
}

fn not_a_time() -> Refused {
    Refused::new("is not a time").advise("write it like \"30s\", \"5m\", \"1h30m\" or \"250ms\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_with_units_are_read() {
        for (text, milliseconds) in [
            ("30s", 30_000),
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("250ms", 250),
            ("1m500ms", 60_500),
            ("2d", 2 * DAY),
            ("0s", 0),
        ] {
            assert_eq!(from_text(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in
            ["", "s", "30", "1.5s", "-1s", "30 s", "1m1h", "1s1s", "5x", "5S", "٣s", "99999999999999999999s"]
        {
            assert_eq!(from_text(text), Err(not_a_time()), "{text:?}");
        }
        assert_eq!(from_text("9999d").unwrap_err().message, "is longer than 366d");
        assert_eq!(from_text("18446744073709551615d").unwrap_err().message, "is longer than 366d");
    }

    #[test]
    fn numbers_have_the_unit_of_their_key() {
        assert_eq!(from_number(30, Unit::Seconds), Ok(Duration::from_secs(30)));
        assert_eq!(from_number(30, Unit::Minutes), Ok(Duration::from_mins(30)));
        assert!(from_number(u64::MAX, Unit::Minutes).is_err());
    }

    #[test]
    fn what_is_shown_reads_back_as_the_same() {
        for milliseconds in [0, 1, 999, 1_000, 61_001, 5_400_000, DAY + 1] {
            let time = Duration::from_millis(milliseconds);
            assert_eq!(from_text(&show(time)), Ok(time));
        }
        assert_eq!(show(Duration::from_mins(90)), "1h30m");
    }
}
