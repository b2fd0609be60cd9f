use crate::refused::Refused;

/// The units of the text form, in bytes; the first exact one is used for showing.
const UNITS: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("B", 1),
];

/// `32MiB`, `64KiB`, `10MB` (decimal), `512B`: a whole number with a unit, in bytes.
pub(crate) fn from_text(text: &str) -> Result<u64, Refused> {
    let (digits, name) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let unit = UNITS.iter().find(|(unit, _)| unit.eq_ignore_ascii_case(name.trim_start()));
    match (digits.parse::<u64>(), unit) {
        (Ok(number), Some((_, bytes))) => Ok(number.saturating_mul(*bytes)),
        _ => {
            Err(Refused::new("is not a size")
                .advise("write it like \"32MiB\", \"64KiB\" or a number of bytes"))
        }
    }
}

/// The text form of a size, exact.
pub(crate) fn show(bytes: u64) -> String {
    let unit = UNITS.iter().find(|(_, size)| bytes >= *size && bytes.is_multiple_of(*size));
    match unit {
        Some((name, size)) => format!("{}{name}", bytes / size),
        None => format!("{bytes}B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_with_units_are_read() {
        for (text, bytes) in [
            ("32MiB", 32 << 20),
            ("64kib", 64 << 10),
            ("10MB", 10_000_000),
            ("1 GiB", 1 << 30),
            ("512B", 512),
            ("0B", 0),
            ("99999999999GiB", u64::MAX),
        ] {
            assert_eq!(from_text(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in ["", "12", "MiB", "1.5MiB", "-1B", "12XB", "12M", "1MiB ", "99999999999999999999B"] {
            assert_eq!(from_text(text).unwrap_err().message, "is not a size", "{text:?}");
        }
    }

    #[test]
    fn what_is_shown_reads_back_as_the_same() {
        for bytes in [0, 1, 999, 1_000, 1_024, 65_536, 33_554_432, 10_000_000, 1_500_000_001] {
            assert_eq!(from_text(&show(bytes)), Ok(bytes));
        }
        assert_eq!(show(32 << 20), "32MiB");
    }
}
