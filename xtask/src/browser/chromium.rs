//! Finds a Chromium.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::Context;

use crate::setup;

/// Names under which it is installed.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];

/// The browser to drive: the one that `GATEWAY_BROWSER` names, one on the path, or Debian's, installed now.
pub(super) fn find() -> anyhow::Result<PathBuf> {
    if let Some(found) = named(std::env::var_os("GATEWAY_BROWSER"))? {
        return Ok(found);
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

/// The one that was named, if one was. A name that leads nowhere is a fault, not a lack.
fn named(name: Option<OsString>) -> anyhow::Result<Option<PathBuf>> {
    let Some(named) = name.map(PathBuf::from) else { return Ok(None) };
    anyhow::ensure!(named.is_file(), "GATEWAY_BROWSER names {}, which is no file", named.display());
    Ok(Some(named))
}

fn on_path() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut places = std::env::split_paths(&path).flat_map(|folder| NAMES.map(|name| folder.join(name)));
    places.find(|place| place.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::Missing;
    use crate::shell::root;

    #[test]
    fn a_named_browser_is_used_and_a_name_that_leads_nowhere_is_no_lack_of_one() {
        let there = root().join("Cargo.toml");
        assert_eq!(named(Some(there.clone().into())).unwrap(), Some(there));
        assert_eq!(named(None).unwrap(), None);
        let wrong = named(Some("/no/such/chromium".into())).unwrap_err();
        assert!(!wrong.is::<Missing>(), "{wrong:#}");
    }
}
