//! `cargo xtask sim`: the routing simulator, built with optimisations.

use crate::shell::cargo;

/// Passes the arguments on: the simulator knows what they mean. Fails when it does, as with `--check` and a missed
/// goal.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    cargo(["run", "--quiet", "--release", "--locked", "--package", "gateway-routing-sim", "--"])
        .args(arguments)
        .run()
}
