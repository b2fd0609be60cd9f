//! `cargo xtask fuzz`: each fuzz target for a while, with what it reaches of the code for a guide.
//!
//! libFuzzer is C++, so this wants a C++ compiler; nothing else does. The toolchain is the one that builds everything: what
//! guides the fuzzer are passes of the compiler's back end that stable has too. Inputs that reach something new are kept
//! below the target directory from run to run; the seeds in the tree are small, and never written to.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};

use crate::ci::Done;
use crate::setup::debian;
use crate::shell::{Step, cargo, exists, root, say, target_directory};

/// What makes a program tell the fuzzer where it has been and what it compared.
const GUIDED: [&str; 8] = [
    "--cfg",
    "fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
];

/// The longest input, in bytes: long enough for everything that has a shape.
const MAX_LENGTH: u32 = 4096;

/// A fuzzer that was built.
struct Fuzzer {
    program: PathBuf,
    /// Where it keeps what it finds.
    folder: PathBuf,
}

/// Drives each target whose name holds `name` for so many seconds. All are driven, also after one failed.
pub(crate) fn run(seconds: u32, name: Option<&str>) -> anyhow::Result<Done> {
    let targets: Vec<String> =
        targets()?.into_iter().filter(|target| name.is_none_or(|name| target.contains(name))).collect();
    ensure!(!targets.is_empty(), "no target is called so; each has a folder in tests/fuzz/seeds");
    let Some(fuzzer) = Fuzzer::build()? else { return Ok(Done::Skipped) };
    let mut findings = Vec::new();
    for target in &targets {
        if !fuzzer.drive(target, seconds)? {
            findings.push(fuzzer.newest_finding(target)?);
        }
    }
    if findings.is_empty() {
        say(&format!("\n{} targets were driven for {seconds} s each, without a finding", targets.len()));
        return Ok(Done::Passed);
    }
    for file in &findings {
        say(&format!("finding: {}", file.display()));
    }
    bail!(
        "{} findings. `cargo xtask fuzz TARGET --replay FILE` shows one again; put it among the seeds, and `cargo test \
         --package gateway-fuzz-targets` does on every run",
        findings.len()
    )
}

/// Feeds one file to one target.
pub(crate) fn replay(target: &str, file: &Path) -> anyhow::Result<()> {
    ensure!(targets()?.iter().any(|known| known == target), "`{target}` is no target");
    let file = fs::canonicalize(file).with_context(|| format!("cannot find {}", file.display()))?;
    let Some(fuzzer) = Fuzzer::build()? else { return Ok(()) };
    Step::new(&fuzzer.program).args([&file]).env("GATEWAY_FUZZ_TARGET", target).run()
}

/// Every target has a folder of seeds.
fn targets() -> anyhow::Result<Vec<String>> {
    let seeds = seeds();
    let entries = fs::read_dir(&seeds).with_context(|| format!("cannot list {}", seeds.display()))?;
    let mut targets = Vec::new();
    for entry in entries {
        targets.push(entry.context("cannot list the seeds")?.file_name().to_string_lossy().into_owned());
    }
    targets.sort();
    Ok(targets)
}

fn seeds() -> PathBuf {
    root().join("tests/fuzz/seeds")
}

// === impl Fuzzer ===

impl Fuzzer {
    /// Builds it; `None`, and said so, where there is no C++ compiler and none can be installed.
    fn build() -> anyhow::Result<Option<Self>> {
        if !exists("c++")
            && let Err(error) = debian(&["g++"])
        {
            say(&format!("SKIPPED: fuzzing: libFuzzer wants a C++ compiler: {error:#}"));
            return Ok(None);
        }
        let folder = target_directory()?.join("fuzz");
        let host = host()?;
        // For a named platform, so that the programs that build are not guided as well.
        cargo(["build", "--release", "--manifest-path", "tests/fuzz/Cargo.toml", "--target", &host])
            .args(["--target-dir"])
            .args([&folder])
            .env("RUSTFLAGS", GUIDED.join(" "))
            .run()?;
        Ok(Some(Self { program: folder.join(host).join("release/gateway-fuzz"), folder }))
    }

    /// Drives one target; says whether it withstood.
    fn drive(&self, target: &str, seconds: u32) -> anyhow::Result<bool> {
        let (corpus, findings) = (self.folder.join("corpus").join(target), self.findings(target));
        for folder in [&corpus, &findings] {
            fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        let prefix = format!("-artifact_prefix={}/", findings.display());
        say(&format!("\n=== {target} ==="));
        let driven = Step::new(&self.program)
            .args([corpus, seeds().join(target)])
            .args([prefix, format!("-max_total_time={seconds}"), format!("-max_len={MAX_LENGTH}")])
            .args(["-dict=tests/fuzz/words.dict", "-timeout=10", "-rss_limit_mb=2048", "-verbosity=0"])
            .args(["-print_final_stats=1"])
            .env("GATEWAY_FUZZ_TARGET", target)
            .run();
        // What went wrong stands above, and in a file.
        Ok(driven.is_ok())
    }

    fn findings(&self, target: &str) -> PathBuf {
        self.folder.join("findings").join(target)
    }

    fn newest_finding(&self, target: &str) -> anyhow::Result<PathBuf> {
        let folder = self.findings(target);
        let entries = fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
        let files = entries.flatten().map(|entry| entry.path());
        let newest = files.max_by_key(|file| fs::metadata(file).and_then(|data| data.modified()).ok());
        Ok(newest.unwrap_or(folder))
    }
}

/// The platform that runs this.
fn host() -> anyhow::Result<String> {
    let told = Step::new("rustc").args(["-vV"]).output()?;
    let line = told.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(line.context("rustc names no host")?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_its_folder_of_seeds() {
        let targets = targets().unwrap();
        assert!(targets.len() > 10 && targets.contains(&"multipart".to_owned()), "{targets:?}");
    }

    #[test]
    fn rustc_says_where_it_runs() {
        assert!(host().unwrap().contains('-'));
    }
}
