//! The rules about documents.

use std::path::{Component, Path, PathBuf};

use super::Finding;
use super::files::File;

/// What the README offers on its first screens: how to see the thing work, and how to see that it does. Each is the
/// only line of a code block, with the marker on the line before.
const COMMANDS: [(&str, &str); 2] = [
    ("<!-- command: run -->", "cargo run --release -- demo"),
    ("<!-- command: test -->", "cargo xtask test"),
];

/// How far down the README the two commands may stand.
const FIRST_SCREENS: usize = 60;

/// Links to files that do not exist. Only files of the repository can be checked, and only these are.
pub(super) fn check_links(root: &Path, file: &File) -> Vec<Finding> {
    if !file.is(&["md"]) {
        return Vec::new();
    }
    let folder = Path::new(&file.path).parent().unwrap_or(Path::new(""));
    let mut findings = Vec::new();
    let mut fenced = false;
    for (index, line) in file.text.lines().enumerate() {
        fenced ^= line.trim_start().starts_with("```");
        let links = if fenced { Vec::new() } else { links(line) };
        for link in links.into_iter().filter(|link| !leads_away(link)) {
            let path = link.split(['#', '?']).next().unwrap_or(link);
            let exists = normal(&folder.join(path)).is_some_and(|path| root.join(path).exists());
            if !exists {
                findings.push(Finding::new(file, index + 1, format!("`{link}` leads nowhere")));
            }
        }
    }
    findings
}

/// The two commands of the README: present, exactly once, near the top, and spelled as they are tested.
pub(super) fn check_readme(files: &[File]) -> Vec<Finding> {
    let Some(readme) = files.iter().find(|file| file.path == "README.md") else {
        let what = "is missing".to_owned();
        return vec![Finding { path: "README.md".to_owned(), line: 0, what }];
    };
    let lines: Vec<&str> = readme.text.lines().map(str::trim).collect();
    let mut findings = Vec::new();
    for (marker, command) in COMMANDS {
        let places: Vec<_> = (0..lines.len()).filter(|at| lines.get(*at) == Some(&marker)).collect();
        let block = places.first().and_then(|at| lines.get(at + 1..at + 4));
        let is_block = block.is_some_and(|block| {
            matches!(block, [open, line, close] if open.starts_with("```") && *line == command && *close == "```")
        });
        match places[..] {
            [at] if at < FIRST_SCREENS && is_block => {}
            _ => findings.push(Finding::new(
                readme,
                places.last().map_or(0, |at| at + 1),
                format!("wants `{marker}` once, in its first {FIRST_SCREENS} lines, before a block with `{command}`"),
            )),
        }
    }
    for (index, line) in lines.iter().enumerate() {
        if line.starts_with("<!-- command:") && !COMMANDS.iter().any(|(marker, _)| marker == line) {
            findings.push(Finding::new(readme, index + 1, "two commands are marked, not more"));
        }
    }
    findings
}

/// The targets of the links in one line: `[text](target)` and `[text](target "title")`.
fn links(line: &str) -> Vec<&str> {
    let rest = line.split("](").skip(1);
    let targets = rest.filter_map(|rest| rest.split_once(')')).map(|(target, _)| target.trim());
    targets.filter_map(|target| target.split_whitespace().next()).collect()
}

fn leads_away(link: &str) -> bool {
    link.starts_with('#') || link.contains("://") || link.starts_with("mailto:")
}

/// The path without `.` and `..`; `None` when it leaves the repository.
fn normal(path: &Path) -> Option<PathBuf> {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => normal.push(name),
            Component::CurDir => {}
            Component::ParentDir => {
                if !normal.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(normal)
}
