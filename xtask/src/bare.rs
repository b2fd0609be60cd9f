//! Whether the gateway can be built where there is nothing but Rust and a C compiler.

use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::shell::{Step, cargo, target_directory};

/// What a C compiler is made of; SQLite and the cryptography bring C and assembly.
const C_COMPILER: [&str; 4] = ["cc", "ld", "as", "ar"];

/// Builds the server where `PATH` leads to these tools alone: no Node, no Python, no shell, no network. Apart from all
/// other builds, so that every build script has run here; what has not changed since the last time is kept.
pub(crate) fn run() -> anyhow::Result<()> {
    let target = target_directory()?.join("bare");
    let tools = target.join("tools");
    if tools.exists() {
        fs::remove_dir_all(&tools).context("cannot clear the folder of tools")?;
    }
    fs::create_dir_all(&tools).context("cannot make a folder for the tools")?;
    let sysroot = Step::new("rustc").args(["--print", "sysroot"]).output()?;
    let rust = ["cargo", "rustc"].map(|name| Path::new(sysroot.trim()).join("bin").join(name));
    for tool in rust.into_iter().map(Ok).chain(C_COMPILER.map(found)) {
        let tool = tool?;
        let name = tool.file_name().context("a tool has a name")?;
        symlink(&tool, tools.join(name)).with_context(|| format!("cannot link to {}", tool.display()))?;
    }
    cargo(["build", "--locked", "--offline", "--package", "gateway-server", "--target-dir"])
        .args([&target])
        .env("PATH", &tools)
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("CARGO_INCREMENTAL", "0")
        .run()
}

/// Where a tool is.
fn found(name: &str) -> anyhow::Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let places = env::split_paths(&path).map(|folder| folder.join(name));
    places.into_iter().find(|place| place.is_file()).with_context(|| format!("there is no {name} on PATH"))
}
