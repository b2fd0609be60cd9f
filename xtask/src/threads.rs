//! `cargo xtask threads`: what must hold however threads take turns, tried on thousands of schedules.

use crate::shell::{cargo, target_directory};

/// Builds routing against shuttle's atomics and locks, apart from all other builds, and runs the stories in
/// `schedules.rs`. Somewhat optimised, because a schedule is all computation.
pub(crate) fn run() -> anyhow::Result<()> {
    cargo(["test", "--locked", "--package", "gateway-routing", "--lib", "--target-dir"])
        .args([target_directory()?.join("shuttle")])
        .args(["schedules"])
        .env("RUSTFLAGS", "--cfg shuttle")
        .env("CARGO_PROFILE_DEV_OPT_LEVEL", "1")
        .run()
}
