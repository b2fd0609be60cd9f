//! `cargo xtask vendor-ui`: brings the few libraries of the web UI into `crates/admin/ui/vendor`.
//!
//! They are committed, so that a build needs neither Node nor a network. `vendor.json` beside them says what they are,
//! where they came from and their SHA-256; `cargo xtask tidy` holds the files against it.

mod icons;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::shell::{Step, root, say, target_directory};

/// Where the libraries lie.
const FOLDER: &str = "crates/admin/ui/vendor";

/// What says what they are.
const LIST: &str = "vendor.json";

/// A pinned npm package.
struct Package {
    name: &'static str,
    version: &'static str,
    licence: &'static str,
    /// Of the archive that the registry gives; another one is refused.
    sha256: &'static str,
    /// Its licence text, and as what it is kept.
    text: (&'static str, &'static str),
    files: &'static [Vendored],
}

/// A file of a package: where it lies there, as what it is kept, and what must be changed.
struct Vendored {
    from: &'static str,
    to: &'static str,
    change: Change,
}

/// What is done to a file on its way in.
enum Change {
    Nothing,
    /// An import by bare name becomes one of the file beside it: an import map would need inline script.
    Import(&'static str, &'static str),
    /// A script that makes a global becomes a module that gives it.
    Export(&'static str),
}

const PACKAGES: [Package; 3] = [
    Package {
        name: "preact",
        version: "11.2.0",
        licence: "MIT",
        sha256: "3c4456766bd32b6b534d52bf4e9c2a29b33e7eedf6e96ed479300ba1a7888ebf",
        text: ("LICENSE", "preact.LICENSE"),
        files: &[
            Vendored { from: "dist/preact.mjs", to: "preact.js", change: Change::Nothing },
            Vendored {
                from: "hooks/dist/hooks.mjs",
                to: "hooks.js",
                change: Change::Import("preact", "./preact.js"),
            },
        ],
    },
    Package {
        name: "htm",
        version: "3.1.1",
        licence: "Apache-2.0",
        sha256: "2425b9bee11409177bcabc7f32e319926fc6690c1701c0b257c88bdff2d5ba90",
        text: ("LICENSE", "htm.LICENSE"),
        files: &[Vendored { from: "dist/htm.mjs", to: "htm.js", change: Change::Nothing }],
    },
    Package {
        name: "uplot",
        version: "1.6.32",
        licence: "MIT",
        sha256: "4b8a8191e425658e3ea8c8c1314b0fc679c861ee3a1af2b20c7b16ba50b5133d",
        text: ("LICENSE", "uplot.LICENSE"),
        files: &[
            Vendored { from: "dist/uPlot.iife.min.js", to: "uplot.js", change: Change::Export("uPlot") },
            Vendored { from: "dist/uPlot.min.css", to: "uplot.css", change: Change::Nothing },
        ],
    },
];

/// Where the icons come from; the few that are used become one module.
const ICONS: Package = Package {
    name: "lucide-static",
    version: "1.62.0",
    licence: "ISC",
    sha256: "386f9080c440d6f5049cefe3456ae8357f7a0c7f76e59670cd1cb83bc7050a44",
    text: ("LICENSE", "lucide.LICENSE"),
    files: &[],
};

pub(crate) fn run() -> anyhow::Result<()> {
    let scratch = target_directory()?.join("vendor-ui");
    let folder = root().join(FOLDER);
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {FOLDER}"))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {FOLDER}"))?;
    let mut listed = Vec::new();
    for package in &PACKAGES {
        let source = unpack(package, &scratch)?;
        let mut files = Vec::new();
        for file in package.files {
            let text = read(&source.join(file.from))?;
            files.push(keep(&folder, file.to, file.from, &changed(file, text)?)?);
        }
        listed.push(package.listed(&folder, &source, files)?);
    }
    let source = unpack(&ICONS, &scratch)?;
    let module = icons::module(&source.join("icons"))?;
    let files = vec![keep(&folder, "icons.js", "icons/*.svg", &module)?];
    listed.push(ICONS.listed(&folder, &source, files)?);
    let text = serde_json::to_string_pretty(&json!({ "packages": listed }))?;
    write(&folder.join(LIST), &format!("{text}\n"))?;
    say(&format!("{FOLDER} holds {} packages", listed.len()));
    Ok(())
}

/// What does not fit between `vendor.json` and the files beside it; empty when all is well.
pub(crate) fn findings(root: &Path) -> anyhow::Result<Vec<String>> {
    let folder = root.join(FOLDER);
    let list: Value = serde_json::from_str(&read(&folder.join(LIST))?).context("cannot read vendor.json")?;
    let packages = list.get("packages").and_then(Value::as_array).context("vendor.json names no packages")?;
    let files = packages.iter().filter_map(|package| package.get("files")?.as_array()).flatten();
    let mut known = BTreeSet::from([LIST.to_owned()]);
    let mut findings = Vec::new();
    for file in files {
        let text = |name: &str| file.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (path, wanted) = (text("path"), text("sha256"));
        match fs::read(folder.join(&path)) {
            Ok(bytes) if digest(&bytes) == wanted => {}
            Ok(_) => findings.push(format!("{path} is not what vendor.json says; run cargo xtask vendor-ui")),
            Err(error) => findings.push(format!("{path} cannot be read: {error}")),
        }
        known.insert(path);
    }
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot list {FOLDER}"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !known.contains(&name) {
            findings.push(format!("{name} is not in vendor.json"));
        }
    }
    Ok(findings)
}

/// Fetches a package's archive, holds it against its pin, and unpacks it.
fn unpack(package: &Package, scratch: &Path) -> anyhow::Result<PathBuf> {
    let Package { name, version, .. } = package;
    let folder = scratch.join(name);
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let archive = folder.join(format!("{name}-{version}.tgz"));
    if !archive.exists() {
        Step::new("npm")
            .args(["pack", "--silent", "--pack-destination"])
            .args([&folder])
            .args([format!("{name}@{version}")])
            .run()?;
    }
    let found = digest(&fs::read(&archive).with_context(|| format!("no archive of {name}"))?);
    ensure!(
        found == package.sha256,
        "the archive of {name} {version} has the SHA-256 {found}, not the pinned one"
    );
    Step::new("tar").args(["-xzf"]).args([&archive]).args(["-C"]).args([&folder]).run()?;
    Ok(folder.join("package"))
}

fn changed(file: &Vendored, text: String) -> anyhow::Result<String> {
    // The maps are not kept.
    let text = match text.find("//# sourceMappingURL=") {
        Some(at) => text.get(..at).unwrap_or_default().trim_end().to_owned() + "\n",
        None => text,
    };
    match file.change {
        Change::Nothing => Ok(text),
        Change::Import(bare, path) => {
            let (old, new) = (format!("from\"{bare}\""), format!("from\"{path}\""));
            if text.matches(&old).count() != 1 {
                bail!("{} does not import {bare} once", file.from);
            }
            Ok(text.replace(&old, &new))
        }
        Change::Export(name) => Ok(format!("{}\nexport default {name};\n", text.trim_end())),
    }
}

/// Writes a file and tells what to list of it.
fn keep(folder: &Path, to: &str, from: &str, text: &str) -> anyhow::Result<Value> {
    write(&folder.join(to), text)?;
    Ok(json!({ "path": to, "from": from, "sha256": digest(text.as_bytes()) }))
}

fn digest(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(bytes) {
        // Writing into a text cannot fail.
        let _written = write!(text, "{byte:02x}");
    }
    text
}

fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

// === impl Package ===

impl Package {
    /// Its entry in `vendor.json`, with its licence among the files.
    fn listed(&self, folder: &Path, source: &Path, mut files: Vec<Value>) -> anyhow::Result<Value> {
        let (from, to) = self.text;
        files.push(keep(folder, to, from, &read(&source.join(from))?)?);
        Ok(json!({
            "name": self.name,
            "version": self.version,
            "licence": self.licence,
            "archive_sha256": self.sha256,
            "files": files,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_libraries_are_those_that_were_brought_in() {
        assert_eq!(findings(root()).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_bare_import_becomes_one_of_the_file_beside() {
        let change = Change::Import("preact", "./preact.js");
        let file = Vendored { from: "a.mjs", to: "a.js", change };
        let text =
            changed(&file, "import{h}from\"preact\";h();\n//# sourceMappingURL=a.map".to_owned()).unwrap();
        assert_eq!(text, "import{h}from\"./preact.js\";h();\n");
        assert!(changed(&file, "h();".to_owned()).is_err());
    }
}
