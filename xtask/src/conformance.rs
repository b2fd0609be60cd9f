//! `cargo xtask conformance`: OpenAI's own tests of its Python SDK against OpenAI's own mock, directly and through the
//! gateway. What passes directly has to pass through the gateway, and what the mock's validator does not complain of
//! directly it must not complain of through the gateway.

mod document;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::shell::{Step, cargo, root, say, target_directory};
use crate::tally::Tally;
use crate::{clients, setup};

/// How many suites this is, where suites are counted.
pub(crate) const SUITES: u64 = 1;

/// Where the mock, its document and the driver are.
const FOLDER: &str = "tests/conformance";

pub(crate) fn run() -> anyhow::Result<()> {
    cargo(["build", "--locked", "--package", "gateway-server"]).run()?;
    let tally = judge(set_up(&target_directory()?)?)?;
    if tally.failed > 0 {
        bail!("{} differences between the mock and the gateway in front of it", tally.failed);
    }
    Ok(())
}

/// The same as a part of all tests: what cannot be set up is skipped, said so, and counted.
pub(crate) fn tally() -> anyhow::Result<Tally> {
    match set_up(&target_directory()?) {
        Ok(drive) => judge(drive),
        Err(error) => {
            say(&format!("SKIPPED: conformance: {error:#}"));
            Ok(Tally { skipped: SUITES, ..Tally::default() })
        }
    }
}

fn judge(drive: Step) -> anyhow::Result<Tally> {
    let mut tally = Tally::default();
    let passed = drive.watch(|line| tally += Tally::read(line).unwrap_or_default())?;
    if !passed && tally.failed == 0 {
        tally.failed = 1;
    }
    Ok(tally)
}

/// Sets up what is missing; the step that is returned runs the comparison.
fn set_up(target: &Path) -> anyhow::Result<Step> {
    let source = root().join(FOLDER);
    let folder = target.join("conformance");
    let python = clients::python_sdk(target)?;
    setup::packages(&python, target, &source.join("requirements-conformance.txt"))?;
    setup::npm(&source, &folder, &[])?;
    let suite = suite(&python, &folder.join("suite"))?;
    Ok(Step::new(python)
        .env("PYTHONPATH", root().join("tests/clients"))
        .args(["-u", "tests/conformance/run.py", "--server"])
        .args([target.join("debug").join("gateway-server")])
        .args(["--mock"])
        .args([folder.join("node_modules/.bin/steady")])
        .args(["--document"])
        .args([document::for_the_mock(&folder)?])
        .args(["--suite"])
        .args([suite])
        .args(["--reports"])
        .args([folder]))
}

/// The folder of the SDK's source package, which carries its tests, in the version that the client suites pin.
fn suite(python: &Path, folder: &Path) -> anyhow::Result<PathBuf> {
    let requirements = clients::requirements("openai");
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    setup::once(&requirements, &folder.join("unpacked.txt"), || {
        fs::remove_dir_all(folder)
            .and_then(|()| fs::create_dir_all(folder))
            .context("cannot empty the suite")?;
        setup::pip(python, "download")
            .args(["--no-deps", "--no-binary", "openai", "--dest"])
            .args([folder])
            .args(["--requirement"])
            .args([&requirements])
            .run()?;
        let archive = setup::find(folder, "gz").context("the source package of the SDK is no archive")?;
        Step::new(python).args(["-m", "tarfile", "--extract"]).args([&archive, folder]).run()
    })?;
    let project = setup::find(folder, "toml").context("the source package of the SDK is no project")?;
    let suite = project.parent().context("a file lies in a folder")?;
    anyhow::ensure!(
        suite.join("tests/api_resources").is_dir(),
        "the source package of the SDK carries no tests"
    );
    Ok(suite.to_owned())
}
