//! The `OpenAPI` document of OpenAI, which lies in `tests/conformance`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::shell::Step;

/// The document, packed.
const PACKED: &str = "tests/conformance/openapi.sdk.yml.gz";

/// Unpacks the document into `folder` as the mock has to be fed with it: its paths begin with the version. The mock
/// takes no heed of the path of the document's server, and a channel's paths begin with it.
pub(super) fn for_the_mock(folder: &Path) -> anyhow::Result<PathBuf> {
    let mut text = String::new();
    let mut in_paths = false;
    for line in unpacked()?.lines() {
        in_paths = is_in_paths(in_paths, line);
        match line.strip_prefix("  /") {
            Some(path) if in_paths => text.extend(["  /v1/", path, "\n"]),
            Some(_) | None => text.extend([line, "\n"]),
        }
    }
    let file = folder.join("openapi.yml");
    fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(file)
}

fn unpacked() -> anyhow::Result<String> {
    Step::new("gzip").args(["--decompress", "--stdout", PACKED]).output()
}

/// Whether the line after those before it belongs to the paths of the document: each member of the whole begins its
/// line.
fn is_in_paths(before: bool, line: &str) -> bool {
    if line.starts_with([' ', '#', '-']) || line.is_empty() { before } else { line == "paths:" }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::shell::root;

    /// Method and path of every operation.
    fn operations(document: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let (mut in_paths, mut path) = (false, "");
        for line in document.lines() {
            in_paths = is_in_paths(in_paths, line);
            let depth = line.len() - line.trim_start().len();
            let Some(name) = line.trim_start().strip_suffix(':').filter(|_| in_paths) else { continue };
            match (depth, name) {
                (2, name) => path = name,
                (4, "get" | "post" | "put" | "patch" | "delete" | "head" | "options" | "trace") => {
                    found.insert(format!("{} {path}", name.to_uppercase()));
                }
                (_, _) => {}
            }
        }
        found
    }

    /// The endpoint table is held against this list by the tests of `gateway-proxy`.
    #[test]
    fn the_list_that_the_endpoint_table_is_held_against_is_the_documents() {
        let listed =
            fs::read_to_string(root().join("crates/proxy/src/openai/endpoint/operations.txt")).unwrap();
        let listed: BTreeSet<_> =
            listed.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
        let documented = operations(&unpacked().unwrap());
        let missing: Vec<_> = documented.difference(&listed).collect();
        let gone: Vec<_> = listed.difference(&documented).collect();
        assert!(
            missing.is_empty() && gone.is_empty(),
            "operations.txt misses {missing:#?} and still has {gone:#?}"
        );
        assert!(listed.len() > 100, "{} operations", listed.len());
    }

    #[test]
    fn all_paths_and_nothing_else_get_the_version() {
        let folder = std::env::temp_dir().join(format!("xtask-document-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let text = fs::read_to_string(for_the_mock(&folder).unwrap()).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        let original = unpacked().unwrap();
        let expected: BTreeSet<_> =
            operations(&original).iter().map(|operation| operation.replacen(" /", " /v1/", 1)).collect();
        assert_eq!(operations(&text), expected);
        let changed = text.lines().zip(original.lines()).filter(|(new, old)| new != old);
        assert!(changed.clone().all(|(new, old)| *new == old.replacen("  /", "  /v1/", 1)));
        assert_eq!(changed.count(), original.lines().filter(|line| line.starts_with("  /")).count());
    }
}
