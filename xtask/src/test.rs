//! `cargo xtask test`: the one command that runs all tests.

use anyhow::bail;

use crate::shell::{cargo, say};
use crate::tally::Tally;
use crate::{clients, conformance};

/// Runs the clients' suites (unless told not to), then the workspace's tests, and closes with one line that counts
/// both. A suite that cannot run for want of Python, Node or the network is skipped, said so, and counted.
pub(crate) fn run(with_clients: bool) -> anyhow::Result<()> {
    cargo(["build", "--locked", "--package", "gateway-server"]).run()?;
    let mut tally = Tally::default();
    if with_clients {
        tally += clients::run()?;
        tally += conformance::tally()?;
    } else {
        say("skipped: the clients' suites, as asked by --no-clients");
        tally.skipped += clients::SUITES + conformance::SUITES;
    }
    tally += workspace()?;
    say(&format!("\n{tally}"));
    if tally.failed > 0 {
        bail!("{} tests failed", tally.failed);
    }
    Ok(())
}

/// How every key begins that the tests give to channels and users. Nothing that runs may ever print one.
const CANARY: &str = "sk-canary";

fn workspace() -> anyhow::Result<Tally> {
    let mut tally = Tally::default();
    let mut leaks = 0;
    let passed = cargo(["test", "--workspace", "--locked", "--no-fail-fast"]).watch(|line| {
        tally += Tally::read(line).unwrap_or_default();
        // Cargo calls a test passed that has only said why it did nothing.
        tally.skipped += u64::from(line.starts_with("SKIPPED: "));
        leaks += u64::from(line.contains(CANARY));
    })?;
    // A failed test shows what it compared, keys and all: then the failure is what matters.
    if tally.failed == 0 && leaks > 0 {
        say(&format!("error: {leaks} lines of the tests' output hold a key that begins with {CANARY}"));
        tally.failed += leaks;
    }
    if !passed && tally.failed == 0 {
        // It did not come as far as counting: a build error, or a test binary that crashed.
        tally.failed = 1;
    }
    Ok(tally)
}
