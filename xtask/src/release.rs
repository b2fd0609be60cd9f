//! `cargo xtask release`: the program as it is given to those who run it, and what goes with it.
//!
//! The compiler is shown what the program does under load, and lays it out for that (profile-guided optimisation): a small
//! request then costs about a tenth less. So the program is built twice. What the compiler was shown is kept; with it the
//! same sources become the same program again.

mod archive;
mod compiler;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;

use crate::bench;
use crate::shell::{Step, say, target_directory};
use compiler::Compiler;

/// How the release is made.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Options {
    /// What an earlier release's compiler was shown, instead of showing it anew
    #[arg(long, value_name = "FILE")]
    profile: Option<PathBuf>,
}

/// Builds the program and packs it, into `target/dist`.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let target = target_directory()?;
    let folder = target.join("dist");
    fs::create_dir_all(&folder).context("cannot make the folder of releases")?;
    let compiler = Compiler::find(&target)?;
    let profile = folder.join("gateway-server.profdata");
    match &options.profile {
        Some(given) => keep(given, &profile)?,
        None => show(&compiler, &target.join("shown"), &profile)?,
    }
    let program = folder.join("gateway-server");
    keep(&compiler.build_for(&profile)?, &program)?;
    let version = Step::new(&program).args(["--version"]).output()?;
    let version = version.split_whitespace().last().context("the program does not know its version")?;
    let name = format!("openai-gateway-{version}-{}", compiler.host());
    let archive = archive::pack(&folder, &name, &program)?;
    archive::sum_up(&folder, &[&archive, &program, &profile])?;
    say(&format!("released: {} (checksums beside it, in SHA256SUMS)", archive.display()));
    Ok(())
}

/// Lets a program that counts what it does do all that matters, and keeps the counts.
fn show(compiler: &Compiler, shown: &Path, profile: &Path) -> anyhow::Result<()> {
    // Counts of other sources are worth nothing.
    if shown.exists() {
        fs::remove_dir_all(shown).context("cannot clear the folder of counts")?;
    }
    bench::train(compiler.build_counting(shown)?)?;
    compiler.merge(shown, profile)
}

/// Copies a file beside its place and moves it there: a program that runs cannot be written to, and a profile may be copied to
/// where it is.
fn keep(from: &Path, to: &Path) -> anyhow::Result<()> {
    let fresh = to.with_extension("new");
    fs::copy(from, &fresh).with_context(|| format!("cannot copy {}", from.display()))?;
    fs::rename(&fresh, to).with_context(|| format!("cannot put {} in its place", to.display()))
}
