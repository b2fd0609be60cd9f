//! `cargo xtask ci`: everything that must hold before a change lands, except the tests.

use anyhow::bail;

use crate::shell::{cargo, say};
use crate::{layers, threads, tidy};

type Check = fn() -> anyhow::Result<()>;

/// Cheapest first: whoever waits for the outcome learns of the likely faults soon.
const CHECKS: [(&str, Check); 7] = [
    ("format", || cargo(["fmt", "--all", "--check"]).run()),
    ("layers", layers::run),
    ("tidy", tidy::run),
    ("lints", || {
        cargo(["clippy", "--workspace", "--all-targets", "--locked", "--", "--deny", "warnings"]).run()
    }),
    ("documentation", || {
        cargo(["doc", "--workspace", "--no-deps", "--locked"]).env("RUSTDOCFLAGS", "--deny warnings").run()
    }),
    ("threads", threads::run),
    ("build", || cargo(["build", "--locked"]).run()),
];

/// Runs all checks, also after one failed: one run shall tell everything.
pub(crate) fn run() -> anyhow::Result<()> {
    let mut failed = Vec::new();
    for (name, check) in CHECKS {
        say(&format!("\n=== {name} ==="));
        if let Err(error) = check() {
            say(&format!("error: {error:#}"));
            failed.push(name);
        }
    }
    if !failed.is_empty() {
        bail!("{} of {} checks failed: {}", failed.len(), CHECKS.len(), failed.join(", "));
    }
    say(&format!("\nall {} checks passed", CHECKS.len()));
    Ok(())
}
