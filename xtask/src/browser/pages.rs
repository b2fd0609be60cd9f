//! The pages' own scripts, checked by TypeScript: their types stand in comments, so nothing has to be built.

use std::fs;
use std::path::Path;

use anyhow::Context;

use super::{SUITE, replace};
use crate::shell::{Step, root};

/// What the pages bring with them in a form that has no types: their packages' own are used in its place.
const PACKED: [&str; 4] = ["hooks.js", "htm.js", "preact.js", "uplot.js"];

/// Checks the pages in a folder where the suite's packages are installed.
pub(super) fn checked(folder: &Path) -> anyhow::Result<()> {
    let pages = folder.join("ui");
    replace(&root().join("crates/admin/ui"), &pages)?;
    replace(&root().join(SUITE).join("declarations"), &folder.join("declarations"))?;
    for file in PACKED {
        fs::remove_file(pages.join("vendor").join(file)).with_context(|| format!("no vendored {file}"))?;
    }
    Step::new(folder.join("node_modules/.bin/tsc")).args(["--project", "tsconfig.json"]).within(folder).run()
}
