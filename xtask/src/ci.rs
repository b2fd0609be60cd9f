//! `cargo xtask ci`: everything that must hold before a change lands, except the tests.

use anyhow::bail;

use crate::shell::{cargo, say};
use crate::{bare, bench, browser, campaign, fuzz, layers, threads, tidy};

type Check = fn() -> anyhow::Result<()>;

/// Cheapest first: whoever waits for the outcome learns of the likely faults soon.
const CHECKS: [(&str, Check); 11] = [
    ("format", || cargo(["fmt", "--all", "--check"]).run()),
    ("layers", layers::run),
    ("tidy", tidy::run),
    ("types of the web pages", browser::types),
    ("lints", || {
        cargo(["clippy", "--workspace", "--all-targets", "--locked", "--", "--deny", "warnings"]).run()
    }),
    ("documentation", || {
        cargo(["doc", "--workspace", "--no-deps", "--locked"]).env("RUSTDOCFLAGS", "--deny warnings").run()
    }),
    ("threads", threads::run),
    ("build", || cargo(["build", "--locked"]).run()),
    ("bare build", bare::run),
    ("web pages", || browser::run(None)),
    ("bench", bench::try_out),
];

/// What takes too long for every change.
const LONG: [(&str, Check); 4] = [
    ("fuzzing", || fuzz::run(60, None)),
    ("random bodies", || {
        cargo(["test", "--locked", "--package", "gateway-proxy", "--lib", "call::tests"])
            .env("PROPTEST_CASES", "100000")
            .run()
    }),
    ("a large upload", || {
        cargo(["test", "--locked", "--package", "gateway-tests", "--test", "it", "uploads::a_large_upload"])
            .env("GATEWAY_TEST_UPLOAD_MIB", "200")
            .run()
    }),
    ("campaigns", || campaign::run(true, None, None)),
];

/// Runs all checks, also after one failed: one run shall tell everything.
pub(crate) fn run(long: bool) -> anyhow::Result<()> {
    let mut failed = Vec::new();
    let checks: Vec<_> = CHECKS.iter().chain(LONG.iter().filter(|_| long)).collect();
    for (name, check) in &checks {
        say(&format!("\n=== {name} ==="));
        if let Err(error) = check() {
            say(&format!("error: {error:#}"));
            failed.push(*name);
        }
    }
    if !failed.is_empty() {
        bail!("{} of {} checks failed: {}", failed.len(), checks.len(), failed.join(", "));
    }
    say(&format!("\nall {} checks passed", checks.len()));
    Ok(())
}
