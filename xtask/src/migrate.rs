//! `cargo xtask migrate`: the server migrates; this only calls it from a checkout.

use std::path::Path;

use crate::shell::cargo;

pub(crate) fn run(database: &Path) -> anyhow::Result<()> {
    cargo(["run", "--package", "gateway-server", "--", "migrate", "--database"]).args([database]).run()
}
