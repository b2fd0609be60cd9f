//! The compiler, and what it needs to learn from a program that ran.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::shell::{Step, cargo, root};

/// The toolchain that runs this.
pub(super) struct Compiler {
    /// For what it compiles: this machine.
    host: String,
    /// LLVM's program that adds counts up. Another version's cannot read them.
    adder: PathBuf,
    /// Apart from all other builds, because other flags are other programs.
    folder: PathBuf,
}

// === impl Compiler ===

impl Compiler {
    pub(super) fn find(target: &Path) -> anyhow::Result<Self> {
        let about = Step::new("rustc").args(["--version", "--verbose"]).output()?;
        let host = about.lines().find_map(|line| line.strip_prefix("host: "));
        let host = host.context("rustc does not say for what it compiles")?.to_owned();
        let sysroot = Step::new("rustc").args(["--print", "sysroot"]).output()?;
        let tools = Path::new(sysroot.trim()).join("lib/rustlib").join(&host).join("bin");
        let adder = tools.join("llvm-profdata");
        if !adder.exists() {
            bail!("the toolchain has no llvm-profdata: `rustup component add llvm-tools` brings it");
        }
        Ok(Self { host, adder, folder: target.join("trained") })
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// The program with counters in it, which it writes into a folder when it ends.
    pub(super) fn build_counting(&self, counts: &Path) -> anyhow::Result<PathBuf> {
        self.build("counting", &format!("-Cprofile-generate={}", text(counts)?))
    }

    /// The program, laid out for what a profile says of it.
    pub(super) fn build_for(&self, profile: &Path) -> anyhow::Result<PathBuf> {
        self.build("final", &format!("-Cprofile-use={}", text(profile)?))
    }

    fn build(&self, name: &str, flag: &str) -> anyhow::Result<PathBuf> {
        let folder = self.folder.join(name);
        let given = std::env::var("RUSTFLAGS").unwrap_or_default();
        // Where somebody's files are is nobody's business, and would make each machine's program another one.
        let (sources, here) = (cargo_home()?, text(root())?.to_owned());
        let moved =
            [(sources, "cargo"), (here, ".")].map(|(from, to)| format!("--remap-path-prefix={from}={to}"));
        let flags = flags(&given, moved.iter().map(String::as_str).chain([flag]));
        // Named, so that the flag is for the program alone and not for what only helps to build it.
        cargo(["build", "--locked", "--release", "--package", "gateway-server", "--target", &self.host])
            .args(["--target-dir", text(&folder)?])
            .env("CARGO_ENCODED_RUSTFLAGS", flags)
            .run()?;
        Ok(folder.join(&self.host).join("release").join("gateway-server"))
    }

    /// Adds up the counts of all programs that ran.
    pub(super) fn merge(&self, counts: &Path, profile: &Path) -> anyhow::Result<()> {
        let files = fs::read_dir(counts).context("no program has left its counts")?;
        let files = files.map(|file| Ok(file?.path())).collect::<anyhow::Result<Vec<_>>>()?;
        Step::new(&self.adder).args(["merge", "--output", text(profile)?]).args(files).run()
    }
}

/// The flags of the one who calls us, and more, as cargo takes them apart again.
fn flags<'f>(given: &'f str, more: impl Iterator<Item = &'f str>) -> String {
    given.split_whitespace().chain(more).collect::<Vec<_>>().join("\u{1f}")
}

/// Where cargo keeps the sources of others.
fn cargo_home() -> anyhow::Result<String> {
    if let Ok(home) = std::env::var("CARGO_HOME") {
        return Ok(home);
    }
    let home = std::env::home_dir().context("there is no home folder, and CARGO_HOME is not set")?;
    Ok(text(&home.join(".cargo"))?.to_owned())
}

fn text(path: &Path) -> anyhow::Result<&str> {
    path.to_str().context("the target folder's name is not UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_of_the_caller_are_kept_and_a_path_with_a_blank_is_one_flag() {
        let more = ["-Cprofile-use=/a b"];
        assert_eq!(
            flags("-C target-cpu=native", more.into_iter()),
            "-C\u{1f}target-cpu=native\u{1f}-Cprofile-use=/a b"
        );
        assert_eq!(flags("", more.into_iter()), more.concat());
    }
}
