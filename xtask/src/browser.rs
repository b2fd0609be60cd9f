//! `cargo xtask browser`: the web pages in a real browser, before the built gateway.
//!
//! Chromium is Debian's, or the one that is named; everything else comes with the packages that the lock file pins.

mod chromium;
mod pages;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, bail};

use crate::ci::Done;
use crate::setup::{self, Missing};
use crate::shell::{Step, cargo, root, say, target_directory};

/// Where the suite's sources are.
const SUITE: &str = "tests/browser";

/// Checks the types of the pages' scripts; nothing is run.
pub(crate) fn types() -> anyhow::Result<Done> {
    match prepared() {
        Ok(folder) => pages::checked(&folder).map(Done::from),
        Err(error) => skip("the types of the web pages were not checked", error, required()),
    }
}

/// Runs the suite; `name` keeps only the files whose name holds it.
pub(crate) fn run(name: Option<&str>) -> anyhow::Result<Done> {
    let (chromium, folder) = match chromium::find().and_then(|found| Ok((found, prepared()?))) {
        Ok(both) => both,
        Err(error) => return skip("the web pages were not tested in a browser", error, required()),
    };
    cargo(["build", "--locked", "--package", "gateway-server"]).run()?;
    let files = suite(&folder, name)?;
    let pictures = folder.join("pictures");
    let began = Instant::now();
    let passed = Step::new("node")
        .args(["--test", "--test-reporter=spec", "--test-concurrency=2", "--test-timeout=180000"])
        .args(files)
        .env("GATEWAY_SERVER", target_directory()?.join("debug").join("gateway-server"))
        .env("GATEWAY_BROWSER", chromium)
        .env("GATEWAY_BROWSER_PICTURES", &pictures)
        .within(&folder)
        .watch(|_| {})?;
    let (seconds, pictures) = (began.elapsed().as_secs(), pictures.display());
    say(&format!("the browser took {seconds} s; pictures of all pages are in {pictures}"));
    if !passed {
        bail!("the web pages failed in the browser");
    }
    Ok(Done::Passed)
}

/// Whether a machine that lacks a browser fails.
fn required() -> bool {
    std::env::var("GATEWAY_BROWSER_REQUIRED").is_ok_and(|value| value == "1")
}

/// What a machine lacks is no failure of the pages; but nobody shall believe that they were looked at. Whatever else went
/// wrong is a failure.
fn skip(what: &str, why: anyhow::Error, required: bool) -> anyhow::Result<Done> {
    if required || !why.is::<Missing>() {
        return Err(why.context(what.to_owned()));
    }
    say(&format!(
        "\nSKIPPED, NOT PASSED: {what}: {why:#}\n(GATEWAY_BROWSER_REQUIRED=1 makes this a failure.)"
    ));
    Ok(Done::Skipped)
}

/// The folder of the suite below the target directory, with its packages installed.
fn prepared() -> anyhow::Result<PathBuf> {
    let folder = target_directory()?.join("browser");
    setup::npm(&root().join(SUITE), &folder, &["tsconfig.json"])?;
    Ok(folder)
}

/// Copies the suite beside its packages, and says which files hold tests.
fn suite(folder: &Path, name: Option<&str>) -> anyhow::Result<Vec<PathBuf>> {
    let tests = folder.join("suite");
    replace(&root().join(SUITE), &tests)?;
    let entries = fs::read_dir(&tests).context("cannot list the suite")?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.context("cannot list the suite")?.path();
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if file.ends_with(".test.mjs") && name.is_none_or(|name| file.contains(name)) {
            files.push(path);
        }
    }
    files.sort();
    anyhow::ensure!(!files.is_empty(), "no file of the suite has such a name");
    Ok(files)
}

/// Copies a folder over what stood there before.
fn replace(from: &Path, to: &Path) -> anyhow::Result<()> {
    if to.exists() {
        fs::remove_dir_all(to).with_context(|| format!("cannot clear {}", to.display()))?;
    }
    copy(from, to)
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot list {}", from.display()))? {
        let (path, to) = entry.map(|entry| (entry.path(), to.join(entry.file_name())))?;
        if path.is_dir() {
            copy(&path, &to)?;
        } else {
            fs::copy(&path, &to).with_context(|| format!("cannot copy {}", path.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_machine_lacks_is_skipped() {
        let missing = || anyhow::Error::new(Missing("chromium".to_owned())).context("no Chromium");
        assert_eq!(skip("not tested", missing(), false).unwrap(), Done::Skipped);
        assert!(skip("not tested", missing(), true).is_err(), "where a browser is required");
        assert!(skip("not tested", anyhow::anyhow!("`npm ci` failed"), false).is_err());
    }
}
