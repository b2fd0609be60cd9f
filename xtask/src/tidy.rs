//! `cargo xtask tidy`: the rules that no compiler checks. A rule that is not here is not a rule.

mod code;
mod documents;
mod files;

use std::fmt;
use std::path::Path;

use anyhow::bail;

use crate::shell::{root, say};
use crate::vendor_ui;
use files::File;

/// One place where a rule is broken.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    path: String,
    /// 0 when the whole file is meant.
    line: usize,
    what: String,
}

pub(crate) fn run() -> anyhow::Result<()> {
    let files = files::read(root())?;
    let mut findings = findings(root(), &files);
    findings.extend(vendor_ui::findings(root())?.into_iter().map(|what| Finding {
        path: "crates/admin/ui/vendor".to_owned(),
        line: 0,
        what,
    }));
    for finding in &findings {
        say(&finding.to_string());
    }
    if !findings.is_empty() {
        bail!("{} places are not tidy", findings.len());
    }
    say(&format!("tidy: {} files keep the rules", files.len()));
    Ok(())
}

fn findings(root: &Path, files: &[File]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = files.iter().flat_map(code::check).collect();
    findings.extend(files.iter().flat_map(|file| documents::check_links(root, file)));
    findings.extend(documents::check_readme(files));
    findings
}

// === impl Finding ===

impl Finding {
    fn new(file: &File, line: usize, what: impl Into<String>) -> Self {
        Self { path: file.path.clone(), line, what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.what),
            line => write!(f, "{}:{line}: {}", self.path, self.what),
        }
    }
}

#[cfg(test)]
mod tests;
