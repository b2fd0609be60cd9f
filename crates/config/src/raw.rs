use std::net::SocketAddr;
use std::time::Duration;

use toml::de::DeValue;

use crate::duration::{self, Unit};
use crate::refused::Refused;
use crate::{size, suggest};

/// A value as it was written, before anyone knows what it should be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Raw<'a> {
    /// In the file.
    Toml(&'a DeValue<'a>),
    /// In a variable: everything is text there.
    Variable(&'a str),
}

// === impl Raw ===

impl<'a> Raw<'a> {
    pub(crate) fn text(self) -> Result<&'a str, Refused> {
        match self {
            Self::Variable(text) => Ok(text),
            Self::Toml(DeValue::String(text)) => Ok(text),
            Self::Toml(other) => Err(expected("a string", other)),
        }
    }

    /// A text that says something.
    pub(crate) fn filled(self) -> Result<&'a str, Refused> {
        let text = self.text()?;
        if text.trim().is_empty() { Err(Refused::new("is empty")) } else { Ok(text) }
    }

    pub(crate) fn flag(self) -> Result<bool, Refused> {
        match self {
            Self::Toml(DeValue::Boolean(flag)) => Ok(*flag),
            Self::Variable("true") => Ok(true),
            Self::Variable("false") => Ok(false),
            Self::Variable(text) => {
                Err(Refused::new(format!("expected true or false, found `{}`", short(text))))
            }
            Self::Toml(other) => Err(expected("true or false", other)),
        }
    }

    /// A whole number that is not negative.
    pub(crate) fn number(self) -> Result<u64, Refused> {
        match self {
            Self::Variable(text) => match text.parse() {
                Ok(number) => Ok(number),
                Err(_) => Err(Refused::new(format!("expected a whole number, found `{}`", short(text)))),
            },
            Self::Toml(DeValue::Integer(number)) => {
                if number.as_str().starts_with('-') {
                    return Err(Refused::new("must not be negative"));
                }
                u64::from_str_radix(number.as_str(), number.radix())
                    .map_err(|_big| Refused::new("is too large"))
            }
            Self::Toml(other) => Err(expected("a whole number", other)),
        }
    }

    /// A whole number within bounds.
    pub(crate) fn number_in(self, least: u64, most: u64) -> Result<u64, Refused> {
        within(self.number()?, least, most, |number| number.to_string())
    }

    /// Bytes: a number, or a text with a unit.
    pub(crate) fn size_in(self, least: u64, most: u64) -> Result<u64, Refused> {
        let bytes = match self {
            Self::Toml(DeValue::String(text)) => size::from_text(text)?,
            Self::Variable(text) if !is_digits(text) => size::from_text(text)?,
            Self::Toml(other) if !other.is_integer() => return Err(expected("a size", other)),
            Self::Toml(_) | Self::Variable(_) => self.number()?,
        };
        within(bytes, least, most, size::show)
    }

    /// A time: a number in the key's unit, or a text with units.
    pub(crate) fn duration(self, unit: Unit, least: Duration) -> Result<Duration, Refused> {
        let time = match self {
            Self::Toml(DeValue::String(text)) => duration::from_text(text)?,
            Self::Variable(text) if !is_digits(text) => duration::from_text(text)?,
            Self::Toml(other) if !other.is_integer() => return Err(expected("a time", other)),
            Self::Toml(_) | Self::Variable(_) => duration::from_number(self.number()?, unit)?,
        };
        if time < least {
            return Err(Refused::new(format!("must be at least {}", duration::show(least))));
        }
        Ok(time)
    }

    /// One of a few words.
    pub(crate) fn word(self, words: &[&'static str]) -> Result<&'static str, Refused> {
        let text = self.text()?;
        words.iter().find(|word| **word == text).copied().ok_or_else(|| {
            let all: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
            let possible = format!("expected one of {}", all.join(", "));
            let advice = match suggest::did_you_mean(text, words.iter().copied()) {
                Some(meant) => format!("{meant} ({possible})"),
                None => possible,
            };
            Refused::new(format!("unknown value \"{}\"", short(text))).advise(advice)
        })
    }

    pub(crate) fn address(self) -> Result<SocketAddr, Refused> {
        let text = self.text()?;
        text.parse().map_err(|_no| {
            Refused::new("is not an address with a port")
                .advise("write it like \"127.0.0.1:9000\" or \"[::1]:9000\"")
        })
    }

    /// A list of addresses, each once.
    pub(crate) fn addresses(self) -> Result<Vec<SocketAddr>, Refused> {
        let mut addresses = Vec::new();
        for text in self.list()? {
            let address = Raw::Variable(&text).address()?;
            if addresses.contains(&address) {
                return Err(Refused::new(format!("names {address} twice")));
            }
            addresses.push(address);
        }
        Ok(addresses)
    }

    /// A list of texts; in a variable they stand between commas.
    pub(crate) fn list(self) -> Result<Vec<String>, Refused> {
        match self {
            Self::Variable(text) => Ok(text
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(str::to_owned)
                .collect()),
            Self::Toml(DeValue::Array(items)) => {
                items.iter().map(|item| Self::Toml(item.get_ref()).filled().map(str::to_owned)).collect()
            }
            Self::Toml(other) => Err(expected("a list of strings", other)),
        }
    }
}

/// The value's type, for people.
pub(crate) fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(true) => "true",
        DeValue::Boolean(false) => "false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// A text that someone wrote, cut and escaped so that it fits into one line of a message.
pub(crate) fn short(text: &str) -> String {
    const MOST: usize = 60;
    let mut shown: String = text.chars().take(MOST).flat_map(char::escape_debug).collect();
    if text.chars().nth(MOST).is_some() {
        shown.push('…');
    }
    shown
}

fn expected(what: &str, found: &DeValue<'_>) -> Refused {
    let refused = Refused::new(format!("expected {what}, found {}", kind_of(found)));
    let wants_text = what == "a string";
    if let Some(text) = found.as_str() {
        let is_bare = is_digits(text) || text == "true" || text == "false";
        return if is_bare && !wants_text { refused.advise("write it without quotes") } else { refused };
    }
    if wants_text && (found.is_integer() || found.is_float() || found.is_bool()) {
        return refused.advise("write it in quotes");
    }
    refused
}

fn within(number: u64, least: u64, most: u64, show: impl Fn(u64) -> String) -> Result<u64, Refused> {
    if (least..=most).contains(&number) {
        return Ok(number);
    }
    Err(Refused::new(format!("must be between {} and {}, not {}", show(least), show(most), show(number))))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn toml(text: &str) -> DeValue<'_> {
        DeValue::parse(text).unwrap().into_inner()
    }

    fn message<T: std::fmt::Debug>(answer: Result<T, Refused>) -> String {
        let refused = answer.unwrap_err();
        format!("{} | {}", refused.message, refused.advice)
    }

    #[test]
    fn numbers_are_read_in_every_notation_of_toml() {
        for (text, number) in
            [("8080", 8080), ("+1", 1), ("1_000", 1000), ("0x10", 16), ("0b11", 3), ("0o17", 15)]
        {
            assert_eq!(Raw::Toml(&toml(text)).number(), Ok(number), "{text}");
        }
        assert_eq!(Raw::Variable("8080").number(), Ok(8080));
    }

    #[test]
    fn a_value_of_another_type_is_named_and_the_way_out_too() {
        assert_eq!(
            message(Raw::Toml(&toml("'80'")).number()),
            "expected a whole number, found a string | write it without quotes"
        );
        assert_eq!(
            message(Raw::Toml(&toml("1")).text()),
            "expected a string, found a whole number | write it in quotes"
        );
        assert_eq!(message(Raw::Toml(&toml("-1")).number()), "must not be negative | ");
        assert_eq!(message(Raw::Toml(&toml("99999999999999999999")).number()), "is too large | ");
        assert_eq!(message(Raw::Variable("yes").flag()), "expected true or false, found `yes` | ");
        assert_eq!(message(Raw::Toml(&toml("{}")).list()), "expected a list of strings, found a table | ");
        assert_eq!(
            message(Raw::Toml(&toml("[1]")).list()),
            "expected a string, found a whole number | write it in quotes"
        );
        assert_eq!(
            message(Raw::Toml(&toml("1.5")).size_in(0, 9)),
            "expected a size, found a number with a fraction | "
        );
    }

    #[test]
    fn a_variable_takes_what_the_file_takes() {
        assert_eq!(Raw::Variable("30").duration(Unit::Minutes, Duration::ZERO), Ok(Duration::from_mins(30)));
        assert_eq!(Raw::Variable("30s").duration(Unit::Minutes, Duration::ZERO), Ok(Duration::from_secs(30)));
        assert_eq!(Raw::Variable("32MiB").size_in(0, u64::MAX), Ok(32 << 20));
        assert_eq!(Raw::Variable("1024").size_in(0, u64::MAX), Ok(1024));
        assert_eq!(Raw::Variable("a, b,").list(), Ok(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(Raw::Variable("[::1]:80").address().map(|a| a.port()), Ok(80));
    }

    #[test]
    fn a_long_or_strange_text_is_shown_on_one_line() {
        assert_eq!(short("a\r\nb\u{1b}"), r"a\r\nb\u{1b}");
        assert_eq!(short(&"x".repeat(100)).chars().count(), 61);
    }
}
