//! `cargo xtask ci`: everything that must hold before a change lands, except the tests.

use anyhow::bail;

use crate::shell::{cargo, say};
use crate::{bare, bench, browser, campaign, fuzz, layers, release, threads, tidy};

type Check = fn() -> anyhow::Result<Done>;

/// How a check went that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    Passed,
    /// The machine lacks what it takes, which was said.
    Skipped,
}

/// Cheapest first: whoever waits for the outcome learns of the likely faults soon.
const CHECKS: [(&str, Check); 11] = [
    ("format", || cargo(["fmt", "--all", "--check"]).run().map(Done::from)),
    ("layers", || layers::run().map(Done::from)),
    ("tidy", || tidy::run().map(Done::from)),
    ("types of the web pages", browser::types),
    ("lints", || {
        let lints = ["clippy", "--workspace", "--all-targets", "--locked", "--", "--deny", "warnings"];
        cargo(lints).run().map(Done::from)
    }),
    ("documentation", || {
        let doc = cargo(["doc", "--workspace", "--no-deps", "--locked"]);
        doc.env("RUSTDOCFLAGS", "--deny warnings").run().map(Done::from)
    }),
    ("threads", || threads::run().map(Done::from)),
    ("build", || cargo(["build", "--locked"]).run().map(Done::from)),
    ("bare build", || bare::run().map(Done::from)),
    ("web pages", || browser::run(None)),
    ("bench", || bench::try_out().map(Done::from)),
];

/// What takes too long for every change.
const LONG: [(&str, Check); 5] = [
    ("fuzzing", || fuzz::run(60, None)),
    ("random bodies", || {
        cargo(["test", "--locked", "--package", "gateway-proxy", "--lib", "call::tests"])
            .env("PROPTEST_CASES", "100000")
            .run()
            .map(Done::from)
    }),
    ("a large upload", || {
        cargo(["test", "--locked", "--package", "gateway-tests", "--test", "it", "uploads::a_large_upload"])
            .env("GATEWAY_TEST_UPLOAD_MIB", "200")
            .run()
            .map(Done::from)
    }),
    ("release", || release::run(&release::Options::default()).map(Done::from)),
    ("campaigns", || campaign::run(true, None, None).map(Done::from)),
];

/// Runs all checks, also after one failed: one run shall tell everything.
pub(crate) fn run(long: bool) -> anyhow::Result<()> {
    let mut went = Vec::new();
    for (name, check) in CHECKS.iter().chain(LONG.iter().filter(|_| long)) {
        say(&format!("\n=== {name} ==="));
        let done = check();
        if let Err(error) = &done {
            say(&format!("error: {error:#}"));
        }
        went.push((*name, done.ok()));
    }
    say(&format!("\n{}", closing(&went)?));
    Ok(())
}

/// The last line: how many passed, and which did not run. `None` stands for a failure, of which all are told.
fn closing(went: &[(&str, Option<Done>)]) -> anyhow::Result<String> {
    let those =
        |wanted| went.iter().filter(|(_, done)| *done == wanted).map(|(name, _)| *name).collect::<Vec<_>>();
    let (failed, skipped) = (those(None), those(Some(Done::Skipped)));
    let mut line = format!("{} passed", those(Some(Done::Passed)).len());
    if !skipped.is_empty() {
        line = format!("{line}, {} SKIPPED ({})", skipped.len(), skipped.join(", "));
    }
    if !failed.is_empty() {
        bail!("{} of {} checks failed: {}; {line}", failed.len(), went.len(), failed.join(", "));
    }
    Ok(line)
}

// === impl Done ===

/// What ran to its end without an error has passed.
impl From<()> for Done {
    fn from((): ()) -> Self {
        Self::Passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_counts_what_was_skipped_as_nothing_that_passed() {
        let (passed, skipped) = (Some(Done::Passed), Some(Done::Skipped));
        let line = closing(&[("a", passed), ("b", skipped), ("c", passed), ("d", skipped)]);
        assert_eq!(line.unwrap(), "2 passed, 2 SKIPPED (b, d)");
        assert_eq!(closing(&[("a", passed), ("b", passed)]).unwrap(), "2 passed");
        let failed = closing(&[("a", passed), ("b", skipped), ("c", None)]).unwrap_err();
        assert_eq!(failed.to_string(), "1 of 3 checks failed: c; 1 passed, 1 SKIPPED (b)");
    }
}
