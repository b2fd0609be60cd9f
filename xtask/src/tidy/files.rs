//! The files of the workspace, as text.

use std::fs;
use std::path::Path;

use anyhow::Context;

/// Folders that hold what others made.
const SKIPPED: [&str; 6] = [".git", "target", "node_modules", ".venv", "__pycache__", "proptest-regressions"];

/// Files with these endings are read.
const READ: [&str; 12] = ["rs", "md", "toml", "sql", "py", "js", "mjs", "ts", "css", "html", "sh", "yml"];

/// One file.
#[derive(Debug)]
pub(super) struct File {
    /// Relative to the root, with slashes.
    pub(super) path: String,
    pub(super) text: String,
}

/// Reads every file below `root` that the rules are about, ordered by path.
pub(super) fn read(root: &Path) -> anyhow::Result<Vec<File>> {
    let mut files = Vec::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(root.join(&folder)).with_context(|| format!("cannot list {folder}"))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot list {folder}"))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
            let kind = entry.file_type().with_context(|| format!("cannot look at {path}"))?;
            if kind.is_dir() && !SKIPPED.contains(&name.as_str()) {
                folders.push(path);
            } else if kind.is_file() && READ.iter().any(|ending| extension(&name) == Some(ending)) {
                let text =
                    fs::read_to_string(root.join(&path)).with_context(|| format!("cannot read {path}"))?;
                files.push(File { path, text });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn extension(name: &str) -> Option<&str> {
    name.rsplit_once('.').map(|(_, extension)| extension)
}

// === impl File ===

impl File {
    pub(super) fn is(&self, endings: &[&str]) -> bool {
        extension(&self.path).is_some_and(|extension| endings.contains(&extension))
    }

    /// Whether the file holds tests and nothing that ships.
    pub(super) fn is_test(&self) -> bool {
        self.path.starts_with("tests/") || self.path.contains("/tests/") || self.path.ends_with("/tests.rs")
    }

    /// Numbered lines from 1 up to where the file's own test module begins: what ships, comments left out.
    pub(super) fn shipped_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().map(|(index, line)| (index + 1, line));
        let shipped = lines.take_while(|(_, line)| !line.starts_with("mod tests {"));
        shipped.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}
