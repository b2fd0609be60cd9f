//! Adds up how many tests passed, failed and were skipped, across runners.

use std::fmt;
use std::ops::AddAssign;

/// Counted tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

// === impl Tally ===

impl Tally {
    /// What a closing line says: cargo's `test result: ok. 3 passed; 0 failed; 1 ignored; …`, or the
    /// `3 passed, 0 failed, 1 skipped` of the client suites. `None` for every other line.
    pub(crate) fn read(line: &str) -> Option<Self> {
        let counts = match line.strip_prefix("test result: ") {
            Some(rest) => rest.split_once(". ")?.1,
            None => line.trim(),
        };
        let mut tally = Self::default();
        let mut told = 0;
        for part in counts.split([';', ',']) {
            let Some((count, word)) = part.trim().split_once(' ') else { continue };
            let Ok(count) = count.parse() else { continue };
            match word {
                "passed" => tally.passed = count,
                "failed" => tally.failed = count,
                "ignored" | "skipped" => tally.skipped = count,
                _ => continue,
            }
            told += 1;
        }
        (told == 3).then_some(tally)
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_lines_of_both_kinds_are_read() {
        let cargo = "test result: FAILED. 3 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.1s";
        let counted = Tally { passed: 3, failed: 2, skipped: 1 };
        assert_eq!(Tally::read(cargo), Some(counted));
        assert_eq!(Tally::read(&counted.to_string()), Some(counted));
    }

    #[test]
    fn other_lines_count_nothing() {
        for line in [
            "",
            "test it_works ... ok",
            "running 3 tests",
            "3 passed",
            "we are 1 passed, 2 failed",
            "test result: ok",
        ] {
            assert_eq!(Tally::read(line), None, "{line}");
        }
    }

    #[test]
    fn tallies_add_up() {
        let mut sum = Tally { passed: 1, failed: 0, skipped: 2 };
        sum += Tally { passed: 10, failed: 3, skipped: 0 };
        assert_eq!(sum.to_string(), "11 passed, 3 failed, 2 skipped");
    }
}
