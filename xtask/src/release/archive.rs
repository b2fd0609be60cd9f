//! What is given away: an archive, and the checksums of all files.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use sha2::{Digest, Sha256};

use crate::shell::{Step, root};

/// What goes with the program, from the root of the workspace.
const COMPANIONS: [&str; 4] = ["README.md", "CHANGELOG.md", "LICENSE", "config/gateway.toml"];

/// Packs the program with what goes with it, so that the same files become the same archive.
pub(super) fn pack(folder: &Path, name: &str, program: &Path) -> anyhow::Result<PathBuf> {
    let content = folder.join(name);
    if content.exists() {
        fs::remove_dir_all(&content).context("cannot clear the folder to pack")?;
    }
    fs::create_dir_all(&content).context("cannot make the folder to pack")?;
    let companions = COMPANIONS.map(|file| root().join(file));
    for file in companions.iter().map(PathBuf::as_path).chain([program]) {
        let name = file.file_name().context("a file has a name")?;
        fs::copy(file, content.join(name)).with_context(|| format!("cannot copy {}", file.display()))?;
    }
    let archive = format!("{name}.tar.gz");
    let time = Step::new("git").args(["log", "-1", "--format=@%ct"]).output()?;
    Step::new("tar")
        .args(["--create", "--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mode=u=rwX,go=rX"])
        .args(["--mtime", time.trim(), "--use-compress-program", "gzip -n", "--file", &archive, name])
        .within(folder)
        .run()?;
    fs::remove_dir_all(&content).context("cannot remove what was packed")?;
    Ok(folder.join(archive))
}

/// Writes the files' checksums as `sha256sum --check` reads them.
pub(super) fn sum_up(folder: &Path, files: &[&Path]) -> anyhow::Result<()> {
    let mut sums = String::new();
    for file in files {
        let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        sums.push_str(&line_of(&bytes, &name));
    }
    fs::write(folder.join("SHA256SUMS"), sums).context("cannot write the checksums")
}

fn line_of(bytes: &[u8], name: &str) -> String {
    let mut line = String::new();
    for byte in Sha256::digest(bytes) {
        let _infallible = write!(line, "{byte:02x}");
    }
    line + "  " + name + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_stands_as_sha256sum_writes_it() {
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  a.tar.gz\n";
        assert_eq!(line_of(b"abc", "a.tar.gz"), known);
    }
}
