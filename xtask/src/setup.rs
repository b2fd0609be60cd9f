//! What programs of others need: set up below the target directory, once for what is pinned.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::shell::{Step, exists};

/// What a machine lacks, and what cannot be installed there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Missing(pub(crate) String);

/// The Python of a virtual environment of our own.
pub(crate) fn python(target: &Path) -> anyhow::Result<PathBuf> {
    let folder = target.join("venv");
    let python = folder.join("bin").join("python");
    if !exists(&python.to_string_lossy()) {
        let make = || Step::new("python3").args(["-m", "venv", "--clear"]).args([&folder]).run();
        if make().is_err() {
            debian(&["python3", "python3-venv"])?;
            make()?;
        }
    }
    Ok(python)
}

/// Installs what a file of requirements pins, unless it was done before.
pub(crate) fn packages(python: &Path, target: &Path, requirements: &Path) -> anyhow::Result<()> {
    let name = requirements.file_stem().context("the requirements are no file")?;
    let stamp = target.join("venv").join(format!("installed-{}.txt", name.to_string_lossy()));
    once(requirements, &stamp, || pip(python, "install").args(["--requirement"]).args([requirements]).run())
}

/// `pip` with a command of its own, patient with the network.
pub(crate) fn pip(python: &Path, command: &str) -> Step {
    Step::new(python).args(["-m", "pip", command, "--quiet", "--disable-pip-version-check"]).args([
        "--retries",
        "2",
        "--timeout",
        "60",
    ])
}

/// Installs what the `package-lock.json` of `source` pins in `folder`, beside copies of `files`.
pub(crate) fn npm(source: &Path, folder: &Path, files: &[&str]) -> anyhow::Result<()> {
    if !exists("npm") {
        debian(&["nodejs", "npm"])?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for file in ["package.json", "package-lock.json"].iter().chain(files) {
        fs::copy(source.join(file), folder.join(file)).with_context(|| format!("cannot copy {file}"))?;
    }
    once(&source.join("package-lock.json"), &folder.join("installed.json"), || {
        Step::new("npm").args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]).within(folder).run()
    })
}

/// Does `work` unless it was done for the same content of `input` before.
pub(crate) fn once(
    input: &Path,
    stamp: &Path,
    work: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let wanted = fs::read(input).with_context(|| format!("cannot read {}", input.display()))?;
    if fs::read(stamp).is_ok_and(|done| done == wanted) {
        return Ok(());
    }
    work()?;
    fs::write(stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))
}

/// The first file with this ending, at most two folders deep.
pub(crate) fn find(folder: &Path, ending: &str) -> Option<PathBuf> {
    let mut folders = vec![(folder.to_owned(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        for entry in fs::read_dir(folder).ok()?.flatten() {
            let path = entry.path();
            if path.is_dir() && depth < 2 {
                folders.push((path, depth + 1));
            } else if path.extension().is_some_and(|extension| extension == ending) {
                return Some(path);
            }
        }
    }
    None
}

/// Installs Debian packages, if this is Debian and we may; otherwise they are [`Missing`].
pub(crate) fn debian(packages: &[&str]) -> anyhow::Result<()> {
    let missing = || Missing(packages.join(" and "));
    anyhow::ensure!(exists("apt-get"), missing());
    let user = Step::new("id").args(["-u"]).output().with_context(missing)?;
    anyhow::ensure!(user.trim() == "0", missing());
    let install = || {
        Step::new("apt-get")
            .args(["install", "--yes", "--quiet", "--no-install-recommends"])
            .args(packages)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .run()
    };
    install()
        .or_else(|_| Step::new("apt-get").args(["update", "--quiet"]).run().and_then(|()| install()))
        .with_context(missing)
}

// === impl Missing ===

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} not installed, and cannot be installed from here", self.0)
    }
}

impl std::error::Error for Missing {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::root;

    #[test]
    fn work_is_done_once_for_the_same_input() {
        let folder = std::env::temp_dir().join(format!("xtask-once-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (input, stamp) = (folder.join("input"), folder.join("stamp"));
        let mut done = 0;
        for text in ["a", "a", "b"] {
            fs::write(&input, text).unwrap();
            once(&input, &stamp, || {
                done += 1;
                Ok(())
            })
            .unwrap();
        }
        fs::write(&input, "c").unwrap();
        assert!(once(&input, &stamp, || anyhow::bail!("no network")).is_err());
        once(&input, &stamp, || {
            done += 1;
            Ok(())
        })
        .unwrap();
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(done, 3, "for a, for b, and for c when it worked at last");
    }

    #[test]
    fn a_broken_lock_file_is_no_lack_of_the_machine() {
        if !exists("npm") {
            return;
        }
        let folder = std::env::temp_dir().join(format!("xtask-lock-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("package.json"), "{\"name\": \"broken\", \"version\": \"1.0.0\"}").unwrap();
        fs::write(folder.join("package-lock.json"), "{ \"lockfileVersion\": 3, \"packages\"").unwrap();
        let refused = npm(&folder, &folder.join("target"), &[]).unwrap_err();
        fs::remove_dir_all(&folder).unwrap();
        assert!(!refused.is::<Missing>(), "{refused:#}");
    }

    #[test]
    fn a_file_is_found_by_its_ending() {
        let folder = root().join("xtask");
        assert_eq!(find(&folder, "toml"), Some(folder.join("Cargo.toml")));
        assert_eq!(find(&folder, "gguf"), None);
    }
}
