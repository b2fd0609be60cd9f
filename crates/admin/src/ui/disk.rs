//! The files of the web pages from a folder, while somebody works on them: reloading a page shows what was changed.

use std::fs;
use std::path::Path;

/// A file of the folder. Only names that cannot lead out of it are looked for.
pub(super) fn read(folder: &Path, path: &str) -> Option<Vec<u8>> {
    let plain = |part: &str| {
        !part.starts_with('.')
            && !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    };
    if !path.split('/').all(plain) {
        return None;
    }
    fs::read(folder.join(path)).ok()
}
