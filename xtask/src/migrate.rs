//! `cargo xtask migrate`: the server migrates; this only calls it from a checkout.

use std::path::Path;

use anyhow::Context;

use crate::shell::cargo;

pub(crate) fn run(database: &Path) -> anyhow::Result<()> {
    // Cargo is started at the root of the workspace; the path was meant from where the caller stands.
    let database = std::path::absolute(database).context("the path of the database is no path")?;
    cargo(["run", "--package", "gateway-server", "--", "migrate", "--database"]).args([database]).run()
}
