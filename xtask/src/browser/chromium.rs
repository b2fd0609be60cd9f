//! Finds a Chromium.

use std::path::PathBuf;

use anyhow::Context;

use crate::setup;

/// Names under which it is installed.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];

/// The browser to drive: the one that `GATEWAY_BROWSER` names, one on the path, or Debian's, installed now.
pub(super) fn find() -> anyhow::Result<PathBuf> {
    if let Some(named) = std::env::var_os("GATEWAY_BROWSER") {
        let named = PathBuf::from(named);
        anyhow::ensure!(named.is_file(), "GATEWAY_BROWSER names {}, which is no file", named.display());
        return Ok(named);
    }
    if let Some(found) = on_path() {
        return Ok(found);
    }
    setup::debian(&["chromium"]).context(
        "no Chromium to show the pages in: install one (Debian: apt-get install chromium), or name one with \
         GATEWAY_BROWSER=/path/to/chromium",
    )?;
    on_path().context("Debian's Chromium was installed, and is not on the path")
}

fn on_path() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut places = std::env::split_paths(&path).flat_map(|folder| NAMES.map(|name| folder.join(name)));
    places.find(|place| place.is_file())
}
